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
    """What `jitd` can be typed with; `act` of what was parsed does it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        type=_absolute,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help=f"the configuration (default: $JITD_CONFIG, else {config.DEFAULT_PATH})",
    )
    made = argparse.ArgumentParser(
        prog="jitd",
        parents=[common],
        description="The daemon of jitctl: just-in-time access to a WireGuard gateway.",
        epilog="Example: jitd init --admin-group wg-admins && jitd check && jitd run",
    )
    made.add_argument("--version", action="version", version=_version_line())
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)

    init = verbs.add_parser(
        "init", parents=[common], help="write the configuration and make the state directory"
    )
    init.add_argument(
        "--admin-group", metavar="GROUP", help="its members administer this gateway, as root does"
    )
    init.add_argument("--socket", type=_absolute, default=configuration.Daemon().socket, metavar="PATH")
    init.add_argument("--state-dir", type=_absolute, default=configuration.Daemon().state_dir, metavar="DIR")
    init.add_argument("--backend", choices=configuration.BACKENDS, default="auto")
    init.add_argument("--force", action="store_true", help="overwrite an existing configuration")
    init.set_defaults(act=_init)

    run = verbs.add_parser("run", parents=[common], help="run the daemon, in the foreground")
    run.add_argument("--detach", action="store_true", help="go into the background once it is ready")
    run.add_argument(
        "--pidfile", type=_absolute, metavar="PATH", help="write the pid there while it is ready"
    )
    run.add_argument(
        "--log-level", choices=configuration.LOG_LEVELS, help="instead of the one in the configuration"
    )
    run.set_defaults(act=_run)

    stop = verbs.add_parser("stop", parents=[common], help="end the running daemon; whoever is in stays in")
    stop.add_argument(
        "--cut", action="store_true", help="and then cut everybody whom jitd has let in, until it runs again"
    )
    stop.set_defaults(act=_stop)

    uninstall = verbs.add_parser(
        "uninstall",
        parents=[common],
        help="cut everybody, and remove jitd's interfaces and firewall; files stay, and are named",
    )
    uninstall.add_argument("--yes", action="store_true", help="do not ask")
    uninstall.set_defaults(act=_uninstall)

    check = verbs.add_parser(
        "check",
        parents=[common],
        help="validate the configuration, and look at the machine without asking a running jitd",
    )
    check.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="validate a policy file instead, and run the cases in it; needs no running jitd",
    )
    check.add_argument("--verbose", action="store_true", help="print what is right, too")
    check.set_defaults(act=_check)

    backup = verbs.add_parser(
        "backup",
        parents=[common],
        help="write a whole copy of the database to FILE, while jitd runs or not",
    )
    backup.add_argument("file", type=_absolute, metavar="FILE", help="must not be there yet; gets mode 0600")
    backup.set_defaults(act=_backup)

    secret = verbs.add_parser(
        "secret",
        parents=[common],
        help="store a password (secret set smtp): typed, or read from standard input",
    )
    secret.add_argument("what", choices=("set",), help="what to do")
    secret.add_argument("name", help="what it is for: smtp, or chat-NAME of a room in [chat] urls")
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
    print(f"{path}: ok, {cases} cases come out as they say")
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
            f"cannot keep a secret for {asked.name[:60]!r}: jitd.toml names nothing that has it",
            f"There is: {', '.join(known)}. Rooms stand under [chat] urls.",
        )
    typed = (
        getpass.getpass(f"Password for {asked.name}: ") if sys.stdin.isatty() else sys.stdin.readline(5000)
    )
    place = secret.put(asked.name, typed.rstrip("\n"), keyring=mail.keyring, directory=mail.secrets)
    print(f"kept in {place}")
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
        raise JitError("bad_request", "cannot ask: this is no terminal", "Type it again with --yes.")
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _version(_: argparse.Namespace) -> int:
    print(_version_line())
    return EXIT_DONE


def _version_line() -> str:
    return f"jitd {VERSION}"
