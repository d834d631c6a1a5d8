"""Four eyes in the service: who may not decide alone, because of what they made or of who they are."""

from jitd.core import foureyes, policy, text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.model import Account, Network
from jitd.store import registrars
from jitd.verbs import deciding
from jitd.verbs.context import Call, View


def holds(view: View, network: Network) -> bool:
    """Whether four eyes hold on a network."""
    return foureyes.holds(network, everywhere=view.config.policy.four_eyes)


def own_making(view: View, account: Account) -> str:
    """What the caller has made of an account or its devices, as a sentence; "": nothing."""
    for one in registrars.concerning(view.rows, account.id):
        if policy.same_person(view.actor.uid, view.actor.login_uid, one.uid, one.login_uid):
            return f"you registered {account.name}" + (f"'s device {one.device}" if one.device else "")
    return ""


def others_making(view: View, account: Account) -> str:
    """Who has registered a device of an account that is not theirs, as a sentence; "": nobody."""
    for one in registrars.concerning(view.rows, account.id):
        if one.device:
            return f"{one.name} registered {account.name}'s device {one.device}"
    return ""


def refuse_own_making(
    view: View, verb: str, account: Account, network: Network, request_id: int | None
) -> None:
    """Where four eyes hold nobody decides for a device that they registered, nor for a person whom they made.

    Raises JitError refused.
    """
    why = own_making(view, account)
    if not why or not holds(view, network) or may_alone(view, network, account.name):
        return
    which = f"{request_id}" if request_id is not None else f"access to {account.name}"
    raise JitError(
        "refused",
        f"cannot {verb} {which}: {why}, and on {network.name} another approver has to decide about that",
        f"Ask {view.deciders(network)} who is not involved; or {account.name} replaces the key: "
        + command("device rotate"),
    )


def unreviewed(view: View, account: Account, network: Network) -> str:
    """Why somebody else has to look at what the caller decides about an account; "": nobody has to."""
    why = own_making(view, account)
    if not why or holds(view, network):
        return ""
    return f"{view.person_behind[1]}{why.removeprefix('you')}"


def refuse_nameless(view: View, verb: str, network: Network) -> None:
    """Root whom nobody is behind counts for nobody where several have to agree. Raises JitError refused."""
    if not foureyes.counts(view.actor):
        raise JitError(
            "not_permitted",
            f"cannot {verb} as root: {network.name} needs several approvals, and no login identifies this "
            "person",
            f"Use your own account, or sudo from a login; or ask {view.deciders(network)}.",
        )


def may_alone(view: View, network: Network, asker: str = "") -> bool:
    """Whether the caller may decide alone: root with a login, where too few are left who may decide."""
    if not foureyes.is_named_root(view.actor):
        return False
    return bool(deciding.shortage(view.rows, view.people, network, asker))


def reason(call: Call, given: str | None, what: str) -> str:
    """Why somebody changes rules or people, "" where nobody has to say. Raises JitError bad_request."""
    said = text.comment(given)
    if not said and call.config.policy.reasons:
        raise JitError(
            "bad_request",
            f"cannot {what} without a reason: this gateway requires one ([policy] reasons in jitd.toml)",
            'Add --reason "ticket 1234"',
        )
    return said


def refuse_open_for_others(call: Call, account: Account, networks: list[Network]) -> None:
    """A key that somebody registers in another's name is not let in at once where four eyes hold. Raises JitError refused."""
    if policy.is_own(call.actor, account):
        return
    for network in networks:
        if holds(call, network) and call.people.has_standing(network, account.uid, account.name):
            raise JitError(
                "refused",
                f"cannot register a key for {account.name}: {network.name} would be open for it at once, and "
                "that needs several approvals there",
                f"{account.name} registers it: " + command("device add", "NAME", public_key="KEY"),
            )
