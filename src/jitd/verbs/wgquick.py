"""The file for wg-quick of a device: which interface it is for, and what stands in it."""

from jitd.core import parsing, tunnelfile
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account, Device, Interface
from jitd.core.people import Answer
from jitd.core.tunnelfile import PrivateKey, TunnelFile
from jitd.store import devices, interfaces, networks
from jitd.verbs import tunnels
from jitd.verbs.context import Call, View
from jitd.verbs.interfaces import named as named_interface
from jitd.verbs.interfaces import no_interface


def prepare(call: Call, account: Account, device: Device, name: str | None) -> Interface:
    """The interface that a file is for, by name or the only one; the device has an address on it afterwards.

    Raises JitError bad_request, not_found or refused.
    """
    interface = _interface(call, account, name)
    if tunnels.ensure(call, device, interface):
        # Standing access begins with the address.
        call.touched.devices.add((interface.id, device.id))
    if not interface.endpoint:
        raise JitError(
            "refused",
            f"cannot write a configuration for {interface.name}: it has no endpoint for clients",
            "An administrator sets it: "
            + command("interface set", interface.name, endpoint="vpn.example.org:51820"),
        )
    return interface


def file(view: View, account: Account, device: Device, interface: Interface) -> str:
    """The file, with a place for the private key and the routes of all networks that its user may ask for."""
    (tunnel,) = devices.tunnels(view.rows, interface_id=interface.id, device_ids=[device.id])
    routes = [
        route
        for network in networks.of_interface(view.rows, interface.id)
        if view.people.may_use(network, account.uid, account.name)
        for route in network.routes
    ]
    # The gateway's own tunnel addresses, so that the tunnel can be tried with a ping.
    gateways = [parsing.single(one) for one in view.gateway(interface.id) if not one.is_link_local]
    comment = f"{account.name}'s {device.name} on {interface.name}. Keep this file private (chmod 600)."
    try:
        return tunnelfile.write(
            TunnelFile(
                comment=comment,
                addresses=tuple(sorted(map(parsing.interface_of, tunnel.ips), key=str)),
                dns=tuple(map(parsing.dns, interface.dns)),
                mtu=interface.mtu,
                peer=interface.public_key,
                preshared=bool(tunnel.preshared_key),
                endpoint=parsing.endpoint(interface.endpoint),
                routes=tuple(dict.fromkeys([*gateways, *routes])),
                keepalive=25,
            ),
            PrivateKey.PLACE,
        )
    except ValueError as error:
        raise JitError(
            "refused",
            f"cannot write a configuration for {interface.name}: {error}",
            "An administrator can examine it: " + command("doctor", "interfaces"),
        ) from error


def _interface(call: Call, account: Account, name: str | None) -> Interface:
    if name is not None:
        return _usable(call, account, name)
    reachable = [
        interface
        for interface in interfaces.all_(call.rows)
        if any(
            call.people.may_use(network, account.uid, account.name)
            for network in networks.of_interface(call.rows, interface.id)
        )
    ]
    if len(reachable) == 1:
        return reachable[0]
    if not reachable:
        raise JitError(
            "not_found", f"cannot write a configuration: there is no network that {account.name} may request"
        )
    names = ", ".join(interface.name for interface in reachable)
    raise JitError(
        "bad_request",
        f"cannot tell which interface you mean: {names}",
        f"Add --interface {reachable[0].name}",
    )


def _usable(call: Call, account: Account, name: str) -> Interface:
    """The named interface, where its user may use a network on it: others do not exist for users.

    Raises JitError not_found, busy or refused.
    """
    interface = named_interface(call, name)
    found = [
        call.people.may_use(network, account.uid, account.name)
        for network in networks.of_interface(call.rows, interface.id)
    ]
    if any(found):
        return interface
    unsure = next((one for one in found if one.answer is Answer.UNAVAILABLE), None)
    if unsure is not None:
        raise JitError("busy", f"cannot write a configuration for {name}: {unsure.why}", "Try again later.")
    if not call.by_admin:
        raise no_interface(name)
    raise JitError(
        "refused",
        f"cannot write a configuration for {name}: {account.name} may use no network on it",
        "See " + command("network list") + " for the networks and their members.",
    )
