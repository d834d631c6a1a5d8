"""The closed sets of words."""

from enum import StrEnum
from typing import get_args

import pytest

from jitd.core.choices import TAB_OF, Status, StatusName, Tab, TabName


@pytest.mark.parametrize(("members", "words"), [(Status, StatusName), (Tab, TabName)])
def test_an_enumeration_has_the_words_of_its_type(members: type[StrEnum], words: object) -> None:
    """mypy sees that each member is one of the words; here, that none is missing."""
    assert tuple(members) == get_args(words)


def test_every_status_has_a_tab() -> None:
    """A status that stands nowhere could not be listed."""
    assert TAB_OF.keys() == set(Status)
