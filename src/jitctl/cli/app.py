"""Typer's side of the command line: verbs that are loaded when they are called, and options that every verb has."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer
from typer._click import Context, HelpFormatter
from typer._click.core import Command
from typer._click.exceptions import NoSuchOption, UsageError
from typer._click.globals import get_current_context
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
                f"cannot use --{typed[0]} together with --{typed[1]}: they name two different jitd",
                "Give one of them.",
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


def _keep(context: Context, parameter: Any, value: Any) -> Any:
    """Take an option over, wherever it stood; one that was not given changes nothing."""
    root = context.find_root()
    if not isinstance(root.obj, Settings):
        root.obj = Settings()
    if value:
        before = getattr(root.obj, parameter.name)
        if before and before != value:
            raise UsageError(
                f"cannot use --{parameter.name} twice: it takes one value, and the first would be lost"
            )
        setattr(root.obj, parameter.name, value)
    return value


def everywhere() -> list[Any]:
    """The options that may stand before or behind a verb."""
    return [
        TyperOption(
            param_decls=["--json"],
            is_flag=True,
            default=False,
            expose_value=False,
            is_eager=True,
            callback=_keep,
            help="Print the answer as JSON.",
        ),
        TyperOption(
            param_decls=["--socket"],
            type=None,
            expose_value=False,
            is_eager=True,
            callback=_keep,
            metavar="PATH",
            help="jitd's socket (default: $JITCTL_SOCKET, else /run/jitd/jitd.sock).",
        ),
        TyperOption(
            param_decls=["--host"],
            type=None,
            expose_value=False,
            is_eager=True,
            callback=_keep,
            metavar="ssh://USER@HOST",
            help="Reach the jitd of another machine over ssh (default: $JITCTL_HOST).",
        ),
        TyperOption(
            param_decls=["--profile"],
            type=None,
            expose_value=False,
            is_eager=True,
            callback=_keep,
            metavar="NAME",
            help="Reach a gateway that was set up with jitctl setup (default: $JITCTL_PROFILE, else the first one).",
        ),
    ]


class _Suggesting(Command):
    """Whatever has options."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Suggest the option that was meant, and refuse one that takes a single value and was given two."""
        try:
            order = self.make_parser(ctx).parse_args(list(args))[2]
            for parameter in order:
                single = (
                    isinstance(parameter, TyperOption) and not parameter.multiple and not parameter.is_flag
                )
                if single and sum(one is parameter for one in order) > 1:
                    raise UsageError(
                        f"cannot use {max(parameter.opts, key=len)} twice: it takes one value, and the first would be lost",
                        ctx,
                    )
            return super().parse_args(ctx, args)
        except NoSuchOption as error:
            known = [name for parameter in self.params for name in parameter.opts]
            import difflib

            error.possibilities = difflib.get_close_matches(error.option_name, known)
            raise


class VerbCommand(_Suggesting, TyperCommand):
    """A verb, with the options that every verb has."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params = [*self.params, *everywhere()]


class VerbGroup(_Suggesting, TyperGroup):
    """Verbs by name; a verb's module is imported when that verb is called."""

    prefix = ""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
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

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """The verb or group of this name."""
        if not self.prefix and cmd_name in GROUPS:
            return _group(cmd_name, GROUPS[cmd_name])
        wanted = f"{self.prefix} {cmd_name}".strip()
        return next((load(verb) for verb in VERBS if verb.name == wanted), None)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """Suggest the verb that was meant."""
        try:
            return self._click_resolve_command(ctx, args)
        except UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], list(self.here()), n=1)
            if MEANT.get(args[0]) in self.here():
                near = [MEANT[args[0]]]
            if near:
                error.message = f"{error.message.rstrip('.')}. Did you mean {near[0]}?"
            raise

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """The verbs, by whom they are for."""
        # A group has few verbs, and its name says already what they are about.
        sections: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS if not self.prefix}
        for name, (text, panel) in self.here().items():
            sections.setdefault("Verbs" if self.prefix else panel, []).append((name, text))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def load(verb: Verb) -> Command:
    """A verb with its options, its module imported."""
    module = importlib.import_module(f"jitctl.commands.{verb.module}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(verb.name.rpartition(" ")[2], cls=VerbCommand)(getattr(module, verb.function))
    command = typer.main.get_command(app)
    command.name = verb.name.rpartition(" ")[2]
    return command


def _group(name: str, group: Group) -> Command:
    def act() -> Any:
        """What the name alone does; in front of a verb, nothing."""
        context = get_current_context()
        if context.invoked_subcommand is None and group.alone:
            verb = load(next(verb for verb in VERBS if verb.name == group.alone))
            with verb.make_context(verb.name, [], parent=context) as inner:
                return verb.invoke(inner)
        return None

    made = VerbGroup(
        name=name,
        help=group.help,
        epilog=f"Example: {group.example}",
        params=everywhere(),
        callback=act,
        invoke_without_command=bool(group.alone),
        no_args_is_help=not group.alone,
        rich_markup_mode=None,
    )
    made.prefix = name
    return made


def _show_version(context: Context, _parameter: Any, value: Any) -> None:
    if value:
        out(f"jitctl {VERSION}")
        context.exit()


def root() -> VerbGroup:
    """The whole command."""
    return VerbGroup(
        name="jitctl",
        help="Just-in-time access to WireGuard networks: ask, grant for a duration, and the gateway cuts it.",
        epilog='Example: jitctl request office --reason "ticket 42" --duration 2h',
        params=[
            *everywhere(),
            TyperOption(
                param_decls=["--version"],
                is_flag=True,
                default=False,
                expose_value=False,
                is_eager=True,
                callback=_show_version,
                help="Print the version of jitctl.",
            ),
        ],
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
    )
