"""A gateway that is hostile to the terminals of those who ask it: what it answers reaches none of them raw.

Each verb is run against a server on a Unix socket that speaks HTTP as jitd does, and whose answers have the right form
and whose every text is an attack: it sets the terminal's title, clears the screen, colours, turns the reading direction,
goes back on the line, and begins a line that looks like jitctl's own.
"""

import ast
import io
import json
import re
import sys
import types
import typing
from pathlib import Path

import pytest

import jitctl
from jitctl.cli.run import main
from jitctl.cli.verbs import VERBS
from jitd.server.routes import ROUTES
from support.hostile import FakeGateway

ATTACK = "a\x1b]0;pwned\x07\x1b[2J\x1b[31;5m\u202e\x9b2J\x9d0;x\x9c\x7f\r\x08\u2028b\nFORGED"
#: Nothing of this may come out; the only escape sequences that may are OURS.
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: What jitctl itself sends to a terminal: colours, and the clearing of the line that it waits with.
OURS = re.compile(r"\x1b\[[0-9;]*m|\r\x1b\[K")
KEY = "YWxpY2VhbGljZWFsaWNlYWxpY2VhbGljZWFsaWNlYWw="

#: A command line for each verb.
LINES = {
    "request": "request n -r x",
    "ensure": "ensure n -d 1h -r x",
    "wait": "wait 1",
    "status": "status",
    "cancel": "cancel 1",
    "pause": "pause",
    "resume": "resume",
    "release": "release 1",
    "device add": f"device add l --public-key {KEY}",
    "device list": "device list",
    "device rotate": f"device rotate l --public-key {KEY}",
    "device remove": "device remove l --yes",
    "device config": "device config l",
    "device import": "device import wg0 --map MAP",
    "list": "list",
    "show": "show 1",
    "why": "why 1",
    "events": "events",
    "report": "report",
    "watch": "watch --after 1",
    "grant": "grant 1",
    "extend": "extend 1 -d 1h",
    "deny": "deny 1 -r x",
    "revoke": "revoke 1 -r x",
    "acknowledge": "acknowledge 1 -c x",
    "freeze": "freeze -r x --yes",
    "thaw": "thaw",
    "accept-restored": "accept-restored --yes",
    "network add": "network add n --route 10.0.0.0/8",
    "network list": "network list",
    "network show": "network show n",
    "network set": "network set n max_duration=1h --yes",
    "network jit": "network jit n on --yes",
    "network remove": "network remove n --yes",
    "notify show": "notify show",
    "notify on": "notify on",
    "notify off": "notify off",
    "notify test": "notify test",
    "outbox list": "outbox list",
    "outbox retry": "outbox retry",
    "outbox drop": "outbox drop 1 --yes",
    "change list": "change list",
    "change approve": "change approve 1",
    "change reject": "change reject 1 -m x",
    "policy export": "policy export",
    "policy apply": "policy apply POLICY --yes",
    "user add": "user add z --until 2099-01-01",
    "user list": "user list",
    "user set": "user set z --email a@b.c",
    "user disable": "user disable z -r x",
    "user enable": "user enable z",
    "user confirm": "user confirm z",
    "interface add": "interface add wg0 --pool 10.9.0.0/24 --endpoint h:1",
    "interface adopt": "interface adopt wg0 --endpoint h:1",
    "interface list": "interface list",
    "interface show": "interface show wg0",
    "interface set": "interface set wg0 --mtu 1400",
    "interface enforce": "interface enforce wg0 on --yes",
    "interface remove": "interface remove wg0 --yes",
    "doctor": "doctor n",
}
#: Other ways through some of them.
MORE = (
    "device remove l --lost",
    "list -o csv",
    "list -o jsonl",
    "list --columns id,user,status,comment,devices,asked-by,why-ended",
    "list --status pending --count",
    "events -o csv",
    "events -o jsonl",
    "report -o csv",
    "report -o html",
    "status -o prompt",
    "status -o waybar",
    "status -o i3bar",
    "grant 1 2 --yes",
    "deny --all -r x --yes",
    "why n",
    "doctor",
    "doctor -o nagios",
    "doctor n -o nagios",
    "grant",
)
#: They need a terminal, a profile or another side; test_one_place_prints holds for them.
ELSEWHERE = {"setup", "connect", "disconnect", "agent", "dashboard", "review", "gate", "dial-stdio"}
DOCUMENTS = ("policy export", "device config l", "report -o html")


def hostile(kind: object) -> object:
    """A value of this type whose every text is an attack."""
    if (
        kind is str or typing.get_origin(kind) is typing.Literal
    ):  # nobody but jitd keeps to a closed set of words
        return ATTACK
    if kind is bool:
        return False
    if kind is int:
        return 5
    if kind is float:
        return 0.5
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.NotRequired, typing.Required, typing.Annotated):
        return hostile(inner[0])
    if origin in (typing.Union, types.UnionType):
        return hostile(next(one for one in inner if one is not type(None)))
    if origin is list:
        return [hostile(inner[0]), hostile(inner[0])]
    if origin is dict:
        return {ATTACK: hostile(inner[1])}
    if isinstance(kind, type) and issubclass(kind, dict):
        hints = typing.get_type_hints(kind)
        # Who waits for a message that was tried is not kept waiting.
        return {name: "failed" if name == "state" else hostile(one) for name, one in hints.items()}
    return ATTACK


class Gateway(FakeGateway):
    """Says what an attacker would, or refuses with it."""

    def __init__(self, path: Path, *, refuses: bool) -> None:
        self._refuses = refuses
        self._streams = 0
        super().__init__(path)

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        """The reply of that route, hostile in every text."""
        refused = {"code": "not_permitted", "message": ATTACK, "hint": ATTACK.replace("\n", "") + "\nmore"}
        if self._refuses:
            return 403, json.dumps(refused).encode()
        if path == "/v1/events":
            self._streams += 1
            if self._streams > 1:  # whoever follows has seen them
                return 403, json.dumps(refused).encode()
            from jitd import wire

            return 200, json.dumps(hostile(wire.EventView)).encode() + b"\n"
        reply = next(one.gives for one in ROUTES if (one.method, one.path) == (method, path))
        return 200, json.dumps(hostile(reply)).encode()


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for sockets and files, and a home without anything."""
    for name in ("JITCTL_HOST", "JITCTL_PROFILE", "JITCTL_SOCKET", "XDG_CONFIG_HOME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MAP").write_text(f"{KEY} alice laptop\n")
    (tmp_path / "POLICY").write_text("")
    return tmp_path


class Screen(io.StringIO):
    """What was printed, to a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """As asked."""
        return self._terminal


def run(words: list[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> tuple[str, str]:
    """(standard output, standard error) of a command line."""
    out, err = Screen(terminal=terminal), Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    main(words)
    monkeypatch.undo()
    return out.getvalue(), err.getvalue()


def test_every_verb_is_tried() -> None:
    """A new verb gets a line here."""
    assert {verb.name for verb in VERBS} == set(LINES) | ELSEWHERE


@pytest.mark.parametrize("as_", ["terminal", "refused", "pipe", "json"])
@pytest.mark.parametrize("line", [*LINES.values(), *MORE])
def test_nothing_raw_reaches_a_terminal(
    where: Path, monkeypatch: pytest.MonkeyPatch, line: str, as_: str
) -> None:
    """Attack: a gateway puts escape sequences, control and bidi characters and line ends into all that it answers.

    None of them comes out, on standard output or standard error, at a terminal or through a pipe; JSON says the same as
    the gateway, in escapes.
    """
    refuses = as_ == "refused"
    gateway = Gateway(where / "s", refuses=refuses)
    words = ["--socket", str(gateway.path), *(["--json"] if as_ == "json" else []), *line.split()]
    with monkeypatch.context() as patched:
        shown, said = run(words, patched, terminal=as_ in ("terminal", "refused"))
    gateway.close()
    for printed in (shown, said):
        assert "\x1b[31;5m" not in printed
        assert not RAW.search(OURS.sub("", printed) if as_ in ("terminal", "refused") else printed)
        if not line.startswith(DOCUMENTS):
            assert not [one for one in printed.splitlines() if one.lstrip().startswith("FORGED")]
    assert shown + said or line == "status -o prompt"  # a prompt says nothing where nothing is open
    assert "Traceback" not in said
    if refuses:
        assert "pwned" in (shown if line.endswith("nagios") else said)


def test_json_says_the_same(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is escaped in JSON is what the gateway has said, character for character."""
    gateway = Gateway(where / "s", refuses=False)
    shown, _ = run(["--socket", str(gateway.path), "policy", "export", "--json"], monkeypatch, terminal=True)
    gateway.close()
    assert json.loads(shown)["text"] == ATTACK


SOURCE = Path(jitctl.__file__).parent
#: What may write to a terminal in another way than jitctl/render/output.py, and why.
OTHERWISE = {
    "cli/run.py": "a number or a version, before anything is loaded",
    "api/pump.py": "carries bytes to ssh",
    "render/output.py": "the place itself",
}


@pytest.mark.parametrize("name", sorted(str(one.relative_to(SOURCE)) for one in SOURCE.rglob("*.py")))
def test_one_place_prints(name: str) -> None:
    """Nothing but jitctl/render/output.py writes to standard output or standard error."""
    if name in OTHERWISE:
        return
    for node in ast.walk(ast.parse((SOURCE / name).read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "input", "typer.echo", "typer.secho", "click.echo", "os.write"}, (
                node.lineno
            )
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"sys.stdout", "sys.stderr"}:
            assert node.attr in {"isatty", "fileno", "encoding", "flush"}, f"line {node.lineno}: {node.attr}"
