"""Typer's side of the command line: verbs that are loaded when they are called, and options that every verb has."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from jitctl.api import client, transport
from jitctl.api.client import Client
from jitctl.api.transport import default_socket
from jitctl.cli.verbs import GROUPS, MEANT, PANELS, VERBS, Group, Verb
from jitctl.render.output import out
from jitd.core.errors import JitError
from jitd.core.release import VERSION

if TYPE_CHECKING:
    from jitctl.machine.profiles import Profile

#: Width of help texts where the terminal is wider.
HELP_WIDTH: Final = 100

#: What a line that cannot be read raises. Typer carries click under a private name, or, before 0.26, imports it; of what it
#: exports, BadParameter is one of these. Contexts and formatters, which it does not export either, are Any below.
UsageError: Final[Any] = typer.BadParameter.__base__


@dataclass(slots=True)
class Settings:
    """What the options say that every verb has."""

    json: bool = False
    socket: str = ""
    host: str = ""
    profile: str = ""

    def client(self, patience: float | None = None) -> Client:
        """A client for the jitd that is meant: what was typed comes before the environment, and that before the default
        profile. `patience` as of Client. Raises JitError.
        """
        profile = self.profile_meant()
        host = profile.host if profile is not None else self.host or self._host_of_environment()
        return Client(socket=self.socket or default_socket(), host=host, patience=patience)

    def profile_meant(self) -> Profile | None:
        """The gateway of this machine that is meant, None where it is a socket or a plain host. Raises JitError."""
        typed = [name for name in ("socket", "host", "profile") if getattr(self, name)]
        if len(typed) > 1:
            raise JitError(
                "bad_request",
                f"cannot use --{typed[0]} together with --{typed[1]}: they name two different gateways",
                "Use only one of them.",
            )
        if client.speaking_for:
            # Through a gate nobody leaves this machine in the name of the account that is shared.
            return None
        named = self.profile or ("" if typed else os.environ.get("JITCTL_PROFILE", ""))
        if self._host_of_environment() or (
            not named and (typed or os.environ.get("JITCTL_SOCKET") or not transport.has_profiles())
        ):
            return None
        from jitctl.machine import profiles

        known = profiles.read()
        return known.named(named or known.default) if named or known.default else None

    def _host_of_environment(self) -> str:
        """$JITCTL_HOST, which counts where nothing was typed."""
        typed = self.socket or self.host or self.profile
        return "" if typed or client.speaking_for else os.environ.get("JITCTL_HOST", "")


def settings(context: typer.Context) -> Settings:
    """The settings of this call."""
    found = context.find_root().obj
    assert isinstance(found, Settings)
    return found


def _keep(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    """Take an option over, wherever it stood; one that was not given changes nothing."""
    root = context.find_root()
    assert parameter.name
    if not isinstance(root.obj, Settings):
        root.obj = Settings()
    if value:
        before = getattr(root.obj, parameter.name)
        if before and before != value:
            raise UsageError(f"cannot use --{parameter.name} twice: it takes only one value")
        setattr(root.obj, parameter.name, value)
    return value


def _show_version(context: typer.Context, _parameter: typer.CallbackParam, value: Any) -> None:
    if value:
        out(f"jitctl {VERSION}")
        context.exit()


def _common(name: str, text: str, default: bool | None = None, metavar: str | None = None) -> Any:
    return typer.Option(default, f"--{name}", expose_value=False, is_eager=True, help=text, metavar=metavar)


_JSON: Final = _common("json", "Print the reply as JSON.", default=False)
_SOCKET: Final = _common(
    "socket", "jitd's socket (default: $JITCTL_SOCKET, else /run/jitd/jitd.sock).", metavar="PATH"
)
_HOST: Final = _common(
    "host",
    "Reach the jitd of another machine over ssh (default: $JITCTL_HOST).",
    metavar="ssh://USER@HOST",
)
_PROFILE: Final = _common(
    "profile",
    "Reach a gateway that was set up with jitctl setup (default: $JITCTL_PROFILE, else the first one).",
    metavar="NAME",
)
_VERSION: Final = _common("version", "Print the version of jitctl.", default=False)


def _declared(
    json: bool = _JSON,
    socket: str = _SOCKET,
    host: str = _HOST,
    profile: str = _PROFILE,
    version: bool = _VERSION,
) -> None:
    """Declares the options that are not a verb's own. Their callbacks take the values over."""


@functools.cache
def _options() -> list[Any]:
    """The declared options as Typer makes them; how an option is constructed differs between its versions."""
    made = list(_command("jitctl", TyperCommand, _declared).params)
    for one in made:
        # Set here because Typer inspects the signature of a declared callback, which costs milliseconds at every start.
        one.callback = _show_version if one.name == "version" else _keep
    return made


def everywhere() -> list[Any]:
    """The options that may stand before or behind a verb."""
    return _options()[:-1]


def _command(name: str, kind: type[TyperCommand], function: Callable[..., Any]) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=kind)(function)
    return typer.main.get_command(app)


def _parsed(
    command: TyperCommand | TyperGroup,
    parse: Callable[[Any, list[str]], list[str]],
    ctx: Any,
    args: list[str],
) -> list[str]:
    """Parse as Typer does, but suggest the option that was meant, and refuse one that takes a single value and was given two."""
    try:
        order = command.make_parser(ctx).parse_args(list(args))[2]
    except UsageError as error:
        if hasattr(error, "option_name") and hasattr(error, "possibilities"):  # no such option
            known = [name for parameter in command.params for name in parameter.opts]
            import difflib

            error.possibilities = difflib.get_close_matches(error.option_name, known)
        raise
    for parameter in order:
        single = isinstance(parameter, TyperOption) and not parameter.multiple and not parameter.is_flag
        if single and sum(one is parameter for one in order) > 1:
            raise UsageError(
                f"cannot use {max(parameter.opts, key=len)} twice: it takes only one value",
                ctx,
            )
    return parse(ctx, args)


class VerbCommand(TyperCommand):
    """A verb, with the options that every verb has."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params = [*self.params, *everywhere()]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options and arguments."""
        return _parsed(self, super().parse_args, ctx, args)


class VerbGroup(TyperGroup):
    """Verbs by name; a verb's module is imported when that verb is called."""

    prefix = ""
    #: The verb that the name of the group alone stands for.
    alone = ""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.suggest_commands = False  # Typer's own would come on top of ours

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options in front of the verb."""
        return _parsed(self, super().parse_args, ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Do the verb, or, where none was named, the one that the group alone stands for."""
        # The callback is run in both cases, and is not handed the context.
        self.callback = functools.partial(self._act, ctx)
        return super().invoke(ctx)

    def _act(self, context: Any) -> Any:
        """What the name alone does; in front of a verb, nothing."""
        if context.invoked_subcommand is not None or not self.alone:
            return None
        verb = load(next(verb for verb in VERBS if verb.name == self.alone))
        with verb.make_context(verb.name, [], parent=context) as inner:
            return verb.invoke(inner)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Names of the verbs and groups at this place."""
        return list(self.here())

    def here(self) -> Mapping[str, tuple[str, str]]:
        """(help, panel) of what stands at this place, by name."""
        found: dict[str, tuple[str, str]] = {}
        for verb in VERBS:
            group, _, name = verb.name.rpartition(" ")
            if group == self.prefix:
                found[name] = (verb.help, verb.panel)
            elif not self.prefix:
                found[group] = (GROUPS[group].help, GROUPS[group].panel)
        return found

    def get_command(self, ctx: Any, cmd_name: str) -> VerbCommand | VerbGroup | None:  # noqa: ARG002
        """The verb or group of this name."""
        if not self.prefix and cmd_name in GROUPS:
            return _group(cmd_name, GROUPS[cmd_name])
        wanted = f"{self.prefix} {cmd_name}".strip()
        return next((load(verb) for verb in VERBS if verb.name == wanted), None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Suggest the verb that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], list(self.here()), n=1)
            if MEANT.get(args[0]) in self.here():
                near = [MEANT[args[0]]]
            if near:
                error.message = f"{error.message.rstrip('.')}. Did you mean {near[0]}?"
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """The verbs, by whom they are for."""
        # A group has few verbs, and its name says already what they are about.
        sections: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS if not self.prefix}
        for name, (text, panel) in self.here().items():
            sections.setdefault("Verbs" if self.prefix else panel, []).append((name, text))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def load(verb: Verb) -> VerbCommand:
    """A verb with its options, its module imported."""
    module = importlib.import_module(f"jitctl.commands.{verb.module}")
    name = verb.name.rpartition(" ")[2]
    command = _command(name, VerbCommand, getattr(module, verb.function))
    assert isinstance(command, VerbCommand)
    command.name = name
    return command


def _group(name: str, group: Group) -> VerbGroup:
    made = VerbGroup(
        name=name,
        help=group.help,
        epilog=f"Example: {group.example}",
        params=everywhere(),
        invoke_without_command=bool(group.alone),
        no_args_is_help=not group.alone,
        rich_markup_mode=None,
    )
    made.prefix, made.alone = name, group.alone
    return made


def root() -> VerbGroup:
    """The whole command."""
    return VerbGroup(
        name="jitctl",
        help="Just-in-time access to WireGuard networks: request access, get it for a duration, and the "
        "gateway ends it on time.",
        epilog='Example: jitctl request office --reason "ticket 42" --duration 2h',
        params=_options(),
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
    )
