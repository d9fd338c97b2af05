"""Work side by side."""

import threading
import time

import pytest

from mohlcv_dagster.vendor.gather import side_by_side


def test_results_come_in_the_order_of_the_items():
    release = threading.Event()

    def work(item):
        if item == 0:
            assert release.wait(5)
        else:
            release.set()
        return item * 10

    done = []
    assert side_by_side(work, [0, 1, 2], 2, threading.Event(), done.append) == [0, 10, 20]
    assert sorted(done) == [0, 10, 20]


def test_the_first_failure_is_raised_without_waiting_for_the_others():
    stop, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("refused")
        assert stop.wait(5)

    with pytest.raises(ValueError, match="refused"):
        side_by_side(work, range(50), 2, stop, lambda _: None)
    assert stop.is_set()
    time.sleep(0.02)
    assert len(begun) <= 4


def test_no_more_than_the_concurrency_is_under_way():
    lock, under_way, most = threading.Lock(), 0, 0

    def work(_):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with lock:
            under_way -= 1

    side_by_side(work, range(20), 3, threading.Event(), lambda _: None)
    assert most == 3
