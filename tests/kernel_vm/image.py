"""Debian's stock kernel, fetched once, and an initramfs that puts this machine's files under it."""

import fcntl
import gzip
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "xz": "xz-utils",
    "depmod": "kmod",
    "modprobe": "kmod",
}
# What the machine needs before it sees this machine's files. All other modules are loaded when they are asked for.
BOOT_MODULES = (
    *("virtio_pci", "virtio_rng", "virtio_console", "crc32c_generic", "9p", "9pnet_virtio", "overlay"),
    # Programs look for these devices by path, which loads nothing while /dev is fresh.
    *("tun", "veth", "dummy"),
)
# The parts of the module tree that are kept; a kernel's worth of graphics and sound is not.
KEPT = ("net", "crypto", "lib", "arch", "fs", "drivers/net", "drivers/virtio", "drivers/char")
INIT = Path(__file__).with_name("init.sh")


class VmError(Exception):
    """The machine cannot be made; the text says what to do about it."""


@dataclass(frozen=True)
class Image:
    """What QEMU boots. `modules` is the directory that becomes /lib/modules."""

    kernel: Path
    initramfs: Path
    modules: Path


def search_path() -> str:
    """Where programs are; an ordinary user's path often lacks those of the system."""
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def missing_packages() -> list[str]:
    """The Debian packages that have to be installed first."""
    return sorted(
        {package for name, package in PACKAGES.items() if not shutil.which(name, path=search_path())}
    )


def cache_directory() -> Path:
    """VM_CACHE, or where caches belong."""
    if chosen := os.environ.get("VM_CACHE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/cache/jitctl-kernel-vm")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jitctl-kernel-vm"


def prepare() -> Image:
    """The image, made where it is missing. The first time takes about a minute. Raises VmError."""
    if missing := missing_packages():
        raise VmError(
            f"not installed: {' '.join(missing)}; as root: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        tree = next(iter(cache.glob("kernel-*")), None) or _fetch(cache)
        (kernel,) = (tree / "boot").glob("vmlinuz-*")
        return Image(kernel, _initramfs(cache, tree), tree / "lib/modules")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process at a time makes the image; the others wait for it."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path) -> Path:
    """Fetch the kernel's package with apt, and keep what is needed of it. Nothing is installed."""
    depends = _run(["apt-cache", "depends", "linux-image-amd64"])
    found = re.search(r"Depends: (linux-image-[0-9]\S+)", depends)
    if found is None:
        raise VmError("apt knows no package linux-image-amd64: run apt-get update as root")
    with tempfile.TemporaryDirectory(dir=cache) as name:
        work = Path(name)
        argv = [
            "apt-get",
            "download",
            "-q",
            *(["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []),
        ]
        _run([*argv, found[1]], cwd=work, hint="if the package is not found: run apt-get update as root")
        (package,) = work.glob("*.deb")
        whole = work / "whole"
        _run(["dpkg-deb", "-x", str(package), str(whole)])
        (base,) = [*whole.glob("lib/modules/*"), *whole.glob("usr/lib/modules/*")]
        tree = work / "tree"
        kept = tree / "lib/modules" / base.name
        for part in KEPT:
            if (base / "kernel" / part).is_dir():
                shutil.copytree(base / "kernel" / part, kept / "kernel" / part)
        for file in base.glob("modules.*"):
            shutil.copy(file, kept)
        _run(["depmod", "-b", str(tree), base.name])
        shutil.copytree(whole / "boot", tree / "boot")
        target = cache / f"kernel-{base.name}"
        tree.rename(target)  # only a whole one gets its name
    return target


def _initramfs(cache: Path, tree: Path) -> Path:
    """The first file system: busybox, the modules for the start, and init."""
    init = INIT.read_bytes()
    recipe = hashlib.sha256(repr((tree.name, BOOT_MODULES)).encode() + init).hexdigest()[:16]
    target = cache / f"initramfs-{recipe}.gz"
    if target.exists():
        return target
    busybox = shutil.which("busybox", path=search_path())
    assert busybox is not None
    with tempfile.TemporaryDirectory(dir=cache) as name:
        root = Path(name) / "root"
        for directory in ("bin", "modules", "proc", "sys", "dev", "newroot", "lower", "upper"):
            (root / directory).mkdir(parents=True)
        shutil.copy(busybox, root / "bin/busybox")
        (root / "init").write_bytes(init)
        (root / "init").chmod(0o755)
        for number, module in enumerate(_in_order(tree)):
            plain = lzma.decompress(module.read_bytes()) if module.suffix == ".xz" else module.read_bytes()
            (root / "modules" / f"{number:03}-{module.name.removesuffix('.xz')}").write_bytes(plain)
        files = "".join(f"{path.relative_to(root)}\n" for path in sorted(root.rglob("*")))
        packed = subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc"],
            cwd=root,
            input=files.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        ready = Path(name) / "ready"
        ready.write_bytes(gzip.compress(packed.stdout, 1))
        ready.rename(target)
    return target


def _in_order(tree: Path) -> list[Path]:
    """The files of BOOT_MODULES, each behind the ones that it depends on."""
    (base,) = (tree / "lib/modules").iterdir()
    needs: dict[str, list[str]] = {}
    for line in (base / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.split(".ko")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        for other in needs[path]:
            add(other)
        if path not in order:
            order.append(path)

    for name in BOOT_MODULES:
        if name in by_name:  # what is missing is built in
            add(by_name[name])
    return [base / path for path in order]


def _run(argv: list[str], *, cwd: Path | None = None, hint: str = "") -> str:
    done = subprocess.run(
        argv, cwd=cwd, check=False, capture_output=True, text=True, env={**os.environ, "PATH": search_path()}
    )
    if done.returncode != 0:
        raise VmError(f"{' '.join(argv)} failed:\n{done.stderr.strip()}\n{hint}".rstrip())
    return done.stdout
