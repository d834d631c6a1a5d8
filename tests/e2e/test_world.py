"""The worlds of these tests and of the demo leave the machine as it was, however they end."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import network, streams
from support.wait import until
from support.world import World

pytestmark = pytest.mark.root

MAKER = """
import sys
from support import network
from support.world import World
with World() as world:
    network.wire(world, "alice")
    world.user("jitctl-world-test")
    sleeper = world.start(["sleep", "1000"], where="alice")
    print(world.init, sleeper.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_world_ends_with_its_maker(number: signal.Signals) -> None:
    """Whatever ends the maker ends every process inside, and no user, link or namespace is left on the machine."""
    before = Path("/etc/passwd").read_text()
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    with maker:
        assert maker.stdout is not None
        pids = maker.stdout.readline().split()
        assert len(pids) == 2
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        maker.send_signal(number)
        maker.wait(15)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "everything inside is gone")
    assert Path("/etc/passwd").read_text() == before
    assert sorted(path.name for path in Path("/sys/class/net").iterdir()) == links


def test_programs_run_as_the_user_that_logged_in() -> None:
    """A program has the uid, groups, login uid, home and environment of its user, and root's tests have none."""
    with World() as world:
        world.group("crew")
        uid = world.user("alice", groups=["crew"])
        said = world.run(
            ["sh", "-c", "id -u; id -Gn; cat /proc/self/loginuid; echo; pwd"], user="alice"
        ).stdout
        assert said.split("\n")[:4] == [str(uid), "alice crew", str(uid), "/home/alice"]
        assert world.run(["cat", "/proc/self/loginuid"]).stdout == "4294967295"
        assert world.run(["cat", "/etc/shadow"], user="alice", check=False).returncode != 0


def test_nothing_leads_inside_but_the_gateway(tmp_path: Path) -> None:
    """Without a tunnel a client reaches the gateway and not what is behind it, and streams count that as lost."""
    with World() as world:
        network.wire(world, "alice")
        streams.serve(world, network.INSIDE)
        world.run(["ping", "-c", "1", "-W", "1", network.OUTER], where="alice")
        assert not streams.connects(world, "alice", network.SERVER)
        made = streams.Streams(world, tmp_path)
        nothing = made.udp("alice", network.INSIDE, network.SERVER)
        packets = made.udp("gateway", network.INSIDE, network.SERVER)
        since = packets.arrives().sent
        assert nothing.silent()
        made.stop()
        assert packets.losses(since) == ""
        assert len(nothing.lost()) == len(nothing.sent())
