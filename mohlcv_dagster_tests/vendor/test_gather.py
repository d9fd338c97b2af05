"""Work side by side."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from mohlcv_dagster.vendor.gather import side_by_side


def nothing_more(item, result):
    return []


def test_each_result_is_told_with_its_item_and_what_is_named_then_is_worked_on_as_well():
    done = []

    def then(item, result):
        done.append((item, result))
        return [item + 10, item + 20] if item < 10 else []

    side_by_side(lambda item: item * 2, [1, 2], 2, threading.Event(), then)
    assert sorted(done) == [(1, 2), (2, 4), (11, 22), (12, 24), (21, 42), (22, 44)]


def test_what_is_named_then_does_not_wait_for_what_is_slow():
    release = threading.Event()

    def work(item):
        if item == "slow":
            assert release.wait(5)
        if item == "named":
            release.set()

    side_by_side(work, ["slow", "quick"], 2, threading.Event(), lambda item, _: ["named"] if item == "quick" else [])
    assert release.is_set()


def test_the_first_failure_is_raised_without_waiting_for_the_others():
    stop, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("refused")
        assert stop.wait(5)

    with pytest.raises(ValueError, match="refused"):
        side_by_side(work, range(50), 2, stop, nothing_more)
    assert stop.is_set()
    time.sleep(0.02)
    assert len(begun) <= 4


def test_what_waits_for_a_thread_when_the_work_is_called_off_does_not_begin():
    stop, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        stop.set()

    with pytest.raises(CancelledError):
        side_by_side(work, range(5), 1, stop, nothing_more)
    assert begun == [0]


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

    side_by_side(work, range(20), 3, threading.Event(), nothing_more)
    assert most == 3
