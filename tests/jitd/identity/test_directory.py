"""Users and groups of the system."""

import grp
import os
import pwd
import time
from pathlib import Path

import pytest

from jitd.core.people import Answer
from jitd.identity import directory, nss
from jitd.identity.directory import SystemDirectory
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


def test_names_that_libc_would_read_wrongly() -> None:
    """A name with a zero in it is not read as what comes before it, and half a character is nobody's name."""
    for name in ("root\0x", "\0", "\ud800", ""):
        assert nss.user_by_name(name) is None
        assert nss.group_by_name(name) is None


async def test_asking_about_a_caller_forgets_no_group() -> None:
    """Someone who is looked up without naming groups is still a member of the groups that rules have named."""
    people = SystemDirectory()
    await people.refresh([], ["root", "no-such-group"])
    assert await people.refresh_uid(0) == "root"
    assert people.person("root").groups == {"root"}
    assert people.person("root").unavailable == frozenset()


async def test_strangers_do_not_fill_the_memory() -> None:
    """Of names that belong to nobody a bounded number is kept, and names that nobody can have are not asked about."""
    people = SystemDirectory()
    await people.refresh(["x" * 300], ["y" * 300])
    assert people.person("x" * 300).exists is Answer.NO
    assert people.group_exists("y" * 300) is Answer.NO
    strangers: dict[str, float] = {}
    for number in range(directory.STRANGERS + 5):
        directory._remember(strangers, f"nobody{number}")
    assert len(strangers) == directory.STRANGERS
    assert "nobody0" not in strangers


LOOK = """
import asyncio
from jitd.identity.directory import SystemDirectory
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
        look = f"import sys; sys.path.insert(0, '/usr/local/lib/jitctl/src')\n{LOOK}"
        assert world.run([*python_in(world), look]).stdout.splitlines() == [
            "alice yes True yes",
            "bob yes True no",
            "nologin yes False no",
            "expired yes False no",
            "keyonly yes True no",
        ]


def python_in(world: World) -> list[str]:
    """The beginning of a command that runs Python with the project inside a world."""
    python = world.path("/usr/local/bin/jitd").read_text().splitlines()[0].removeprefix("#!")
    return [python, "-c"]


DOWN = """
import asyncio, os, sys
sys.path.insert(0, "/usr/local/lib/jitctl/src")
from jitd.identity import directory
from jitd.identity.directory import SystemDirectory
directory.FRESH_SECONDS = 0
async def main():
    people = SystemDirectory()
    def show(when):
        alice, ghost = people.person("alice"), people.person("ghost")
        print(when, alice.exists.value, alice.in_group("jit-admins").value, ghost.exists.value)
    await people.refresh(["alice", "ghost"], ["jit-admins"])
    show("up")
    os.rename("/etc/group", "/etc/group.away")
    await people.refresh(["alice", "ghost"])
    show("no groups")
    os.rename("/etc/passwd", "/etc/passwd.away")
    await people.refresh(["alice", "ghost"])
    show("no users")
    print("root", await people.refresh_uid(0), "alice", await people.refresh_uid(int(sys.argv[1])))
    os.rename("/etc/group.away", "/etc/group")
    os.rename("/etc/passwd.away", "/etc/passwd")
    await people.refresh(["alice", "ghost"])
    show("up again")
asyncio.run(main())
"""


@pytest.mark.root
def test_a_source_that_is_away_is_not_a_no() -> None:
    """While a database cannot be read, users and members are unavailable and not gone; afterwards they are back.

    With a file that is missing libc says ENOENT, as with an sssd or nslcd that does not run.
    """
    with World() as world:
        world.group("jit-admins")
        uid = world.user("alice", groups=["jit-admins"])
        world.path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\n")
        assert world.run([*python_in(world), DOWN, str(uid)]).stdout.splitlines() == [
            "up yes yes no",
            # The group is alice's by the group file alone: without it nobody can say.
            "no groups yes unavailable no",
            "no users unavailable unavailable unavailable",
            "root root alice None",
            "up again yes yes no",
        ]


HANGS = """
import asyncio, os, socket, sys, time
sys.path.insert(0, "/usr/local/lib/jitctl/src")
os.makedirs("/var/run/nscd", exist_ok=True)
silent = socket.socket(socket.AF_UNIX)
silent.bind("/var/run/nscd/socket")
os.chmod("/var/run/nscd/socket", 0o666)
silent.listen(100)
from jitd.identity.directory import SystemDirectory
async def main():
    people = SystemDirectory()
    begun = time.monotonic()
    await people.refresh([f"user{number}" for number in range(10)] + ["alice"], ["jit-admins"])
    took = time.monotonic() - begun
    print(people.person("alice").exists.value, people.group_exists("jit-admins").value, 1.9 < took < 4.5)
    begun = time.monotonic()
    print(await people.refresh_uid(0), time.monotonic() - begun < 0.5)
asyncio.run(main())
print(time.monotonic())
"""


@pytest.mark.root
def test_a_source_that_hangs_delays_nothing_for_long() -> None:
    """A cache daemon that accepts and says nothing: unavailable within seconds, root is root, and jitd can end."""
    with World() as world:
        world.group("jit-admins")
        world.user("alice", groups=["jit-admins"])
        *lines, ended = world.run([*python_in(world), HANGS]).stdout.splitlines()
        assert lines == ["unavailable unavailable True", "root True"]
        # libc gives up after five seconds; the process did not wait for its threads that long.
        assert time.monotonic() - float(ended) < 2.5


def test_uid_min_of_login_defs(tmp_path: Path) -> None:
    """The first uid of a person is the machine's own, and Debian's where nothing is said."""
    path = tmp_path / "login.defs"
    assert directory._uid_min(path) == 1000
    path.write_text("# UID_MIN 1\nUID_MAX 60000\nUID_MIN\t\t 500\n")
    assert directory._uid_min(path) == 500
