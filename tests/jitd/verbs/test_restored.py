"""A store that was restored from an older copy brings nothing back that was closed since."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from jitd.core.errors import JitError
from jitd.queries import eventlog, overview, show
from jitd.store.database import FILE_NAME
from jitd.verbs import devices, grants, networks, removal, restoring, users
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World, key


def backup(world: World) -> Path:
    """A copy of the store, beside jitd."""
    copy = world.config.daemon.state_dir / "copy.db"
    source = sqlite3.connect(world.config.daemon.state_dir / FILE_NAME)
    target = sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    return copy


async def restore(world: World, copy: Path) -> None:
    """Stop jitd, put a copy in the place of the store, and start it again."""
    await world.service.stop()
    state_dir = world.config.daemon.state_dir
    for name in (f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"):
        (state_dir / name).unlink(missing_ok=True)
    shutil.copyfile(copy, state_dir / FILE_NAME)
    world.service = world._new()
    await world.service.start()


async def warnings(world: World) -> list[str]:
    """What status warns of."""
    return [
        one for one in (await world.ask(overview.status, ROOT))["gateway"]["warnings"] if "older copy" in one
    ]


async def kinds(world: World, *wanted: str) -> list[str]:
    """The events of these kinds."""
    events = (await world.ask(eventlog.events_, ROOT))["events"]
    return [one["kind"] for one in events if one["kind"] in wanted]


async def test_a_backup_revives_nothing(office: World) -> None:
    """The attack (or the mistake): restore yesterday's store, and the grant that was revoked since, the key that was lost
    since and the user who was disabled since are good again.

    All of that stays closed, loudly, also after another start, until an administrator has seen who comes back and says yes.
    """
    revoked = await office.granted(ALICE)
    await office.granted(BOB)
    copy = backup(office)
    await office.do(grants.revoke, CAROL, id=revoked, comment="dismissed")
    await office.do(removal.remove, ALICE, name="laptop", lost=True)
    await office.do(users.disable, CAROL, user="bob", reason="dismissed")
    seq = (await office.ask(overview.health, ROOT))["seq"]
    await restore(office, copy)
    for _ in range(2):
        assert (dict(office.peers()), office.entries()) == ({}, {})
        assert len(await warnings(office)) == 1
        shown = (await office.ask(show.show, ROOT, id=revoked))["request"]
        assert (shown["status"], shown["marks"]) == ("active", ["closed"])
        assert await kinds(office, "store_restored") == ["store_restored"]
        await office.service.check()
        await office.restart()
    # Whoever followed the events has seen those that are missing: new ones come behind them.
    assert (await office.ask(overview.health, ROOT))["seq"] > seq
    for actor in (ALICE, BOB):
        with pytest.raises(JitError) as refused:
            await office.do(restoring.accept_restored, actor)
        assert refused.value.code == "not_permitted"
    # What is known to be wrong is ended first.
    await office.do(grants.revoke, CAROL, id=revoked)
    plan = (await office.do(restoring.accept_restored, CAROL, plan=True))["plan"]
    assert [line["user"] for line in plan["gains"]] == ["bob"]
    assert office.entries() == {}
    await office.do(restoring.accept_restored, CAROL, confirm=plan["token"])
    assert set(office.peers()) == {"bob"}
    assert await warnings(office) == []
    with pytest.raises(JitError, match="the store was not restored"):
        await office.do(restoring.accept_restored, CAROL)


async def test_what_is_decided_after_that_is_in_no_doubt(office: World) -> None:
    """A device that is registered and granted anew opens; an old device stays closed, whatever is granted to it now."""
    copy = backup(office)
    await office.granted(ALICE)
    await office.do(grants.revoke, CAROL, id=1)
    await restore(office, copy)
    office.clock.advance(1000)
    await office.do(devices.add, BOB, name="phone", public_key=key("phone"))
    for user in ("alice", "bob"):
        await office.do(grants.grant, CAROL, user=user, network="office", duration=HOUR)
    assert set(office.peers()) == {"phone"}


async def test_an_administrators_standing_access_keeps_its_lease(office: World) -> None:
    """Who has to look at it may be coming in through it: what lives in the kernel goes on to its end and is not renewed, and a
    key that was lost since does not live there any more.
    """
    for actor, name in ((CAROL, "carol"), (DAVE, "dave")):
        await office.do(devices.add, actor, name="laptop", public_key=key(name))
    await office.do(networks.set_, ROOT, name="office", changes=["jit.exempt=carol,dave"])
    assert set(office.peers()) == {"carol", "dave"}
    copy = backup(office)
    await office.do(removal.remove, DAVE, name="laptop", lost=True)
    assert set(office.peers()) == {"carol"}
    await restore(office, copy)
    assert set(office.peers()) == {"carol"}
    for _ in range(3):
        await office.advance(HOUR // 4)
        await office.service.check()
        assert set(office.peers()) == {"carol"}
    await office.advance(HOUR // 4)
    await office.service.check()
    assert (dict(office.peers()), office.entries()) == ({}, {})


async def test_a_copy_of_today_is_no_older_one(office: World) -> None:
    """Where nothing was closed since the copy was made, nothing is in doubt; a start as usual neither."""
    await office.granted(ALICE)
    await office.restart()
    copy = backup(office)
    await office.granted(BOB)
    await restore(office, copy)
    assert set(office.peers()) == {"alice"}
    assert await warnings(office) == []
    assert await kinds(office, "store_restored", "mark_missing") == []


@pytest.mark.parametrize("damage", [None, b"", b"12 13\n", b"nonsense", b"-5 1 2"])
async def test_a_mark_that_is_missing_or_damaged_is_told(office: World, damage: bytes | None) -> None:
    """Nothing is closed for it, it is told, and made anew."""
    await office.granted(ALICE)
    await office.service.stop()
    mark = office.config.daemon.state_dir / "closings.mark"
    if damage is None:
        mark.unlink()
    else:
        mark.write_bytes(damage)
    office.service = office._new()
    await office.service.start()
    assert set(office.peers()) == {"alice"}
    assert await kinds(office, "mark_missing") == ["mark_missing"]
    await office.restart()
    assert await kinds(office, "mark_missing") == ["mark_missing"]
