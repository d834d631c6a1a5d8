"""What a template may speak of. docs/mail.md lists the same, and a test holds it against this."""

from collections.abc import Mapping
from typing import Final

#: Messages to those who decide, and what each tells.
TO_DECIDERS: Final[Mapping[str, str]] = {
    "requested": "somebody asks for access, or for more time; may be urgent",
    "break_glass": "somebody has opened a network alone, and it has to be looked at",
    "waiting": "a request waits for too long",
    "lapsed": "nobody decided in time, and the request has lapsed",
    "change_proposed": "a change of rules waits until several have agreed",
}
#: Messages to the user whose request or grant it is.
TO_USERS: Final[Mapping[str, str]] = {
    "received": "the request was received",
    "granted": "access was given, now or for later",
    "opened": "access that was given for later has begun",
    "denied": "the request was denied",
    "unanswered": "nobody decided in time, and the request has lapsed",
    "ending": "access is about to end (10 and 2 minutes before, as far as it lasts for at least twice that)",
    "ended": "access has ended, by its time or with its last device",
    "revoked": "access was ended before its time",
    "extended": "access goes on for longer",
    "cancelled": "somebody else has taken the request back, or its network away",
}
#: Messages to administrators.
TO_ADMINS: Final[Mapping[str, str]] = {
    "device_lost": "a device was reported lost; it is cut, and its key is never let in again",
    "undecidable": "too few people are left who may decide about a network",
    "rules_changed": "somebody has changed the rules of a network, or root decided alone",
    "people_changed": "somebody has registered, changed or shut out a person, or registered a key in another's name",
}
#: All of them: what core.notices tells.
MESSAGES: Final[Mapping[str, str]] = {**TO_DECIDERS, **TO_USERS, **TO_ADMINS}
#: Where there is a grant, `starts` and `ends` are there.
OF_GRANTS: Final = frozenset({"break_glass", "granted", "opened", "ending", "ended", "revoked", "extended"})
#: Every fact, with what it is. One that does not apply to a message is None there.
FACTS: Final[Mapping[str, str]] = {
    "id": "number of the request, which is that of its grant too",
    "user": "who asked, or has access, or whose device it is",
    "network": "what for",
    "reason": "why, as the user wrote it; of a change of rules or people, as whoever made it wrote",
    "requested_by": "who called: the user, or an administrator",
    "requested": "when it was asked (a moment)",
    "wanted": "how long it was wished for (a duration)",
    "until": "until when it was wished for, in place of that (a moment)",
    "start": "when it was wished to begin (a moment)",
    "default": "how long the network gives to those who did not say (a duration)",
    "lapses": "when the request lapses if nobody decides (a moment)",
    "urgent": "whether the user marked it as urgent",
    "break_glass": "whether the user opened it alone",
    "extends": "number of the grant that more time is asked of",
    "approvals": "the number of different people who have to approve a request",
    "agreed": "who has agreed already, where several have to",
    "origin": "from where the call came: a terminal, the address of an ssh client",
    "decided_by": "who granted or denied; policy where a rule did",
    "comment": "what was written with it; why too few are left who may decide",
    "starts": "when the grant begins (a moment)",
    "ends": "when it ends (a moment)",
    "duration": "how long it was given, or by how much it was lengthened (a duration)",
    "cap": "why it is less than was wished",
    "before": "when it ended before it was lengthened (a moment)",
    "ended_by": "who ended it; empty where nobody did",
    "ended_comment": "why it ended",
    "device": "the device that was lost",
    "what": "what was changed, in sentences (a list)",
    "networks": "the networks that were open for it until then (a list)",
    "at": "when that happened which the mail tells (a moment)",
    "by": "who did that, with the login name behind sudo; empty where jitd did",
}
#: What a template knows besides.
BESIDES: Final[Mapping[str, str]] = {
    "template": "the name of the message",
    "review_url": "the page to review it on, empty where none is configured",
    "jitctl_host": "what jitctl needs behind --host, empty where nothing is configured",
    "subject": "the subject (in HTML only)",
}
FILTERS: Final[Mapping[str, str]] = {
    "when": "a moment on the gateway's clocks, with the name of their zone",
    "duration": "a duration as people type it",
    "command": "what to type: jitctl with the words of a list, quoted for a shell, with --host where it is needed",
}
