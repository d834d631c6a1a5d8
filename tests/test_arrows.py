"""Which package may import which: ARCHITECTURE.md's arrows, held."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

#: For each part, what it may import of the project; the longest matching name counts.
ALLOWED = {
    "jitd.core": {"jitd.core"},
    "jitd.wire": set(),
    "jitd.config": {"jitd.core"},
    "jitd.store": {"jitd.core", "jitd.store"},
    "jitd.enforce": {"jitd.core", "jitd.enforce"},
    "jitd.directory": {"jitd.core", "jitd.nss", "jitd.questions", "jitd.localfiles", "jitd.uidnames"},
    "jitd.service": {
        "jitd.core",
        "jitd.store",
        "jitd.service",
        "jitd.config",
        "jitd.wire",
        "jitd.keypair",
        "jitd.enforce.port",
        "jitd.enforce.firewallport",
        "jitd.enforce.hostport",
        "jitd.enforce.owner",
        "jitd.examine.lines",
    },
    "jitd.examine": {
        "jitd.core",
        "jitd.config",
        "jitd.examine",
        "jitd.nss",
        "jitd.notify",
        "jitd.store",
        "jitd.wire",
    },
    "jitd.server": {"jitd.core", "jitd.service", "jitd.server", "jitd.wire", "jitd.config"},
    "jitctl": {"jitctl", "jitd.wire", "jitd.core"},
}
#: Libraries that must stay out of a part.
FORBIDDEN = {
    "jitd.core": {"socket", "sqlite3", "sqlite_utils", "subprocess", "pyroute2", "aiohttp", "time", "os"},
    "jitd.service": {"socket", "sqlite3", "sqlite_utils", "subprocess", "pyroute2", "aiohttp", "smtplib"},
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
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def part_of(name: str, parts: dict[str, set[str]]) -> str | None:
    """The longest part that a module belongs to."""
    fitting = [part for part in parts if name == part or name.startswith(part + ".")]
    return max(fitting, key=len, default=None)


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_arrows(name: str, path: Path) -> None:
    """A module imports only what its part may know of."""
    found = imports(path)
    part = part_of(name, ALLOWED)
    if part is not None:
        known = {one for one in found if one.split(".")[0] in ("jitd", "jitctl")} - {"jitd", "jitctl"}
        allowed = ALLOWED[part]
        # "from jitd.enforce.port import Peer" also names jitd.enforce.port.Peer; "from jitd.store import events" also
        # names jitd.store: both are fine where the narrower module is.
        wrong = {
            one
            for one in known
            if not any(
                one == fine or one.startswith(fine + ".") or fine.startswith(one + ".") for fine in allowed
            )
        }
        assert not wrong
    forbidden = FORBIDDEN.get(part_of(name, FORBIDDEN) or "", set())
    assert not {one.split(".")[0] for one in found} & forbidden


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
