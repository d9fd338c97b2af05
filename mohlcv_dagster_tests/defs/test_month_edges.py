"""A month after the one before it: the first open is compared with the last close that is recorded there."""

import pytest

from mohlcv_dagster_tests.checks.clean_files import HEADER
from mohlcv_dagster_tests.defs.location import evaluation_of, location, rules_of, run

JANUARY, FEBRUARY = "2024-01|SPY", "2024-02|SPY"
BEFORE = HEADER + b"2024-01-31 20:00:00+00:00,480.0,480.0,480.0,480.0,100\n"
AFTER = HEADER + b"2024-02-01 14:30:00+00:00,120.1,120.1,120.1,120.1,100\n"


def jump(folder, instance, *, before=BEFORE, adjusted=(False, False)):
    """What `open_jumps` says of February after January was stored."""
    for partition, key, content, basis in zip(
        (JANUARY, FEBRUARY), ("2024-01", "2024-02"), (before, AFTER), adjusted, strict=True
    ):
        result = run(location(folder, {("SPY", key): content}, adjusted=basis), instance, partition, "raw_1s")
    checked = evaluation_of(result, "raw_1s", "plausible")
    assert checked.partition == FEBRUARY
    return rules_of(checked)["open_jumps"]


def test_a_split_on_the_first_session_of_a_month_is_told_from_the_last_close_of_the_month_before(tmp_path, instance):
    found = jump(tmp_path, instance)

    assert found["result"] == "warning"
    assert "close 480.0" in found["what was found"]
    assert "4-for-1" in found["what was found"]


def test_a_month_that_goes_on_where_the_one_before_it_ended_passes(tmp_path, instance):
    assert jump(tmp_path, instance, before=BEFORE.replace(b"480.0", b"120.0"))["result"] == "passed"


@pytest.mark.parametrize("adjusted", [(True, False), (False, True)])
def test_a_month_on_another_basis_of_splits_has_no_close_to_go_on_from(tmp_path, instance, adjusted):
    assert jump(tmp_path, instance, adjusted=adjusted)["result"] == "passed"
