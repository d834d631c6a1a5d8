"""Pictures for the README, of a true session: `python -m demo.screenshots DIRECTORY` (make screenshots).

A real daemon with the memory backend, people who have asked, and jitctl in front of it; nothing is painted.
"""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from jitctl.api.client import Client
from jitctl.dashboard.app import Dashboard
from jitd.core.people import Answer, Person
from support.in_process_daemon import InProcessDaemon, in_process_daemon

HOUR = 3_600_000
COLUMNS = 110
SESSION = (
    ("bob", "backup", "INC-2077: the nightly backup has not run", 2 * HOUR),
    ("alice", "office", "ticket 42: read the logs of the printer", HOUR),
    ("erin", "prod-db", "OPS-12: add the missing index", 4 * HOUR),
)


def furnish(daemon: InProcessDaemon) -> None:
    """Three networks, people with a laptop each, and requests of every kind."""
    daemon.furnish()
    people = daemon.people.people
    for place, name in enumerate(("erin", "frank")):
        uid = os.getuid() + 30_010 + place
        people[name] = Person(name=name, exists=Answer.YES, uid=uid, groups=frozenset())
        key = base64.b64encode(f"{name:x<32}".encode()).decode()
        _post(daemon, "/v1/device/add", name="laptop", public_key=key, user=name)
    _post(daemon, "/v1/network/add", name="prod-db", routes=["10.1.2.3/32"], ports=["tcp/5432"])
    _post(daemon, "/v1/network/add", name="backup", routes=["10.9.9.0/24"])
    _post(daemon, "/v1/grant", user="frank", network="office", duration=8 * HOUR)
    _post(daemon, "/v1/request", user="frank", network="prod-db", reason="just looking", duration=HOUR)
    _post(daemon, "/v1/deny", id=2, comment="use the replica")
    daemon.advance(HOUR)
    _post(daemon, "/v1/grant", user="alice", network="backup", duration=HOUR // 4)
    daemon.advance(600_000)
    for user, network, reason, duration in SESSION:
        urgent = network == "prod-db"
        _post(
            daemon, "/v1/request", user=user, network=network, reason=reason, duration=duration, urgent=urgent
        )


def _post(daemon: InProcessDaemon, path: str, **body: object) -> None:
    status, reply = daemon.post(path, **body)
    assert status == 200, reply


def picture_of_list(daemon: InProcessDaemon, file: Path) -> None:
    """`jitctl list`, as it stands at a terminal."""
    script = [sys.executable, "-m", "jitctl", "list"]
    environment = {**os.environ, "JITCTL_SOCKET": str(daemon.socket), "TZ": "UTC", "FORCE_COLOR": "1"}
    environment |= {"COLUMNS": str(COLUMNS), "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"}
    said = subprocess.run(
        ["script", "-qec", f"stty cols {COLUMNS}; {' '.join(script)}", "/dev/null"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123 - closed with the program
    console.print(Text("$ jitctl list"))
    console.print(Text.from_ansi(said.replace("\r", "")))
    console.save_svg(str(file), title="jitctl list")


async def picture_of_dashboard(daemon: InProcessDaemon) -> str:
    """`jitctl dashboard` with what is pending, as SVG."""
    app = Dashboard(Client(socket=str(daemon.socket), host=""))
    async with app.run_test(size=(COLUMNS, 26)) as pilot:
        deadline = asyncio.get_running_loop().time() + 30
        # Whole: requests, keys, and what has happened.
        while "Quit" not in (picture := app.export_screenshot()) or picture.count("asked") < len(SESSION):
            assert asyncio.get_running_loop().time() < deadline, "the dashboard shows nothing"
            await pilot.pause(0.05)
        picture = app.export_screenshot(title="jitctl dashboard")
        app.workers.cancel_all()
    return picture


def main(directory: Path) -> None:
    """Write list.svg and dashboard.svg."""
    directory.mkdir(parents=True, exist_ok=True)
    with in_process_daemon() as daemon:
        furnish(daemon)
        picture_of_list(daemon, directory / "list.svg")
        (directory / "dashboard.svg").write_text(asyncio.run(picture_of_dashboard(daemon)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
