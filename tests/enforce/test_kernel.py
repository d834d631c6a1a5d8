"""The kernel backend against a real kernel."""

import sys
from pathlib import Path

import pytest

from support.inside import TESTS, run_inside


@pytest.mark.vm
def test_kernel_wireguard(tmp_path: Path):
    """The kernel's WireGuard keeps the contract of a backend, and under systemd wireguard-go outlives its maker."""
    file = Path(__file__).with_name("inside_kernel.py")
    settings = {"VM_SYSTEMD": "1", "VM_OUT": str(tmp_path), "VM_SECONDS": "600"}
    machine = [sys.executable, str(TESTS / "kernel_vm/run")]
    run_inside(machine, [file], out=tmp_path, seconds=660, env=settings).check(file)
