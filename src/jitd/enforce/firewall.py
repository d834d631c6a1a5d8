"""The second layer in nftables.

Rules go through the program nft, elements and everything that is read through netlink. Each change of an element
adds, deletes and adds it in one transaction: an `add` alone leaves a living one's timeout as it is on kernels before
6.12, and a `delete` alone fails, and all with it, when the element has just expired. To packets it is one step.
"""

import errno
import hashlib
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from jitd.core import firewallrules, parsing
from jitd.core.elements import Element, Lease, SetEntry
from jitd.core.firewall import InterfaceRules, Rules
from jitd.core.firewallrules import TABLE, given_name, set_name
from jitd.enforce import nfmessages, nft
from jitd.enforce.firewallport import Ensured, nothing
from jitd.enforce.nfmessages import Family, Kind
from jitd.enforce.nfnetlink import Change, NftError, NftSocket
from jitd.enforce.nftchanges import NftChanges
from jitd.enforce.port import EnforceError

log = logging.getLogger("jitd.firewall")

#: An element can expire between two steps of a transaction on kernels that look at the clock at each of them.
TRIES: Final = 3
#: More entries than this are found sooner in a list of all. (A question takes 0.1 ms, a line of a list 0.01 ms.)
ONE_BY_ONE: Final = 200
#: Elements that had to be made anew get this much less: reading and loading takes time that they do not have.
REMADE_MS: Final = 250
_SPELLED: Final = {Family.INET: "inet", Family.NETDEV: "netdev"}
_PROBE: Final = """table netdev jitd-probe {
    chain probe {
        type filter hook egress device "lo" priority 0
    }
}
"""


class NftFirewall:
    """The tables `inet jitd` and `netdev jitd` of this network namespace."""

    name: Final = "nftables"
    active: Final = True

    def __init__(self, closed: Path | None = None) -> None:
        """`closed` is a file that holds, after each change, what closes these interfaces at the next boot."""
        self._closed = closed
        self._closed_text = ""
        self._closed_for: Rules | None = None
        self._socket = NftSocket()
        self._closing = (
            NftSocket()
        )  # of `close_entries`, which waits for nothing that is asked on the other one
        self._families: tuple[Family, ...] = ()
        self._rules: Rules | None = None
        self._loaded = ""  # the text that was loaded last
        self._print = b""  # and what the kernel made of it
        self._devices: dict[str, str] = {}  # where the chains of devices stand, by interface
        #: What the sets of addresses hold, by family and name; and whose address each of them is.
        self._given: dict[tuple[Family, str], frozenset[bytes]] = {}
        self._owners: dict[int, InterfaceRules] = {}

    def probe(self) -> None:
        """See what this kernel has. Raises EnforceError when nft is missing or not permitted."""
        if not self._families:
            self._families = (Family.INET, Family.NETDEV) if _has_egress() else (Family.INET,)

    def ensure(self, rules: Rules, repairing: Callable[[], None] = nothing) -> Ensured:
        """As the port says."""
        self.probe()
        rules = _here(rules)
        devices = _devices(rules)
        tables = self._tables(rules, devices)
        given = self._wanted(rules, devices)
        text = "".join(tables.values())
        same = text == self._loaded
        if same and self._fingerprint() == self._print:
            self._give(given)
            self._settle(rules, given)
            return Ensured.NOTHING
        if same:
            repairing()
        networks = [network.id for interface in rules.interfaces for network in interface.networks]
        kept = {set_name(number, version) for number in networks for version in (4, 6)}
        moved = self._devices != devices
        loads = {family: _elements(family, given) for family in tables}
        try:
            nft.load(
                "".join(
                    self._in_place(family, table, kept, given, moved=moved) + loads[family]
                    for family, table in tables.items()
                )
            )
        except nft.Refused as refusal:
            # Somebody's table of our name, or one of another version, whose sets or chains are of other kinds.
            log.warning("the tables are made anew: %s", refusal)
            nft.load(
                "".join(
                    self._anew(family, table, networks) + loads[family] for family, table in tables.items()
                )
            )
        self._loaded, self._devices = text, devices
        self._settle(rules, given)
        self._print = self._fingerprint()
        return Ensured.REPAIRED if same else Ensured.CHANGED

    def apply(self, leases: Sequence[Lease], removals: Collection[SetEntry]) -> None:
        """As the port says."""
        self._change(self._socket, leases, removals)

    def close_entries(self, entries: Collection[SetEntry]) -> None:
        """As the port says."""
        self._change(self._closing, [], entries)

    def _change(self, line: NftSocket, leases: Sequence[Lease], removals: Collection[SetEntry]) -> None:
        put: dict[tuple[int, int], list[tuple[bytes, int | None]]] = {}
        touched: dict[tuple[int, int], dict[bytes, None]] = {}
        for entry in removals:
            touched.setdefault((entry.network_id, entry.ip.version), {})[entry.ip.packed] = None
        for lease in leases:
            key: tuple[int, int] = (lease.network_id, lease.ip.version)
            touched.setdefault(key, {})[lease.ip.packed] = None
            if lease.timeout_ms > 0:
                # To nftables, a timeout of 0 is none at all.
                put.setdefault(key, []).append((lease.ip.packed, lease.timeout_ms))
        families = self._need_families()
        # In the same step, and before it is let in: what has been given out is judged, whatever its interface is called.
        fresh = self._fresh(leases)
        changes = [
            Change(Kind.NEW_ELEMENT, family, TABLE, name, [(key, None) for key in keys])
            for (family, name), keys in fresh.items()
        ]
        for family in families:
            for key, addresses in touched.items():
                # What is only added to be deleted again would live for a second, if ever.
                passing: list[tuple[bytes, int | None]] = [(address, 1000) for address in addresses]
                gone: list[tuple[bytes, int | None]] = [(address, None) for address in addresses]
                name = set_name(*key)
                changes.append(Change(Kind.NEW_ELEMENT, family, TABLE, name, passing))
                changes.append(Change(Kind.DEL_ELEMENT, family, TABLE, name, gone))
                changes.append(Change(Kind.NEW_ELEMENT, family, TABLE, name, put.get(key, [])))
        for trial in range(1, TRIES + 1):
            try:
                line.transaction(changes)
            except NftError as error:
                if error.code != errno.ENOENT or trial == TRIES:
                    raise
            else:
                self._given |= {where: self._given[where] | keys for where, keys in fresh.items()}
                return

    def read(self, network_ids: Collection[int] | None = None) -> list[Element]:
        """As the port says."""
        if network_ids is None:
            rules = self._rules or Rules(interfaces=())
            network_ids = [network.id for interface in rules.interfaces for network in interface.networks]
        copies: dict[SetEntry, list[int]] = {}
        for family in self._need_families():
            for entry, left_ms in self._dumped(family, network_ids):
                copies.setdefault(entry, []).append(left_ms)
        return [self._element(entry, left) for entry, left in copies.items()]

    def read_some(self, entries: Collection[SetEntry]) -> dict[SetEntry, Element]:
        """As the port says."""
        if len(entries) > ONE_BY_ONE:
            every = {
                SetEntry(one.network_id, one.ip): one
                for one in self.read({one.network_id for one in entries})
            }
            return {entry: every[entry] for entry in entries if entry in every}
        keys: dict[tuple[int, int], list[bytes]] = {}
        for entry in entries:
            keys.setdefault((entry.network_id, entry.ip.version), []).append(entry.ip.packed)
        copies: dict[SetEntry, list[int]] = {}
        for family in self._need_families():
            for (network_id, version), addresses in keys.items():
                for found in self._socket.get(family, TABLE, set_name(network_id, version), addresses):
                    entry = SetEntry(network_id, parsing.packed_address(found.key))
                    copies.setdefault(entry, []).append(_left(found.left_ms))
        return {entry: self._element(entry, left) for entry, left in copies.items()}

    def present(self) -> bool:
        """As the port says."""
        if self._rules is None:
            return False
        rules = _here(self._rules)
        text = "".join(self._tables(rules, _devices(rules)).values())
        return text == self._loaded and self._fingerprint() == self._print

    def changes(self) -> NftChanges:
        """As the port says."""
        return NftChanges(TABLE, lambda: (self._socket.port, self._closing.port))

    def remove_all(self) -> None:
        """As the port says."""
        families = [family for family in Family if self._exists(family)]
        if families:
            nft.load("".join(f"delete table {_SPELLED[family]} {TABLE}\n" for family in families))
        self._rules, self._loaded, self._print, self._devices = None, "", b"", {}
        self._given, self._owners = {}, {}

    def close(self) -> None:
        """As the port says."""
        self._socket.close()
        self._closing.close()

    def _tables(self, rules: Rules, devices: Mapping[str, str]) -> dict[Family, str]:
        tables = {Family.INET: firewallrules.inet_table(rules, devices)}
        if Family.NETDEV in self._families:
            tables[Family.NETDEV] = firewallrules.netdev_table(rules, devices)
        return tables

    def _wanted(self, rules: Rules, devices: Mapping[str, str]) -> dict[tuple[Family, str], frozenset[bytes]]:
        """What the sets of addresses should hold. Behind a device's own hook only those are asked whose interface is
        not enforced.
        """
        return {
            (family, given_name(one.name, version)): frozenset(
                ip.packed for ip in one.given if ip.version == version
            )
            for one in rules.interfaces
            for family in self._families
            if family is Family.INET or (not one.enforced and one.name in devices)
            for version in (4, 6)
        }

    def _give(self, wanted: Mapping[tuple[Family, str], frozenset[bytes]]) -> None:
        """Bring the sets of addresses, which are there, to what they should hold."""
        changes = []
        for (family, name), keys in wanted.items():
            known = self._given[family, name]
            for kind, some in ((Kind.NEW_ELEMENT, keys - known), (Kind.DEL_ELEMENT, known - keys)):
                changes.append(Change(kind, family, TABLE, name, [(key, None) for key in some]))
        self._socket.transaction(changes)

    def _fresh(self, leases: Sequence[Lease]) -> dict[tuple[Family, str], set[bytes]]:
        """The addresses among the leases that their interface is not known to have given out. While it is not enforced,
        those that its owner gave out are not judged, whoever has a grant for them.
        """
        fresh: dict[tuple[Family, str], set[bytes]] = {}
        for lease in leases:
            owner = self._owners.get(lease.network_id)
            if owner is not None and owner.enforced:
                where = (Family.INET, given_name(owner.name, lease.ip.version))
                if lease.ip.packed not in self._given[where]:
                    fresh.setdefault(where, set()).add(lease.ip.packed)
        return fresh

    def _settle(self, rules: Rules, given: Mapping[tuple[Family, str], frozenset[bytes]]) -> None:
        """What stands now."""
        self._rules, self._given = rules, dict(given)
        self._owners = {network.id: one for one in rules.interfaces for network in one.networks}
        if self._closed_for != rules:
            self._keep_closed(rules)

    def _keep_closed(self, rules: Rules) -> None:
        """Write the file for boot when it would be another one."""
        text = firewallrules.closed(rules)
        if self._closed is None or text == self._closed_text:
            self._closed_for = rules
            return
        try:
            new = self._closed.with_name(f".{self._closed.name}.new")
            new.unlink(missing_ok=True)
            with open(new, "x", encoding="utf-8", opener=_private) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._closed)
            self._closed_text, self._closed_for = text, rules
        except OSError as error:
            # The full disk of another day must not keep anybody in now; it is tried again at every check.
            log.error("cannot write %s, which closes the gateway at boot: %s", self._closed, error.strerror)  # noqa: TRY400

    def _need_families(self) -> tuple[Family, ...]:
        if self._rules is None:
            raise EnforceError("the rules of the firewall have not been loaded yet")
        return self._families

    def _element(self, entry: SetEntry, left: list[int]) -> Element:
        missing = len(left) < len(self._families)
        return Element(entry.network_id, entry.ip, 0 if missing else min(left), max(left))

    def _in_place(
        self,
        family: Family,
        table: str,
        kept: set[str],
        given: Mapping[tuple[Family, str], frozenset[bytes]],
        *,
        moved: bool,
    ) -> str:
        """Other rules in the place of those that are there; sets of networks that stay are not touched.

        `moved`: the devices' own chains are made anew, because one that is only described again keeps its old device, too.
        """
        spelled = _SPELLED[family]
        lines = [f"add table {spelled} {TABLE}", f"flush table {spelled} {TABLE}"]
        if self._exists(family):
            wanted = {line.split()[1] for line in table.splitlines() if line.startswith("\tchain ")}
            if moved:
                wanted = {name for name in wanted if not name.startswith(("ingress-", "egress-"))}
            chains = set(self._names(Kind.GET_CHAIN, family, 3))
            sets = set(self._names(Kind.GET_SET, family, 2))
            mine = {name for other, name in given if other is family}
            lines += [f"delete chain {spelled} {TABLE} {name}" for name in sorted(chains - wanted)]
            lines += [f"delete set {spelled} {TABLE} {name}" for name in sorted(sets - kept - mine)]
            lines += [f"flush set {spelled} {TABLE} {name}" for name in sorted(sets & mine)]
        return "\n".join([*lines, table])

    def _anew(self, family: Family, table: str, networks: Iterable[int]) -> str:
        """The table made anew, with the elements that live now."""
        spelled = _SPELLED[family]
        lines = [f"add table {spelled} {TABLE}", f"delete table {spelled} {TABLE}", table]
        lines += [
            f"add element {spelled} {TABLE} {set_name(entry.network_id, entry.ip.version)}"
            f" {{ {entry.ip} timeout {left_ms - REMADE_MS:d}ms }}"
            for entry, left_ms in self._dumped(family, networks)
            if left_ms > REMADE_MS
        ]
        return "\n".join([*lines, ""])

    def _dumped(self, family: Family, network_ids: Iterable[int]) -> list[tuple[SetEntry, int]]:
        found: list[tuple[SetEntry, int]] = []
        for network_id in network_ids:
            for version in (4, 6):
                body = nfmessages.elements(TABLE, set_name(network_id, version), ())
                for message in self._dump(Kind.GET_ELEMENT, family, body):
                    found += [
                        (SetEntry(network_id, parsing.packed_address(one.key)), _left(one.left_ms))
                        for one in nfmessages.found_elements(message)
                    ]
        return found

    def _dump(self, kind: Kind, family: Family, body: bytes) -> list[bytes]:
        """The bodies of everything of a kind; nothing when there is no such table or set."""
        try:
            return [message.body for message in self._socket.dump(kind, family, body)]
        except NftError as error:
            if error.code != errno.ENOENT:
                raise
            return []

    def _ours(self, kind: Kind, family: Family) -> list[bytes]:
        """The bodies of everything of a kind in our table. Not every kernel filters chains by table."""
        ours = TABLE.encode()
        bodies = self._dump(kind, family, nfmessages.of_table(TABLE))
        return [body for body in bodies if nfmessages.attributes(body).get(1, b"").rstrip(b"\0") == ours]

    def _exists(self, family: Family) -> bool:
        return bool(self._ours(Kind.GET_TABLE, family))

    def _names(self, kind: Kind, family: Family, number: int) -> list[str]:
        names = [nfmessages.name(nfmessages.attributes(body)[number]) for body in self._ours(kind, family)]
        # Sets without a name of their own belong to rules and go with them.
        return [name for name in names if not name.startswith("__")]

    def _keys(self, family: Family, name: str) -> set[bytes]:
        body = nfmessages.elements(TABLE, name, ())
        return {key for found in self._dump(Kind.GET_ELEMENT, family, body) for key in nfmessages.keys(found)}

    def _fingerprint(self) -> bytes:
        """What stands in the kernel, without the elements of networks: flags of tables, chains with hooks, rules, and
        which sets of addresses do not hold what they were given.
        """
        digest = hashlib.sha256()
        for family in self._families:
            for body in self._ours(Kind.GET_TABLE, family):
                digest.update(nfmessages.attributes(body).get(2, b"") + b"t")
            for kind in (Kind.GET_CHAIN, Kind.GET_RULE):
                for body in self._ours(kind, family):
                    digest.update(body)
        for (family, name), keys in self._given.items():
            if self._keys(family, name) != keys:
                digest.update(name.encode())
        return digest.digest()


def _here(rules: Rules) -> Rules:
    """The rules without the index of what is gone, where something else has it by now."""
    there = {index for index, _ in socket.if_nameindex()}
    return replace(
        rules,
        interfaces=tuple(
            replace(one, index=0) if one.gone and one.index in there else one for one in rules.interfaces
        ),
    )


def _devices(rules: Rules) -> dict[str, str]:
    """The device of each interface that exists, by the interface's name: only there a device's hook can stand.

    It is the one that has the index which was read last, whatever it is called by now; else the one of that name.
    """
    there = dict(socket.if_nameindex())
    names = set(there.values())
    found = {}
    for one in rules.interfaces:
        if one.index in there:
            found[one.name] = there[one.index]
        elif one.name in names:
            found[one.name] = one.name
    return found


def _elements(family: Family, given: Mapping[tuple[Family, str], frozenset[bytes]]) -> str:
    """The elements of a family's sets of addresses, to be loaded behind its table."""
    return "".join(
        f"add element {_SPELLED[family]} {TABLE} {name} {{ {', '.join(parsing.write_address(parsing.packed_address(key)) for key in keys)} }}\n"
        for (other, name), keys in given.items()
        if other is family and keys
    )


def _has_egress() -> bool:
    """Whether this kernel has the egress hook. Raises EnforceError when nft is missing, not permitted or broken."""
    # Asked first what every nftables can: a program that refuses everything says nothing about the kernel.
    nft.load("table inet jitd-probe {\n}\n", check=True)
    try:
        nft.load(_PROBE, check=True)
    except nft.Refused:
        log.warning("this kernel has no egress hook: offloaded flows towards clients are not judged there")
        return False
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _left(left_ms: int | None) -> int:
    """An element that somebody put there for ever is read as what cannot be wanted."""
    return 2**63 if left_ms is None else left_ms
