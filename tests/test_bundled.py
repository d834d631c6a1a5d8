"""What the Debian packages bundle: the lock files that they are made from, and that pip is not wanted."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCKS = Path(__file__).parent.parent / "packaging" / "locks"
#: The release of Debian whose Python has this minor version.
RELEASES = {11: "bookworm", 13: "trixie"}
#: Each package, and the extras that are in it.
HALVES = {"jitctl": "jitctl[dashboard]", "jitd": "jitctl[daemon,detach,chat]"}
#: Imports every module of both programs where pip cannot be imported, and opens a store.
WITHOUT_PIP = """
import importlib, pathlib, pkgutil, sys, tempfile
sys.modules["pip"] = None
import jitctl, jitd
for package in (jitd, jitctl):
    for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(one.name)
from jitd.store.database import Store
with tempfile.TemporaryDirectory() as directory:
    Store(pathlib.Path(directory) / "jitd.db").close()
"""


def wanted(*names: str) -> set[str]:
    """Every distribution that these want, and they in turn, on this system."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        one = waiting.pop()
        for text in distribution(one.name).requires or []:
            needed = Requirement(text)
            extras = {"", *one.extras}
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                continue
            name = needed.name.lower().replace("_", "-")
            if name not in found or needed.extras:
                found.add(name)
                waiting.append(Requirement(f"{needed.name}[{','.join(needed.extras)}]"))
    return found


def locked(release: str, half: str) -> dict[str, tuple[str, int]]:
    """What a lock file holds: by name the version, and how many hashes of it."""
    text = (LOCKS / f"{release}-{half}.txt").read_text()
    found = re.findall(r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", text, re.MULTILINE)
    assert len(found) == text.count("=="), "make lock"
    return {name: (version, hashes.count("--hash")) for name, version, hashes in found}


@pytest.mark.parametrize("half", HALVES)
def test_what_is_bundled(half: str) -> None:
    """A package has all that its half wants, and nothing else; pip is left out. After a new dependency: make lock."""
    wants = {re.sub(r"[-_.]+", "-", name) for name in wanted(HALVES[half])} - {"pip"}
    assert set(locked(RELEASES.get(sys.version_info.minor, "bookworm"), half)) == wants
    # Later versions of Python want less beside them.
    assert set(locked("trixie", half)) <= wants


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_the_halves_agree(release: str) -> None:
    """What both packages have is of one version, and each file has hashes: what was looked at is what is installed."""
    laptop, gateway = (locked(release, half) for half in HALVES)
    assert {name: laptop[name] for name in laptop.keys() & gateway} == {
        name: gateway[name] for name in laptop.keys() & gateway
    }


def test_nothing_needs_pip() -> None:
    """Each module of both programs is imported, and a store opened, where pip is not there."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
