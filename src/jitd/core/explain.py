"""Why somebody gets in or does not: every rule that applies, what it says, and what would change it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from jitd.core import durations, hours, policy, terms
from jitd.core.localtime import show_moment
from jitd.core.model import Account, Freeze, Network
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """One question: its answer ("yes", "no", "unavailable", or what it is), the rule, and what to type to change it."""

    question: str
    answer: str
    because: str
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a user and a network."""

    network: Network
    person: Person
    account: Account
    same: Verdict
    admin: Verdict
    unresolved: Verdict | None
    frozen: Freeze | None
    kept: bool  # whether the freeze leaves this one alone
    deciders: tuple[str, ...]  # who decides, by name, as far as known
    has_device: bool
    break_glass_used: int  # in the last week
    auto_used: Mapping[str, int]  # in the last week, by rule
    now_ms: int


def explain(facts: Facts) -> list[Line]:
    """Every question in the order in which they decide."""
    one = facts.network
    lines = [_verdict("does the account count", facts.same, f"jitctl user enable {facts.account.name}")]
    if facts.frozen is not None and not facts.kept:
        why = f"{facts.frozen.by} has frozen everything: {facts.frozen.reason}"
        lines.append(Line("is everything frozen", "yes", why, "jitctl thaw"))
    member = policy.may_use(one, facts.person, facts.admin)
    lines.append(
        _verdict("may they use it", member, f"jitctl network set {one.name} members+={facts.person.name}")
    )
    asks = policy.must_ask(one, facts.person, facts.admin, facts.unresolved)
    exempt = f"jitctl network set {one.name} jit.exempt+={facts.person.name}"
    lines.append(
        _verdict("must they ask", asks, exempt if asks.answer is not Answer.NO else "", yes_opens=False)
    )
    standing = policy.has_standing(one, facts.person, facts.admin, facts.unresolved)
    lines.append(_verdict("have they access without asking", standing, ""))
    if not facts.has_device:
        lines.append(
            Line(
                "have they a device",
                "no",
                "access opens for devices",
                f"jitctl device add laptop --user {facts.person.name} --public-key KEY",
            )
        )
    return lines + _asking(facts) + _deciding(facts)


def _asking(facts: Facts) -> list[Line]:
    one, show = facts.network, durations.show
    lines = [
        Line(
            "for how long",
            f"{show(one.default_ms)}, from {show(one.min_ms)} to {show(one.max_ms)}",
            "default_duration, min_duration, max_duration",
            f"jitctl network set {one.name} max_duration=…",
        )
    ]
    if one.hours:
        lines.append(_hours(facts))
    # The end of the shift is told with the hours.
    lines += [
        Line("until when at most", show_moment(cap.latest_ms, _zone(one)), cap.why)
        for cap in terms.caps(one, facts.account, facts.now_ms, break_glass=True)
    ]
    lines.append(_reason(one))
    if one.break_glass:
        right = policy.may_break_glass(one, facts.person)
        left = max(0, one.break_glass_quota - facts.break_glass_used)
        used = f"{right.why}; {show(one.break_glass_ms)} at most, {left} of {one.break_glass_quota} left this week"
        lines.append(
            Line(
                "may they use break-glass",
                str(right.answer.value) if left else "no",
                used,
                "" if right else f"jitctl network set {one.name} jit.break_glass+={facts.person.name}",
            )
        )
    if one.auto_approve:
        rule, why = policy.auto_approval(one, facts.person, one.default_ms, dict(facts.auto_used))
        lines.append(
            Line(
                "is it granted without waiting",
                "yes" if rule else "no",
                why or "no rule of jit.auto_approve is for them",
            )
        )
    return lines


def _deciding(facts: Facts) -> list[Line]:
    one = facts.network
    others = [name for name in facts.deciders if name != facts.person.name]
    who = ", ".join(["administrators", *others])
    several = f"{one.approvals} different people of them" if one.approvals > 1 else "one of them"
    right = policy.may_decide(one, facts.person, facts.admin)
    return [
        Line(
            "who decides",
            who,
            f"{several}; nobody on their own request",
            f"jitctl network set {one.name} approvers+=…",
        ),
        _verdict(
            "do they decide about others",
            right,
            f"jitctl network set {one.name} approvers+={facts.person.name}",
        ),
    ]


def _hours(facts: Facts) -> Line:
    one = facts.network
    listed = "; ".join(map(str, one.hours))
    shift = hours.shift_at(one.hours, facts.now_ms)
    if shift is not None:
        ends = (
            f"until {show_moment(shift.end_ms, _zone(one))}"
            if shift.end_ms is not None
            else "around the clock"
        )
        return Line("is it the time for it", "yes", f"jit.hours: {listed}; {ends}")
    opens_ms = hours.next_open(one.hours, facts.now_ms)
    opens = f"; it opens at {show_moment(opens_ms, _zone(one))}" if opens_ms is not None else ""
    return Line(
        "is it the time for it",
        "no",
        f"jit.hours: {listed}{opens}",
        f'jitctl request {one.name} --start "…" --reason "…"',
    )


def _reason(one: Network) -> Line:
    if not one.reason_required:
        return Line("must they say why", "no", 'reason = "optional"')
    wanted = [f"at least {one.reason_min} characters"] if one.reason_min > 1 else []
    if one.reason_pattern:
        wanted.append(one.reason_expected or f"matching {one.reason_pattern}")
    return Line("must they say why", "yes", ", ".join(wanted) or 'reason = "required"')


def _verdict(question: str, verdict: Verdict, change: str, *, yes_opens: bool = True) -> Line:
    shows = change if yes_opens is not bool(verdict) or verdict.answer is Answer.UNAVAILABLE else ""
    return Line(question, verdict.answer.value, verdict.why, shows)


def _zone(one: Network) -> ZoneInfo:
    return one.hours[0].zone if one.hours else ZoneInfo("UTC")
