"""Users and groups of the system."""

import asyncio
import ctypes
import grp
import os
import pwd
import threading
from pathlib import Path

import pytest

from jitd import directory, nss
from jitd.core.people import Answer
from jitd.directory import SystemDirectory
from support.world import World


def test_nss_says_what_python_says() -> None:
    """For every user and group of the machine our own questions get the answers that pwd and grp give."""
    for entry in pwd.getpwall():
        found = nss.user_by_name(entry.pw_name)
        assert found == nss.User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_shell)
        same = nss.user_by_uid(entry.pw_uid)
        assert same is not None
        assert same.uid == entry.pw_uid
        assert nss.gids_of(found) == frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    for group in grp.getgrall():
        found_group = nss.group_by_name(group.gr_name)
        assert found_group is not None
        assert (found_group.gid, found_group.members) == (group.gr_gid, frozenset(group.gr_mem))


def test_nobody_of_this_name() -> None:
    """What is not there is None, and not an error."""
    assert nss.user_by_name("no-such-user") is None
    assert nss.user_by_uid(4_000_000_000) is None
    assert nss.group_by_name("no-such-group") is None


async def test_a_person() -> None:
    """root exists, is a system account, and is in the group root; a name that was never asked about is unavailable."""
    people = SystemDirectory()
    assert people.person("root").exists is Answer.UNAVAILABLE
    await people.refresh(["root", "no-such-user"], ["root", "no-such-group"])
    root = people.person("root")
    assert (root.exists, root.uid) == (Answer.YES, 0)
    assert root.in_group("root") is Answer.YES
    assert root.in_group("no-such-group") is Answer.NO
    assert people.person("no-such-user").exists is Answer.NO
    assert (people.group_exists("root"), people.group_exists("no-such-group")) == (Answer.YES, Answer.NO)
    assert await people.refresh_uid(0) == "root"
    assert await people.refresh_uid(4_000_000_000) is None
    assert people.is_system(0)
    assert people.is_system(65534)
    assert not people.is_system(100_000)


async def test_a_source_that_hangs_is_unavailable_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that get no answer count as unavailable after their limit; when all threads hang, at once."""
    release = threading.Event()

    def hang(_name: str) -> None:
        release.wait(60)

    monkeypatch.setattr(directory, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(nss, "user_by_name", hang)
    people = SystemDirectory()
    try:
        await asyncio.wait_for(people.refresh([f"user{number}" for number in range(6)]), 10)
        assert people.person("user0").exists is Answer.UNAVAILABLE
        begun = asyncio.get_running_loop().time()
        await people.refresh(["another"])
        assert asyncio.get_running_loop().time() - begun < 0.09
        assert people.person("another").exists is Answer.UNAVAILABLE
    finally:
        release.set()


def test_a_source_that_fails_is_not_a_no() -> None:
    """An error of the source is Unavailable: libc's code for an I/O error is not taken for "no such user"."""

    class Failing:
        """libc with a broken source."""

        def getpwnam_r(self, *_arguments: object) -> int:
            return 5

    real = nss._libc
    nss._libc = Failing()  # type: ignore[assignment]
    try:
        with pytest.raises(nss.Unavailable):
            nss.user_by_name("alice")
    finally:
        nss._libc = real
    assert isinstance(real, ctypes.CDLL)


LOOK = """
import asyncio
from jitd.directory import SystemDirectory
async def main():
    people = SystemDirectory()
    names = ["alice", "bob", "nologin", "expired", "keyonly"]
    await people.refresh(names, ["jit-admins"])
    for name in names:
        person = people.person(name)
        print(name, person.exists.value, person.can_log_in, person.in_group("jit-admins").value)
asyncio.run(main())
"""


@pytest.mark.root
def test_real_users_and_groups() -> None:
    """useradd's users: members, expired accounts, shells that let nobody in, and accounts that have only a key."""
    with World() as world:
        world.group("jit-admins")
        world.user("alice", groups=["jit-admins"])
        world.user("bob")
        for name in ("nologin", "expired", "keyonly"):
            world.user(name)
        world.run(["usermod", "--shell", "/usr/sbin/nologin", "nologin"])
        world.run(["usermod", "--expiredate", "2020-01-01", "expired"])
        world.run(["usermod", "--lock", "keyonly"])
        python = world.path("/usr/local/bin/jitd").read_text().splitlines()[0].removeprefix("#!")
        look = f"import sys; sys.path.insert(0, '/usr/local/lib/jitctl/src')\n{LOOK}"
        assert world.run([python, "-c", look]).stdout.splitlines() == [
            "alice yes True yes",
            "bob yes True no",
            "nologin yes False no",
            "expired yes False no",
            "keyonly yes True no",
        ]


def test_uid_min_of_login_defs(tmp_path: Path) -> None:
    """The first uid of a person is the machine's own, and Debian's where nothing is said."""
    path = tmp_path / "login.defs"
    assert directory._uid_min(path) == 1000
    path.write_text("# UID_MIN 1\nUID_MAX 60000\nUID_MIN\t\t 500\n")
    assert directory._uid_min(path) == 500
