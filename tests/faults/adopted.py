"""A stage with a past: the interface is wg-quick's, with alice and bob in its file, and jitd has adopted it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.scene import BACK
from support import network, tunnel
from support.deployment import Deployment
from support.world import World

PEOPLE = ("alice", "bob")


@contextmanager
def adopted(directory: Path) -> Iterator[Deployment]:
    """The stage, enforced: bob is in for hours."""
    with World() as world:
        deployment = Deployment(world, directory)
        deployment.people()
        private = world.run(["wg", "genkey"]).stdout.strip()
        public = world.run(["wg", "pubkey"], given=private).stdout.strip()
        lines = ["[Interface]", f"PrivateKey = {private}", "Address = 10.9.0.1/24", "ListenPort = 51820"]
        for number, user in enumerate(PEOPLE, start=2):
            deployment.keys[user] = tunnel.key_pair(world, user, user)
            deployment.addresses[user] = f"10.9.0.{number}"
            lines += [
                "[Peer]",
                f"PublicKey = {deployment.keys[user]}",
                f"AllowedIPs = {deployment.addresses[user]}/32",
            ]
        tunnel.up(world, "gateway", "wg0", "\n".join(lines) + "\n")
        for user in PEOPLE:
            config = (
                f"[Interface]\nPrivateKey = {tunnel.PLACE_FOR_KEY}\nAddress = {deployment.addresses[user]}/32\n"
                f"[Peer]\nPublicKey = {public}\nEndpoint = {network.OUTER}:51820\n"
                f"AllowedIPs = 10.9.0.1/32, {network.INSIDE_NET}\nPersistentKeepalive = 5\n"
            )
            tunnel.up(world, user, f"{user}0", tunnel.put_key(world, user, config))
            for stream in deployment.both_ways(user):
                stream.arrives(BACK)
        deployment.streams.stop()
        gateway = deployment.gateway
        gateway.init()
        gateway.start()
        gateway.jitctl("carol", "interface", "adopt", "wg0", "--endpoint", f"{network.OUTER}:51820")
        gateway.jitctl("carol", "network", "add", "office", "--route", network.INSIDE_NET)
        names = "".join(f"{deployment.keys[user]} {user} laptop\n" for user in PEOPLE)
        world.path("/home/carol/map").write_text(names)
        gateway.jitctl("carol", "device", "import", "wg0", "--map", "/home/carol/map")
        gateway.jitctl("carol", "grant", "--user", "bob", "--network", "office", "-d", "8h")
        gateway.jitctl("carol", "interface", "enforce", "wg0", "on", "--yes")
        yield deployment
