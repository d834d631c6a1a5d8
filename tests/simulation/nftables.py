"""Nftables as the program `nft` and the netlink socket see it: tables, sets whose elements expire, chains on devices."""

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from jitd.core import parsing
from jitd.enforce.nfmessages import Family, Found, Kind
from jitd.enforce.nfnetlink import Change, NftError
from jitd.enforce.nft import Refused
from simulation import ruleset
from simulation.ruleset import Packet, Table

_FAMILIES: Final = {"inet": Family.INET, "netdev": Family.NETDEV}


@dataclass
class State:
    """Everything that a transaction changes at once."""

    tables: dict[Family, Table] = field(default_factory=dict)
    #: By family and set: each address with the moment at which its element goes, None for never.
    elements: dict[tuple[Family, str], dict[str, int | None]] = field(default_factory=dict)
    #: The chain that each device (by index) has at each of its hooks; it stays there when the device is renamed.
    hooked: dict[tuple[str, int], tuple[Family, str]] = field(default_factory=dict)
    version: int = 0  # of the tables

    def copied(self) -> "State":
        """Another one that can be changed."""
        return State(
            {family: table.copied() for family, table in self.tables.items()},
            {where: dict(one) for where, one in self.elements.items()},
            dict(self.hooked),
            self.version + 1,
        )


class Nftables:
    """`now_us` is the clock of its timers, `indexes` the devices that exist now by name."""

    def __init__(self, now_us: Callable[[], int], indexes: Callable[[], dict[str, int]]) -> None:
        self._now_us, self._indexes = now_us, indexes
        self.state = State()

    # --- what changes it ---

    def script(self, text: str) -> None:
        """A file in nft's language: all of it or nothing. Raises nft.Refused."""
        state = self.state.copied()
        lines = iter(text.splitlines())
        try:
            for line in lines:
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                if words[0] == "table":
                    block = [line]
                    while block[-1] != "}":
                        block.append(next(lines))
                    self._described(state, _FAMILIES[words[1]], ruleset.parse("\n".join(block)))
                else:
                    self._command(state, words)
        except KeyError as error:
            raise Refused(f"nftables refused: No such file or directory: {error}") from error
        self.state = state

    def transaction(self, changes: Iterable[Change]) -> None:
        """Changes of elements: all of them or nothing. Raises NftError."""
        before = self.state
        elements = {where: dict(one) for where, one in before.elements.items()}
        state = State(before.tables, elements, before.hooked, before.version)
        now = self._now_us()
        for change in changes:
            if not change.elements:
                continue
            found = state.elements.get((change.family, change.set_name))
            if found is None:
                raise NftError(errno.ENOENT)
            for key, timeout_ms in change.elements:
                address = str(parsing.packed_address(key))
                lives = address in found and (found[address] is None or found[address] > now)  # type: ignore[operator]  # asked in this order
                if change.kind is Kind.DEL_ELEMENT:
                    if not lives:
                        raise NftError(errno.ENOENT)
                    del found[address]
                elif not lives:
                    # One that lives keeps its timeout, as before Linux 6.12.
                    found[address] = None if timeout_ms is None else now + timeout_ms * 1000
        self.state = state

    def flush(self) -> None:
        """`nft flush ruleset`."""
        self.state = State(version=self.state.version + 1)

    def without_device(self, index: int) -> None:
        """The chains on a device go with it."""
        self.state.hooked = {at: chain for at, chain in self.state.hooked.items() if at[1] != index}

    def _command(self, state: State, words: list[str]) -> None:
        verb, what, spelled, _table, *rest = words
        family = _FAMILIES[spelled]
        if (verb, what) == ("add", "table"):
            state.tables.setdefault(family, Table(spelled))
            return
        if (verb, what) == ("delete", "table"):
            del state.tables[family]
            state.elements = {where: one for where, one in state.elements.items() if where[0] != family}
            state.hooked = {at: chain for at, chain in state.hooked.items() if chain[0] != family}
            return
        table = state.tables[family]
        if (verb, what) == ("flush", "table"):
            for chain in table.chains.values():
                chain.rules.clear()
        elif (verb, what) == ("delete", "chain"):
            del table.chains[rest[0]]
            state.hooked = {at: chain for at, chain in state.hooked.items() if chain != (family, rest[0])}
        elif (verb, what) == ("delete", "set"):
            del table.sets[rest[0]], state.elements[family, rest[0]]
        elif (verb, what) == ("flush", "set"):
            state.elements[family, rest[0]].clear()
        elif (verb, what) == ("add", "element"):
            self._add(state.elements[family, rest[0]], " ".join(rest[2:-1]))
        else:
            raise ruleset.Unknown(" ".join(words))

    def _add(self, elements: dict[str, int | None], text: str) -> None:
        for one in filter(None, (part.split() for part in text.split(","))):
            ends = None
            if one[1:2] == ["timeout"]:
                ends = self._now_us() + int(one[2].removesuffix("ms")) * 1000
            elements[one[0]] = ends

    def _described(self, state: State, family: Family, text: Table) -> None:
        """What a block describes is added to what is there."""
        table = state.tables.setdefault(family, Table(text.family))
        for name, given in text.sets.items():
            table.sets.setdefault(name, frozenset())
            state.elements.setdefault((family, name), {}).update(dict.fromkeys(given))
        for name, chain in text.chains.items():
            known = table.chains.setdefault(name, ruleset.Chain(name, chain.hook, chain.device))
            known.rules += chain.rules
            if chain.device:
                index = self._indexes()[chain.device]
                state.hooked[chain.hook, index] = (family, name)

    # --- what is read ---

    def living(self, family: Family, name: str) -> dict[str, int | None]:
        """The elements of a set, with the microseconds that each has left."""
        now = self._now_us()
        found = self.state.elements.get((family, name), {})
        return {
            address: None if ends is None else ends - now
            for address, ends in found.items()
            if ends is None or ends > now
        }

    def found(self, family: Family, name: str, addresses: Iterable[str]) -> list[Found]:
        """Those of the addresses that are in a set."""
        living = self.living(family, name)
        return [
            Found(parsing.address(address).packed, _ms(living[address]))
            for address in addresses
            if address in living
        ]

    def judged(self, family: Family, chain: str, packet: Packet) -> bool:
        """Whether a packet passes a chain."""
        table = self.state.tables[family]

        def holds(name: str, address: str) -> bool:
            if name not in table.sets:
                raise ruleset.Unknown(f"no set {name}")
            if address not in (elements := self.state.elements[family, name]):
                return False
            ends = elements[address]
            return ends is None or ends > self._now_us()

        return ruleset.verdict(table, table.chains[chain], packet, holds) == "accept"

    def passes_hook(self, hook: str, packet: Packet) -> bool:
        """Whether every chain at a hook of the machine's lets a packet through."""
        table = self.state.tables.get(Family.INET)
        return table is None or all(
            self.judged(Family.INET, chain.name, packet)
            for chain in table.chains.values()
            if chain.hook == hook and not chain.device
        )

    def passes_device(self, hook: str, index: int, packet: Packet) -> bool:
        """Whether what stands on a device lets a packet through."""
        found = self.state.hooked.get((hook, index))
        return found is None or self.judged(*found, packet)


def _ms(left_us: int | None) -> int | None:
    return None if left_us is None else left_us // 1000
