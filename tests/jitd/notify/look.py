"""Writes every mail as HTML into a directory, and pictures of them where there is a Chromium: to be looked at by people.

    python tests/jitd/notify/look.py DIRECTORY --pictures

Each picture shows a page 360 and 1400 CSS pixels wide; there is a light and a dark one. `plain` is without the style,
as some programs show it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC
from html import escape
from importlib.resources import files
from pathlib import Path

from jitd.notify import samples
from jitd.notify.facts import MESSAGES
from jitd.notify.render import Rendered, Templates

WIDTHS = (360, 1400)
LONG = (
    'see https://evil.example/login?next=%2F and <b>bold</b> "quoted" & {{7*7}}, '
    + "Donaudampfschifffahrtsgesellschaftskapitaen" * 3
    + ", "
    + "the disk of the database server is full and nobody has seen it since this morning. " * 10
)[:1000]


def mails() -> dict[str, Rendered]:
    """Every mail by the name of its file."""
    made = Templates(
        Path("/nonexistent"),
        jitctl_host="ssh://jit@gateway.example.com:2222",
        review_url="https://jit.example.com/requests/{id}",
        zone=UTC,
    )
    found = {name: made.render(name, samples.usual()) for name in MESSAGES}
    found["ending"] = made.render("ending", samples.usual(at=1_795_444_501_000 - 600_000))
    hard = samples.usual(
        reason=LONG,
        comment=LONG[::-1],
        ended_comment=LONG,
        user="maximiliane.von-und-zu-hohenstein",
        network="production-databases-frankfurt-1",
        requested_by="carol",
        urgent=True,
        extends=7,
        approvals=2,
        cap="the maximum of production-databases-frankfurt-1 is 8h from its start",
        decided_by="policy",
    )
    found |= {f"{name}-hard": made.render(name, hard) for name in MESSAGES}
    found["requested-rtl"] = made.render(
        "requested", samples.usual(reason="צריך לקרוא את היומנים (42) עד מחר")
    )
    found["digest-1"] = made.digest([("requested", samples.usual())])
    names = list(MESSAGES)
    found["digest-30"] = made.digest(
        [(names[one % len(names)], samples.usual(id=one)) for one in range(1, 31)]
    )
    found["granted-from-text"] = _from_text("granted")
    return found


def _from_text(name: str) -> Rendered:
    """The page that is made of a text, where an administrator has written only that."""
    with tempfile.TemporaryDirectory() as folder:
        text = files("jitd.notify").joinpath("templates", f"{name}.txt").read_text(encoding="utf-8")
        (Path(folder) / f"{name}.txt").write_text(text)
        mine = Templates(
            Path(folder), jitctl_host="ssh://jit@gateway.example.com:2222", review_url="", zone=UTC
        )
        return mine.render(name, samples.usual())


def pictures(directory: Path) -> None:
    """A picture of each page: all widths beside each other."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("there is no Chromium here: no pictures")
        return
    for page in sorted(directory.glob("*.html")):
        for scheme in ("light", "dark"):
            _picture(program, page.read_text(), scheme, directory / f"{page.stem}-{scheme}.png")


def _picture(program: str, page: str, scheme: str, target: Path) -> None:
    """Chromium makes no window that is narrower than 500 pixels: each width is a frame. They are as high as they need."""
    frames = "".join(
        f'<iframe srcdoc="{escape(page)}" style="border:0;margin:8px;width:{width}px;vertical-align:top;'
        f'color-scheme:{scheme}"'
        " onload=\"this.style.height=this.contentDocument.documentElement.scrollHeight+'px'\"></iframe>"
        for width in WIDTHS
    )
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "sheet.html"
        sheet.write_text(
            f'<meta charset="utf-8"><body style="margin:0;background:#777;white-space:nowrap">{frames}'
        )
        size = f"{sum(WIDTHS) + 70},{1700 if '-hard' in target.name or 'digest' in target.name else 1100}"
        words = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        words += [f"--user-data-dir={folder}/profile", f"--window-size={size}", f"--screenshot={target}"]
        subprocess.run([*words, sheet.as_uri()], check=True, capture_output=True, timeout=60)


def main() -> None:
    """Write it all."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, mail in mails().items():
        (directory / f"{name}.html").write_text(mail.html)
        (directory / f"{name}.txt").write_text(f"Subject: {mail.subject}\n\n{mail.text}")
    plain = (directory / "requested.html").read_text()
    (directory / "requested-plain.html").write_text(re.sub(r"(?s)<style>.*?</style>", "", plain))
    if "--pictures" in sys.argv:
        pictures(directory)


if __name__ == "__main__":
    main()
