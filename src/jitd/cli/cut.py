"""Cutting everybody whom jitd has let in, without a daemon: both layers, each whatever becomes of the other one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jitd.app import CLOSED_FILE
from jitd.core import elements, text
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.core.firewall import InterfaceRules, IPAddress, Rules
from jitd.core.model import Interface
from jitd.enforce import nft
from jitd.enforce.choose import choose, choose_firewall
from jitd.enforce.firewallport import Firewall
from jitd.enforce.port import EnforceError, InterfaceGone, Known, RemovePeer, WireGuard
from jitd.runtime.lock import Lock
from jitd.store import database, devices, interfaces
from jitd.store.database import Rows

_KEY_SHOWN: Final = 12  # characters of a public key


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """An interface and whom jitd has given a tunnel through it: their names by public key.

    Of an own interface every peer is jitd's. `given` are the addresses that jitd has given out.
    """

    interface: Interface
    names: dict[str, str]
    given: frozenset[IPAddress]

    def is_ours(self, public_key: str) -> bool:
        """Whether a peer with this key is jitd's to remove."""
        return not self.interface.adopted or public_key in self.names


@dataclass(slots=True)
class Done:
    """What was done, and what is still open, in lines for people."""

    told: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def guarded(state_dir: Path) -> list[Guarded]:
    """What the store says of every interface, by name; none when there is no store. Raises JitError store."""
    path = state_dir / database.FILE_NAME
    if not path.exists():
        return []
    rows = database.open_reader(path)
    return [_guarded(rows, one) for one in interfaces.all_(rows)]


def _guarded(rows: Rows, interface: Interface) -> Guarded:
    # Peers that were there before jitd pass on until the interface is enforced, also those that were given an owner.
    before = {peer.public_key for peer in interfaces.unmanaged(rows, interface.id)}
    ours = [
        tunnel
        for tunnel in devices.tunnels(rows, interface_id=interface.id)
        if interface.enforced or tunnel.device.public_key not in before
    ]
    return Guarded(
        interface=interface,
        names={
            tunnel.device.public_key: text.clean(f"{tunnel.account.name}'s {tunnel.device.name}")
            for tunnel in ours
        },
        given=frozenset(address for tunnel in ours for address in elements.addresses(tunnel.ips)),
    )


def everybody(config: Config) -> Done:
    """Cut everybody on this machine while no jitd runs. Raises JitError conflict when one does."""
    state_dir, enforce = config.daemon.state_dir, config.enforce
    if not state_dir.exists():
        return Done(told=[f"there is no {state_dir}: jitd has opened no access"])
    with locked(state_dir):
        try:
            found = guarded(state_dir)
        except JitError as error:
            done = Done(left=[f"{error.message}; the peers of jitd are not known"])
            if enforce.firewall == "nftables" and enforce.backend != "memory":
                _close_as_at_boot(state_dir / CLOSED_FILE, done)
            return done
        done = cut(found, lambda: open_wireguard(config), lambda: open_firewall(config))
        if found and not done.left:
            done.told.append(
                "Grants stay as they are: access that is still granted opens again when jitd is started."
            )
        return done


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Let no daemon start meanwhile. Raises JitError conflict."""
    try:
        lock = Lock(state_dir)
    except JitError as error:
        if error.code != "conflict":
            raise
        raise JitError(
            "conflict",
            f"cannot cut: jitd was started again in {state_dir} meanwhile",
            "Stop it, too.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def open_wireguard(config: Config) -> WireGuard:
    """The machine's WireGuard. Raises EnforceError."""
    return choose(config.enforce.backend, config.enforce.wireguard_go)


def open_firewall(config: Config) -> Firewall:
    """The machine's firewall; the file for boot is left as it is. Raises EnforceError."""
    enforce = config.enforce
    return choose_firewall(enforce.firewall, enforce.backend, closed=None, boot_ms=lambda: 0)


def cut(
    found: Sequence[Guarded], wireguard: Callable[[], WireGuard], firewall: Callable[[], Firewall]
) -> Done:
    """Close the firewall for everybody, remove jitd's peers, and read both back. Twice does no harm."""
    done = Done()
    if not found:
        done.told.append("jitd has no interface: no access is open")
        return done
    try:
        with closing(firewall()) as port:
            _remove_entries(found, port, done)
    except EnforceError as error:
        done.left.append(f"firewall: {error}")
    try:
        with closing(wireguard()) as peers:
            for one in found:
                _remove_peers(one, peers, done)
    except EnforceError as error:
        done.left.append(f"WireGuard: {error}")
    return done


def _close_as_at_boot(closed: Path, done: Done) -> None:
    try:
        nft.load(closed.read_text("utf-8"))
        done.told.append(f"firewall: closed, as at boot ({closed})")
    except OSError as error:
        done.left.append(f"firewall: {closed} cannot be read: {error.strerror}")
    except EnforceError as error:
        done.left.append(f"firewall: {error}")


def _remove_entries(found: Sequence[Guarded], firewall: Firewall, done: Done) -> None:
    """All sets of addresses go, in one step; the rules stay in their place, so that offloaded flows end as well."""
    if not firewall.active:
        return
    rules = Rules(
        interfaces=tuple(
            InterfaceRules(
                name=one.interface.name,
                gateway=(),
                networks=(),
                enforced=one.interface.enforced,
                given=one.given,
            )
            for one in found
        ),
        close_local_users=False,
    )
    firewall.ensure(rules)
    if firewall.present():
        done.told.append("firewall: closed")
    else:
        done.left.append("firewall: another program is changing it at this moment")


def _remove_peers(one: Guarded, wireguard: WireGuard, done: Done) -> None:
    name = one.interface.name
    # Whatever it is called by now.
    wireguard.know(Known.of(one.interface))
    try:
        ours = [key for key in wireguard.read(name).peers if one.is_ours(key)]
        if ours:
            wireguard.apply(name, [RemovePeer(key) for key in ours])
        there = wireguard.read(name).peers
    except InterfaceGone:
        done.told.append(f"{name}: the interface does not exist")
        return
    except EnforceError as error:
        done.left.append(f"{name}: {error}")
        return
    left = [key for key in there if one.is_ours(key)]
    done.left += [f"{name}: {one.names.get(key, 'a peer')} ({key[:_KEY_SHOWN]}…)" for key in left]
    line = f"{name}: {counted(len(ours))} removed" if ours else f"{name}: no access was open"
    if not left:
        others = f"; {counted(len(there))} not of jitd left unchanged" if there else ""
        done.told.append(line + others)


def counted(number: int) -> str:
    """So many peers, in words."""
    return f"{number} peer{'' if number == 1 else 's'}"
