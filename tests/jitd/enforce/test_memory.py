"""The simulated WireGuard keeps the contract of the real ones."""

import pytest

from support.shared_wireguard import SharedWireGuard
from support.wireguard_contract import Contract


class MemoryMachine:
    """A machine that exists only in this process."""

    def __init__(self) -> None:
        self.wireguard = SharedWireGuard()

    def make_other(self, name: str) -> None:
        """Another program makes an interface."""
        self.wireguard.add_other_link(name)

    def delete(self, name: str) -> None:
        """Another program deletes one."""
        self.wireguard.remove_other_link(name)
        self.wireguard.remove_link(name)

    def rename(self, name: str, new: str) -> None:
        """An administrator renames one."""
        self.wireguard.rename_link(name, new)


class TestMemory(Contract):
    """The contract."""

    @pytest.fixture
    def machine(self) -> MemoryMachine:
        """A machine without interfaces."""
        return MemoryMachine()

    def test_a_foreign_interface(self, machine: MemoryMachine) -> None:
        """An interface that another program made is read as it is."""
        machine.wireguard.add_foreign_link("wg0", addresses=("10.9.0.1/24",), port=51820)
        state = machine.wireguard.read("wg0")
        assert ([str(one) for one in state.addresses], state.port) == (["10.9.0.1/24"], 51820)
