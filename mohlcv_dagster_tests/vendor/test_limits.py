"""The limit of requests a minute."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.vendor.limits import Ledger, ledger_of


def test_requests_up_to_the_limit_leave_at_once_and_the_next_a_minute_after_the_first():
    ledger = Ledger()
    assert [ledger.reserve(3, float(now)) for now in (0, 1, 2, 3, 4)] == [0, 0, 0, 57, 57]


@given(st.integers(1, 6), st.lists(st.floats(0, 40), min_size=1, max_size=40))
def test_no_minute_ever_holds_more_than_the_limit(per_minute, pauses):
    ledger, now, left = Ledger(), 0.0, []
    for pause in pauses:
        now += pause
        left.append(now + ledger.reserve(per_minute, now))
    left.sort()
    for first, one_too_many in zip(left, left[per_minute:], strict=False):
        assert one_too_many - first >= 60 - 1e-6


def test_one_base_url_has_one_ledger_in_the_process():
    assert ledger_of("http://a.test") is ledger_of("http://a.test")
    assert ledger_of("http://a.test") is not ledger_of("http://b.test")


def test_threads_share_the_moments_without_losing_one():
    ledger, waits = Ledger(), []
    threads = [threading.Thread(target=lambda: waits.append(ledger.reserve(5, 0.0))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 5 + [60.0] * 5 + [120.0] * 5 + [180.0] * 5
