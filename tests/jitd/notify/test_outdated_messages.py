"""Messages that waited are looked at again before they go out: nobody is asked to decide what was decided meanwhile."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jitd.core.configuration import Mail
from jitd.core.errors import JitError
from jitd.core.model import Message
from jitd.notify.channel import DeliveryError
from jitd.notify.delivery import DeliveryWorker
from jitd.notify.render import Rendered, Templates
from jitd.store.outbox import COLLECTED
from jitd.verbs import changes, grants, holding, networks, outbox, requests
from support.service import ALICE, BOB, CAROL, DAVE, HOUR, ROOT, World

MINUTE = 60_000


class Letters:
    """A mail server that is away until it is said to be back; `before` happens when a conversation begins."""

    name = "mail"
    digest_from = 10
    is_open = True

    def __init__(self) -> None:
        self.is_away = True
        self.before: Callable[[], Awaitable[object]] | None = None
        self.sent: list[tuple[str, str]] = []  # to whom, subject
        self.texts: list[str] = []

    @asynccontextmanager
    async def converse(self) -> AsyncIterator["Letters"]:
        """Connect."""
        if self.is_away:
            raise DeliveryError("nobody there", permanent=False)
        if self.before is not None:
            before, self.before = self.before, None
            await before()
        yield self

    async def send(self, first: Message, rendered: Rendered, *, together: bool) -> None:
        """Take one."""
        del together
        self.sent.append((first.recipient, rendered.subject))
        self.texts.append(rendered.text)

    def facts(self, data: Mapping[str, object]) -> Mapping[str, object]:
        """As they are."""
        return data


class Post:
    """A world that tells people, with a delivery worker that the test runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.letters = Letters()
        templates = Templates(Path("/nonexistent"), jitctl_host="", review_url="")
        self.worker = DeliveryWorker(
            world.service, self.letters, templates, world.clock, world.service.watch_outbox()
        )

    async def deliver(self) -> list[tuple[str, str]]:
        """Everything that happened is looked at, and what is due goes out; returns what went."""
        while await self.world.service.make_notices() == self.world.clock.now_ms():
            pass
        self.letters.sent.clear()
        await self.worker.deliver()
        return list(self.letters.sent)

    async def back(self) -> list[tuple[str, str]]:
        """The server is back, and everything is tried again."""
        self.letters.is_away = False
        self.world.clock.advance(0)
        await self.world.do(outbox.retry, ROOT)
        return await self.deliver()


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """An office that tells people by mail; dave and carol administer."""
    world = World(tmp_path)
    mail = Mail(server="mail.example.org", sender="jitd@example.org", email_domain="example.org")
    world.config = replace(world.config, mail=mail)
    world.service = world._new()
    await world.start()
    await world.furnish()
    made = Post(world)
    await made.deliver()
    await world.do(outbox.drop, ROOT)  # that the office was made is told, too
    yield made
    await world.stop()


def subjects(sent: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """To whom, and how the subject begins."""
    return {(to, " ".join(subject.split()[:4])) for to, subject in sent}


async def denied(world: World, number: int) -> None:
    """Carol says no."""
    await world.do(grants.deny, CAROL, id=number)


async def cancelled(world: World, number: int) -> None:
    """alice takes it back."""
    await world.do(requests.cancel, ALICE, id=number)


async def granted_and_over(world: World, number: int) -> None:
    """Granted, and given back at once."""
    await world.do(grants.grant, CAROL, id=number, duration=HOUR)
    await world.do(holding.release, ALICE, id=number)


async def lapsed(world: World, number: int) -> None:
    """Nobody decides."""
    del number
    await world.advance(25 * HOUR)


@pytest.mark.parametrize(
    ("becomes", "told"),
    [
        (denied, {("alice", "Your request for office")}),
        (cancelled, set()),
        (granted_and_over, set()),
        (lapsed, {("alice", "Your request for office"), ("carol", "Nobody decided about"), ("dave", "Nobody decided about")}),
    ],
)  # fmt: skip
async def test_what_was_decided_while_the_server_was_away(
    post: Post, becomes: Callable[[World, int], Awaitable[None]], told: set[tuple[str, str]]
) -> None:
    """Nobody is asked to decide it any more, nor told that it was received, nor that what is over is open."""
    number = await post.world.asked(ALICE)
    assert await post.deliver() == []
    await becomes(post.world, number)
    await post.deliver()
    sent = await post.back()
    assert {(to, subject) for to, subject in subjects(sent) if "asks for" in subject} == set()
    assert not any("was received" in subject or "is open" in subject for _, subject in sent)
    assert {to for to, _ in told} == {to for to, _ in sent}
    assert (await post.world.ask(outbox.list_, ROOT))["messages"] == []


async def test_what_is_decided_between_two_letters(post: Post) -> None:
    """The look comes right before each letter: what is decided while the server takes others is not asked for."""
    number = await post.world.asked(ALICE)
    await post.world.asked(BOB)
    post.letters.is_away = False
    post.letters.before = lambda: denied(post.world, number)
    sent = await post.deliver()
    assert {to for to, subject in sent if subject.startswith("bob asks")} == {"carol", "dave"}
    assert not [subject for _, subject in sent if subject.startswith("alice asks")]


async def test_a_digest_leaves_out_what_is_decided(post: Post) -> None:
    """Many that come together: those that were decided while it was made are not among them."""
    numbers = []
    await post.world.do(networks.set_, ROOT, name="office", changes=["reason=optional"])
    for _ in range(12):
        number = await post.world.asked(ALICE)
        numbers.append(number)
        await post.world.do(requests.cancel, ALICE, id=number)
        post.world.clock.advance(10 * MINUTE)
    last = await post.world.asked(ALICE)
    bobs = await post.world.asked(BOB)
    post.letters.digest_from = 1
    post.letters.is_away = False
    sent = await post.deliver()
    texts = "\n".join(post.letters.texts)
    assert {to for to, _ in sent} == {"alice", "bob", "carol", "dave"}
    assert [number for number in numbers if f"(request {number})" in texts] == []
    assert f"(request {last})" in texts
    assert f"(request {bobs})" in texts


async def test_who_has_agreed_is_not_asked_again(post: Post) -> None:
    """Of several who have to agree, one who did meanwhile gets no letter that asks for it."""
    await post.world.do(networks.set_, ROOT, name="office", changes=["approvals=2"])
    number = await post.world.asked(ALICE)
    await post.deliver()
    await post.world.do(grants.grant, CAROL, id=number)
    sent = await post.back()
    assert {to for to, subject in sent if subject.startswith("alice asks")} == {"dave"}


@pytest.mark.parametrize(
    ("becomes", "asked"),
    [
        ("nothing", {"dave", "bob"}),
        ("approved", set()),
        ("rejected", set()),
        ("too old", set()),
        ("agreed", {"dave"}),
    ],
)
async def test_a_change_of_rules_that_was_decided(post: Post, becomes: str, asked: set[str]) -> None:
    """Nobody is asked to agree to a change that was made, rejected or forgotten meanwhile, or that they agreed to."""
    world = post.world
    many = 3 if becomes == "agreed" else 2
    await world.do(
        networks.set_,
        ROOT,
        name="office",
        changes=[f"approvals={many}", "jit.admins_too=on", "approvers=bob"],
    )
    with pytest.raises(JitError, match="waits as change 1"):
        await world.do(networks.set_, CAROL, name="office", changes=["jit.exempt+=carol"])
    await post.deliver()
    match becomes:
        case "approved":
            await world.do(changes.approve, DAVE, id=1)
        case "agreed":
            with contextlib.suppress(JitError):
                await world.do(changes.approve, BOB, id=1)
        case "rejected":
            await world.do(changes.reject, CAROL, id=1)
        case "too old":
            await world.advance(8 * 24 * HOUR)
    sent = await post.back()
    assert {
        to for to, subject in sent if subject.startswith("A change to the rules of office waits")
    } == asked


async def test_a_warning_of_an_end_that_was_moved(post: Post) -> None:
    """Who has got more time is not told that the access ends in ten minutes."""
    number = await post.world.granted(ALICE, duration=HOUR)
    post.letters.is_away = False
    await post.deliver()
    post.letters.is_away = True
    await post.world.advance(50 * MINUTE)
    assert await post.deliver() == []
    await post.world.do(grants.extend, CAROL, id=number, duration=HOUR)
    sent = await post.back()
    assert [subject.split(" until ")[0] for _, subject in sent] == ["office stays open for you"]


async def test_retry_says_what_is_tried(post: Post) -> None:
    """What is outdated is given up, what is collected goes with others, the rest is tried: each is counted."""
    number = await post.world.asked(ALICE)
    await post.deliver()
    await post.world.do(grants.deny, DAVE, id=number)
    await post.deliver()
    said = await post.world.do(outbox.retry, ROOT)
    assert [said[key] for key in ("number", "outdated", "collected", "unreachable")] == [1, 3, 0, 0]
    post.letters.is_away = False
    post.letters.digest_from = 1
    assert len(await post.deliver()) == 1
    await post.world.asked(ALICE)
    await post.deliver()
    listed = (await post.world.ask(outbox.list_, ROOT))["messages"]
    assert {(one["recipient"], one["error"]) for one in listed} == {("alice", COLLECTED)}
    said = await post.world.do(outbox.retry, ROOT)
    assert [said[key] for key in ("number", "outdated", "collected", "unreachable")] == [0, 0, 1, 0]


async def test_what_has_no_way_any_more_is_not_said_to_be_tried(post: Post) -> None:
    """Without a mail server nothing is tried: that is what retry says, and what stands in the list."""
    await post.world.asked(ALICE)
    await post.deliver()
    post.world.config = replace(post.world.config, mail=Mail())
    await post.world.restart()
    said = await post.world.do(outbox.retry, ROOT)
    assert [said[key] for key in ("number", "unreachable")] == [0, 3]
    listed = (await post.world.ask(outbox.list_, ROOT))["messages"]
    assert {one["error"] for one in listed} == {
        "it can no longer be delivered: there is no [mail] server in jitd.toml"
    }
