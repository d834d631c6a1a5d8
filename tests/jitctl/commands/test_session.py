"""What jitctl prints, from request to cut. The clock of the daemon stands still at 2026-09-21 14:13:20 UTC."""

from support.command_result import RunCommand
from support.in_process_daemon import InProcessDaemon
from support.wait import until

HOUR = 3_600_000


def test_a_session(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Request, list, grant, show: each prints what it did, the results to standard output and nothing else to it."""
    said = jitctl(
        "request", "office", "--reason", "ticket 42: read the logs", "--user", "alice", "-d", "1h30m"
    )
    assert (said.status, said.out, said.err) == (0, "request 1: alice asks for office, pending\n", "")

    said = jitctl("list")
    assert lines(said.out) == (
        "ID  USER   NETWORK  STATUS     REQUESTED  WANTS  GRANTED  REASON                    BY  LEFT\n"
        " 1  alice  office   ? pending  just now   1h30m           ticket 42: read the logs\n"
    )

    said = jitctl("grant", "1", "--duration", "8h", "--comment", "until tonight")
    assert (said.status, said.out) == (0, "office is open for alice until 22:13:20 UTC (8h 00m), grant 1\n")

    daemon.advance(HOUR)
    said = jitctl("show", "1")
    assert said.out == (
        "request    1\n"
        "status     * active\n"
        "user       alice\n"
        "network    office\n"
        "reason     ticket 42: read the logs\n"
        "requested  2026-09-21 14:13:20 UTC (1 hour ago)\n"
        "wants      1h30m\n"
        "granted    8h\n"
        "asked by   admin\n"
        "decided by admin\n"
        "comment    until tonight\n"
        "from       2026-09-21 14:13:20 UTC\n"
        "until      2026-09-21 22:13:20 UTC\n"
        "devices    laptop\n"
        "left       7h 00m\n"
        "\n"
    ) + "".join(f"2026-09-21 14:13:20 UTC  {line}\n" for line in history(said.out))
    assert history(said.out) == [
        "admin: asked for office for 1h30m: ticket 42: read the logs",
        "admin: granted office for 8h: until tonight",
    ]

    daemon.advance(7 * HOUR)
    until(lambda: "- expired" in jitctl("list").out, "the end")
    assert jitctl("revoke", "1").status == 8


def lines(out: str) -> str:
    """A table without the blanks that fill it up at the right."""
    return "".join(f"{line.rstrip()}\n" for line in out.splitlines())


def history(out: str) -> list[str]:
    """The events of `show`, without times and origins."""
    return [line.split("  ", 1)[1].split(" [")[0] for line in out.partition("\n\n")[2].splitlines()]


def test_empty_states_say_what_would_fill_them(jitctl: RunCommand) -> None:
    """Without requests, and with a filter that nothing matches, the list says so and exits with 0."""
    assert (jitctl("list").out, jitctl("list").status) == ("no requests yet\n", 0)
    assert jitctl("list", "--status", "denied").out == "nothing matches: there are no requests yet\n"
    assert jitctl("events", "--kind", "granted").err == "no event matches\n"


def test_a_script_takes_the_only_pending_request(jitctl: RunCommand) -> None:
    """Without an id and a terminal: one pending request is taken, none and several are usage errors."""
    assert jitctl("grant").status == 2
    jitctl("request", "office", "-r", "x", "-u", "alice")
    assert jitctl("grant").out.startswith("office is open for alice")
    jitctl("revoke", "1")
    jitctl("request", "office", "-r", "x", "-u", "alice")
    jitctl("request", "office", "-r", "x", "-u", "bob")
    said = jitctl("deny")
    assert said.status == 2
    assert (
        said.err == "jitctl: cannot tell which request to deny: 3, 2 are pending\nName one: jitctl deny 3\n"
    )


def test_a_plan_is_shown_and_needs_a_yes(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Who gains access is printed; without a terminal and --yes nothing is done; with it just that is done."""
    jitctl("network", "set", "office", "--member", "@staff")
    said = jitctl("network", "jit", "office", "off")
    assert said.status == 2
    assert said.err.splitlines()[0] == (
        "+ alice/laptop gains access now to office"
        " (just-in-time access is off for office, and the members of office are @staff)"
    )
    assert not daemon.wireguard.read("wg0").peers
    assert jitctl("network", "jit", "office", "off", "--yes").status == 0
    assert len(daemon.wireguard.read("wg0").peers) == 1


def test_what_a_change_of_routes_does_is_asked_for(jitctl: RunCommand) -> None:
    """Routes that open and close under a running grant, and requests that end with a network, are said before."""
    jitctl("request", "office", "-r", "x", "-u", "alice")
    jitctl("grant", "1")
    jitctl("request", "office", "-r", "x", "-u", "bob")
    for words, told in (
        (
            ("network", "set", "office", "--route", "10.0.0.0/9", "--route", "172.31.0.0/16"),
            [
                "warning: office opens 10.0.0.0/9: the pool 10.9.0.0/24 of wg0 is inside it",
                "+ alice reaches more of office now: 172.31.0.0/16 (grant 1)",
                "- alice reaches less of office now: 10.0.0.0/8 (grant 1)",
            ],
        ),
        (
            ("network", "remove", "office"),
            [
                "- alice/laptop loses access now to office (grant 1)",
                "! revoked: grant 1 of alice",
                "! lapsed: request 2 of bob",
            ],
        ),
    ):
        said = jitctl(*words)
        assert said.status == 2
        assert said.err.splitlines() == [
            *told,
            "jitctl: cannot continue without confirmation of the plan above; nothing was changed",
            "Add --yes to confirm it.",
        ]
        assert jitctl(*words, "--yes").status == 0


def test_the_kernel_that_does_not_agree_is_exit_9(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """A grant that is recorded but not enforced yet says so on standard error, and exits with 9."""
    jitctl("request", "office", "-r", "x", "-u", "alice")
    daemon.wireguard.remove_link("wg0")
    daemon.wireguard.add_other_link("wg0")
    said = jitctl("grant", "1")
    assert said.status == 9
    assert said.err.startswith("recorded, but the kernel does not agree yet: wg0: ")
    assert "activating" in jitctl("list").out


def test_options_before_and_behind_the_verb(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """--json and --socket mean the same before and behind the verb and in a group."""
    import json

    socket = str(daemon.socket)
    for words in (
        ("--json", "--socket", socket, "list"),
        ("list", "--json", "--socket", socket),
        ("--socket", socket, "list", "--json"),
        ("list", "-o", "json"),
    ):
        assert (
            json.loads(jitctl(*words, JITCTL_SOCKET="/nonexistent" if "--socket" in words else socket).out)[
                "requests"
            ]
            == []
        )
    for words in (
        ("network", "--json", "list"),
        ("--json", "network", "list"),
        ("network", "list", "--json"),
    ):
        assert json.loads(jitctl(*words).out)["networks"][0]["name"] == "office"


def test_errors_say_what_to_type(jitctl: RunCommand) -> None:
    """Each error is one sentence and what to type instead, on standard error, with its exit status."""
    for words, status, err in (
        (
            ("grant", "99"),
            10,
            "jitctl: cannot find a request 99\njitctl list shows the numbers.\n",
        ),
        (
            ("request", "office", "-r", "x", "-u", "alice", "-d", "8"),
            2,
            "jitctl: cannot read the duration '8': it has no unit\n"
            "Type a number and a unit, for example 45m, 8h, 1h30m or 2d (s, m, h, d, w).\n",
        ),
        (
            ("request", "office", "-r", "x", "-u", "alice", "-d", "9h"),
            3,
            "jitctl: cannot give access to office for 9h: its maximum is 8h\nUse --duration 8h or less.\n",
        ),
        (
            ("request", "office", "-u", "alice"),
            2,
            'jitctl: cannot continue without a reason\nGive a reason, for example --reason "ticket 1234: '
            'logs".\n',
        ),
    ):
        said = jitctl(*words)
        assert (said.status, said.out, said.err) == (status, "", err)


def test_errors_as_json(jitctl: RunCommand) -> None:
    """With --json the error is an object on standard output too."""
    import json

    said = jitctl("grant", "99", "--json")
    assert said.status == 10
    assert json.loads(said.out)["error"]["code"] == "not_found"


def test_typos_get_a_suggestion(jitctl: RunCommand) -> None:
    """An unknown verb or option names the one that was meant, and exits with 2."""
    said = jitctl("gramt", "1")
    assert (said.status, "Did you mean grant?" in said.err) == (2, True)
    said = jitctl("grant", "1", "--durration", "8h")
    assert (said.status, "--duration" in said.err) == (2, True)
    said = jitctl("network", "lst")
    assert (said.status, "Did you mean list" in said.err) == (2, True)


def test_a_daemon_that_is_not_there(jitctl: RunCommand) -> None:
    """One sentence and the command that helps; exit 6."""
    said = jitctl("list", "--socket", "/nonexistent/jitd.sock")
    assert said.status == 6
    assert said.err.startswith(
        "jitctl: cannot reach jitd: the socket /nonexistent/jitd.sock does not exist\nStart it"
    )


def test_a_hostile_reason_moves_no_terminal(daemon: InProcessDaemon, jitctl: RunCommand) -> None:
    """Even if something hostile were in the store, no escape sequence and no markup reaches the output."""
    jitctl("request", "office", "-r", "[red]x[/red] [/foo] =1+1", "-u", "alice")
    import sqlite3

    connection = sqlite3.connect(daemon.state_dir / "jitd.db")
    connection.execute("UPDATE request SET reason = reason || char(27) || '[2J' || char(8238)")
    connection.commit()
    connection.close()
    for words in (("list",), ("show", "1"), ("list", "-o", "csv")):
        out = jitctl(*words).out
        assert "[red]x[/red] [/foo] =1+1" in out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_csv_holds_no_formula(jitctl: RunCommand) -> None:
    """A cell that a spreadsheet would run is guarded."""
    jitctl("request", "office", "-r", "=HYPERLINK(1)", "-u", "alice")
    assert "'=HYPERLINK(1)" in jitctl("list", "-o", "csv").out


def test_a_closed_pipe_is_quiet(daemon: InProcessDaemon) -> None:
    """`jitctl events | head -1` prints no error."""
    import os
    import shlex
    import subprocess
    import sys

    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m jitctl events | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "JITCTL_SOCKET": str(daemon.socket)},
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_every_help_has_an_example() -> None:
    """Each verb's --help ends with an example of that very verb, and each group's with one of its verbs."""
    from jitctl.cli import app as cli
    from jitctl.cli.verbs import GROUPS, VERBS

    for verb in VERBS:
        command = cli.load(verb)
        assert f"jitctl {verb.name}" in (command.help or ""), verb.name
    for name, group in GROUPS.items():
        assert group.example.startswith(tuple(f"jitctl {verb.name}" for verb in VERBS if name in verb.name))
        assert group.example in str(getattr(cli.root().get_command(None, name), "epilog", ""))


def test_what_is_not_used_is_not_imported() -> None:
    """`list --json` loads neither rich nor anything else that is slow; --version not even Typer."""
    import subprocess
    import sys

    code = (
        "import sys\nfrom jitctl.__main__ import main\nmain(sys.argv[1:])\n"
        "slow = 'rich aiohttp sqlite3 pyroute2 http.client keyring textual importlib.metadata typer'.split()\n"
        "print(*(name for name in slow if name in sys.modules))"
    )
    for words, loaded in ((["--version"], ""), (["list", "--json", "--socket", "/nonexistent"], "typer")):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == loaded
