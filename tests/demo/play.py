"""Plays the main job with real parts and shows it as a session: what was typed by whom, what came back, how long.

A gateway, two laptops and an office in network namespaces, wireguard-go, a running jitd, real Unix users. Everything
is inside a world (support/world.py) that covers this machine's own users and files, and that ends with this program,
however that ends.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from demo.screen import Screen
from support import network, tunnel
from support.deployment import Deployment
from support.gateway import wall_to_monotonic_ns
from support.streams import Stream
from support.wait import until
from support.world import World, WorldError, lacking

DURATION = "15s"
CANNOT = """\
demo: cannot play here: {reason}.
    sudo make demo        plays it; it changes nothing on this machine but installing what is missing
    make test-fast        runs everything that needs no root, with a simulated WireGuard
"""


class Play:
    """The session, step by step."""

    def __init__(self, deployment: Deployment, screen: Screen) -> None:
        self.deployment = deployment
        self.screen = screen
        self.took: list[tuple[str, float]] = []

    def type(
        self, user: str, line: str, *, where: str = "gateway", shown: str = "", fails: bool = False
    ) -> str:
        """Run a shell line as a user and show both; with `fails` it is meant to. Returns its standard output."""
        self.screen.typed(user, where, shown or line)
        begun = time.monotonic()
        done = self.deployment.world.run(
            ["sh", "-c", line], user=user, where=where, check=False, env={"COLUMNS": "100"}
        )
        self.screen.answered(done.stdout + done.stderr, time.monotonic() - begun)
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{line!r} as {user} ended with status {done.returncode}")
        return done.stdout

    def step(self, what: str, begun: float, ended: float) -> None:
        """Remember how long something took, in seconds of CLOCK_MONOTONIC."""
        self.took.append((what, ended - begun))

    def gateway(self) -> None:
        """The administrator sets up the gateway."""
        self.screen.chapter("The administrator sets up the gateway, once")
        self.type("root", "jitd init --admin-group jit-admins")
        self.screen.typed("root", "gateway", "jitd run &")
        seconds = self.deployment.gateway.start()
        self.screen.answered("", seconds)
        self.took.append(("jitd starts and answers", seconds))
        endpoint = f"{network.OUTER}:51820"
        self.type("carol", f"jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint {endpoint}")
        self.type("carol", f"jitctl network add office --route {network.INSIDE_NET}")

    def laptop(self) -> None:
        """Alice registers her laptop and brings her tunnel up; without a grant it leads nowhere."""
        self.screen.chapter("alice registers her laptop; the private key stays on it")
        keys = "umask 077; wg genkey >private.key; wg pubkey <private.key >public.key"
        self.type("alice", keys, where="alice")
        self.type("alice", "jitctl device add laptop --public-key - <public.key")
        config = self.type("alice", "jitctl device config laptop")
        self.screen.typed("root", "alice", "wg-quick up office     # with the private key filled in")
        begun = time.monotonic()
        tunnel.up(
            self.deployment.world, "alice", "office", tunnel.put_key(self.deployment.world, "alice", config)
        )
        self.screen.answered("", time.monotonic() - begun)
        self.deployment.addresses["alice"] = tunnel.address(config)
        self.type("alice", f"ping -c 1 -W 1 {network.SERVER}", where="alice", fails=True)
        self.screen.said("Nothing passes: there is no grant yet.")

    def access(self) -> int:
        """Alice asks, carol grants, and packets flow. Returns the request's number."""
        self.screen.chapter("alice requests access, carol grants 15 seconds")
        self.type("alice", 'jitctl request office --reason "the printer on floor 3 is on fire" --duration 1h')
        self.type("alice", "jitctl status")
        self.type("carol", "jitctl list")
        out, back = self.deployment.both_ways("alice")
        begun = time.monotonic()
        self.type("carol", f"jitctl grant --duration {DURATION}")
        granted = time.monotonic()
        self.step("jitctl grant, from the command to its reply", begun, granted)
        first = [stream.arrives().received / 1e9 for stream in (out, back)]
        self.step("first packet from the laptop to the office, after the grant was typed", begun, first[0])
        self.step("first packet from the office to the laptop", begun, first[1])
        self.screen.said(
            f"The first packet passed {first[0] - granted:.1f} s after the grant: WireGuard on the laptop\n"
            "retries its handshake every 5 s."
        )
        self.type("alice", f"ping -c 1 -W 1 {network.SERVER}", where="alice")
        begun = time.monotonic()
        assert self.deployment.connects("alice"), "a TCP connection was to open"
        self.screen.said(f"A TCP connection into the office opens. [{time.monotonic() - begun:.2f} s]")
        self.type("alice", "jitctl status")
        (active,) = self.deployment.gateway.get("/v1/list?status=active")["requests"]
        number = int(active["id"])
        self.cut(number, out, back)
        return number

    def cut(self, number: int, out: Stream, back: Stream) -> None:
        """The countdown with what passes each second, and the end."""
        self.screen.chapter("The countdown: packets that arrived, of 1000 a second each way")
        ends = wall_to_monotonic_ns(self.deployment.gateway.request(number)["ends"])
        for left in range(int((ends - time.monotonic_ns()) / 1e9), -1, -1):
            self.second(out, back, ends - left * 1_000_000_000, left)
        self.deployment.ended(number, 10)
        for after in (1, 2):
            self.second(out, back, ends + after * 1_000_000_000, -after)
        self.deployment.streams.stop()
        late = max(len(stream.sent_after(ends)) for stream in (out, back))
        last = max(packet.received for stream in (out, back) for packet in stream.received())
        self.screen.said(f"Cut. Packets that were sent after the end and arrived: {late} of 1000 a second.")
        self.took.append(("the last packet, after the grant's end", (last - ends) / 1e9))

    def second(self, out: Stream, back: Stream, end_ns: int, left: int) -> None:
        """Wait for the end of a second of the countdown and show how many packets arrived in it."""
        until(lambda: time.monotonic_ns() >= end_ns, "the next second")
        begun = end_ns - 1_000_000_000
        self.screen.second(left, len(out.between(begun, end_ns)), len(back.between(begun, end_ns)))

    def after(self, number: int) -> None:
        """What is left: nothing passes, and everything is on record."""
        self.screen.chapter("Afterwards")
        self.type("alice", f"ping -c 1 -W 1 {network.SERVER}", where="alice", fails=True)
        self.type("alice", "jitctl status")
        self.type("carol", f"jitctl show {number}")
        self.screen.chapter("Times")
        for what, seconds in self.took:
            self.screen.said(f"{seconds * 1000:9.1f} ms  {what}")


def _terminated(number: int, frame: FrameType | None) -> None:
    """A polite kill ends the demo as Ctrl-C does: through its own clean-up."""
    raise KeyboardInterrupt


def main() -> int:
    """Exit 0 when everything went as it was meant to, 1 when not, 2 when it cannot be played here, 130 on Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminated)
    if reason := lacking():
        sys.stderr.write(CANNOT.format(reason=reason))
        return 2
    screen = Screen(sys.stdout)
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="jitctl-demo-") as directory, World() as world:
            deployment = Deployment(world, Path(directory))
            deployment.people()
            screen.said(
                "This runs in a private copy of this machine; its users and files are not changed.\n"
                "Users: alice and bob (colleagues), carol (administrator, group jit-admins).\n"
                f"Namespaces: alice's laptop -- gateway {network.OUTER} -- office {network.SERVER}."
            )
            play = Play(deployment, screen)
            try:
                play.gateway()
                play.laptop()
                play.after(play.access())
            except AssertionError:
                log = deployment.gateway.log
                screen.said(
                    f"jitd's log:\n{log.read_text()[-4000:]}" if log.exists() else "jitd wrote no log"
                )
                raise
    except WorldError as error:
        sys.stderr.write(CANNOT.format(reason=error))
        return 2
    except AssertionError as error:
        screen.said(f"The demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        screen.said("\nInterrupted; everything is cleaned up.")
        return 130
    screen.said(
        f"{(time.monotonic() - begun) * 1000:9.1f} ms  the whole demo. It has left nothing on this machine."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
