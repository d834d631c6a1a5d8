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
    Verb("setup", "setup", "setup", "Make this machine a device of a gateway.", USERS),
    Verb("connect", "connecting", "connect", "Get access to a network and bring up this machine's tunnel.", USERS),
    Verb("disconnect", "connecting", "disconnect", "Pause access and take this machine's tunnel down.", USERS),
    Verb("agent", "agent", "agent", "Show desktop notifications about your requests.", USERS),
    Verb("request", "requests", "request", "Ask for access to a network.", USERS),
    Verb("ensure", "requests", "ensure", "Make sure of access for a duration; ask only if it is missing.", USERS),
    Verb("wait", "watching", "wait", "Wait until a request is decided.", USERS),
    Verb("status", "status", "status", "Show your networks, and what to type next.", USERS),
    Verb("cancel", "requests", "cancel", "Take a pending request back.", USERS),
    Verb("pause", "requests", "pause", "Switch access off within the granted time.", USERS),
    Verb("resume", "requests", "resume", "Switch paused access on again.", USERS),
    Verb("release", "requests", "release", "Give the rest of a grant back.", USERS),
    Verb("device add", "devices", "add", "Register the public key of a device.", USERS),
    Verb("device list", "devices", "list_", "List devices.", USERS),
    Verb("device rotate", "rotate", "rotate", "Replace the key of a device.", USERS),
    Verb("device remove", "devices", "remove", "Remove a device: it loses access at once.", USERS),
    Verb("device config", "devices", "config", "Print a wg-quick file for a device.", USERS),
    Verb("device import", "devices", "import_", "Name the owners of unmanaged peers.", SETUP),
    Verb("list", "listing", "list_", "List requests and grants.", EVERYBODY),
    Verb("show", "show", "show", "Show one request with its whole history.", EVERYBODY),
    Verb("why", "why", "why", "Explain which rules apply to a user on a network.", EVERYBODY),
    Verb("dashboard", "dashboard", "dashboard", "Show everything on one screen, live.", EVERYBODY),
    Verb("events", "events", "events", "Print the audit log.", EVERYBODY),
    Verb("report", "report", "report", "Summarise requests and their outcomes.", EVERYBODY),
    Verb("watch", "watching", "watch", "Print events as they happen.", EVERYBODY),
    Verb("review", "review", "review", "Decide about waiting requests one by one.", DECIDERS),
    Verb("grant", "grants", "grant", "Grant a request, or give access without one.", DECIDERS),
    Verb("extend", "grants", "extend", "Extend a grant, or ask for more time on your own.", EVERYBODY),
    Verb("deny", "grants", "deny", "Deny a request.", DECIDERS),
    Verb("revoke", "grants", "revoke", "End a grant before its time.", DECIDERS),
    Verb("acknowledge", "grants", "acknowledge", "Acknowledge a use of break-glass.", DECIDERS),
    Verb("freeze", "freezing", "freeze", "Close everything at once.", SETUP),
    Verb("thaw", "freezing", "thaw", "End a freeze.", SETUP),
    Verb("accept-restored", "restoring", "accept_restored", "Reopen access after the store was restored from a backup.", SETUP),
    Verb("network add", "networks", "add", "Add a network that people can ask for.", SETUP),
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
    Verb("change list", "changes", "list_", "List changes of rules that wait until several agree.", DECIDERS),
    Verb("change approve", "changes", "approve", "Agree to a change of rules.", DECIDERS),
    Verb("change reject", "changes", "reject", "Reject a change of rules.", DECIDERS),
    Verb("user add", "users", "add", "Register a person who is not a user of this system.", SETUP),
    Verb("user list", "users", "list_", "List everybody.", SETUP),
    Verb("user set", "users", "set_", "Change a person's end date or mail address.", SETUP),
    Verb("user disable", "users", "disable", "Close all access of a person at once.", SETUP),
    Verb("user enable", "users", "enable", "Undo user disable.", SETUP),
    Verb("user confirm", "users", "confirm", "Confirm that returning accounts belong to the same people.", SETUP),
    Verb("interface add", "interfaces", "add", "Make a WireGuard interface.", SETUP),
    Verb("interface adopt", "interfaces", "adopt", "Manage peers on an existing interface.", SETUP),
    Verb("interface list", "interfaces", "list_", "List interfaces.", SETUP),
    Verb("interface show", "interfaces", "show", "Show an interface with its peers.", SETUP),
    Verb("interface set", "interfaces", "set_", "Change an interface.", SETUP),
    Verb("interface enforce", "interfaces", "enforce", "Decide about every peer of an adopted interface.", SETUP),
    Verb("interface remove", "interfaces", "remove", "Remove an interface.", SETUP),
    Verb("doctor", "doctor", "doctor", "Find problems that block access or get around it.", EVERYBODY),
    Verb("gate", "gate", "gate", "Run a command from ssh for a user of a shared account.", SETUP),
    Verb("dial-stdio", "dial", "dial_stdio", "Connect standard input and output to jitd (for ssh).", EVERYBODY),
)  # fmt: skip


class Group(NamedTuple):
    """Verbs that are about one thing."""

    help: str
    panel: str
    example: str
    alone: str = ""  # the verb that the name of the group alone stands for; none: its help


GROUPS: Final = {
    "device": Group(
        "Devices: the public keys that tunnels are made with.",
        USERS,
        "jitctl device add laptop --public-key - <public.key",
    ),
    "policy": Group("The policy as a file.", SETUP, "jitctl policy export --output policy.toml"),
    "notify": Group("Your mail notifications.", EVERYBODY, "jitctl notify show"),
    "outbox": Group(
        "Messages that wait to be delivered; alone, it lists them.",
        SETUP,
        "jitctl outbox list",
        alone="outbox list",
    ),
    "change": Group(
        "Changes of rules that need several approvals; alone, it lists them.",
        DECIDERS,
        "jitctl change approve 3",
        alone="change list",
    ),
    "user": Group(
        "People: contractors, and who is shut out.", SETUP, "jitctl user add zoe --until 2027-03-31"
    ),
    "network": Group("Networks: what people ask for.", SETUP, "jitctl network add office --route 10.0.0.0/8"),
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
