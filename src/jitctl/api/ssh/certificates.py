"""Certificates that ssh would log in with, and whether their time is over: a server only says that it takes no key."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jitctl.api.ssh.configured import expanded, output

#: As ssh-keygen -L prints it. "forever", "after" alone and "before" alone are the other forms.
_VALID: Final = re.compile(
    r"^\s+Valid: (?:from (?P<begin>\S+) )?(?:after (?P<after>\S+))?(?:(?:to|before) (?P<end>\S+))?",
    re.MULTILINE,
)
_ID: Final = re.compile(r'^\s+Key ID: "(.*)"$', re.MULTILINE)
_AGENT: Final = "of your agent"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate: what people call it, and when it holds; milliseconds UTC, None where there is no limit."""

    name: str
    begin: int | None
    end: int | None
    file: Path | None  # None for one of the agent

    def is_valid(self, now: int) -> bool:
        """Whether it holds at this moment."""
        return (self.begin is None or self.begin <= now) and (self.end is None or now < self.end)


def found(settings: dict[str, list[str]]) -> list[Certificate]:
    """Those that ssh with these settings (see configured.settings) can offer: of files, and of the agent."""
    files = [expanded(name) for name in settings.get("certificatefile", []) if name != "none"]
    files += [
        Path(f"{expanded(name)}-cert.pub") for name in settings.get("identityfile", []) if name != "none"
    ]
    certificates = []
    for file in dict.fromkeys(files):
        if file.is_file():
            certificates += _read(output(("ssh-keygen", "-L", "-f", str(file))), file)
    agent = settings.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    if agent != "none" and (agent != "SSH_AUTH_SOCK" or os.environ.get("SSH_AUTH_SOCK")):
        where = () if agent == "SSH_AUTH_SOCK" else ("env", f"SSH_AUTH_SOCK={expanded(agent)}")
        keys = [line for line in output((*where, "ssh-add", "-L")).splitlines() if "-cert-v01@" in line]
        if keys:
            certificates += _read(output(("ssh-keygen", "-L", "-f", "-"), "\n".join(keys) + "\n"), None)
    return certificates


def _read(text: str, file: Path | None) -> list[Certificate]:
    """Each certificate in what ssh-keygen -L has printed with its times in UTC."""
    names = _ID.findall(text)
    spans = list(_VALID.finditer(text))
    if len(names) != len(spans):
        return []
    return [
        Certificate(
            str(file) if file else f"{name!r} {_AGENT}",
            _ms(span["begin"] or span["after"]),
            _ms(span["end"]),
            file,
        )
        for name, span in zip(names, spans, strict=True)
    ]


def _ms(time: str | None) -> int | None:
    if time is None:
        return None
    try:
        return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
