"""Who may read and write what jitd keeps and obeys: state directory, store, configuration, secrets, templates."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jitd import wire
from jitd.core.commandline import shell
from jitd.core.configuration import Config
from jitd.core.errors import JitError
from jitd.diagnostics.check import Check
from jitd.diagnostics.lines import broken, ok, warning
from jitd.store.database import FILE_NAME

_OTHERS_READ: Final = 0o077
_OTHERS_WRITE: Final = 0o022


def examine(running: Config, path: Path | None) -> list[wire.Check]:
    """Everything that has a mode."""
    found = []
    state_dir = running.daemon.state_dir
    if problem := state_dir_problem(state_dir):
        found.append(broken(*problem))
    else:
        found += [one for one in map(_private, _kept(state_dir)) if one]
    if path is not None:
        found += _obeyed(path, "jitd follows it")
    mail = running.mail
    found += _secrets(mail.secrets)
    found += _templates(running)
    return found or [ok(f"{state_dir}, configuration, secrets and templates are protected from other users")]


def state_dir_problem(state_dir: Path) -> tuple[str, str] | None:
    """What is wrong with the state directory and how to mend it; None when jitd can keep secrets there."""
    try:
        status = state_dir.stat()
    except FileNotFoundError:
        return f"the state directory {state_dir} does not exist", "Create it with: jitd init"
    except OSError as error:
        return (
            f"{state_dir} cannot be examined: {error.strerror}",
            "Run jitd as root, or set another state_dir.",
        )
    if not stat.S_ISDIR(status.st_mode):
        return f"{state_dir} is not a directory", "Set another state_dir."
    if status.st_uid != os.geteuid():
        return (
            f"{state_dir} belongs to another user (uid {status.st_uid})",
            f"Run jitd as that user, or: {shell('chown', os.geteuid(), state_dir)}",
        )
    if stat.S_IMODE(status.st_mode) & _OTHERS_READ:
        return f"other users may read {state_dir}", f"Protect it with:  {shell('chmod', '700', state_dir)}"
    for path in sorted(state_dir.glob("*")):
        # Root without CAP_DAC_OVERRIDE, as its unit has it, is held out as anybody else.
        if path.is_file() and not os.access(path, os.R_OK | os.W_OK):
            return (
                f"{path} cannot be read and written: it belongs to uid {path.stat().st_uid}",
                f"Repair it with: {shell('chown', os.geteuid(), path)} && {shell('chmod', '600', path)}",
            )
    return None


def _kept(state_dir: Path) -> list[Path]:
    """The database and what SQLite keeps beside it: keys of interfaces stand in there."""
    return [state_dir / f"{FILE_NAME}{ending}" for ending in ("", "-wal", "-shm")]


def _private(path: Path) -> wire.Check | None:
    """A complaint about a file that others may read or change; None where there is none, or no file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return broken(f"{path} cannot be examined: {error.strerror}")
    if status.st_mode & _OTHERS_READ or status.st_uid not in (0, os.geteuid()):
        owner = os.geteuid()
        return broken(
            f"other users may read or change {path} (mode {stat.S_IMODE(status.st_mode):04o}, uid "
            f"{status.st_uid})",
            f"{shell('chown', owner, path)} && {shell('chmod', '600', path)}",
        )
    return None


def _obeyed(path: Path, why: str) -> Iterator[wire.Check]:
    """Complaints about a file or directory that somebody else may change, or put another one in the place of."""
    for one in (path, *path.parents):
        try:
            status = one.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield warning(f"{one} cannot be examined: {error.strerror}")
            continue
        foreign = status.st_uid not in (0, os.geteuid())
        # In a directory like /tmp, nobody can replace what is another's.
        open_to_others = status.st_mode & _OTHERS_WRITE and not (
            one != path and status.st_mode & stat.S_ISVTX
        )
        if foreign or open_to_others:
            yield broken(
                f"users other than root may change {one} (mode {stat.S_IMODE(status.st_mode):04o},"
                f" uid {status.st_uid}), and {why}",
                f"{shell('chown', 'root', one)} && {shell('chmod', 'go-w', one)}",
            )


def _secrets(directory: Path) -> Iterator[wire.Check]:
    try:
        names = sorted(directory.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        yield warning(f"{directory} cannot be read: {error.strerror}")
        return
    for path in names:
        complaint = _private(path)
        if complaint is not None:
            yield complaint


def _templates(running: Config) -> Iterator[wire.Check]:
    directory = running.mail.templates
    if not running.notifies or not directory.exists():
        return
    why = "jitd sends its content"
    yield from _obeyed(directory, why)
    for path in sorted(directory.glob("*")):
        yield from (one for one in _obeyed(path, why) if f" {path} " in one["what"])
    from jitd.notify.render import Templates  # jinja2, only where there is something to try

    try:
        Templates(directory, jitctl_host=running.mail.jitctl_host, review_url=running.mail.review_url)
    except JitError as error:
        yield broken(error.message, error.hint)


CHECKS: Final = (
    Check(
        "files",
        "files",
        "Owners and modes of files",
        "broken",
        lambda one: one.machine.bounded("files", lambda: examine(one.view.config, one.machine.path)),
        alone=lambda one: (
            examine(one.config, one.path) if state_dir_problem(one.config.daemon.state_dir) is None else ()
        ),
    ),
)
