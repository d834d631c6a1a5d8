"""A real directory in a world: slapd with a few people in it, and nslcd that glibc asks. It can be stopped."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from support.wait import until
from support.world import Process, World

BASE = "dc=example,dc=org"
URI = "ldap://127.0.0.1:3890"
_SLAPD = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /root/slapd.pid
database mdb
suffix "{BASE}"
rootdn "cn=admin,{BASE}"
directory /root/ldap
index uid,uidNumber,gidNumber,memberUid eq
"""
# Short limits, so that who asks a directory that is gone learns it soon.
_NSLCD = f"""\
uid nslcd
gid nslcd
uri {URI}
base {BASE}
bind_timelimit 1
timelimit 2
reconnect_sleeptime 1
reconnect_retrytime 1
"""


class Ldap:
    """slapd and nslcd of a world."""

    def __init__(
        self, world: World, log: Path, users: Mapping[str, int], groups: Mapping[str, Sequence[str]]
    ) -> None:
        """Fill the directory (users with their uids, groups with their members), start both, and let glibc use them."""
        self._world = world
        self._log = log
        entries = [f"dn: {BASE}\nobjectClass: domain\ndc: example\n"]
        entries += [
            f"dn: uid={name},{BASE}\nobjectClass: account\nobjectClass: posixAccount\ncn: {name}\nuid: {name}\n"
            f"uidNumber: {uid}\ngidNumber: 100\nhomeDirectory: /home/{name}\nloginShell: /bin/bash\n"
            for name, uid in users.items()
        ]
        for number, (name, members) in enumerate(groups.items()):
            listed = "".join(f"memberUid: {member}\n" for member in members)
            entries.append(
                f"dn: cn={name},{BASE}\nobjectClass: posixGroup\ncn: {name}\ngidNumber: {70_000 + number}\n{listed}"
            )
        world.path("/root/slapd.conf").write_text(_SLAPD)
        world.run(["mkdir", "-m", "700", "/root/ldap"])
        world.run(["slapadd", "-f", "/root/slapd.conf"], given="\n".join(entries))
        world.path("/etc/nslcd.conf").write_text(_NSLCD)
        world.run(["install", "-d", "-o", "nslcd", "-g", "nslcd", "/run/nslcd"])
        self._slapd: Process | None = None
        self.start()
        with log.open("a") as output:
            world.start(["nslcd", "-n"], output=output)
        switch = world.path("/etc/nsswitch.conf")
        lines = [
            f"{line.partition(':')[0]}: files ldap"
            if line.startswith(("passwd:", "group:", "shadow:"))
            else line
            for line in switch.read_text().splitlines()
        ]
        switch.write_text("\n".join(lines) + "\n")
        for name in users:
            until(lambda name=name: self.knows(name), f"{name} is known", seconds=20)  # type: ignore[misc]  # a loop's value, which a default binds

    def knows(self, name: str) -> bool:
        """Whether glibc finds a user there."""
        return self._world.run(["getent", "passwd", name], check=False).returncode == 0

    def start(self) -> None:
        """Start slapd."""
        assert self._slapd is None
        with self._log.open("a") as output:
            # -d: it stays in the foreground.
            self._slapd = self._world.start(
                ["slapd", "-h", URI, "-f", "/root/slapd.conf", "-d", "0"], output=output
            )

    def stop(self) -> None:
        """Stop slapd: nslcd is there, and has nobody to ask."""
        assert self._slapd is not None
        self._slapd.stop()
        self._slapd = None
