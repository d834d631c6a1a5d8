"""The userspace backend against a real wireguard-go."""

from pathlib import Path

import pytest

from support.inside import run_inside

# wireguard-go's sockets are shared by all network namespaces of one mount namespace; and of two runs at the same time
# neither is to find, and kill, the processes of the other.
NAMESPACES = [
    *("unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
    *("--mount-proc", "--", "sh", "-c"),
    'mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && ip link set lo up && exec "$@"',
    "sh",
]


@pytest.mark.root
def test_wireguard_go(tmp_path: Path) -> None:
    """wireguard-go keeps the contract of a backend, and every promise that is peculiar to it."""
    file = Path(__file__).with_name("inside_userspace.py")
    run_inside(NAMESPACES, [file], out=tmp_path, seconds=180).check(file)
