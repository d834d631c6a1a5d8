"""A client's side of WireGuard, with the programs that people use: wg, wg-quick, wireguard-go."""

from support.world import World

PLACE_FOR_KEY = "REPLACE_WITH_PRIVATE_KEY"


def key_pair(world: World, user: str, where: str, name: str = "private.key") -> str:
    """Make a key pair as this user at home, readable by nobody else; the private key never is an argument.

    Returns the public key.
    """
    line = f"umask 077; wg genkey >{name}; wg pubkey <{name}"
    return world.run(["sh", "-c", line], user=user, where=where).stdout.strip()


def put_key(world: World, user: str, config: str, name: str = "private.key") -> str:
    """The configuration with the private key of this user's file in its place."""
    assert PLACE_FOR_KEY in config, config
    return config.replace(PLACE_FOR_KEY, world.path(f"/home/{user}/{name}").read_text().strip())


def up(world: World, where: str, interface: str, config: str) -> None:
    """Bring a wg-quick file up in the client's namespace.

    Interface names are unique in a world: wireguard-go's sockets are not divided by network namespace.
    """
    folder = world.path("/etc/wireguard")
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{interface}.conf"
    file.touch(mode=0o600)
    file.write_text(config)
    world.run(["wg-quick", "up", interface], where=where)


def down(world: World, where: str, interface: str) -> None:
    """Take it down again."""
    world.run(["wg-quick", "down", interface], where=where)


def address(config: str) -> str:
    """The tunnel's IPv4 address in a wg-quick file."""
    (line,) = [line for line in config.splitlines() if line.startswith("Address")]
    return line.split("=")[1].split(",")[0].split("/")[0].strip()
