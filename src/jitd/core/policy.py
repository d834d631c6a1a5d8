"""Who may do what. Every answer names the rule that decided. `terms.py` has for how long, and when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from jitd.core import principals
from jitd.core.commandline import command
from jitd.core.model import Account, Actor, AutoApproval, Network
from jitd.core.people import Answer, Person


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and the rule that gave it, as the end of a sentence ("… because WHY")."""

    answer: Answer
    why: str

    def __bool__(self) -> bool:
        """Only a sure yes counts: what cannot be asked opens nothing."""
        return self.answer is Answer.YES

    @property
    def code(self) -> str:
        """The error code of what is refused for it: `busy` when it could not be asked, and another time it can."""
        return "busy" if self.answer is Answer.UNAVAILABLE else "refused"


def is_admin(uid: int, person: Person, admin_groups: Iterable[str], daemon_uid: int) -> Verdict:
    """Whether a uid administers this gateway: root, the uid that jitd runs as, members of the admin groups."""
    if uid == 0:
        return Verdict(Answer.YES, "root administers this gateway")
    if uid == daemon_uid:
        return Verdict(Answer.YES, "jitd runs as this user")
    unavailable = None
    for group in admin_groups:
        answer = person.in_group(group)
        if answer is Answer.YES:
            return Verdict(Answer.YES, f"members of {group} administer this gateway")
        if answer is Answer.UNAVAILABLE:
            unavailable = group
    if unavailable is not None:
        return Verdict(Answer.UNAVAILABLE, f"membership of {unavailable} cannot be looked up now")
    return Verdict(Answer.NO, "only root and members of the admin groups administer this gateway")


def is_same_account(account: Account, person: Person, now_ms: int) -> Verdict:
    """Whether an account is still good: the user that the system has under this name now is the one of the account,
    nobody has disabled it, its time is not over, and it was not away for so long that it is retired.
    """
    if account.disabled is not None:
        why = f": {account.disabled}" if account.disabled else ""
        return Verdict(Answer.NO, f"an administrator has disabled {account.name}{why}")
    there = is_there(account, person, now_ms)
    if there.answer is not Answer.NO and account.is_retired(now_ms):
        return Verdict(
            Answer.NO,
            f"{account.name} was away for more than 24 h, and an administrator has to confirm that it is the same person ("
            + command("user confirm", account.name)
            + ")",
        )
    return there


def is_there(account: Account, person: Person, now_ms: int) -> Verdict:
    """Whether the person of an account is there now and its time is not over, whatever an administrator has said."""
    if account.ends_ms is not None and now_ms >= account.ends_ms:
        return Verdict(Answer.NO, f"the end date of {account.name} has passed")
    if account.is_registered:
        return Verdict(Answer.YES, f"{account.name} is registered here")
    if person.exists is Answer.UNAVAILABLE:
        return Verdict(Answer.UNAVAILABLE, f"the user {account.name} cannot be looked up now")
    if person.exists is Answer.NO:
        return Verdict(Answer.NO, f"there is no user {account.name} any more")
    if person.uid != account.uid:
        return Verdict(
            Answer.NO, f"{account.name} is another person now: uid {person.uid} instead of {account.uid}"
        )
    if not person.can_log_in:
        return Verdict(Answer.NO, f"the account of {account.name} has expired or may not log in")
    return Verdict(Answer.YES, f"{account.name} is a user of this system")


def may_use(network: Network, person: Person, admin: Verdict) -> Verdict:
    """Whether this user may use the network at all, and so may ask for it."""
    if not network.members:
        return Verdict(Answer.YES, f"every user may request {network.name}")
    if admin:
        return Verdict(Answer.YES, f"administrators may use {network.name}")
    answer = person.matches(network.members, network.uids("members"))
    named = ", ".join(network.members)
    if answer is Answer.UNAVAILABLE:
        return Verdict(answer, _cannot_ask(person, f"members of {network.name}: {named}"))
    if answer is Answer.NO and admin.answer is Answer.UNAVAILABLE:
        return admin
    return Verdict(answer, f"the members of {network.name} are {named}")


def must_ask(network: Network, person: Person, admin: Verdict, unresolved: Verdict | None) -> Verdict:
    """Whether just-in-time access applies to this user on this network. UNAVAILABLE counts as yes.

    `unresolved` tells of a group of `jit.groups` that does not exist or cannot be looked up: then everybody must ask,
    as nobody knows whom the rule leaves out.
    """
    if not network.jit_enabled:
        return Verdict(Answer.NO, f"just-in-time access is off for {network.name}")
    exempts_admins = not network.jit_admins_too
    if admin and exempts_admins:
        return Verdict(Answer.NO, f"administrators have standing access to {network.name}")
    asks = _must_user_ask(network, person, unresolved)
    if asks.answer is not Answer.NO and exempts_admins and admin.answer is Answer.UNAVAILABLE:
        return admin
    return asks


def _must_user_ask(network: Network, person: Person, unresolved: Verdict | None) -> Verdict:
    """The same for somebody who does not administer the gateway."""
    exempt = person.matches(network.jit_exempt, network.uids("jit_exempt"))
    named = ", ".join(network.jit_exempt)
    if exempt is Answer.YES:
        return Verdict(Answer.NO, f"{named} never have to request {network.name} (jit.exempt)")
    asks = _is_in_scope(network, person, unresolved)
    if exempt is Answer.UNAVAILABLE and asks.answer is not Answer.NO:
        return Verdict(exempt, _cannot_ask(person, f"jit.exempt of {network.name}: {named}"))
    return asks


def _is_in_scope(network: Network, person: Person, unresolved: Verdict | None) -> Verdict:
    """The same for somebody who is not exempt."""
    if not network.jit_groups:
        return Verdict(Answer.YES, f"just-in-time access is on for {network.name}")
    if unresolved is not None:
        return unresolved
    # The name alone is enough here: who has an old name must ask, too. A rule never becomes wider by accident.
    scoped = replace(person, uid=0).matches(
        network.jit_groups, dict.fromkeys(principals.users(network.jit_groups), 0)
    )
    named = ", ".join(network.jit_groups)
    if scoped is Answer.UNAVAILABLE:
        return Verdict(scoped, _cannot_ask(person, f"jit.groups of {network.name}: {named}"))
    if scoped is Answer.YES:
        return Verdict(Answer.YES, f"{named} have to request {network.name} (jit.groups)")
    return Verdict(Answer.NO, f"only {named} have to request {network.name} (jit.groups)")


def has_standing(network: Network, person: Person, admin: Verdict, unresolved: Verdict | None) -> Verdict:
    """Whether this user has access to the network without a grant."""
    asks = must_ask(network, person, admin, unresolved)
    if asks.answer is Answer.UNAVAILABLE:
        # Not known counts as: must ask. That answer has its grace where it was known not long ago, though not for
        # somebody who may surely not use the network, exempt or not.
        member = may_use(network, person, admin)
        return member if member.answer is Answer.NO else asks
    if asks.answer is Answer.YES:
        return Verdict(Answer.NO, asks.why)
    if admin:
        return Verdict(Answer.YES, asks.why)
    if not network.members:
        # Without members everybody may ask; standing access is for those who are named.
        named = (
            network.jit_enabled
            and person.matches(network.jit_exempt, network.uids("jit_exempt")) is Answer.YES
        )
        return Verdict(Answer.YES if named else Answer.NO, asks.why)
    member = may_use(network, person, admin)
    return Verdict(Answer.YES, f"{asks.why}, and {member.why}") if member else member


def may_decide(network: Network, person: Person, admin: Verdict) -> Verdict:
    """Whether this user decides about requests for the network: administrators, and its approvers."""
    if admin:
        return admin
    answer = person.matches(network.approvers, network.uids("approvers"))
    named = ", ".join(network.approvers)
    if answer is Answer.YES:
        return Verdict(answer, f"the approvers of {network.name} are {named}")
    if Answer.UNAVAILABLE in (answer, admin.answer):
        return Verdict(
            Answer.UNAVAILABLE, _cannot_ask(person, f"approvers of {network.name}: {named or 'nobody'}")
        )
    return Verdict(
        Answer.NO,
        f"administrators and the approvers of {network.name} ({named}) decide"
        if named
        else f"only administrators decide about {network.name}",
    )


def may_break_glass(network: Network, person: Person) -> Verdict:
    """Whether this user may open the network at once in an emergency."""
    answer = person.matches(network.jit_break_glass, network.uids("jit_break_glass"))
    named = ", ".join(network.jit_break_glass)
    if answer is Answer.UNAVAILABLE:
        return Verdict(answer, _cannot_ask(person, f"jit.break_glass of {network.name}: {named}"))
    return Verdict(answer, f"break-glass on {network.name} is for {named or 'nobody'}")


def auto_approval(
    network: Network, person: Person, duration_ms: int, used: Mapping[str, int]
) -> tuple[AutoApproval | None, str]:
    """The rule that grants this duration without waiting for somebody, else None and why the nearest one does not.

    `used` says how often each rule, by its text, has granted something to this user in the last week.
    """
    why = ""
    spent = auto_spent(network, used)
    for rule in network.jit_auto_approve:
        answer = person.matches(rule.who, network.uids("jit_auto_approve"))
        if answer is Answer.NO:
            continue
        if answer is Answer.UNAVAILABLE:
            why = why or _cannot_ask(person, f'the rule "{rule}"')
        elif duration_ms > rule.most_ms:
            why = why or f'it is longer than the rule "{rule}" allows'
        elif spent[str(rule)] >= rule.a_week:
            why = f'the rule "{rule}" is used up for this week'
        else:
            return rule, f'the rule "{rule}"'
    return None, why


def auto_spent(network: Network, used: Mapping[str, int]) -> dict[str, int]:
    """How often each rule of the network counts as used, by its text.

    What was granted by rules that are not there any more counts for each: a rule that is tightened has another text,
    and must not begin anew.
    """
    rules = {str(rule) for rule in network.jit_auto_approve}
    gone = sum(number for rule, number in used.items() if rule not in rules)
    return {rule: used.get(rule, 0) + gone for rule in rules}


def is_own(actor: Actor, account: Account) -> bool:
    """Whether the caller is the person of the account, for sure: what this allows is only theirs.

    Who logged in counts behind root alone. A process that no login started may write any login uid for itself.
    """
    who = (actor.uid, actor.user) if actor.login_is_claimed else (actor.login_uid, actor.login_user)
    return who == (account.uid, account.name)


def may_be_own(actor: Actor, account: Account) -> bool:
    """Whether the caller is the person of the account, or says so: what this forbids, nobody may for themselves."""
    if is_own(actor, account) or (actor.uid, actor.user) == (account.uid, account.name):
        return True
    return actor.login_uid == account.uid and actor.login_user in (None, account.name)


def same_person(uid: int, login_uid: int | None, other_uid: int, other_login_uid: int | None) -> bool:
    """Whether two callers are, or say that they are, the same person: this only forbids.

    Behind root it is who logged in; two that nobody knows are one.
    """
    return bool(_identity(uid, login_uid) & _identity(other_uid, other_login_uid))


def _identity(uid: int, login_uid: int | None) -> frozenset[int]:
    if login_uid is None:
        return frozenset({uid})
    # Everybody who uses sudo is uid 0: that makes no two of them one.
    return frozenset({login_uid}) if uid == 0 else frozenset({uid, login_uid})


def _cannot_ask(person: Person, about: str) -> str:
    return f"the groups of {person.name} cannot be looked up now ({about})"
