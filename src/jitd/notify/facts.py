"""The messages, and the facts and filters that their templates may use. A test compares docs/mail.md with this."""

from collections.abc import Mapping
from typing import Final

#: Messages to deciders, and what each says.
TO_DECIDERS: Final[Mapping[str, str]] = {
    "requested": "a user asks for access, or for more time; may be urgent",
    "break_glass": "a user has opened a network by break-glass, to be acknowledged",
    "waiting": "a request has been pending for too long",
    "lapsed": "a request has lapsed, because nobody decided in time",
    "change_proposed": "a change of rules needs several approvals",
}
#: Messages to the user whose request or grant it is.
TO_USERS: Final[Mapping[str, str]] = {
    "received": "the request was received",
    "granted": "access was granted, from now on or for later",
    "opened": "a scheduled grant has begun",
    "denied": "the request was denied",
    "unanswered": "the request has lapsed, because nobody decided in time",
    "ending": "access ends soon (10 and 2 minutes before, if the grant lasts at least twice as long)",
    "ended": "access has ended, at its time or with the last device",
    "revoked": "access was revoked before its end",
    "extended": "the grant was extended",
    "cancelled": "another person has cancelled the request, or its network was removed",
}
#: Messages to administrators.
TO_ADMINS: Final[Mapping[str, str]] = {
    "device_lost": "a device was reported lost; it is cut, and its key is refused for ever",
    "undecidable": "a network has too few deciders left",
    "rules_changed": "the rules of a network were changed, or root decided alone",
    "people_changed": "a user was registered, changed or disabled, or a key was registered for another user",
}
#: All of them, as core.notices makes them.
MESSAGES: Final[Mapping[str, str]] = {**TO_DECIDERS, **TO_USERS, **TO_ADMINS}
#: Messages about a grant, which have `starts` and `ends`.
OF_GRANTS: Final = frozenset({"break_glass", "granted", "opened", "ending", "ended", "revoked", "extended"})
#: Every fact, with its meaning. A fact that does not apply to a message is None.
FACTS: Final[Mapping[str, str]] = {
    "id": "number of the request, and of its grant",
    "user": "user of the request, the grant or the device",
    "network": "name of the network",
    "reason": "reason as its author wrote it: the user, or the author of a change of rules or users",
    "requested_by": "caller who made the request: the user, or an administrator",
    "requested": "time of the request (a moment)",
    "wanted": "requested duration (a duration)",
    "until": "requested end, instead of a duration (a moment)",
    "start": "requested start (a moment)",
    "default": "default duration of the network, for requests without one (a duration)",
    "lapses": "time at which the request lapses without a decision (a moment)",
    "urgent": "whether the user marked the request as urgent",
    "break_glass": "whether the user opened the network by break-glass",
    "extends": "number of the grant that a request for more time extends",
    "approvals": "number of different people who have to approve the request",
    "agreed": "people who have approved so far, if several approvals are needed",
    "origin": "origin of the call: a terminal, the address of an ssh client",
    "decided_by": "person who granted or denied the request; policy, if a rule did",
    "comment": "comment of the decision; the cause, if too few deciders are left",
    "starts": "start of the grant (a moment)",
    "ends": "end of the grant (a moment)",
    "duration": "duration of the grant or of the extension (a duration)",
    "cap": "reason why the grant is shorter than requested",
    "before": "end of the grant before the extension (a moment)",
    "ended_by": "person who ended the access; empty if nobody did",
    "ended_comment": "comment of the person who ended the access, or the cause",
    "device": "name of the lost device",
    "what": "changes, in sentences (a list)",
    "networks": "networks that were open for the lost device (a list)",
    "at": "time of the event that the mail reports (a moment)",
    "by": "person who caused the event, with the login name behind sudo; empty if jitd did",
}
#: Further names in a template.
BESIDES: Final[Mapping[str, str]] = {
    "template": "name of the message",
    "review_url": "address of the review page; empty if none is configured",
    "jitctl_host": "value of --host for jitctl; empty if none is configured",
    "subject": "subject of the mail (in HTML only)",
}
FILTERS: Final[Mapping[str, str]] = {
    "when": "a moment as text, in the time zone of the gateway, with the name of the zone",
    "duration": "a duration as text, such as 1h30m",
    "command": "a jitctl command from a list of words, quoted for a shell, with --host if needed",
}
