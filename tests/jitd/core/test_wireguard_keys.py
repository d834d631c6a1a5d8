"""Public keys."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import keys
from jitd.core.errors import JitError


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_takes_every_key_in_its_one_spelling(raw: bytes) -> None:
    """Base64 of 32 bytes that are not all zero is a public key, and comes back as it was."""
    typed = base64.b64encode(raw).decode()
    assert keys.public_key(typed) == typed


@given(st.binary(max_size=64).filter(lambda raw: len(raw) != 32))
def test_refuses_other_lengths(raw: bytes) -> None:
    """A key that is not 32 bytes long is refused."""
    with pytest.raises(JitError):
        keys.public_key(base64.b64encode(raw).decode())


@pytest.mark.parametrize("typed", ["", "hello", "A" * 43 + "=", "A" * 42 + "B=", "é" * 44, "A" * 44])
def test_refuses_what_is_no_key(typed: str) -> None:
    """Text, zeros, and a second spelling of a key (stray bits in its last character) are refused."""
    with pytest.raises(JitError) as caught:
        keys.public_key(typed)
    assert caught.value.code == "bad_request"
