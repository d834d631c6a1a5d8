"""Boots the image in QEMU, runs one command in it as root, and brings its exit status back."""

import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from kernel_vm.image import Image, VmError, prepare, search_path

CONSOLE_LINES = 30
PASSED_ON = ("HOME", "LANG", "TERM", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


def run(
    argv: Sequence[str],
    *,
    systemd: bool = False,
    out: Path | None = None,
    memory: int = 2048,
    seconds: float = 600,
) -> int:
    """Run `argv` in the machine, in this directory, and return its exit status. Raises VmError.

    Its output comes out of this process's standard output while it runs. The machine sees this machine's files;
    what it writes is gone afterwards, except below the directory `out`. `systemd`: the command is a unit of a
    systemd that is PID 1. `memory` is in MiB.
    """
    image = prepare()
    with tempfile.TemporaryDirectory(prefix="jitctl-vm-") as name:
        job = Path(name)
        settings = {
            "MODULES": str(image.modules.resolve()),
            "OUT": str(out.resolve()) if out else "",
            "SYSTEMD": "1" if systemd else "",
        }
        (job / "settings").write_text(
            "".join(f"{key}={shlex.quote(text)}\n" for key, text in settings.items())
        )
        (job / "guest").write_text(_guest(argv))
        status, console = job / "status", job / "console"
        # A machine does not outlive its maker, whatever ends that one.
        command = ["setpriv", "--pdeathsig", "KILL", "--", *_qemu(image, job, out, memory)]
        if not _pump(command, seconds):
            raise VmError(f"ended after {seconds:.0f} s; its console:\n{_tail(console)}")
        if not status.exists():
            raise VmError(f"the machine did not finish; its console:\n{_tail(console)}")
        return int(status.read_text())


def _pump(command: list[str], seconds: float) -> bool:
    """Run QEMU and pass on what the command in the machine says; False when the time was over before the end."""
    # QEMU gets pipes of its own: at the end of its standard input it takes the line for closed and the machine
    # waits for ever, and it makes its standard output non-blocking for whoever shares that.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PATH": search_path()}
    ) as qemu:
        late = threading.Event()

        def end() -> None:
            late.set()
            qemu.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            assert qemu.stdout is not None
            while said := os.read(qemu.stdout.fileno(), 65536):
                sys.stdout.buffer.write(said)
                sys.stdout.buffer.flush()
            qemu.wait()
        finally:
            timer.cancel()
            qemu.kill()
        return not late.is_set()


def _guest(argv: Sequence[str]) -> str:
    """What the machine runs at the end of its start."""
    exports = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    exports["PATH"] = search_path()
    lines = [f"export {key}={shlex.quote(value)}" for key, value in exports.items()]
    return "\n".join(
        [
            *lines,
            "export KERNEL_VM=1",
            "ip link set lo up",
            "hostname kernel-vm",
            f"cd {shlex.quote(str(Path.cwd()))} || exit",
            "port=$(grep -lx output /sys/class/virtio-ports/*/name)",
            'port=/dev/$(basename "$(dirname "$port")")',
            f'{{ {shlex.join(argv)}; }} >"$port" 2>&1 </dev/null',
            "echo $? >/mnt/job/status",
            "sync",
            "exec busybox poweroff -f",
            "",
        ]
    )


def _qemu(image: Image, job: Path, out: Path | None, memory: int) -> list[str]:
    # KVM is not asked for: where these tests run it often exists and does not work.
    argv = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    argv += ["-m", str(memory), "-display", "none", "-nodefaults", "-no-reboot", "-nic", "none"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initramfs)]
    argv += ["-append", "console=ttyS0 panic=1 quiet", "-serial", f"file:{job}/console"]
    argv += ["-device", "virtio-rng-pci"]
    # The command's output has a line of its own, without the kernel's messages and a terminal's conversions.
    argv += ["-chardev", "stdio,id=output,signal=off", "-device", "virtio-serial-pci"]
    argv += ["-device", "virtserialport,chardev=output,name=output"]
    shares = {"root": "path=/,readonly=on,multidevs=remap", "job": f"path={job}"}
    if out:
        shares["out"] = f"path={out.resolve()}"
    for tag, options in shares.items():
        argv += ["-fsdev", f"local,id={tag},security_model=none,{options}"]
        argv += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return argv


def _tail(console: Path) -> str:
    lines = console.read_text("utf-8", "replace").splitlines() if console.exists() else []
    return "\n".join(lines[-CONSOLE_LINES:])
