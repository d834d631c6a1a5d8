"""The second layer with packets, in namespaces."""

from pathlib import Path

import pytest

from support.inside import NAMESPACES, run_inside

# Names of network namespaces and wireguard-go's sockets live in /run.


@pytest.mark.root
def test_packets(tmp_path: Path) -> None:
    """Packets pass while their element lives and are refused before and after, whichever way around is tried."""
    file = Path(__file__).with_name("inside_firewall.py")
    run_inside(NAMESPACES, [file], out=tmp_path, seconds=180).check(file)
