"""The words of a mail: subject, text and HTML from a template and the facts of a message. No I/O after the start."""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jitd.core import durations
from jitd.core.commandline import shell, written
from jitd.core.errors import JitError
from jitd.core.localtime import DAYS
from jitd.notify import facts, samples
from jitd.notify.markup import misplaced
from jitd.notify.typed import harmless, one_line

log = logging.getLogger(__name__)

SUBJECT_LENGTH: Final = 120  # characters; phones show 40
#: Beside the messages: many of them in one mail, what all HTML is built on, and the HTML of a text that stands alone.
DIGEST: Final = "digest"
LAYOUT: Final = "layout.html"
FROM_TEXT: Final = "from_text.html"

_Made = TypeVar("_Made")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEMPLATE_BYTES: Final = 65_536
_DIGEST_LINES: Final = 500
#: What makes markup or links of a text, which no template may do with what somebody typed.
_FORBIDDEN_FILTERS: Final = ("safe", "urlize", "xmlattr", "tojson")
_GLOBALS: Final = ("range", "dict", "cycler", "joiner", "namespace")
_HINT: Final = "Correct it, or remove it: jitd then uses its own template. docs/mail.md describes templates."


@dataclass(frozen=True)
class Rendered:
    """A mail's words. The subject is one line."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class _Source:
    """A template's text and where it stands."""

    path: str
    text: str


class Templates:
    """The templates of all messages: an administrator's where there are any, else jitd's own."""

    def __init__(
        self, directory: Path, *, jitctl_host: str, review_url: str, zone: tzinfo | None = None
    ) -> None:
        """Read and try all templates of the directory, which need not exist. `zone` None is the gateway's own.

        `review_url` has `{id}` where the request's number belongs, or is empty. Raises JitError bad_request that names
        the file and line when a template cannot be used. What is no template is named in `warnings`, and logged.
        """
        if review_url and not re.match(r"https?://[^\s\"'<>]+\Z", review_url, re.ASCII):
            raise JitError(
                "bad_request",
                f"cannot use review_url = {review_url[:60]!r}: it is not a URL",
                "Write it as https://jit.example/requests/{id}.",
            )
        self._review_url = review_url
        self._jitctl_host = jitctl_host
        shipped = _shipped()
        own, self.warnings = _overriding(directory, shipped)
        filters: dict[str, Callable[..., str]] = {
            "when": lambda at: "" if at is None else show_when(_number(at, "when"), zone),
            "duration": lambda ms: "" if ms is None else durations.show(_number(ms, "duration")),
            "command": lambda words: show_command(words, jitctl_host),
        }
        self._known, self._filters = shipped, filters
        self._shipped = _environment(shipped, filters)
        self._texts_alone = {
            name for name in _messages() if f"{name}.txt" in own and f"{name}.html" not in own
        }
        self._own = _environment({**shipped, **own}, filters) if own else None
        if self._own is not None:
            for name in sorted(own):
                _refuse_forbidden(self._own, own[name])
            for name in _messages():
                self._try(self._own, name, own)
        for warning in self.warnings:
            log.warning("%s", warning)

    def render(self, template: str, data: Mapping[str, object]) -> Rendered:
        """The mail of a message (`facts.MESSAGES`). Never fails: a message that cannot be told blocks all behind it."""
        context = self._context(template, data)
        made = self._first(context, lambda environment: self._made(environment, template, context))
        return made or self._last_words(template, data)

    def digest(self, of: Sequence[tuple[str, Mapping[str, object]]]) -> Rendered:
        """Many messages in one mail: a line for each, and the command that lists what waits."""
        lines = [
            {
                "subject": self._subject(template, data),
                "id": data.get("id"),
                "at": data.get("at"),
                "urgent": _is_urgent(data),
            }
            # What is urgent first: it is not to be among those that there is no room for.
            for template, data in sorted(of, key=lambda one: not _is_urgent(one[1]))[:_DIGEST_LINES]
        ]
        deciders = any(template in facts.TO_DECIDERS for template, _ in of)
        return self.render(DIGEST, {"lines": lines, "count": len(of), "deciders": deciders})

    def _subject(self, template: str, data: Mapping[str, object]) -> str:
        context = self._context(template, data)
        made = self._first(context, lambda environment: _worded(environment, template, context))
        return made[0] if made else self._last_words(template, data).subject

    def _first(
        self, context: Mapping[str, object], make: Callable[[jinja2.Environment], _Made]
    ) -> _Made | None:
        """What the administrator's templates make, or jitd's own where those fail. None: neither made anything."""
        name, number = context["template"], context["id"]
        if self._own is not None:
            try:
                return make(self._own)
            except Exception:
                log.exception("the template %s failed for request %s: jitd's own is used", name, number)
        try:
            return make(self._shipped)
        except Exception:
            log.exception("jitd's own template %s failed for request %s: only that is told", name, number)
        return None

    def _last_words(self, template: str, data: Mapping[str, object]) -> Rendered:
        """What is told where no template can: which message it was, and where to look."""
        number = data.get("id")
        words = ["show", number] if isinstance(number, int) else ["list"]
        subject = one_line(f"{template} {number if isinstance(number, int) else ''}", SUBJECT_LENGTH)
        text = f"See: {show_command(words, self._jitctl_host)}\n"
        return Rendered(subject, text, f"<p>{escape(text)}</p>")

    def _context(self, name: str, data: Mapping[str, object]) -> dict[str, object]:
        lines = data.get("lines") if name == DIGEST else None
        context = {**dict.fromkeys(facts.FACTS), **harmless(data)}
        if lines is not None:
            # Subjects were made harmless when they were made.
            context["lines"] = lines
        number = data.get("id")
        linked = self._review_url and isinstance(number, int)
        context["review_url"] = self._review_url.replace("{id}", str(number)) if linked else ""
        context["jitctl_host"] = self._jitctl_host
        context["template"] = name
        return context

    def _made(self, environment: jinja2.Environment, name: str, context: Mapping[str, object]) -> Rendered:
        subject, text = _worded(environment, name, context)
        alone = environment is not self._shipped and name in self._texts_alone
        page = FROM_TEXT if alone else f"{name}.html"
        html = environment.get_template(page).render(
            {**context, "subject": subject, "paragraphs": _paragraphs(text)}
        )
        return Rendered(subject, text, html)

    def _try(self, environment: jinja2.Environment, name: str, own: Mapping[str, _Source]) -> None:
        """Write a mail from every sample, in an administrator's words. Raises JitError bad_request."""
        for sample in samples.digest() if name == DIGEST else samples.of(name):
            try:
                made = self._made(environment, name, self._context(name, sample))
            except Exception as error:
                raise _unusable(error, name, own) from error
            what = misplaced(made.html, samples.MARKER, samples.NAME_MARKER)
            if what:
                path, line = self._place(name, sample, own)
                raise _at(path, line, f"text of a user would become {what}; it may only stand between tags")

    def _place(self, name: str, sample: Mapping[str, object], own: Mapping[str, _Source]) -> tuple[str, int]:
        """(path, line) of the expression that puts a text where it must not be: without it, all is well."""
        for file, source in own.items():
            lines = source.text.split("\n")
            for number, line in enumerate(lines):
                if "{{" not in line:
                    continue
                without = "\n".join([*lines[:number], re.sub(r"{{.*?}}", "x", line), *lines[number + 1 :]])
                tried = _environment(
                    {**self._known, **own, file: _Source(source.path, without)}, self._filters
                )
                try:
                    html = self._made(tried, name, self._context(name, sample)).html
                except Exception:  # noqa: BLE001, S112 - it was not this line, or not this line alone
                    continue
                if not misplaced(html, samples.MARKER, samples.NAME_MARKER):
                    return source.path, number + 1
        return ", ".join(sorted(source.path for source in own.values())), 0


def show_when(at_ms: int, zone: tzinfo | None) -> str:
    """A moment on the zone's clocks, with their name then: `Mon 2026-11-23 18:05 CET`. None: the gateway's zone."""
    moment = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    return f"{DAYS[moment.weekday()][:3].capitalize()} {moment:%Y-%m-%d %H:%M %Z}"


def show_command(words: object, jitctl_host: str) -> str:
    """What to type: jitctl with the words of a list, each quoted for a shell where it needs to be."""
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError("command needs a list of words, such as ['show', id] | command")
    host = ["--host", jitctl_host] if jitctl_host else []
    return written(host, map(str, words))


def _worded(environment: jinja2.Environment, name: str, context: Mapping[str, object]) -> tuple[str, str]:
    """(subject, text) of a mail."""
    written = environment.get_template(f"{name}.txt").render(context)
    first, _, rest = written.lstrip("\n").partition("\n")
    if not first.startswith("Subject:"):
        raise _NoSubject
    return one_line(first.removeprefix("Subject:"), SUBJECT_LENGTH), _tidy(rest)


class _NoSubject(Exception):
    """A text whose first line is no subject."""


class _Loader(jinja2.BaseLoader):
    """Templates that are in memory: nothing is read once jitd runs. They keep their paths, which errors name."""

    def __init__(self, sources: Mapping[str, _Source]) -> None:
        self._sources = sources

    def get_source(
        self,
        environment: jinja2.Environment,  # noqa: ARG002 - jinja2 passes it
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        if template not in self._sources:
            raise jinja2.TemplateNotFound(template)
        source = self._sources[template]
        return source.text, source.path, None


def _environment(
    sources: Mapping[str, _Source], filters: Mapping[str, Callable[..., str]]
) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=_Loader(sources),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is None or not name.endswith(".txt"),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in _FORBIDDEN_FILTERS:
        del environment.filters[name]
    environment.filters.update(filters)
    environment.globals = {name: environment.globals[name] for name in _GLOBALS}
    return environment


def _messages() -> tuple[str, ...]:
    return (*facts.MESSAGES, DIGEST)


def _shipped() -> dict[str, _Source]:
    """jitd's own templates, by file name."""
    return {
        one.name: _Source(f"jitd/notify/templates/{one.name}", one.read_text(encoding="utf-8"))
        for one in files("jitd.notify").joinpath("templates").iterdir()
        if one.name.endswith((".txt", ".html"))
    }


def _overriding(directory: Path, shipped: Mapping[str, _Source]) -> tuple[dict[str, _Source], list[str]]:
    """The administrator's templates, and what is there besides. Raises JitError bad_request."""
    found, warnings = {}, []
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        raise JitError("bad_request", f"cannot read {directory}: {error.strerror}") from error
    _refuse_foreign(directory)
    for path in paths:
        if path.name not in shipped:
            warnings.append(f"{path} is not the name of a template, and is not used")
            continue
        try:
            _refuse_foreign(path)
            with path.open("rb") as file:
                read = file.read(_TEMPLATE_BYTES + 1)
            text = read.decode()
        except OSError as error:
            raise JitError("bad_request", f"cannot read {path}: {error.strerror}", _HINT) from error
        except UnicodeDecodeError as error:
            line = read.count(b"\n", 0, error.start) + 1
            raise JitError(
                "bad_request", f"cannot use the template {path}, line {line}: it is not UTF-8", _HINT
            ) from None
        if len(read) > _TEMPLATE_BYTES:
            raise JitError(
                "bad_request",
                f"cannot use the template {path}: it has more than {_TEMPLATE_BYTES} bytes",
                _HINT,
            )
        found[path.name] = _Source(str(path), text)
    return found, warnings


def _refuse_foreign(path: Path) -> None:
    """What a mail tells people to type is written by nobody but root, where jitd runs as root."""
    if os.geteuid() != 0:
        return
    status = path.stat()
    if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise JitError(
            "bad_request",
            f"cannot use {path}: users other than root may write it",
            f"Repair it with: {shell('chown', 'root', path)} && {shell('chmod', 'go-w', path)}",
        )


def _refuse_forbidden(environment: jinja2.Environment, source: _Source) -> None:
    """Refuse what cannot be compiled, and what no sample may happen to reach. Raises JitError bad_request."""
    name = source.path.rpartition("/")[2]
    try:
        tree = environment.parse(source.text, name, source.path)
        environment.compile(source.text, name, source.path)
    except jinja2.TemplateSyntaxError as error:
        raise _at(source.path, error.lineno, error.message or "it cannot be read") from error
    for node in tree.find_all(
        (nodes.EvalContextModifier, nodes.Getattr, nodes.Getitem, nodes.Extends, nodes.Include, nodes.Import)
    ):
        match node:
            case nodes.EvalContextModifier():
                raise _at(source.path, node.lineno, "a template must not change autoescape")
            case nodes.Getattr(attr=str(attribute)) | nodes.Getitem(arg=nodes.Const(value=str(attribute))):
                if attribute.startswith("_"):
                    raise _at(source.path, node.lineno, f"{attribute!r} cannot be used in templates")
            case (
                nodes.Extends(template=nodes.Const(value=str(other)))
                | nodes.Include(template=nodes.Const(value=str(other)))
                | nodes.Import(template=nodes.Const(value=str(other)))
            ) if name.endswith(".html") and not other.endswith(".html"):
                raise _at(
                    source.path,
                    node.lineno,
                    f"an HTML template cannot include {other!r}, which is not escaped",
                )
            case _:
                pass


def _unusable(error: Exception, name: str, own: Mapping[str, _Source]) -> JitError:
    """The error for an administrator's template that failed with a sample, at its file and line."""
    if isinstance(error, _NoSubject):
        return _at(own[f"{name}.txt"].path, 1, "its first line does not begin with Subject:")
    if isinstance(error, jinja2.TemplateSyntaxError):
        return _at(error.filename or name, error.lineno, error.message or "it cannot be read")
    paths = {source.path for source in own.values()}
    path, line = "", 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in paths:
            path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    why = str(error) or type(error).__name__
    return _at(path or ", ".join(sorted(paths)), line, f"{why} (tested with the message {name!r})")


def _at(path: str, line: int, why: str) -> JitError:
    where = f", line {line}" if line else ""
    return JitError("bad_request", f"cannot use the template {path}{where}: {why}", _HINT)


def _is_urgent(data: Mapping[str, object]) -> bool:
    return bool(data.get("urgent") or data.get("break_glass"))


def _tidy(text: str) -> str:
    """The text without white space at the ends of lines and without more than one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def _paragraphs(text: str) -> list[dict[str, object]]:
    """A text as HTML can show it: paragraphs with their lines; those that begin with four spaces are commands."""
    found: list[dict[str, object]] = []
    for block in text.strip("\n").split("\n\n"):
        for line in block.splitlines():
            code = line.startswith("    ")
            if not found or found[-1]["code"] != code or found[-1]["block"] is not block or code:
                found.append({"code": code, "lines": [], "block": block})
            lines = found[-1]["lines"]
            assert isinstance(lines, list)
            lines.append(line.strip())
    return [{"code": one["code"], "lines": one["lines"]} for one in found]


def _number(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} needs a number of milliseconds, not {value!r}")
    return value
