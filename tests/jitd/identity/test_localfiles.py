"""Local users all at once: the same answers as libc's, only where nobody else gives any, and never old ones."""

import pwd
import select
import shutil
from pathlib import Path

import pytest

from jitd.core.people import Answer
from jitd.identity import directory, nss
from jitd.identity.directory import MANY, SystemDirectory
from jitd.identity.filewatch import FileWatch
from jitd.identity.localfiles import LocalFiles

NAMES = [f"u{number}" for number in range(MANY)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with twenty users in files; u0 is in staff, u1's account has expired, u2 may not log in."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "nsswitch.conf").write_text("passwd: files systemd\ngroup: files systemd\nshadow: files\n")
    shells = ["/bin/bash"] * MANY
    shells[2] = "/usr/sbin/nologin"
    (etc / "passwd").write_text(
        "".join(f"{name}:x:{5000 + n}:100::/home:{shells[n]}\n" for n, name in enumerate(NAMES))
    )
    (etc / "group").write_text("users:x:100:\nstaff:x:50:u0,u3\n")
    (etc / "shadow").write_text(
        "".join(f"{name}:*:1:0:::{':1' if name == 'u1' else ':'}:\n" for name in NAMES)
    )
    return tmp_path


@pytest.mark.root
def test_the_same_as_libc() -> None:
    """Every user of this machine has the uid, groups, shell and end that libc says."""
    users = LocalFiles().users()
    assert users.keys() == {entry.pw_name for entry in pwd.getpwall()}
    for name, found in users.items():
        user = nss.user_by_name(name)
        assert user is not None
        assert (found.uid, found.shell, found.gids) == (user.uid, user.shell, nss.gids_of(user))
        assert found.expires_day == nss.expires_day(name)


async def test_many_are_looked_up_at_once(root: Path) -> None:
    """Groups, expired accounts and shells are seen; a change of the files is seen at the next question."""
    people = SystemDirectory(LocalFiles(root))
    # "staff" is this machine's own group; only the gid counts here.
    gid = nss.group_by_name("staff")
    assert gid is not None
    await people.refresh(NAMES, ["staff"])
    assert [people.person(name).exists for name in NAMES] == [Answer.YES] * MANY
    assert [people.person(name).can_log_in for name in NAMES[:4]] == [True, False, False, True]
    assert people.person("u0").in_group("staff") is Answer.YES
    group = root / "etc/group"
    group.write_text(group.read_text().replace("u0,u3", "u3"))
    people._people = {name: replace_at(known) for name, known in people._people.items()}
    await people.refresh(NAMES, ["staff"])
    assert people.person("u0").in_group("staff") is Answer.NO
    assert people.person("u3").in_group("staff") is Answer.YES


def replace_at(known: directory._Known) -> directory._Known:
    """As if the answer were some seconds old."""
    from dataclasses import replace

    return replace(known, at=known.at - 60)


async def test_who_is_not_in_the_files_is_asked_for_otherwise(root: Path) -> None:
    """A name that the files do not have is left to libc: root is found there, and nobody-of-this-name is not."""
    people = SystemDirectory(LocalFiles(root))
    await people.refresh([*NAMES, "root", "no-such-user"])
    assert people.person("root").exists is Answer.YES
    assert people.person("no-such-user").exists is Answer.NO


@pytest.mark.parametrize(
    "nsswitch",
    [
        "passwd: files sss\ngroup: files\nshadow: files\n",
        "passwd: files\ngroup: files\nshadow: files\ninitgroups: files ldap\n",
        "passwd: files\n",
        "passwd: files [NOTFOUND=return] ldap\ngroup: files\nshadow: files\n",
    ],
)
def test_other_sources_are_never_passed_over(root: Path, nsswitch: str) -> None:
    """Where another source may answer, the files alone answer nothing."""
    files = LocalFiles(root)
    assert files.signature() is not None
    (root / "etc/nsswitch.conf").write_text(nsswitch)
    assert files.signature() is None


def test_user_records_of_systemd_count_as_another_source(root: Path) -> None:
    """systemd-homed and static user records add users and groups that are in no file here."""
    (root / "etc/userdb").mkdir()
    assert LocalFiles(root).signature() is not None
    (root / "etc/userdb/anna.user").write_text("{}")
    assert LocalFiles(root).signature() is None


def test_the_signature_tells_of_every_change(root: Path) -> None:
    """A file that is written, replaced or gone is another signature, or none."""
    files = LocalFiles(root)
    seen = {files.signature()}
    passwd = root / "etc/passwd"
    passwd.write_text(passwd.read_text() + "eve:x:6000:100::/:/bin/sh\n")
    seen.add(files.signature())
    shutil.copy(root / "etc/shadow", root / "etc/shadow-")
    (root / "etc/shadow-").replace(root / "etc/shadow")
    seen.add(files.signature())
    assert len(seen) == 3
    passwd.unlink()
    assert files.signature() is None


@pytest.mark.parametrize("line", ["short:x:1\n", "u:x:number:1::/:/bin/sh\n"])
def test_what_is_not_understood_is_an_error(root: Path, line: str) -> None:
    """Damaged lines are not guessed about: the caller asks libc instead."""
    passwd = root / "etc/passwd"
    passwd.write_text(passwd.read_text() + line)
    with pytest.raises(ValueError):
        LocalFiles(root).users()


@pytest.mark.parametrize("line", ["+::::::\n", "-x:x:6001:100::/:/bin/sh\n", "-\n"])
def test_a_name_that_belongs_to_nis_switches_nothing_off(root: Path, line: str) -> None:
    """Attack: a user is made whose name begins with "-". libc finds nobody by it; what the files say of all others still
    counts, and nobody can be counted twice because a group could not be read.
    """
    files = LocalFiles(root)
    before = files.users()
    for name in ("passwd", "group", "shadow"):
        path = root / "etc" / name
        path.write_text(line + path.read_text() + line)
    assert files.users() == before
    assert SystemDirectory(files).members("no-such-group") is None


def test_the_kernel_tells_of_files_that_change(tmp_path: Path) -> None:
    """A file that is written, replaced or gone is told once; others in the directory are not."""
    watch = FileWatch(tmp_path, ["passwd", "group"])
    assert not watch.changed()
    (tmp_path / "other").write_text("x")
    assert not watch.changed()
    for change in (
        lambda: (tmp_path / "passwd").write_text("x"),
        lambda: (tmp_path / "other").replace(tmp_path / "group"),
        (tmp_path / "passwd").unlink,
    ):
        change()
        assert select.select([watch], [], [], 5)[0]
        assert watch.changed()
        assert not watch.changed()
    watch.close()
    with pytest.raises(OSError, match="No such file"):
        FileWatch(tmp_path / "none", ["passwd"])


async def test_an_answer_that_differs_is_told(root: Path) -> None:
    """A user who is gone or somebody else, a group with other members: set once, and not by the same answer again."""
    people = SystemDirectory(LocalFiles(root))
    await people.refresh(NAMES, ["staff"])
    assert not people.changed.is_set()
    people.doubt()
    await people.refresh(NAMES, ["staff"])
    assert not people.changed.is_set()
    passwd = root / "etc/passwd"
    passwd.write_text(passwd.read_text().replace(":/bin/bash", ":/bin/false", 1))
    people.doubt()  # or the answers of a moment ago would serve
    await people.refresh(NAMES, ["staff"])
    assert people.changed.is_set()
    people.changed.clear()
    passwd.write_text("".join(passwd.read_text().splitlines(keepends=True)[1:]))
    people.doubt()
    await people.refresh(NAMES, ["staff"])
    assert people.changed.is_set()
