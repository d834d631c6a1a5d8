#!/bin/busybox sh
# The machine's first program: puts the host's files under a tmpfs and goes on with what the job asks for.
/bin/busybox --install -s /bin
fail() { echo "kernel-vm: $1"; poweroff -f; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do
	insmod "$module" || echo "kernel-vm: cannot load $module"
done

over_9p() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$3" "$1" "$2" || fail "cannot mount $1"; }
over_9p root /lower ro,cache=loose
mount -t tmpfs upper /upper
mkdir /upper/changes /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work overlay /newroot || fail "no overlay"

for one in proc sys dev; do mount --move "/$one" "/newroot/$one"; done
mount -t tmpfs run /newroot/run
mount -t tmpfs mnt /newroot/mnt
mkdir -p /newroot/dev/pts /newroot/dev/shm /newroot/mnt/job /newroot/lib/modules
mount -t devpts devpts /newroot/dev/pts
mount -t tmpfs shm /newroot/dev/shm
mount -t cgroup2 cgroup2 /newroot/sys/fs/cgroup
over_9p job /newroot/mnt/job cache=none
. /newroot/mnt/job/settings
mount --bind "/newroot$MODULES" /newroot/lib/modules || fail "cannot mount the modules"
if [ -n "$OUT" ]; then
	mkdir -p "/newroot$OUT"
	over_9p out "/newroot$OUT" cache=none
fi
[ -n "$SYSTEMD" ] || exec switch_root /newroot /bin/sh /mnt/job/guest

units=/newroot/etc/systemd/system
mkdir -p "$units"
rm -f "$units"/*.wants/* # nothing that the host happens to start
# These walk or rewrite the whole tree, which takes minutes over 9p.
for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-journal-catalog-update ldconfig \
	systemd-hwdb-update systemd-update-done; do
	ln -sf /dev/null "$units/$unit.service"
done
cat >"$units/job.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /mnt/job/guest
UNIT
cat >"$units/job.target" <<'UNIT'
[Unit]
Requires=basic.target job.service
After=basic.target
UNIT
exec switch_root /newroot /lib/systemd/systemd --unit=job.target
