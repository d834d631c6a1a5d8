"""Which backend is chosen, as far as any machine can tell."""

import pytest

from jitd.enforce.choose import choose
from jitd.enforce.port import EnforceError


def test_memory():
    """`memory` is the simulated one."""
    assert choose("memory", "wireguard-go").name == "memory"


def test_an_unknown_backend():
    """A backend that does not exist is an error that names those that do."""
    with pytest.raises(EnforceError, match="auto, kernel, userspace or memory"):
        choose("magic", "wireguard-go")


def test_userspace_that_is_not_installed():
    """`userspace` without its program is an error that says what to install."""
    with pytest.raises(EnforceError, match="no program no-such-program: install the package wireguard-go"):
        choose("userspace", "no-such-program")
