"""The verbs of jitctl: name, where it is written, what it does, and whom it is for. Read without importing any of them."""

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """One verb. `function` stands in `jitctl.commands.<module>`; a verb with a space belongs to a group."""

    name: str
    module: str
    function: str
    help: str
    panel: str


USERS: Final = "For users"
DECIDERS: Final = "For approvers"
SETUP: Final = "For administrators"
EVERYBODY: Final = "For everybody"

VERBS: Final = (
    Verb("setup", "setup", "setup", "Register this machine as a device of a gateway.", USERS),
    Verb("connect", "connecting", "connect", "Get access to a network and bring up this machine's tunnel.", USERS),
    Verb("disconnect", "connecting", "disconnect", "Pause access and take this machine's tunnel down.", USERS),
    Verb("agent", "agent", "agent", "Show desktop notifications about your requests.", USERS),
    Verb("request", "requests", "request", "Request access to a network.", USERS),
    Verb("ensure", "requests", "ensure", "Make sure of access for a duration; request only what is "
        "missing.", USERS),
    Verb("wait", "watching", "wait", "Wait until a request is decided.", USERS),
    Verb("status", "status", "status", "Show your networks, their status and the next command.", USERS),
    Verb("cancel", "requests", "cancel", "Withdraw a pending request.", USERS),
    Verb("pause", "requests", "pause", "Switch access off for now; the granted time keeps running.", USERS),
    Verb("resume", "requests", "resume", "Switch paused access on again.", USERS),
    Verb("release", "requests", "release", "End your own grant before its time.", USERS),
    Verb("device add", "devices", "add", "Register the public key of a device.", USERS),
    Verb("device list", "devices", "list_", "List devices.", USERS),
    Verb("device rotate", "rotate", "rotate", "Replace the key of a device.", USERS),
    Verb("device remove", "devices", "remove", "Remove a device: it loses access at once.", USERS),
    Verb("device config", "devices", "config", "Print a wg-quick file for a device.", USERS),
    Verb("device import", "devices", "import_", "Assign unmanaged peers to users.", SETUP),
    Verb("list", "listing", "list_", "List requests and grants.", EVERYBODY),
    Verb("show", "show", "show", "Show one request with its whole history.", EVERYBODY),
    Verb("why", "why", "why", "Explain which rules apply to a user on a network.", EVERYBODY),
    Verb("dashboard", "dashboard", "dashboard", "Show everything on one screen, live.", EVERYBODY),
    Verb("events", "events", "events", "Print the audit log.", EVERYBODY),
    Verb("report", "report", "report", "Summarise requests and their outcomes.", EVERYBODY),
    Verb("watch", "watching", "watch", "Print events as they happen.", EVERYBODY),
    Verb("review", "review", "review", "Decide about pending requests one by one.", DECIDERS),
    Verb("grant", "grants", "grant", "Grant a request, or give access without a request.", DECIDERS),
    Verb("extend", "grants", "extend", "Extend a grant, or request more time on your own grant.", EVERYBODY),
    Verb("deny", "grants", "deny", "Deny a request.", DECIDERS),
    Verb("revoke", "grants", "revoke", "Revoke a grant before its end.", DECIDERS),
    Verb("acknowledge", "grants", "acknowledge", "Acknowledge a use of break-glass.", DECIDERS),
    Verb("freeze", "freezing", "freeze", "Block all access at once.", SETUP),
    Verb("thaw", "freezing", "thaw", "End a freeze.", SETUP),
    Verb("accept-restored", "restoring", "accept_restored", "Reopen access after the store was restored from a backup.", SETUP),
    Verb("network add", "networks", "add", "Add a network that people can request.", SETUP),
    Verb("network list", "networks", "list_", "List networks.", SETUP),
    Verb("network show", "networks", "show", "Show one network.", SETUP),
    Verb("network set", "networks", "set_", "Change a network.", SETUP),
    Verb("network jit", "networks", "jit", "Switch just-in-time access on or off.", SETUP),
    Verb("network remove", "networks", "remove", "Remove a network.", SETUP),
    Verb("notify show", "notify", "show", "Show whether and where you get mail.", EVERYBODY),
    Verb("notify on", "notify", "on", "Turn your mail on again.", EVERYBODY),
    Verb("notify off", "notify", "off", "Turn your mail off.", EVERYBODY),
    Verb("notify test", "notify", "test", "Send a test message and show the server's answer.", SETUP),
    Verb("outbox list", "outbox", "list_", "List undelivered messages.", SETUP),
    Verb("outbox retry", "outbox", "retry", "Try to deliver messages again at once.", SETUP),
    Verb("outbox drop", "outbox", "drop", "Discard messages.", SETUP),
    Verb("policy export", "policy", "export", "Print all networks and their rules as a policy file.", SETUP),
    Verb("policy apply", "policy", "apply", "Change the networks to match a policy file.", SETUP),
    Verb("change list", "changes", "list_", "List rule changes that wait for approvals.", DECIDERS),
    Verb("change approve", "changes", "approve", "Approve a rule change.", DECIDERS),
    Verb("change reject", "changes", "reject", "Reject a rule change.", DECIDERS),
    Verb("user add", "users", "add", "Register a person who has no account on this system.", SETUP),
    Verb("user list", "users", "list_", "List users.", SETUP),
    Verb("user set", "users", "set_", "Change a person's end date or mail address.", SETUP),
    Verb("user disable", "users", "disable", "Block all access of a user at once.", SETUP),
    Verb("user enable", "users", "enable", "Undo jitctl user disable.", SETUP),
    Verb("user confirm", "users", "confirm", "Confirm that returning accounts belong to the same people.", SETUP),
    Verb("interface add", "interfaces", "add", "Create a WireGuard interface.", SETUP),
    Verb("interface adopt", "interfaces", "adopt", "Manage peers on an existing interface.", SETUP),
    Verb("interface list", "interfaces", "list_", "List interfaces.", SETUP),
    Verb("interface show", "interfaces", "show", "Show an interface with its peers.", SETUP),
    Verb("interface set", "interfaces", "set_", "Change an interface.", SETUP),
    Verb("interface enforce", "interfaces", "enforce", "Control all peers of an adopted interface.", SETUP),
    Verb("interface remove", "interfaces", "remove", "Remove an interface.", SETUP),
    Verb("doctor", "doctor", "doctor", "Find problems that block access or bypass the rules.", EVERYBODY),
    Verb("gate", "gate", "gate", "Run a command from ssh for a user of a shared account.", SETUP),
    Verb("dial-stdio", "gate", "dial_stdio", "Connect standard input and output to jitd (for ssh).", EVERYBODY),
)  # fmt: skip


class Group(NamedTuple):
    """Verbs that are about one thing."""

    help: str
    panel: str
    example: str
    alone: str = ""  # the verb that the name of the group alone stands for; none: its help


GROUPS: Final = {
    "device": Group(
        "Devices: the public keys of people's machines.",
        USERS,
        "jitctl device add laptop --public-key - <public.key",
    ),
    "policy": Group(
        "Networks and their rules as a policy file.", SETUP, "jitctl policy export --output policy.toml"
    ),
    "notify": Group("Your mail notifications.", EVERYBODY, "jitctl notify show"),
    "outbox": Group(
        "Undelivered messages; without a verb, lists them.",
        SETUP,
        "jitctl outbox list",
        alone="outbox list",
    ),
    "change": Group(
        "Rule changes that need several approvals; without a verb, lists them.",
        DECIDERS,
        "jitctl change approve 3",
        alone="change list",
    ),
    "user": Group(
        "Users: contractors, end dates and disabled users.", SETUP, "jitctl user add zoe --until 2027-03-31"
    ),
    "network": Group(
        "Networks that people can request access to.", SETUP, "jitctl network add office --route 10.0.0.0/8"
    ),
    "interface": Group(
        "WireGuard interfaces of this gateway.",
        SETUP,
        "jitctl interface add wg0 --pool 10.9.0.0/24 --endpoint vpn.example.org:51820",
    ),
}
#: What people type who know other programs, and what it is called here.
MEANT: Final = {
    "accept": "grant",
    "ack": "acknowledge",
    "allow": "grant",
    "approve": "grant",
    "ask": "request",
    "audit": "events",
    "check": "doctor",
    "create": "add",
    "delete": "remove",
    "edit": "set",
    "explain": "why",
    "history": "events",
    "log": "events",
    "ls": "list",
    "new": "add",
    "reject": "deny",
    "rm": "remove",
    "stats": "report",
    "tui": "dashboard",
    "unfreeze": "thaw",
}
PANELS: Final = (USERS, EVERYBODY, DECIDERS, SETUP)
