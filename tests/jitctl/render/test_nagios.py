"""doctor as a monitoring plugin says it."""

from jitctl.render import nagios
from jitd import wire

BROKEN: wire.Check = {"level": "broken", "what": "wg0 is gone | x=1\nand more", "fix": ""}
WARNING: wire.Check = {"level": "warning", "what": "for dry runs", "fix": ""}
UNKNOWN: wire.Check = {"level": "unknown", "what": "nobody knows", "fix": ""}
FINE: wire.Check = {"level": "ok", "what": "fine", "fix": ""}


def test_the_worst_decides() -> None:
    """A problem is 2 and names itself, a warning 1; what cannot be known from there is no alarm."""
    data = "| broken={};;0;0 warnings={};0;;0 unknown={};;;0 ok={};;;0"
    assert nagios.report([FINE, UNKNOWN], None) == (
        0,
        f"JITD OK - 1 unknown, 1 ok {data.format(0, 0, 1, 1)}",
    )
    assert nagios.report([FINE, WARNING], None) == (
        1,
        f"JITD WARNING - 1 warning, 1 ok: for dry runs {data.format(0, 1, 0, 1)}",
    )
    status, line = nagios.report([FINE, WARNING, BROKEN], None)
    assert (status, line.partition(":")[0]) == (2, "JITD CRITICAL - 1 broken, 1 warning, 1 ok")


def test_words_of_others_bring_no_numbers_and_no_lines() -> None:
    """Attack: a name with a bar, or a line end, in it forges performance data, or a second line of output."""
    _, line = nagios.report([BROKEN], None)
    assert line.count("|") == 1
    assert "\n" not in line
    assert "wg0 is gone / x=1" in line


def test_a_long_story_is_cut() -> None:
    """Programs of that kind read a line of limited length: the numbers behind it must not be lost."""
    _, line = nagios.report([{**WARNING, "what": "x" * 5000}], None)
    assert len(line) < 500
    assert line.endswith("ok=0;;;0")


def test_nothing_to_examine_is_unknown() -> None:
    """Whoever may examine nothing must not be told that all is well."""
    assert nagios.report([], None)[0] == 3
