"""`jitd stop` and `jitd uninstall`: whom they end, whom they cut, and when they refuse."""

import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from jitd.cli import cut, stop
from jitd.core.errors import JitError
from jitd.enforce.memory import MemoryWireGuard
from jitd.enforce.memoryfirewall import MemoryFirewall
from jitd.enforce.port import Change, SetPeer
from jitd.runtime.lock import Lock
from support.daemon import Daemon
from support.in_process_daemon import KEY_OF, InProcessDaemon, in_process_daemon

THIRD = KEY_OF["third"]


# --- whom it ends ---


def test_stop_ends_it_and_says_when_there_is_nothing_to_end(daemon: Daemon) -> None:
    """A running jitd is gone when `jitd stop` returns; one that does not run is no error, with --cut neither."""
    daemon.start()
    assert daemon.process is not None
    pid = daemon.process.pid
    stopped = daemon.jitd("stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"jitd (pid {pid}) has ended\n")
    assert daemon.process.wait(10) == 0
    again = daemon.jitd("stop")
    assert (again.returncode, again.stdout) == (0, "jitd was not running\n")
    cut_too = daemon.jitd("stop", "--cut")
    assert cut_too.returncode == 0
    assert cut_too.stdout == "jitd was not running\njitd has no interface: no access is open\n"


def test_one_in_the_background_is_ended_too(daemon: Daemon) -> None:
    """The pid in the lock is the one of the daemon behind `run --detach`."""
    assert daemon.jitd("run", "--detach").returncode == 0
    pid = daemon.get("/v1/health")[1]["pid"]
    assert daemon.jitd("stop").stdout == f"jitd (pid {pid}) has ended\n"
    assert not daemon.socket.exists()


def test_a_pid_that_is_another_programs_is_left_alone(tmp_path: Path) -> None:
    """Only a process that has the lock's file open is ended, whatever pid stands in it."""
    with subprocess.Popen(["sleep", "60"]) as other:
        lock = Lock(tmp_path)
        (tmp_path / "lock").write_text(f"{other.pid}\n")
        with pytest.raises(JitError, match="the process that holds") as raised:
            stop.stop(tmp_path, hint="", seconds=0.3)
        assert raised.value.code == "busy"
        assert other.poll() is None
        lock.release()
        assert stop.stop(tmp_path, hint="") is None
        assert other.poll() is None
        other.kill()


def test_one_that_does_not_end_is_named(daemon: Daemon) -> None:
    """After the time given, the refusal says how to end it by force."""
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(SIGSTOP)
    with pytest.raises(JitError, match="did not stop in time") as raised:
        stop.stop(daemon.state_dir, hint="", seconds=0.3)
    assert raised.value.hint == f"Stop it with: kill -KILL {daemon.process.pid}"
    daemon.process.send_signal(SIGCONT)
    assert daemon.process.wait(10) == 0


# --- whom it cuts ---


class Deaf(MemoryWireGuard):
    """Takes changes and does not make them."""

    def apply(self, name: str, changes: Sequence[Change]) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[InProcessDaemon]:
    """alice and bob are in on wg0, and alice on the adopted wg1, where an unmanaged and an imported peer are too."""
    with in_process_daemon() as made:
        made.furnish()
        made.wireguard.add_foreign_link("wg1", addresses=["10.8.0.1/24"], port=51821)
        before = [(THIRD, "10.8.0.3/32"), (KEY_OF["bob"], "10.8.0.4/32")]
        made.wireguard.apply(
            "wg1", [SetPeer(public_key=key, allowed_ips=frozenset({ip_network(ip)})) for key, ip in before]
        )
        for path, body in (
            ("/v1/interface/adopt", {"name": "wg1"}),
            ("/v1/network/add", {"name": "lab", "interface": "wg1", "routes": ["10.3.0.0/16"]}),
            ("/v1/grant", {"user": "alice", "network": "office", "duration": 3_600_000}),
            ("/v1/grant", {"user": "bob", "network": "office", "duration": 3_600_000}),
            ("/v1/grant", {"user": "alice", "network": "lab", "duration": 3_600_000}),
        ):
            status, reply = made.post(path, **body)
            assert status == 200, (path, reply)
        yield made


def peers(site: InProcessDaemon, name: str) -> set[str]:
    """The keys of all peers of an interface."""
    return set(site.wireguard.read(name).peers)


def cut_all(site: InProcessDaemon, wireguard: MemoryWireGuard) -> cut.Done:
    """Cut everybody whom the store of this daemon knows."""
    firewall = MemoryFirewall(lambda: 0)
    return cut.cut(cut.guarded(site.state_dir), lambda: wireguard, lambda: firewall)


def test_a_cut_removes_what_is_jitds_and_leaves_the_rest(site: InProcessDaemon) -> None:
    """Own interfaces are empty afterwards, adopted ones keep the peers of others; a second time finds nobody."""
    assert peers(site, "wg1") == {THIRD, KEY_OF["alice"], KEY_OF["bob"]}
    site.stop()
    done = cut_all(site, site.wireguard)
    assert (done.left, peers(site, "wg0")) == ([], set())
    assert peers(site, "wg1") == {THIRD, KEY_OF["bob"]}
    assert done.told == [
        "firewall: closed",
        "wg0: 2 peers removed",
        "wg1: 1 peer removed; 2 peers not of jitd left unchanged",
    ]
    again = cut_all(site, site.wireguard)
    assert again.told[1:] == [
        "wg0: no access was open",
        "wg1: no access was open; 2 peers not of jitd left unchanged",
    ]


def test_what_is_still_there_is_named(site: InProcessDaemon) -> None:
    """A WireGuard that does not do it is found out by reading back: each peer with its owner, nothing is called cut."""
    site.stop()
    deaf = Deaf()
    deaf.__dict__.update(site.wireguard.__dict__)
    done = cut_all(site, deaf)
    alice, bob = (KEY_OF[name][:12] for name in ("alice", "bob"))
    assert set(done.left) == {
        f"wg0: alice's laptop ({alice}…)",
        f"wg0: bob's laptop ({bob}…)",
        f"wg1: alice's laptop ({alice}…)",
    }
    assert done.told == ["firewall: closed"]


def test_a_cut_waits_for_nobody(site: InProcessDaemon) -> None:
    """While a daemon holds the lock, nothing is cut behind its back."""
    with pytest.raises(JitError, match="was started again"):
        cut.everybody(site.settings)
    assert KEY_OF["alice"] in peers(site, "wg0")


def test_a_broken_store_is_told(daemon: Daemon) -> None:
    """Where the store cannot be read, --cut fails and says so: whose peers are jitd's is not known."""
    (daemon.state_dir / "jitd.db").write_bytes(b"no database" * 1000)
    done = daemon.jitd("stop", "--cut")
    assert done.returncode == 1
    assert "jitd: still open: cannot use the database" in done.stderr


# --- uninstall ---


def test_uninstall_does_nothing_unasked(daemon: Daemon) -> None:
    """Without a terminal and --yes the plan is shown and nothing is done."""
    daemon.start()
    refused = daemon.jitd("uninstall")
    assert refused.returncode == 2
    assert refused.stdout.startswith("This will\n  stop jitd (pid ")
    assert (
        refused.stderr
        == "jitd: cannot ask for confirmation: this is not a terminal\nRun it again with --yes.\n"
    )
    assert daemon.answers()


def test_uninstall_names_what_is_left(daemon: Daemon) -> None:
    """With --yes it stops jitd, takes the file for boot away, and says how to remove the rest; twice is fine."""
    daemon.start()
    status, reply = daemon.post("/v1/interface/add", name="wg0", pools=["10.9.0.0/24"])
    assert status == 200, reply
    closed = daemon.state_dir / "closed.nft"
    closed.write_text("")
    for _ in range(2):
        done = daemon.jitd("uninstall", "--yes")
        assert (done.returncode, done.stderr) == (0, "")
        assert "  remove the interface wg0 and all its peers" in done.stdout
        assert f"  rm {daemon.config}" in done.stdout
        assert f"  rm -r {daemon.state_dir} " in done.stdout
    assert daemon.process is not None
    assert daemon.process.wait(10) == 0
    assert not closed.exists()
    assert (daemon.state_dir / "jitd.db").exists()
