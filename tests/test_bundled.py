"""What comes along with the daemon: the list that packages are made from, and that pip is not wanted."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

LIST = Path(__file__).parent.parent / "packaging" / "bundled.txt"
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


def test_the_list_of_what_is_bundled() -> None:
    """packaging/bundled.txt has all that the daemon and the dashboard want, and nothing else; pip is left out."""
    listed = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    of_python = {"importlib-metadata", "backports.tarfile", "zipp"}  # wanted below Python 3.12 alone
    assert set(listed) - of_python == wanted("jitctl[daemon,dashboard]") - {"pip"} - of_python
    assert listed == sorted(listed)


def test_nothing_needs_pip() -> None:
    """Each module of both programs is imported, and a store opened, where pip is not there."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
