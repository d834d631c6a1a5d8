"""A user's desktop in a world: a session bus, a screen that nobody sees, dunst, which shows notifications on it, and a
keyring that was unlocked at the login.
"""

from pathlib import Path

from support.wait import until
from support.world import World


class Desktop:
    """What dunst has shown."""

    def __init__(self, world: World, user: str, where: str, log: Path) -> None:
        """Start it in the user's network namespace: X has its socket there."""
        self.world = world
        self._log = log
        bus = f"/home/{user}/bus"
        world.start(
            ["dbus-daemon", "--session", f"--address=unix:path={bus}", "--nofork", "--nopidfile"],
            user=user,
            where=where,
        )
        until(lambda: world.path(bus).exists(), "the session bus is there", 30)
        screen = log.with_suffix(".screen")
        with screen.open("w") as output:
            # It chooses its number and says it: /tmp is the machine's, and has what other screens have left there.
            argv = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
            world.start(argv, user=user, where=where, output=output)

        def number() -> str:
            said = [line for line in screen.read_text().splitlines() if line.isdigit()]
            return said[0] if said else ""

        until(number, f"the screen is there: {screen}", 30)
        runtime = f"/home/{user}/run"
        world.run(["mkdir", "-m", "700", runtime], user=user)
        self.environment = {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
            "DISPLAY": f":{number()}",
            "XDG_RUNTIME_DIR": runtime,
        }
        unlock = ["gnome-keyring-daemon", "--unlock", "--components=secrets"]
        world.run(unlock, user=user, where=where, env=self.environment, given="secret")
        with log.open("a") as output:
            world.start(["dunst", "-print"], user=user, where=where, output=output, env=self.environment)
        owned = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        owned += ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.Notifications"]
        until(
            lambda: (
                "true" in world.run(owned, user=user, where=where, env=self.environment, check=False).stdout
            ),
            f"dunst answers: {log}",
            30,
        )

    def until_shown(self, words: str, seconds: float = 30) -> None:
        """Wait until a notification with these words was shown."""
        until(lambda: words in self._log.read_text(), f"{words!r} is shown: {self._log}", seconds)
