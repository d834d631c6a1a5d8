"""An administrator who is not root, and the files that root reads on other people's machines."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jitctl.machine.tunnel import wanted
from jitd.core.errors import JitError
from jitd.enforce.owner import Owner
from jitd.queries import overview
from jitd.store.database import FILE_NAME, Store
from jitd.store.schema import SPELLINGS
from jitd.verbs import devices, interfaces, networks, policies
from support.hostile import VALUES, check_lines
from support.service import ALICE, BOB, CAROL, ROOT, World, key

LISTS = st.lists(VALUES, max_size=2)
NAMES = st.one_of(st.just("wg0"), st.just("office"), VALUES)
#: Every verb with which an administrator sets what goes into a file for wg-quick, or into a rule.
STEPS = st.one_of(
    st.tuples(
        st.sampled_from([interfaces.set_, interfaces.add, interfaces.adopt]),
        st.fixed_dictionaries(
            {"name": NAMES, "pools": LISTS},
            optional={
                "endpoint": VALUES,
                "dns": LISTS,
                "mtu": st.integers(-1, 70000),
                "port": st.integers(-1, 70000),
            },
        ),
    ),
    st.tuples(
        st.sampled_from([networks.set_, networks.add]),
        st.fixed_dictionaries(
            {"name": NAMES, "routes": LISTS},
            optional={
                "ports": LISTS,
                "changes": VALUES.map(lambda value: [f"routes+={value}"]),
            },
        ),
    ),
    st.tuples(
        st.just(policies.apply),
        st.tuples(NAMES, LISTS).map(
            lambda given_: {"text": f"[network.{json.dumps(given_[0])}]\nroutes = {json.dumps(given_[1])}\n"}
        ),
    ),
    st.tuples(
        st.just(devices.add),
        st.fixed_dictionaries(
            {"name": NAMES, "public_key": st.one_of(VALUES, st.just(key("phone"))), "user": st.just("alice")}
        ),
    ),
)


@given(st.lists(STEPS, min_size=1, max_size=4))
@settings(deadline=None)
def test_nothing_that_an_administrator_sets_runs_anything(steps: list[tuple[Any, dict[str, Any]]]) -> None:
    """A member of the admin group who is not root sets addresses, routes, DNS and names of any kind. Whatever of it is
    taken: a user's file has lines of a plain tunnel alone, and jitctl takes it.
    """

    async def play() -> None:
        with tempfile.TemporaryDirectory(prefix="jitd-hostile-") as directory:
            world = World(Path(directory))
            world.owner = Owner(kind="by hand")
            await world.start()
            try:
                await world.furnish()
                for verb, body in steps:
                    for _ in range(2):  # with what a plan is confirmed with, as far as there is one
                        try:
                            reply = await world.do(verb, CAROL, **body)
                        except JitError:
                            break
                        if reply.get("done", True):
                            break
                        body["confirm"] = reply["plan"]["confirm"]
                for device in (await world.ask(devices.list_, ALICE))["devices"]:
                    try:
                        file = (await world.do(devices.config, ALICE, name=device["name"], interface="wg0"))[
                            "config"
                        ]
                    except JitError:
                        continue
                    check_lines(file, hook=False)
                    check_lines(wanted.rewritten(file), hook=False)
            finally:
                await world.stop()

    asyncio.run(play())


#: What an older jitd took, for every column that goes to another program.
ZONE = "fd00::%x\n[Interface]\nPreUp = id\n#x/64"
OLD = f"""
UPDATE interface SET endpoint = '1.2.3:51820', dns = json_array('10.9.0.53', 'fe80::5%$(id)', 'FD00::0:1'),
  pool6 = '{ZONE}';
UPDATE network SET routes = json_array('10.20.0.0/255.255.0.0', '{ZONE}') WHERE name = 'office';
UPDATE tunnel SET endpoint = 'nowhere';
UPDATE address SET ip = '{ZONE}' WHERE tunnel_id = (SELECT id FROM tunnel ORDER BY id LIMIT 1);
"""


async def test_stored_values_are_written_anew(tmp_path: Path) -> None:
    """An older jitd has stored zones with commands in them. The migration writes what it can read in one spelling; what it
    cannot read disables what uses it and nothing else, is named by doctor, and goes when it is set anew.
    """
    world = World(tmp_path)
    await world.start()
    await world.furnish()
    await world.do(networks.add, ROOT, name="lab", routes=["10.30.0.0/16"])
    await world.stop()
    store = Store(tmp_path / FILE_NAME)
    with store.transaction() as rows:
        for statement in (OLD + SPELLINGS).strip().split(";\n"):
            rows.run(statement)
    store.close()

    world = World(tmp_path)
    await world.start()
    try:
        assert (await world.ask(networks.show, ROOT, name="office"))["network"]["routes"] == ["10.20.0.0/16"]
        shown = (await world.service.peek(interfaces.list_, ROOT, {}))["interfaces"][0]
        assert (shown["endpoint"], shown["pools"], shown["dns"]) == (
            "",
            ["10.9.0.0/24"],
            ["10.9.0.53", "fd00::1"],
        )
        # Bob's address was left alone, and is still his.
        assert (await world.ask(devices.list_, BOB))["devices"][0]["addresses"] == {"wg0": ["10.9.0.3/32"]}
        checks = (await world.examine(ROOT, part="interfaces"))["checks"]
        said = [one for one in checks if "is not valid" in one["what"]]
        assert [one["fix"] for one in said] == [
            "jitctl network set office --route CIDR",
            "jitctl interface set wg0 --pool CIDR",
            "jitctl interface set wg0 --endpoint HOST:PORT",
            "jitctl interface set wg0 --dns ADDRESS",
            "jitctl device remove laptop # and register it again",
        ]
        assert not any("\n" in one["what"] for one in said)
        # Another change leaves the value there to be seen; setting it anew makes it right.
        await world.do(networks.set_, ROOT, name="office", members=["alice", "bob"])
        assert (await world.ask(networks.show, ROOT, name="office"))["network"]["routes"] == ["10.20.0.0/16"]
        assert len(await broken(world)) == len(said)
        await world.do(interfaces.set_, ROOT, name="wg0", endpoint="vpn.example.org:51820", dns=["10.9.0.53"])
        file = (await world.do(devices.config, BOB))["config"]
        check_lines(file, hook=False)
        await world.do(networks.set_, ROOT, name="office", routes=["10.20.0.0/16", "10.21.0.0/16"])
        assert len(await broken(world)) == len(said) - 3
        assert (await world.ask(overview.status, ROOT))["user"] == "root"
    finally:
        await world.stop()


async def broken(world: World) -> list[str]:
    checks = (await world.examine(ROOT, part="interfaces"))["checks"]
    return [one["what"] for one in checks if "is not valid" in one["what"]]
