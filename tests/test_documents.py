"""What the documents say is what the program does."""

import re
from pathlib import Path

from jitd.core import errors
from jitd.server.routes import ROUTES

ROOT = Path(__file__).parent.parent


def test_the_readmes_exit_statuses() -> None:
    """The table of exit statuses names just those that jitctl can end with."""
    table = re.findall(r"^\| ([0-9]+) \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    known = {kind.exit for kind in errors.KINDS.values()} | {
        errors.EXIT_DONE,
        errors.EXIT_FAILURE,
        errors.EXIT_USAGE,
        errors.EXIT_INTERRUPTED,
    }
    assert [int(status) for status in table] == sorted(known)


def test_the_readmes_paths_of_the_api() -> None:
    """Every path that the README asks with curl exists."""
    paths = set(re.findall(r"http://jitd(/v1/[a-z./]+)", (ROOT / "README.md").read_text()))
    assert paths
    assert paths <= {route.path for route in ROUTES}


def test_files_that_the_documents_name_exist() -> None:
    """Modules and files that README and ARCHITECTURE name are there."""
    for document in ("README.md", "ARCHITECTURE.md"):
        text = (ROOT / document).read_text()
        named = set(re.findall(r"`((?:packaging|tests|docs|src)/[\w./-]+)`", text))
        named |= {
            f"src/jitd/{name}"
            for name in re.findall(r"`((?:core|service|store|server|enforce)/\w+\.py)`", text)
        }
        for name in sorted(named):
            assert (ROOT / name.rstrip("/")).exists(), f"{document} names {name}"


def test_every_code_of_an_error_is_known() -> None:
    """Every code that the program raises is in the table of codes."""
    for path in (ROOT / "src").rglob("*.py"):
        for code in re.findall(r'JitError\(\s*"(\w+)"', path.read_text()):
            assert code in errors.KINDS, f"{path}: {code}"
