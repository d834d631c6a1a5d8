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
    Verb("connect", "connecting", "connect", "Have access, and the tunnel of this machine.", USERS),
    Verb("disconnect", "connecting", "disconnect", "Pause access, and take the tunnel down.", USERS),
    Verb("agent", "agent", "agent", "Tell on the desktop what becomes of your requests.", USERS),
    Verb("request", "requests", "request", "Ask for access to a network.", USERS),
    Verb("ensure", "requests", "ensure", "Have access for so long: ask only for what is missing.", USERS),
    Verb("wait", "watching", "wait", "Wait until a request is decided.", USERS),
    Verb("status", "status", "status", "Show your networks, and what to type next.", USERS),
    Verb("cancel", "requests", "cancel", "Take a pending request back.", USERS),
    Verb("pause", "requests", "pause", "Switch access off within the granted time.", USERS),
    Verb("resume", "requests", "resume", "Switch paused access on again.", USERS),
    Verb("release", "requests", "release", "Give the rest of a grant back.", USERS),
    Verb("device add", "devices", "add", "Register the public key of a device.", USERS),
    Verb("device list", "devices", "list_", "List devices.", USERS),
    Verb("device rotate", "rotate", "rotate", "Put another key in the place of a device's.", USERS),
    Verb("device remove", "devices", "remove", "Remove a device: it loses access at once.", USERS),
    Verb("device config", "devices", "config", "Print a wg-quick file for a device.", USERS),
    Verb("device import", "devices", "import_", "Name the owners of unmanaged peers.", SETUP),
    Verb("list", "listing", "list_", "List requests and grants.", EVERYBODY),
    Verb("show", "show", "show", "Show one request with its whole history.", EVERYBODY),
    Verb("why", "why", "why", "Explain which rules apply to somebody on a network.", EVERYBODY),
    Verb("dashboard", "dashboard", "dashboard", "Show everything on one screen, live.", EVERYBODY),
    Verb("events", "events", "events", "Print what happened: the audit log.", EVERYBODY),
    Verb("report", "report", "report", "Sum up what was asked for, and what became of it.", EVERYBODY),
    Verb("watch", "watching", "watch", "Print what happens, as it happens.", EVERYBODY),
    Verb("review", "review", "review", "Walk through what waits for you, one key each.", DECIDERS),
    Verb("grant", "grants", "grant", "Grant a request, or give access without one.", DECIDERS),
    Verb("extend", "grants", "extend", "Lengthen a grant without a gap; your own: ask for it.", EVERYBODY),
    Verb("deny", "grants", "deny", "Deny a request.", DECIDERS),
    Verb("revoke", "grants", "revoke", "End a grant before its time.", DECIDERS),
    Verb(
        "acknowledge", "grants", "acknowledge", "Say that you have looked at a use of break-glass.", DECIDERS
    ),
    Verb("freeze", "freezing", "freeze", "Close everything at once.", SETUP),
    Verb("thaw", "freezing", "thaw", "End a freeze.", SETUP),
    Verb(
        "accept-restored",
        "restoring",
        "accept_restored",
        "Let in again whom a restored store lets in.",
        SETUP,
    ),
    Verb("network add", "networks", "add", "Add a network that people can ask for.", SETUP),
    Verb("network list", "networks", "list_", "List networks.", SETUP),
    Verb("network show", "networks", "show", "Show one network.", SETUP),
    Verb("network set", "networks", "set_", "Change a network.", SETUP),
    Verb("network jit", "networks", "jit", "Switch just-in-time access on or off.", SETUP),
    Verb("network remove", "networks", "remove", "Remove a network.", SETUP),
    Verb("notify show", "notify", "show", "Say whether and where you are told by mail.", EVERYBODY),
    Verb("notify on", "notify", "on", "Be told by mail again.", EVERYBODY),
    Verb("notify off", "notify", "off", "Be told nothing by mail.", EVERYBODY),
    Verb("notify test", "notify", "test", "Send a real message, and say what the server said.", SETUP),
    Verb("outbox list", "outbox", "list_", "List what was not delivered yet.", SETUP),
    Verb("outbox retry", "outbox", "retry", "Try messages again at once.", SETUP),
    Verb("outbox drop", "outbox", "drop", "Give messages up.", SETUP),
    Verb("policy export", "policy", "export", "Print every network with its rules as a file.", SETUP),
    Verb("policy apply", "policy", "apply", "Make the networks what a file says.", SETUP),
    Verb("change list", "changes", "list_", "List changes of rules that wait until several agree.", DECIDERS),
    Verb("change approve", "changes", "approve", "Agree to a change of rules.", DECIDERS),
    Verb("change reject", "changes", "reject", "Reject a change of rules.", DECIDERS),
    Verb("user add", "users", "add", "Register somebody who is no user of the system.", SETUP),
    Verb("user list", "users", "list_", "List everybody.", SETUP),
    Verb("user set", "users", "set_", "Change when somebody's time is over, or where he gets mail.", SETUP),
    Verb("user disable", "users", "disable", "Shut somebody out at once.", SETUP),
    Verb("user enable", "users", "enable", "Let somebody in again.", SETUP),
    Verb("user confirm", "users", "confirm", "Say that those who were away are the same people.", SETUP),
    Verb("interface add", "interfaces", "add", "Make a WireGuard interface.", SETUP),
    Verb("interface adopt", "interfaces", "adopt", "Take part in an interface that is there.", SETUP),
    Verb("interface list", "interfaces", "list_", "List interfaces.", SETUP),
    Verb("interface show", "interfaces", "show", "Show an interface with its peers.", SETUP),
    Verb("interface set", "interfaces", "set_", "Change an interface.", SETUP),
    Verb(
        "interface enforce",
        "interfaces",
        "enforce",
        "Decide about every peer of an adopted interface.",
        SETUP,
    ),
    Verb("interface remove", "interfaces", "remove", "Remove an interface.", SETUP),
    Verb("doctor", "doctor", "doctor", "Find what keeps access from working, or gets around it.", EVERYBODY),
    Verb("gate", "gate", "gate", "Do what came over ssh for somebody who shares its account.", SETUP),
    Verb(
        "dial-stdio", "dial", "dial_stdio", "Connect standard input and output to jitd (for ssh).", EVERYBODY
    ),
)


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
    "notify": Group("Being told by mail.", EVERYBODY, "jitctl notify show"),
    "outbox": Group(
        "Messages that wait to be delivered; alone, it lists them.",
        SETUP,
        "jitctl outbox list",
        alone="outbox list",
    ),
    "change": Group(
        "Changes of rules that several have to agree to; alone, it lists them.",
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
