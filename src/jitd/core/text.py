"""What people type, made harmless where it enters: reasons, comments, names."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from jitd.core import parsing
from jitd.core.errors import JitError

REASON_LENGTH: Final = 1000  # characters

# As RFC 5321 allows without quotes and without extensions: every server takes these.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL_ADDRESS: Final = re.compile(
    rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
)
_HOST_NAME: Final = re.compile(
    rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+|\[(?:IPv6:)?[0-9A-Fa-f:.]{{2,45}}\]", re.ASCII
)
# Unicode categories that move the cursor, turn the reading direction, are invisible or mean nothing.
_HOSTILE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Joiners that real words and emoji need; both are harmless on a terminal.
_ALLOWED_FORMAT: Final = frozenset({"\u200c", "\u200d"})


def clean(text: str) -> str:
    """The text on one line without control, escape, bidi and other invisible characters, white space folded."""
    spaced = "".join(
        " "
        if char in "\t\n\r\v\f\u2028\u2029"
        else char
        if char in _ALLOWED_FORMAT or unicodedata.category(char) not in _HOSTILE_CATEGORIES
        else ""
        for char in text
    )
    return " ".join(spaced.split())


def visible(text: str) -> str:
    """The text on one line without what a terminal acts on; blanks stay as they are."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def visible_lines(text: str) -> str:
    """Text of several lines without what a terminal acts on; blanks, tabs and line ends stay as they are."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(char if char in "\n\t" else _shown(char) for char in text.replace("\r\n", "\n"))


def _shown(char: str) -> str:
    if char in "\t\n\r\v\f\u2028\u2029":
        return " "
    hostile = unicodedata.category(char) in _HOSTILE_CATEGORIES and char not in _ALLOWED_FORMAT
    return "" if hostile else char


def reason(text: str, what: str = "reason") -> str:
    """A cleaned reason or comment. Raises JitError bad_request when it is empty or longer than REASON_LENGTH."""
    if len(text) > REASON_LENGTH:
        raise JitError(
            "bad_request",
            f"cannot use this {what}: it has {len(text)} characters, at most {REASON_LENGTH} are kept",
            f"Make it shorter, and put the rest into the ticket that the {what} names.",
        )
    cleaned = clean(text)
    if not cleaned:
        raise JitError(
            "bad_request",
            f"cannot continue without a {what}",
            'Give a reason, for example --reason "ticket 1234: logs".',
        )
    return cleaned


def comment(text: str | None) -> str:
    """A cleaned optional comment, "" for none. Raises JitError bad_request when it is too long."""
    return reason(text, "comment") if text and clean(text) else ""


def name(text: str, what: str) -> str:
    """A safe name of a network or device: lower-case letters, digits, dot, dash and underscore, and not digits alone, which
    are numbers of requests wherever either may be typed.

    Raises JitError bad_request naming `what`.
    """
    _refuse_number(text, what)
    try:
        return parsing.name(text)
    except ValueError:
        raise JitError(
            "bad_request",
            f"cannot use {clean(text)[:40]!r} as the name of a {what}",
            f"Use up to {parsing.NAME_LENGTH} lower-case letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit.",
        ) from None


def _refuse_number(text: str, what: str) -> None:
    if text.isascii() and text.isdigit():
        raise JitError(
            "bad_request",
            f"cannot use {text[:40]!r} as the name of a {what}: it is a number",
            "Numbers identify requests. Put a letter in front of it.",
        )


def is_mail_address(text: str) -> bool:
    """Whether this is a single mail address, in ASCII and without quotes."""
    return _MAIL_ADDRESS.fullmatch(text) is not None


def is_host_name(text: str) -> bool:
    """Whether this is a name of a host with its domain, or an address literal such as [192.0.2.1] (RFC 5321, 4.1.3)."""
    return _HOST_NAME.fullmatch(text) is not None


def interface_name(text: str) -> str:
    """A safe name of an interface, as the kernel allows it. Raises JitError bad_request."""
    try:
        return parsing.interface_name(text)
    except ValueError:
        raise JitError(
            "bad_request",
            f"cannot use {clean(text)[:40]!r} as the name of an interface",
            f"Use up to {parsing.INTERFACE_NAME_LENGTH} letters, digits, dots, dashes and underscores, for example wg0.",
        ) from None


def new_interface_name(text: str) -> str:
    """A safe name for an interface that is made: not digits alone, as `name`. Raises JitError bad_request."""
    _refuse_number(text, "interface")
    return interface_name(text)


def meant(typed: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint for a name that is not known: `Did you mean office?`, or `otherwise` where none is like it."""
    import difflib  # only who made a mistake waits for it

    near = difflib.get_close_matches(typed[:100], list(known), n=1)
    return f"Did you mean {near[0]}?" if near else otherwise
