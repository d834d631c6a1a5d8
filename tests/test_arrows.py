"""The order of rooms: a room imports only those below it. ARCHITECTURE.md has the same order."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

#: The rooms in the order in which a verb passes through them: each imports only itself and those that stand behind it.
JITD = (
    "__main__", "cli", "app", "config", "server", "runtime", "engine", "diagnostics", "queries", "verbs", "notify",
    "reconcile", "enforce", "identity", "store", "wire", "core",
)  # fmt: skip
JITCTL = ("__main__", "commands", "dashboard", "desktop", "cli", "shell", "api", "machine", "render")
#: What jitctl knows of the daemon.
SHARED = {"wire", "core"}
#: Libraries that must stay out of a room.
WORLD = {"socket", "sqlite3", "sqlite_utils", "subprocess", "pyroute2", "aiohttp", "smtplib"}
FORBIDDEN = {
    "jitd.core": {"socket", "sqlite3", "sqlite_utils", "subprocess", "pyroute2", "aiohttp", "time", "os"},
    "jitd.cli": {"sqlite3", "sqlite_utils"},
    "jitd.diagnostics": {"sqlite3", "sqlite_utils"},
    "jitd.notify": {"sqlite3", "sqlite_utils"},
    "jitd.engine": WORLD,
    "jitd.queries": WORLD,
    "jitd.verbs": WORLD,
    "jitd.reconcile": WORLD,
    "jitd.server": {"sqlite3", "sqlite_utils", "pyroute2"},
    "jitctl": {"sqlite3", "sqlite_utils", "pyroute2", "aiohttp", "msgspec", "daemon", "http"},
}


def modules() -> list[tuple[str, Path]]:
    """Every module of the project with its dotted name."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def imports(path: Path) -> set[str]:
    """The dotted names that a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room_of(name: str) -> tuple[str, str]:
    """(program, room) of a module; the room of a package itself is ""."""
    program, _, rest = name.partition(".")
    return program, rest.partition(".")[0]


def may_import(name: str, other: str) -> bool:
    """Whether the order of rooms lets one module import another."""
    (program, room), (of, there) = room_of(name), room_of(other)
    if not there or not room:
        return True  # a package itself, which imports nothing
    if program != of:
        return program == "jitctl" and there in SHARED
    order = JITD if program == "jitd" else JITCTL
    return order.index(there) >= order.index(room)


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_arrows(name: str, path: Path) -> None:
    """A module imports only its own room and those below it, and no library that stays out of its room."""
    known = {known for known, _ in modules()}
    found = imports(path)
    assert not {one for one in found & known if not may_import(name, one)}
    forbidden = next(
        (libraries for room, libraries in FORBIDDEN.items() if f"{name}.".startswith(f"{room}.")), set()
    )
    assert not {one.split(".")[0] for one in found} & forbidden


def private(names: set[str]) -> set[str]:
    """Those that a library, or the standard library, keeps for itself: they change with any release."""
    public = {"__future__", "__main__"}
    parts = {name: name.split(".") for name in names}
    return {
        name
        for name, words in parts.items()
        if words[0] not in ("jitd", "jitctl") and any(word[0] == "_" and word not in public for word in words)
    }


def test_no_private_imports() -> None:
    """What a library does not export is not imported, and neither is the click that Typer may or may not use."""
    assert private({"typer._click.core", "typer._click.core.Command"})
    assert not private({"typer.core.TyperGroup", "__future__.annotations"})
    packaging = sorted((SOURCE.parent / "packaging").glob("*.py"))
    for path in [*(path for _, path in modules()), *packaging]:
        found = imports(path)
        assert not private(found), path
        assert "click" not in found, path


def test_each_module_stands_in_a_room() -> None:
    """There is no module beside the rooms, and no room without a module."""
    for program, order in (("jitd", JITD), ("jitctl", JITCTL)):
        assert {
            room for name, _ in modules() if (room := room_of(name)[1]) and room_of(name)[0] == program
        } == set(order)


def test_each_folder_of_tests_is_a_room() -> None:
    """The tests of a room stand in the folder of its name, and files that several folders use in support/."""
    tests = Path(__file__).parent
    for program, order in (("jitd", JITD), ("jitctl", JITCTL)):
        found = {path.parent.relative_to(tests / program).parts for path in (tests / program).rglob("*.py")}
        assert len(found) > 5
        assert {parts[0] for parts in found if parts} <= set(order)
        assert max(map(len, found)) == 1


def test_the_order_can_be_broken() -> None:
    """The rule that is tested above forbids something."""
    assert may_import("jitd.verbs.grants", "jitd.store.requests")
    assert not may_import("jitd.store.requests", "jitd.verbs.grants")
    assert not may_import("jitctl.commands.grants", "jitd.verbs.grants")
    assert not may_import("jitd.core.model", "jitctl.render.sentences")


#: Run in a Python of its own: imports every module of jitctl where there is neither the daemon's side nor Linux.
ELSEWHERE = """
import importlib, os, pkgutil, select, signal, socket, sys, sysconfig

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ABSENT = set(sys.argv[1].split())
sys.meta_path.insert(0, Absent())
for module, names in {
    os: "pidfd_open memfd_create eventfd timerfd_create sched_setaffinity sched_getaffinity setns unshare splice getrandom",
    socket: "SO_PEERCRED SO_PEERPIDFD SCM_CREDENTIALS AF_NETLINK AF_PACKET AF_VSOCK SO_BINDTODEVICE SO_MARK SOCK_CLOEXEC",
    select: "epoll EPOLLIN",
    signal: "pidfd_send_signal",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sysconfig.get_config_vars()
sys.platform = "darwin"
import jitctl
names = [found.name for found in pkgutil.walk_packages(jitctl.__path__, "jitctl.")]
for name in names:
    if name not in ("jitctl.dashboard.app", "jitctl.dashboard.dialogs", "jitctl.dashboard.keyboard"):
        importlib.import_module(name)
print(len(names), *sorted(set(sys.modules) & set(sys.argv[2].split())))
"""
#: What a laptop with only the base dependencies does not have (textual is the dashboard's extra).
ABSENT = "aiohttp aiosmtplib aiosmtpd apprise cryptography daemon jinja2 msgspec pyroute2 regex sqlite_utils textual"
#: Slow to load, and wanted by few verbs each: inside of functions only.
LATE = "keyring segno tomli_w http.client email.message asyncio"


def test_jitctl_imports_without_linux_and_without_the_daemon() -> None:
    """Every module of jitctl can be imported where there are neither the daemon's libraries nor what only Linux has
    (macOS), and none loads at its import what few verbs need.
    """
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, ABSENT, LATE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *loaded = done.stdout.split()
    assert int(count) > 50
    assert loaded == []
