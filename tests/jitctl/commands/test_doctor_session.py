"""jitctl doctor against a daemon: what it prints, its exit status, and what it says when nobody answers."""

import json
import re
from pathlib import Path

from support.command_result import CommandResult, RunCommand
from support.in_process_daemon import InProcessDaemon

HOUR = 3_600_000


def test_the_whole_gateway(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Part by part, each line with its mark, and the sum at the end; nothing broken: exit 0."""
    daemon.directory.chmod(0o755)  # users reach the socket in it
    said = jitctl("doctor")
    assert (said.status, said.err) == (0, ""), said.out
    lines = said.out.splitlines()
    titles = [line for line in lines if line.isalpha()]
    assert titles == [
        *("config", "socket", "store", "clock", "interfaces", "firewall", "sshd", "people", "mail", "files")
    ]
    inside = [line for line in lines[:-1] if line not in titles]
    assert all(re.match(r"  (ok|warning|unknown)  *\S| {11}-> ", line) for line in inside), said.out
    assert re.fullmatch(r"\d+ warnings?(, \d unknown)?, \d+ ok", lines[-1])
    assert "  ok       wg0 is up on UDP port 51820 with the key that clients have; peers: 0" in lines


def test_one_part(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Its lines alone; what is broken makes the exit status 1, and has its fix."""
    daemon.wireguard.remove_link("wg0")
    said = jitctl("doctor", "interfaces")
    assert said.status == 1
    assert said.out == (
        "warning  the memory backend enforces nothing: it is for dry runs\n"
        '         -> set backend = "auto" under [enforce] in jitd.toml, then restart jitd\n'
        "BROKEN   wg0 does not exist: no traffic passes\n"
        "         -> jitd tries again by itself; see its log: journalctl -u jitd\n"
    )


def test_a_network_of_somebody(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """An administrator looks for a user; with a grant nothing is broken, and without one it is."""
    missing = jitctl("doctor", "office", "--user", "alice")
    assert missing.status == 1
    assert missing.out.startswith(
        'BROKEN   alice has no grant for office\n         -> jitctl request office --reason "…"\n'
        "ok       office is 10.0.0.0/8, through wg0\n"
    )
    daemon.post("/v1/grant", user="alice", network="office", duration=HOUR)
    granted = jitctl("doctor", "--network", "office", "--user", "alice")
    assert granted.status == 0
    assert granted.out.startswith("ok       grant 1 is active, 1h left\n")


def test_as_json(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """One part is its reply; the whole is every part, and all lines together."""
    one = json.loads(jitctl("doctor", "store", "--json").out)
    assert one["part"] == "store"
    assert one["checks"][0]["level"] == "ok"
    whole = json.loads(jitctl("doctor", "--json").out)
    assert [part["part"] for part in whole["parts"]][:3] == ["config", "socket", "store"]
    assert len(whole["checks"]) == sum(len(part["checks"]) for part in whole["parts"])


def test_what_is_no_part(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """A typo is told which parts there are; a part and a network at once are a usage error."""
    typo = jitctl("doctor", "sotre")
    assert typo.status == 10
    assert "config, socket, store, clock" in typo.err
    assert jitctl("doctor", "store", "--network", "office").status == 2
    assert jitctl("doctor", "--user", "alice").status == 2


def test_nobody_answers(jitctl: RunCommand, tmp_path: Path) -> None:
    """It says so and names what looks without a daemon."""
    said = jitctl("doctor", JITCTL_SOCKET=str(tmp_path / "none.sock"))
    assert said.status == 6
    assert said.err.startswith(f"jitctl: cannot reach jitd: the socket {tmp_path}/none.sock does not exist\n")
    assert "sudo jitd check" in said.err


#: A plugin's line: what a person reads, a bar, and numbers for programs.
PLUGIN = re.compile(r"JITD (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+)(?: \| ((?:\w+=-?\d+(?:;\d*){3} ?)+))?\n")


def plugin(said: CommandResult) -> tuple[int, str, str, dict[str, int]]:
    """(exit status, word, sentence, numbers); nothing else was printed."""
    found = PLUGIN.fullmatch(said.out)
    assert found, said.out
    assert said.err == ""
    numbers = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+);", found[3] or "")}
    return said.status, found[1], found[2], numbers


def test_as_a_monitoring_plugin(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """One line with the worst of it and numbers for a graph; the exit status is the plugin's, not jitctl's own."""
    daemon.directory.chmod(0o755)
    daemon.post("/v1/request", network="office", user="alice", reason="x")
    status, word, sentence, numbers = plugin(jitctl("doctor", "-o", "nagios"))
    assert (status, word) == (1, "WARNING")  # the memory backend enforces nothing
    assert "the memory backend enforces nothing" in sentence
    assert (numbers["broken"], numbers["pending"], numbers["active"], numbers["differing"]) == (0, 1, 0, 0)
    assert numbers["warnings"] > 0 < numbers["ok"]
    assert plugin(jitctl("doctor", "store", "-o", "nagios"))[:2] == (0, "OK")


def test_a_monitoring_plugin_that_cannot_tell(
    daemon: InProcessDaemon, jitctl: RunCommand, tmp_path: Path
) -> None:
    """Nobody answers: that is a problem (2). What cannot be asked is unknown (3)."""
    status, word, sentence, _ = plugin(jitctl("--socket", str(tmp_path / "s"), "doctor", "-o", "nagios"))
    assert (status, word) == (2, "CRITICAL")
    assert sentence.startswith("cannot reach jitd")
    assert plugin(jitctl("doctor", "nowhere", "-o", "nagios"))[:2] == (3, "UNKNOWN")


def test_a_format_that_there_is_not(jitctl: RunCommand) -> None:
    """It is named, with those that there are."""
    said = jitctl("doctor", "-o", "xml")
    assert said.status == 2
    assert "table, json, nagios" in said.err
