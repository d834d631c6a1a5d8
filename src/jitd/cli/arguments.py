"""The command line of jitd: its verbs and options, and what each of them calls."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jitd import config
from jitd.core import configuration
from jitd.core.errors import EXIT_DONE, EXIT_FAILURE, JitError
from jitd.core.release import VERSION

if TYPE_CHECKING:
    from jitd.cli.cut import Done


def parser() -> argparse.ArgumentParser:
    """The parser of jitd's command line. `act` of its result runs the verb."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        type=_absolute,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help=f"the configuration file (default: $JITD_CONFIG, else {config.DEFAULT_PATH})",
    )
    made = argparse.ArgumentParser(
        prog="jitd",
        parents=[common],
        description="The daemon of jitctl: just-in-time access to a WireGuard gateway.",
        epilog="Example: jitd init --admin-group jit-admins && jitd check && jitd run",
    )
    made.add_argument("--version", action="version", version=_version_line(), help="print the version")
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)

    init = verbs.add_parser(
        "init", parents=[common], help="write a configuration file and create the state directory"
    )
    init.add_argument(
        "--admin-group", metavar="GROUP", help="make the members of this group administrators, as root is"
    )
    init.add_argument(
        "--socket",
        type=_absolute,
        default=configuration.Daemon().socket,
        metavar="PATH",
        help="the socket of the API (%(default)s)",
    )
    init.add_argument(
        "--state-dir",
        type=_absolute,
        default=configuration.Daemon().state_dir,
        metavar="DIR",
        help="the directory of the store (%(default)s)",
    )
    init.add_argument(
        "--backend",
        choices=configuration.BACKENDS,
        default="auto",
        help="the WireGuard implementation (%(default)s)",
    )
    init.add_argument("--force", action="store_true", help="overwrite an existing configuration file")
    init.set_defaults(act=_init)

    run = verbs.add_parser("run", parents=[common], help="run the daemon in the foreground")
    run.add_argument(
        "--detach", action="store_true", help="run in the background, and return once the daemon is ready"
    )
    run.add_argument(
        "--pidfile",
        type=_absolute,
        metavar="PATH",
        help="write the process id to this file while the daemon is ready",
    )
    run.add_argument(
        "--log-level",
        choices=configuration.LOG_LEVELS,
        help="the log level, instead of the one in the configuration file",
    )
    run.set_defaults(act=_run)

    stop = verbs.add_parser(
        "stop", parents=[common], help="end the running daemon; open access stays open until its end"
    )
    stop.add_argument(
        "--cut", action="store_true", help="then remove all access that jitd has opened, until it runs again"
    )
    stop.set_defaults(act=_stop)

    uninstall = verbs.add_parser(
        "uninstall",
        parents=[common],
        help="remove all access, jitd's interfaces and its firewall rules; files stay, and are listed",
    )
    uninstall.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    uninstall.set_defaults(act=_uninstall)

    check = verbs.add_parser(
        "check",
        parents=[common],
        help="validate the configuration file, and check the machine without asking a running jitd",
    )
    check.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="validate a policy file instead, and run the test cases in it; needs no running jitd",
    )
    check.add_argument("--verbose", action="store_true", help="also print what is right")
    check.set_defaults(act=_check)

    backup = verbs.add_parser(
        "backup",
        parents=[common],
        help="write a complete copy of the database to FILE, whether or not jitd runs",
    )
    backup.add_argument(
        "file", type=_absolute, metavar="FILE", help="the new file, with mode 0600; it must not exist"
    )
    backup.set_defaults(act=_backup)

    secret = verbs.add_parser(
        "secret",
        parents=[common],
        help="store a password, which is asked for or read from standard input (secret set smtp)",
    )
    secret.add_argument("what", choices=("set",), help="the action: set")
    secret.add_argument(
        "name", help="smtp for the mail server, or chat-NAME for a destination in [chat] urls"
    )
    secret.set_defaults(act=_secret)

    shown = verbs.add_parser("version", parents=[common], help="print the version")
    shown.set_defaults(act=_version)
    return made


def _absolute(text: str) -> Path:
    return Path(text).absolute()


def _path(asked: argparse.Namespace) -> Path:
    # --config is accepted before and behind the verb; it is absent from the namespace where it was not given.
    path: Path = getattr(asked, "config", None) or config.default_path().absolute()
    return path


def _init(asked: argparse.Namespace) -> int:
    from jitd.cli.init import initialise

    # The configuration is for everyone to read, whatever the shell's umask is; what is private is made so by its mode.
    os.umask(0o022)
    told = initialise(
        _path(asked),
        socket=asked.socket,
        state_dir=asked.state_dir,
        backend=asked.backend,
        admin_group=asked.admin_group,
        force=asked.force,
    )
    print("\n".join(told))
    return EXIT_DONE


def _check(asked: argparse.Namespace) -> int:
    from jitd.cli import check

    if asked.policy is not None:
        return _check_policy(asked.policy)
    path = _path(asked)
    loaded = config.load(path)
    problems = check.problems(loaded)
    for problem in problems:
        print(f"jitd: {problem}", file=sys.stderr)
    broken = bool(problems)
    for line in check.examine(loaded, path):
        level = line["level"]
        broken |= level == "broken"
        if level == "ok":
            if asked.verbose:
                print(f"ok: {line['what']}")
            continue
        print(f"jitd: {f'{level}: ' if level == 'warning' else ''}{line['what']}", file=sys.stderr)
        if line["fix"]:
            print(f"      -> {line['fix']}", file=sys.stderr)
    if broken:
        return EXIT_FAILURE
    print(f"{path}: ok")
    return EXIT_DONE


def _check_policy(path: Path) -> int:
    from jitd.cli import check

    problems, cases = check.policy_problems(path)
    for problem in problems:
        print(f"jitd: {path}: {problem}", file=sys.stderr)
    if problems:
        return EXIT_FAILURE
    print(f"{path}: ok, {cases} cases passed")
    return EXIT_DONE


def _backup(asked: argparse.Namespace) -> int:
    from jitd.store.database import FILE_NAME, back_up

    os.umask(0o077)
    back_up(config.load(_path(asked)).daemon.state_dir / FILE_NAME, asked.file)
    print(f"written: {asked.file}")
    return EXIT_DONE


def _secret(asked: argparse.Namespace) -> int:
    import getpass

    from jitd.notify import secret

    loaded = config.load(_path(asked))
    mail = loaded.mail
    known = ["smtp", *(f"chat-{one}" for one in loaded.chat.urls)]
    if asked.name not in known:
        raise JitError(
            "bad_request",
            f"cannot store a secret for {asked.name[:60]!r}: jitd.toml names no such server or destination",
            f"Known names: {', '.join(known)}. Destinations are under [chat] urls.",
        )
    typed = (
        getpass.getpass(f"Password for {asked.name}: ") if sys.stdin.isatty() else sys.stdin.readline(5000)
    )
    place = secret.put(asked.name, typed.rstrip("\n"), keyring=mail.keyring, directory=mail.secrets)
    print(f"stored in {place}")
    return EXIT_DONE


def _run(asked: argparse.Namespace) -> int:
    from jitd.cli import run

    os.umask(0o077)
    path = _path(asked)
    loaded = config.load(path)
    return run.run(loaded, path, background=asked.detach, pidfile=asked.pidfile, log_level=asked.log_level)


def _stop(asked: argparse.Namespace) -> int:
    from jitd.cli import stop

    loaded = config.load(_path(asked))
    again = "systemctl stop jitd && jitd stop --cut" if asked.cut else "systemctl stop jitd"
    pid = stop.stop(loaded.daemon.state_dir, hint=f"Type: {again}")
    print("jitd was not running" if pid is None else f"jitd (pid {pid}) has ended")
    return _cut(loaded) if asked.cut else EXIT_DONE


def _cut(loaded: configuration.Config) -> int:
    from jitd.cli import cut

    return _print(cut.everybody(loaded), "still open")


def _print(done: "Done", left: str) -> int:
    for line in done.told:
        print(line)
    for line in done.left:
        print(f"jitd: {left}: {line}", file=sys.stderr)
    return EXIT_FAILURE if done.left else EXIT_DONE


def _uninstall(asked: argparse.Namespace) -> int:
    from jitd.cli import uninstall

    path = _path(asked)
    loaded = config.load(path)
    print("\n".join(uninstall.plan(loaded)), flush=True)
    if not asked.yes and not _agreed():
        print("Nothing was changed.")
        return EXIT_FAILURE
    return _print(uninstall.uninstall(loaded, path), "still there")


def _agreed() -> bool:
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise JitError(
            "bad_request", "cannot ask for confirmation: this is not a terminal", "Run it again with --yes."
        )
    try:
        return input("Continue? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _version(_: argparse.Namespace) -> int:
    print(_version_line())
    return EXIT_DONE


def _version_line() -> str:
    return f"jitd {VERSION}"
