"""The Debian packages: built as `make dist` does, looked at, and used in a machine of their own."""

import json
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from support.inside import ROOT, run_inside

pytestmark = pytest.mark.machine

VM = ROOT / "tests" / "kernel_vm" / "run"
INSIDE = Path(__file__).with_name("inside_package.py")
#: Where inside_package.py finds them: the machine sees this machine's files.
PLACE = ROOT / "build" / "test-package"
SECONDS = 1200  # for the machine; twice to three times what it takes on two quiet cores
NEXT = "9.9.9"


def run(*argv: str | Path, cwd: Path | None = None, seconds: float = 900) -> str:
    """What a program prints. Raises AssertionError with what it said where it fails."""
    done = subprocess.run(
        [*map(str, argv)], cwd=cwd, check=False, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, f"{argv}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built() -> Path:
    """A directory with everything of a release; the build itself fails when lintian finds an error."""
    run("rm", "-rf", PLACE)
    run(ROOT / "packaging" / "dist", PLACE)
    return PLACE


def deb(directory: Path, name: str) -> Path:
    """The package of this name."""
    (found,) = directory.glob(f"{name}_*.deb")
    return found


def paths(package: Path) -> set[str]:
    """The files in a package."""
    listed = run("dpkg-deb", "--contents", package)
    return {line.split()[5].removeprefix(".") for line in listed.splitlines()}


def next_version(package: Path, work: Path, to: Path) -> None:
    """The same package as a later version, which both the package and the program in it say."""
    run("dpkg-deb", "--raw-extract", package, work)
    control = work / "DEBIAN" / "control"
    old = re.search(r"^Version: (.*)$", control.read_text(), re.MULTILINE)
    assert old
    control.write_text(control.read_text().replace(old[1], NEXT))
    for release in work.glob("usr/lib/*/lib/python3*/site-packages/jitd/core/release.py"):
        release.write_text(re.sub(r'= ".*"', f'= "{NEXT}"', release.read_text()))
        # Bytecode in a package is taken as it is.
        for compiled in (release.parent / "__pycache__").glob("release.*"):
            compiled.unlink()
    run("dpkg-deb", "--build", "-Zgzip", "-z1", "--root-owner-group", work, to)


def test_checksums(built: Path) -> None:
    """SHA256SUMS names every other file of the release, and agrees with each."""
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=built)
    named = {line.split()[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in built.iterdir()} - {"SHA256SUMS"}


@pytest.mark.parametrize("half", ["jitctl", "jitd"])
def test_the_sbom(built: Path, half: str) -> None:
    """The SBOM of a package names all that is in it, in the version that is in it."""
    (file,) = built.glob(f"{half}_*.cdx.json")
    found = json.loads(file.read_text())
    assert found["bomFormat"] == "CycloneDX"
    listed = {(one["name"].lower().replace("_", "-"), one["version"]) for one in found["components"]}
    inside = set()
    for path in paths(deb(built, half)):
        if match := re.search(r"site-packages/([^/]+)-([^/-]+)\.dist-info/METADATA$", path):
            inside.add((re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]))
    assert {(re.sub(r"[-_.]+", "-", name), version) for name, version in listed} == {
        one for one in inside if one[0] != "jitctl"
    }


def test_wheel_and_source_have_everything(built: Path) -> None:
    """All manual pages, completions, units and snippets are in both; the source archive has the tests, too."""
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "man").iterdir()}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "completions").iterdir()}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "packaging").glob("jit*")}
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist()}
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        head = archive.read(metadata).decode()
    assert {Path(one).name for one in wanted} <= names
    assert "License-Expression: Apache-2.0" in head
    assert "Project-URL: Source" in head
    assert "Classifier: Operating System :: POSIX :: Linux" in head
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive_of_source:
        inside = {name.partition("/")[2] for name in archive_of_source.getnames()}
    assert wanted | {"packaging/debian/control", "tests/package/test_package.py", "Makefile"} <= inside


def test_each_package_has_its_half(built: Path) -> None:
    """The laptop's package has nothing of the daemon; neither has a pip."""
    laptop, gateway = paths(deb(built, "jitctl")), paths(deb(built, "jitd"))
    site = "/usr/lib/{0}/lib/python3.11/site-packages"
    below = {path.removeprefix(f"{site.format('jitctl')}/jitd/").partition("/")[0] for path in laptop}
    assert not below & {"server", "store", "enforce", "engine", "cli"}
    assert not any("aiohttp" in path or "pyroute2" in path for path in laptop)
    assert not any("site-packages/pip/" in path for path in laptop | gateway)
    assert "/usr/share/man/man8/jitd.8.gz" in gateway
    assert "/usr/share/man/man1/jitctl-network.1.gz" in laptop
    assert not any(path.startswith("/etc/jitd/") for path in gateway)


def test_in_a_machine(built: Path, tmp_path: Path) -> None:
    """Installed, used, upgraded under traffic, removed and purged where systemd is PID 1: see inside_package.py."""
    later = built / "later"
    later.mkdir()
    for name in ("jitctl", "jitd"):
        next_version(deb(built, name), tmp_path / name, later / f"{name}_{NEXT}.deb")
    out = tmp_path / "out"
    out.mkdir()
    env = {"VM_OUT": str(out), "VM_SECONDS": str(SECONDS), "VM_SYSTEMD": "1", "VM_MEM": "3072"}
    run_inside([str(VM)], [INSIDE], out=out, seconds=SECONDS + 60, env=env).check(INSIDE)
