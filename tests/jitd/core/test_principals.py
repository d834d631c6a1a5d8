"""Whom a rule names: any name that the system may have, and never somebody else."""

import shlex
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jitd.core import policyfile, principals, settings, text
from jitd.core.commandline import command
from jitd.core.errors import JitError
from jitd.core.people import Answer, Person

#: As passwd(5) and group(5) can hold them: no colon and no line break. A double quote is not taken in rules.
names = (
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=':"') | st.just(" "), min_size=1)
    .filter(lambda name: text.clean(name) == name and len(name.encode()) <= 256)
    .filter(bool)
)
kept = names.flatmap(lambda name: st.sampled_from([principals.of_user(name), principals.of_group(name)]))
OFFICE = policyfile.usual("office", 0)


@given(names)
@example("DOM\\anna lee")
@example("@web")
@example("user")
@example("domain users@corp.example")
@example("host$")
def test_a_user_and_a_group_of_the_same_name_are_two(name: str) -> None:
    """Attack: a user is called like a group with its sign ("@admins"), so that a rule for the group lets them in."""
    user, group = principals.of_user(name), principals.of_group(name)
    assert (principals.user_of(user), principals.group_of(user)) == (name, None)
    assert (principals.user_of(group), principals.group_of(group)) == (None, name)
    person = Person(name=name, exists=Answer.YES, uid=1001)
    member = Person(name="other", exists=Answer.YES, uid=1002, groups=frozenset({name}))
    assert [person.matches([user], {name: 1001}), person.matches([group], {})] == [Answer.YES, Answer.NO]
    assert [member.matches([user], {name: 1001}), member.matches([group], {})] == [Answer.NO, Answer.YES]


@given(st.lists(kept, min_size=1, unique=True))
def test_lists_are_read_as_they_were_written(who: list[str]) -> None:
    """What `join` writes is read back, in a list of names and in a rule, and pasted from a shell too."""
    typed = principals.join(who)
    assert [principals.read("members", one) for one in principals.split(typed, ",")] == who
    line = command(
        "network set", "office", f"members={typed}", f"jit.auto_approve={typed} up to 1h, 5 a week"
    )
    changes = [settings.parse_change(word) for word in shlex.split(line)[4:]]
    made = settings.with_changes(OFFICE, changes)
    assert set(made.members) == set(who)
    assert set(made.jit_auto_approve[0].who) == set(who)
    assert settings.parse_auto_approval(str(made.jit_auto_approve[0])) == made.jit_auto_approve[0]
    assert settings.principals(shlex.split(line)[4:]) == set(who)


@given(st.text(string.printable))
def test_whatever_is_typed_is_kept_as_it_is_or_refused(typed: str) -> None:
    """A name is never mended into another one: it is this one, or an error."""
    try:
        one = principals.read("members", typed)
    except JitError as error:
        assert error.code == "bad_request"
        return
    named = principals.user_of(one) or principals.group_of(one)
    assert named
    assert named in typed
    assert principals.read("members", one) == one


@pytest.mark.parametrize(
    "typed", ["", "@", '""', "a:b", "user:", "group:", "a\tb", "a\x1b[31m", "a\u202eb", "x" * 257]
)
def test_what_is_no_name_is_refused(typed: str) -> None:
    """No name of the system is empty, holds a colon or a control character, or is longer than 256 bytes."""
    with pytest.raises(JitError, match="cannot use"):
        principals.read("members", typed)


def test_the_words_for_odd_names() -> None:
    """A user whose name begins with @ is written with its kind, and so may everybody be."""
    assert principals.read("members", "user:@web") == "user:@web"
    assert principals.read("members", "user:alice") == "alice"
    assert principals.read("members", "group:staff") == "@staff"
    assert principals.read("members", "@@web") == "@@web"
    assert principals.read("members", '"@a, b"') == "@a, b"


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1))
def test_operands_are_never_options(words: list[str]) -> None:
    """A name that begins with a dash stands behind `--`; everything is one word for a shell."""
    split = shlex.split(command("why", *words))
    assert split[:2] == ["jitctl", "why"]
    assert split[-len(words) :] == words
    if any(word.startswith("-") for word in words):
        assert split[2] == "--"
