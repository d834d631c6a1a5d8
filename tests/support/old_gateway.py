"""A gateway that is older than jitd: an interface of wg-quick with colleagues on it."""

from support import network, tunnel
from support.deployment import Deployment
from support.gateway import ADMIN_GROUP
from support.streams import Stream

PEOPLE = ("dave", "erin", "frank")


def old_gateway(deployment: Deployment) -> list[Stream]:
    """A wg0 made by wg-quick with three peers, and packets of all three in both directions, 1000 a second."""
    world = deployment.world
    network.wire(world, *PEOPLE)
    world.group(ADMIN_GROUP)
    world.user("carol", groups=[ADMIN_GROUP])
    private = world.run(["wg", "genkey"]).stdout.strip()
    public = world.run(["wg", "pubkey"], given=private).stdout.strip()
    lines = ["[Interface]", f"PrivateKey = {private}", "Address = 10.8.0.1/24", "ListenPort = 51820"]
    for number, user in enumerate(PEOPLE, start=2):
        world.user(user)
        deployment.keys[user] = tunnel.key_pair(world, user, user)
        deployment.addresses[user] = f"10.8.0.{number}"
        lines += ["", "[Peer]", f"PublicKey = {deployment.keys[user]}", f"AllowedIPs = 10.8.0.{number}/32"]
    tunnel.up(world, "gateway", "wg0", "\n".join(lines) + "\n")
    for user in PEOPLE:
        config = (
            f"[Interface]\nPrivateKey = {tunnel.PLACE_FOR_KEY}\nAddress = {deployment.addresses[user]}/32\n\n"
            f"[Peer]\nPublicKey = {public}\nEndpoint = {network.OUTER}:51820\n"
            f"AllowedIPs = 10.8.0.1/32, {network.INSIDE_NET}\nPersistentKeepalive = 25\n"
        )
        tunnel.up(world, user, f"{user}0", tunnel.put_key(world, user, config))
    flows = [stream for user in PEOPLE for stream in deployment.both_ways(user)]
    for stream in flows:
        stream.arrives()
    return flows
