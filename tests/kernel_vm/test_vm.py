"""Every test that wants a real kernel, in as few starts of one as possible.

A file called `inside_vm_*.py` anywhere below tests/ runs in the machine; `inside_systemd_*.py` in one where systemd
is PID 1.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.inside import ROOT, TESTS, Inside, run_inside

RUN = Path(__file__).with_name("run")
# First the one that sees the kernel load WireGuard: it is loaded for all that come later in that machine.
PLAIN = sorted(TESTS.rglob("inside_vm_*.py"), key=lambda file: (file.name != "inside_vm_kernel.py", file))
SYSTEMD = sorted(TESTS.rglob("inside_systemd_*.py"))
# For one start: on two quiet cores the longest takes some 450 s, beside another machine twice that.
SECONDS = 1200

pytestmark = pytest.mark.vm


def name(file: Path) -> str:
    """How a file is called in a list of tests."""
    return str(file.relative_to(TESTS))


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Inside]:
    """Start the machine for one kind of files; a second call gives the result of the first."""
    done: dict[bool, Inside] = {}

    def run(systemd: bool) -> Inside:
        if systemd not in done:
            out = tmp_path_factory.mktemp("vm")
            env = {"VM_OUT": str(out), "VM_SECONDS": str(SECONDS), "VM_SYSTEMD": str(int(systemd))}
            # The project is not installed in there when its files lie in a directory of their own.
            env["PYTHONPATH"] = str(ROOT / "src")
            files = SYSTEMD if systemd else PLAIN
            done[systemd] = run_inside([str(RUN)], files, out=out, seconds=SECONDS + 60, env=env)
        return done[systemd]

    return run


@pytest.mark.parametrize("file", PLAIN, ids=name)
def test_in_a_kernel(boot: Callable[[bool], Inside], file: Path) -> None:
    """Each test of the file passes under a real kernel."""
    boot(False).check(file)


@pytest.mark.parametrize("file", SYSTEMD, ids=name)
def test_under_systemd(boot: Callable[[bool], Inside], file: Path) -> None:
    """Each test of the file passes where systemd is PID 1."""
    boot(True).check(file)
