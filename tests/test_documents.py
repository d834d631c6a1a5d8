"""What the documents say is what the program does."""

import ast
import importlib
import importlib.util
import json
import re
import string
from pathlib import Path

import pytest
from typer.core import TyperOption

from jitctl.render.events import _WORKED_OUT
from jitd.core import changed, configuration, errors
from jitd.core.events import EventKind
from jitd.core.release import VERSION
from jitd.notify import facts
from jitd.server.routes import ROUTES

ROOT = Path(__file__).parent.parent


def test_the_exit_statuses() -> None:
    """The table of exit statuses names just those that jitctl can end with."""
    table = re.findall(r"^\| ([0-9]+) \| ", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    known = {kind.exit for kind in errors.KINDS.values()} | {
        errors.EXIT_DONE,
        errors.EXIT_FAILURE,
        errors.EXIT_USAGE,
        errors.EXIT_INTERRUPTED,
    }
    assert [int(status) for status in table] == sorted(known)


def test_the_paths_of_the_api() -> None:
    """Every path that docs/api.md asks with curl exists."""
    paths = set(re.findall(r"http://jitd(/v1/[a-z./]+)", (ROOT / "docs" / "api.md").read_text()))
    assert paths
    assert paths <= {route.path for route in ROUTES}


def test_files_that_the_documents_name_exist() -> None:
    """Modules and files that README, ARCHITECTURE and docs/ name are there, and so is the other end of each link."""
    for path in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]:
        document, text = path.name, path.read_text()
        for link in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text):
            assert (path.parent / link).exists(), f"{document} links to {link}"
        named = set(re.findall(r"`((?:packaging|tests|docs|src)/[\w./-]+)`", text))
        named |= {
            f"src/jitd/{name}"
            for name in re.findall(
                r"`((?:cli|server|runtime|engine|diagnostics|queries|verbs|notify|reconcile|enforce|identity|store|core)/[\w/]+\.py)`",
                text,
            )
        }
        for name in sorted(named):
            assert (ROOT / name.rstrip("/")).exists(), f"{document} names {name}"


def test_every_code_of_an_error_is_known() -> None:
    """Every code that the program raises is in the table of codes."""
    for path in (ROOT / "src").rglob("*.py"):
        for code in re.findall(r'JitError\(\s*"(\w+)"', path.read_text()):
            assert code in errors.KINDS, f"{path}: {code}"


def test_the_manuals_are_the_programs() -> None:
    """jitctl's pages and jitd-policy.5 are what packaging/manual.py makes of the program: nothing is missing, or too much."""
    loader = importlib.util.spec_from_file_location("manual", ROOT / "packaging" / "manual.py")
    assert loader is not None
    assert loader.loader is not None
    manual = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(manual)
    pages = manual.pages()
    for name, text in pages.items():
        assert (ROOT / "man" / name).read_text() == text, "run: python packaging/manual.py"
    assert {path.name for path in (ROOT / "man").glob("jitctl*")} == {
        name for name in pages if name[4] == "t"
    }


def test_the_manual_names_every_verb_and_option_of_jitctl() -> None:
    """Each verb stands on its page with an example, and each of its options has a line there that says something."""
    from jitctl.cli import app as cli
    from jitctl.cli.verbs import VERBS

    for verb in VERBS:
        group = verb.name.rpartition(" ")[0]
        page = (ROOT / "man" / (f"jitctl-{group}.1" if group else "jitctl.1")).read_text().replace("\\-", "-")
        found = re.search(
            rf"^\.B jitctl {verb.name}\b.*\n((?:.*\n)*?)(?=\.TP\n\.B jitctl |\.S[SH] )", page, re.MULTILINE
        )
        assert found, verb.name
        assert re.search(r"^\.nf\n.*jitctl ", found[1], re.MULTILINE), f"{verb.name}: no example"
        everywhere = [one.opts[0] for one in cli.everywhere()]
        whole = (ROOT / "man" / "jitctl.1").read_text().replace("\\-", "-")
        for name in [name for one in cli.load(verb).params for name in one.opts if name.startswith("-")]:
            line = rf"^\.TP\n\.B (?:.*[ ,])?{re.escape(name)}\b.*\n[^.\s].+"
            where = whole if name in everywhere else found[1]
            assert re.search(line, where, re.MULTILINE), f"{verb.name}: {name}"


#: A command as documents write it: in backticks, behind a prompt, at the start of a line, or in bold in a manual page.
COMMAND = re.compile(
    r"(?:`|^ {4}|^|[$#] |\\.B |\\\\fB)(?:sudo )?(jitctl|jitd) ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+)\\b)?",
    re.MULTILINE,
)


def test_the_documents_name_commands_that_exist() -> None:
    """No manual page, README or document tells to type a verb that there is not."""
    from jitctl.cli.verbs import GROUPS, VERBS
    from jitd.cli.arguments import parser as parser_of_jitd

    of_jitd = next(one for one in parser_of_jitd()._actions if isinstance(one.choices, dict)).choices
    verbs = {verb.name for verb in VERBS}
    found = 0
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "man").iterdir()]:
        for program, word, second in COMMAND.findall(path.read_text().replace("\\-", "-")):
            known = of_jitd or () if program == "jitd" else verbs | GROUPS.keys()
            assert word in known, f"{path.name}: {program} {word}"
            if program == "jitctl" and word in GROUPS and second:
                assert f"{word} {second}" in verbs, f"{path.name}: {word} {second}"
            found += 1
    assert found > 200


def test_the_options_of_a_network_are_its_settings() -> None:
    """The help of the options for single settings names the setting's default, as jitd-policy.5 does."""
    from jitctl.cli import app as cli
    from jitctl.cli.verbs import VERBS
    from jitd.core import durations, policyfile, settings

    usual = settings.plain(policyfile.usual("office", 0))
    add = cli.load(next(one for one in VERBS if one.name == "network add"))
    helps = {name: one.help or "" for one in add.params if isinstance(one, TyperOption) for name in one.opts}
    for option, key in (
        ("--default-duration", "default_duration"),
        ("--max-duration", "max_duration"),
        ("--pending-ttl", "pending_ttl"),
    ):
        value = usual[key]
        assert isinstance(value, str)
        assert helps[option].endswith(f"({durations.show(durations.parse(value))}).")


def test_the_example_of_the_policy_is_one() -> None:
    """The file in man/jitd-policy.5 can be read, and its case comes out."""
    from jitd.core import policyfile

    page = (ROOT / "man" / "jitd-policy.5").read_text()
    text = page.partition(".SH EXAMPLE\n.nf\n")[2].partition("\n.fi")[0].replace("\\-", "-")
    policy = policyfile.read(text)
    networks = [policyfile.network(one, policyfile.usual(one.name, 0)) for one in policy.entries]
    assert (len(networks), len(policy.cases)) == (1, 1)
    assert policyfile.failures(networks, policy.cases) == []


def test_the_manual_of_jitd_names_every_option() -> None:
    """Each verb and option of jitd has a line in man/jitd.8, which describes no other verb."""
    from jitd.cli.arguments import parser as parser_of_jitd

    text = (ROOT / "man" / "jitd.8").read_text().replace("\\-", "-")
    parser = parser_of_jitd()
    verbs = next(action for action in parser._actions if isinstance(action.choices, dict))
    assert isinstance(verbs.choices, dict)
    section = text.partition(".SH VERBS\n")[2].partition(".SH ")[0]
    described = re.findall(r"^\.TP\n\.B (\w+)$", section, re.MULTILINE)
    assert sorted(described) == sorted(verbs.choices)
    for verb in verbs.choices.values():
        for action in verb._actions:
            for option in action.option_strings:
                assert re.search(rf"^\.(B|BI|BR) .*{re.escape(option)}\b", text, re.MULTILINE), option


def test_the_manual_of_the_configuration_names_every_key() -> None:
    """Each key with its default has a line in man/jitd.toml.5, and no other."""
    import dataclasses

    text = (ROOT / "man" / "jitd.toml.5").read_text().replace("\\-", "-")
    described = re.findall(r"^\.TP\n\.B (\w+)\n((?:[^.].*\n)+)", text, re.MULTILINE)
    known = [
        (key.name, getattr(table(), key.name))
        for table in (
            configuration.Daemon,
            configuration.Enforce,
            configuration.Limits,
            configuration.Mail,
            configuration.Chat,
            configuration.Policy,
            configuration.Metrics,
        )
        for key in dataclasses.fields(table)
    ]
    assert [name for name, _ in described] == [name for name, _ in known]
    for (name, words), (_, value) in zip(described, known, strict=True):
        match value:
            case bool():
                shown = str(value).lower()
            case tuple():
                shown = json.dumps([str(one) for one in value])
            case dict():
                shown = json.dumps(value)
            case int():
                shown = str(value)
            case _:
                shown = f'"{value}"'
        assert words.rstrip().endswith(f"({shown})"), f"{name}: {shown}"


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_is_complete(kind: EventKind) -> None:
    """Each has a code of its own, a sentence of facts that it carries, and a message for whomever it is told."""
    row = kind.row
    assert kind == row.code == kind.name.lower()
    assert EventKind.of(row.code) is kind
    facts_of_it = {"user", "network", "interface", "device"} | row.shape.__annotations__.keys()
    assert row.sentence
    assert {name.split(".")[0] for name in placeholders(row.sentence)} <= facts_of_it | _WORKED_OUT.keys()
    assert placeholders(row.desktop) <= {""}
    assert bool(row.desktop) >= row.urgent
    assert {notice.template for notice in kind.notices} <= facts.MESSAGES.keys()
    assert not row.change or row.admins in changed.TEMPLATES
    assert placeholders(row.change) <= row.shape.__required_keys__


def placeholders(sentence: str) -> set[str]:
    """What is filled into a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def kinds_in(node: ast.AST) -> set[EventKind]:
    """The kinds of events that an expression names, as `EventKind.DENIED`."""
    return {
        EventKind[one.attr]
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "EventKind"
    }


def test_every_kind_of_event_is_recorded() -> None:
    """Somewhere, and with what the catalogue says that it carries: mypy sees a wrong field, and this a wrong shape."""
    found, paired = set[EventKind](), 0
    for room in ("engine", "verbs", "reconcile"):
        for path in sorted((ROOT / "src" / "jitd" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(args=[kind, *more]) if kinds_in(kind):
                        found |= kinds_in(kind)
                        if more and isinstance(more[0], ast.Call):
                            paired += 1
                            shapes = {one.row.shape.__name__ for one in kinds_in(kind)}
                            assert shapes == {ast.unparse(more[0].func)}, f"{path}:{node.lineno}"
                    case ast.Assign(value=value) | ast.For(iter=value):
                        found |= kinds_in(value)
    assert found == set(EventKind)
    assert paired > 40


def test_the_tests_that_hold_the_promises_exist() -> None:
    """Each `path::name` of docs/security.md is a function of that file."""
    text = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`([\w/.]+)::(\w+)`", text))
    assert len(named) == len(set(re.findall(r"\S+::\S+", text.replace(",", "")))) > 100, (
        "one of them cannot be read"
    )
    for path, name in sorted(named):
        defined = {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in defined, f"docs/security.md names {path}::{name}"


def test_the_bounds_are_those_of_the_code() -> None:
    """Each row of the table of bounds that names a constant has its number, in seconds."""
    text = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| .* \| ([0-9.,]+) \| `([\w.]+)` \|$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\|.*\| `[^`]+` \|$", text, re.MULTILINE))
    assert len(rows) > 20
    for shown, constant in rows:
        where, _, name = constant.rpartition(".")
        if where == "jitd.core.configuration.Limits":
            value = getattr(configuration.Limits(), name)
        else:
            value = getattr(importlib.import_module(where), name)
        seconds = value / {"MS": 1000, "US": 1_000_000}.get(name[-2:], 1)
        assert float(shown.replace(",", "")) == pytest.approx(seconds), constant


def test_the_changelog_is_one() -> None:
    """In the form of Keep a Changelog: versions are numbers with a date, the newest first, and what changed is sorted by kind."""
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]" or headings[0].startswith(f"[{VERSION}] - ")
    releases = [one for one in headings if one != "[Unreleased]"]
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}", one) for one in releases]
    assert all(found), releases
    numbers = [tuple(int(number) for number in one.groups()) for one in found if one]
    assert numbers == sorted(numbers, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
