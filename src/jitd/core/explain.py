"""Why somebody gets in or does not: every rule that applies, what it says, and what would change it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from jitd.core import durations, hours, policy, principals, terms
from jitd.core.choices import Status
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.localtime import show_moment
from jitd.core.model import Account, AutoApproval, Freeze, Network, Now, Request
from jitd.core.people import Answer, Person
from jitd.core.policy import Verdict
from jitd.core.terms import Cap, Wish


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
    shortage: str = ""  # why too few are left for a request of this user
    has_device: bool
    devices_end_ms: int | None  # when the last device is removed; None: one of them stays
    mine: tuple[Request, ...]  # what is pending or granted on this network
    break_glass_used: int  # in the last week
    auto_used: Mapping[str, int]  # in the last week, by rule
    now: Now


def explain(facts: Facts) -> list[Line]:
    """Every question in the order in which they decide."""
    one = facts.network
    lines = [_verdict("is the account valid", facts.same, _enabling(facts))]
    if facts.frozen is not None and not facts.kept:
        why = f"{facts.frozen.by} has frozen all access: {facts.frozen.reason}"
        lines.append(Line("is all access frozen", "yes", why, command("thaw")))
    member = policy.may_use(one, facts.person, facts.admin)
    lines.append(_verdict("may they use it", member, _set(one, f"members+={_named(facts)}")))
    asks = policy.must_ask(one, facts.person, facts.admin, facts.unresolved)
    other = (
        _asking_after_all(facts) if asks.answer is Answer.NO else _set(one, f"jit.exempt+={_named(facts)}")
    )
    lines.append(Line("do they have to request access", asks.answer.value, asks.why, other))
    standing = policy.has_standing(one, facts.person, facts.admin, facts.unresolved)
    lines.append(_verdict("do they have standing access", standing, ""))
    lines.append(_open(facts, standing))
    if not facts.has_device:
        lines.append(
            Line(
                "do they have a device",
                "no",
                "access opens for these devices",
                command("device add", "laptop", user=facts.person.name, public_key="KEY"),
            )
        )
    return lines + _asking(facts) + _deciding(facts)


def _asking(facts: Facts) -> list[Line]:
    one, show = facts.network, durations.show
    lines = [
        Line(
            "for how long",
            f"{show(one.default_duration_ms)}, from {show(one.min_duration_ms)} to {show(one.max_duration_ms)}",
            "default_duration, min_duration, max_duration",
            _set(one, "max_duration=…"),
        )
    ]
    if one.jit_hours:
        lines.append(_hours(facts))
    cap = _smallest_cap(facts)
    if cap is not None:
        lines.append(Line("the latest end from now", show_moment(cap.latest_ms, zone_of_hours(one)), cap.why))
    lines.append(_reason(one))
    if one.jit_break_glass:
        lines.append(_break_glass(facts))
    if one.jit_auto_approve:
        lines.append(_automatic(facts))
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
            f"{several}; never on their own request{f'; {facts.shortage}' if facts.shortage else ''}",
            _set(one, "approvers+=…"),
        ),
        _verdict(
            "may they decide about requests of others",
            right,
            _set(one, f"approvers+={_named(facts)}"),
        ),
    ]


def _set(network: Network, change: str) -> str:
    return command("network set", network.name, change)


def _named(facts: Facts) -> str:
    """The user, as the value of a setting."""
    return principals.as_value(facts.person.name)


def _enabling(facts: Facts) -> str:
    """What makes an account count again; "" where that is up to the system's users."""
    one = facts.account
    if one.disabled is not None:
        return command("user enable", one.name)
    if one.ends_ms is not None and facts.now.wall_ms >= one.ends_ms:
        return command("user set", one.name, until="DATE")
    return ""


def _asking_after_all(facts: Facts) -> str:
    """What would make somebody ask who does not have to, by the rule that leaves them out."""
    one = facts.network
    if not one.jit_enabled:
        return command("network jit", one.name, "on")
    if facts.admin and not one.jit_admins_too:
        return _set(one, "jit.admins_too=on")
    uids = one.uids("jit_exempt")
    exempt = [who for who in one.jit_exempt if facts.person.matches([who], uids) is Answer.YES]
    if exempt:
        return _set(one, f"jit.exempt-={principals.join(exempt)}")
    return _set(one, f"jit.groups+={_named(facts)}")


def _closed(facts: Facts) -> Verdict | None:
    """What stands against anything new, whatever else the rules say; None when nothing does."""
    if not facts.same:
        return facts.same
    if facts.frozen is not None and not facts.kept:
        return Verdict(Answer.NO, "all access is frozen")
    member = policy.may_use(facts.network, facts.person, facts.admin)
    if not member:
        return member
    return None if facts.has_device else Verdict(Answer.NO, "there is no device")


def _open(facts: Facts, standing: Verdict) -> Line:
    """Whether packets pass now, and by what."""
    question, name = "is access open now", facts.network.name
    closed = _closed(facts)
    if closed is not None and closed.answer is Answer.NO:
        return Line(question, "no", closed.why)
    if closed is None and standing:
        return Line(question, "yes", "by standing access")
    for one in facts.mine:
        if one.extends_id is not None or one.grant is None or one.status(facts.now) is not Status.ACTIVE:
            continue
        if one.grant.paused_ms is not None:
            return Line(question, "no", f"grant {one.id} is paused", command("resume", one.id))
        # A grant goes on where nobody knows; only what is new has to wait.
        until = show_moment(one.grant.ends_ms, zone_of_hours(facts.network))
        return Line(question, "yes", f"grant {one.id}, until {until}", command("revoke", one.id))
    if standing.answer is Answer.UNAVAILABLE or (standing and closed is not None):
        return Line(
            question,
            "unavailable",
            "standing access continues for a limited time on the last answer of the directory",
        )
    for one in facts.mine:
        match one.status(facts.now):
            case Status.SCHEDULED if one.grant is not None:
                begins = show_moment(one.grant.starts_ms, zone_of_hours(facts.network))
                return Line(question, "no", f"grant {one.id} begins at {begins}", command("show", one.id))
            case Status.PENDING:
                return Line(question, "no", f"request {one.id} is pending", command("grant", one.id))
            case _:
                continue
    return Line(question, "no", "nothing is granted", command("request", name, reason="…"))


def _smallest_cap(facts: Facts) -> Cap | None:
    """The latest end of what would begin now; None outside the hours."""
    one, now_ms = facts.network, facts.now.wall_ms
    try:
        found = terms.caps(one, facts.account, now_ms)
    except JitError:
        return None
    if facts.devices_end_ms is not None:
        found.append(Cap(facts.devices_end_ms, "the last device is removed at that time"))
    most = Cap(now_ms + one.max_duration_ms, f"max_duration is {durations.show(one.max_duration_ms)}")
    return min([most, *found], key=lambda cap: cap.latest_ms)


def _break_glass(facts: Facts) -> Line:
    one, question = facts.network, "may they use break-glass"
    right = policy.may_break_glass(one, facts.person)
    left = max(0, one.jit_break_glass_quota - facts.break_glass_used)
    most = durations.show(one.jit_break_glass_max_ms)
    counted = f"{most} at most, {left} of {one.jit_break_glass_quota} left this week"
    if right.answer is Answer.NO:
        change = _set(one, f"jit.break_glass+={_named(facts)}")
        return Line(question, "no", f"{right.why}; {counted}", change)
    if not left:
        change = _set(one, "jit.break_glass_quota=…")
        return Line(question, "no", f"{right.why}; {counted}", change)
    closed = _closed(facts)
    if closed is not None:
        return Line(question, closed.answer.value, f"{closed.why}; {right.why}")
    return Line(question, right.answer.value, f"{right.why}; {counted}")


def _automatic(facts: Facts) -> Line:
    """Which rule grants what is asked for now without a duration, as a request is judged."""
    one, question = facts.network, "is it granted automatically"
    closed = _closed(facts)
    if closed is not None:
        return Line(question, closed.answer.value, closed.why)
    try:
        term = terms.term(one, facts.account, facts.now.wall_ms, [Wish()])
    except JitError as error:
        return Line(question, "no", error.message)
    rule, why = policy.auto_approval(one, facts.person, term.duration_ms, facts.auto_used)
    if rule is None:
        return Line(question, "no", why or "no rule of jit.auto_approve applies to them")
    return Line(question, "yes", f"{why}; {_left_of(facts, rule)} left this week")


def _left_of(facts: Facts, rule: AutoApproval) -> str:
    spent = policy.auto_spent(facts.network, facts.auto_used)[str(rule)]
    return f"{max(0, rule.a_week - spent)} of {rule.a_week}"


def _hours(facts: Facts) -> Line:
    one = facts.network
    listed = "; ".join(map(str, one.jit_hours))
    shift = hours.shift_at(one.jit_hours, facts.now.wall_ms)
    if shift is not None:
        ends = (
            f"until {show_moment(shift.end_ms, zone_of_hours(one))}"
            if shift.end_ms is not None
            else "around the clock"
        )
        return Line("is access allowed at this time", "yes", f"jit.hours: {listed}; {ends}")
    opens_ms = hours.next_open(one.jit_hours, facts.now.wall_ms)
    opens = f"; it opens at {show_moment(opens_ms, zone_of_hours(one))}" if opens_ms is not None else ""
    return Line(
        "is access allowed at this time",
        "no",
        f"jit.hours: {listed}{opens}",
        command("request", one.name, start="…", reason="…"),
    )


def _reason(one: Network) -> Line:
    if not one.reason_required:
        return Line("is a reason required", "no", 'reason = "optional"')
    wanted = [f"at least {one.reason_min_length} characters"] if one.reason_min_length > 1 else []
    if one.reason_pattern:
        wanted.append(one.reason_expected or f"matching {one.reason_pattern}")
    return Line("is a reason required", "yes", ", ".join(wanted) or 'reason = "required"')


def _verdict(question: str, verdict: Verdict, change: str) -> Line:
    return Line(question, verdict.answer.value, verdict.why, "" if verdict else change)


def zone_of_hours(one: Network) -> ZoneInfo:
    """On whose clocks moments of a network are told."""
    return one.jit_hours[0].zone if one.jit_hours else ZoneInfo("UTC")
