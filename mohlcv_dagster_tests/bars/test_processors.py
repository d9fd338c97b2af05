"""What is handed to other processors, and what is too little for that."""

import threading

import pytest

from mohlcv_dagster.bars import processors
from mohlcv_dagster.bars.processors import FEW, begun, pool


@pytest.mark.parametrize(("bars", "at_once"), [(0, True), (FEW, True), (FEW + 1, False)])
def test_few_bars_are_worked_on_at_once_and_many_by_another_thread(bars, at_once):
    worked = begun(pool, bars, threading.get_ident).result()
    assert (worked == threading.get_ident()) is at_once


@pytest.mark.parametrize("bars", [1, FEW + 1])
def test_an_error_is_raised_where_the_result_is_asked_for(bars):
    promised = begun(pool, bars, int, "no number")
    with pytest.raises(ValueError, match="no number"):
        promised.result()


def test_results_come_in_order_and_what_has_not_begun_is_called_off():
    results = processors.in_order(abs, [-1, 2, -3, 4])
    assert [next(results), next(results)] == [1, 2]
    results.close()
    assert list(processors.in_order(abs, [-1, 2, -3, 4])) == [1, 2, 3, 4]
