"""`jitd check --policy`: a policy file without a daemon."""

from pathlib import Path

import pytest

from jitd.__main__ import main

POLICY = """\
[network.office]
routes = ["10.0.0.0/8"]
members = ["@staff"]
[network.office.jit]
exempt = ["@oncall"]
[[case]]
user = "alice"
groups = ["staff", "oncall"]
network = "office"
expect = "standing"
"""


@pytest.mark.parametrize(
    ("text", "status", "out", "err"),
    [
        (POLICY, 0, "ok, 1 cases passed", ""),
        ("", 0, "ok, 0 cases passed", ""),
        (POLICY.replace('"standing"', '"ask"'), 1, "", "line 6: alice on office is standing, and not ask"),
        (POLICY.replace("exempt", "exemt"), 2, "", "line 5: cannot use 'exemt'"),
        (POLICY + '[network.lab]\nroutes = ["10.0.0.0/8"]\n', 1, "", "the route 10.0.0.0/8 is in both"),
    ],
)
def test_a_policy_is_checked_without_a_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, status: int, out: str, err: str
) -> None:
    """A good one says how many cases came out; a bad one names the line, and what is there instead."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    assert main(["check", "--policy", str(file)]) == status
    said = capsys.readouterr()
    assert out in said.out
    assert err in said.err


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is named."""
    assert main(["check", "--policy", str(tmp_path / "nosuch")]) == 2
    assert "No such file" in capsys.readouterr().err
