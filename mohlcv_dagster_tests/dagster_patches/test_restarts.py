"""How long is waited before a process that died is started again."""

import itertools

import pytest

from mohlcv_dagster.dagster_patches.supervision import Restarts, ending


def test_the_wait_doubles_with_each_death_to_a_minute():
    restarts = Restarts(lambda: 0.0)
    assert [restarts.died() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("lived", "waits"), [(300, [1, 2, 4]), (302, [1, 1, 1])])
def test_a_process_that_had_worked_for_five_minutes_is_started_at_once(lived, waits):
    restarts = Restarts(itertools.count(0, lived).__next__)
    assert [restarts.died() for _ in range(3)] == waits


def test_the_end_of_a_process_is_told_by_status_or_signal():
    assert (ending(1), ending(-9)) == ("with status 1", "by signal 9")
