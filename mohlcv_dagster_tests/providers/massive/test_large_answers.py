"""Answers that are made to take memory and time, read in a process of its own: what they take is bounded."""

import gzip
import json
import subprocess
import sys
from threading import Event

import pytest

from mohlcv_dagster.errors import DeadlineError
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive import provider as module
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import RetryPolicy
from mohlcv_dagster.providers.massive.transport import LARGEST_BODY
from mohlcv_dagster_tests.providers.massive.scripted import KEY, MONTH, START, Asked, Reply, page, row

PADDED = 240_000_000
GZIP = {"Content-Encoding": "gzip"}
MOST_MEGABYTES = 200
"""A process with the client, Arrow and NumPy has about as much before."""


def _longest(rows):
    """A page's body, filled up with `rows` to the longest that is read."""
    head = b'{"ticker":"SPY","status":"OK","resultsCount":1,"adjusted":false,"results":['
    return head + rows * ((LARGEST_BODY - 100) // len(rows) - 20) + rows.rstrip(b",") + b"]}"


LARGE = {
    "padded": lambda good: Reply(good.body + b" " * PADDED),
    "gzip bomb": lambda good: Reply(gzip.compress(good.body + b" " * PADDED, 1), headers=GZIP),
    "gzip bomb of many members": lambda good: Reply(
        gzip.compress(good.body) + gzip.compress(b" " * 1_000_000) * (PADDED // 1_000_000), headers=GZIP
    ),
    "members without content": lambda good: Reply(gzip.compress(b"") * 700_000 + gzip.compress(b"["), headers=GZIP),
    "a million objects": lambda good: Reply(_longest(b"{},")),
    "three million nulls": lambda good: Reply(_longest(b"null,")),
    "an error of many bytes": lambda good: Reply(b'{"error":[' + b"[]," * 5_000_000 + b"[]]}", 400),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux counts of a process's memory")
@pytest.mark.parametrize("kind", LARGE)
def test_an_answer_made_to_be_large_is_refused_within_its_attempt_and_a_bound_of_memory(server, kind):
    large = LARGE[kind](page(Asked("SPY", "minute", 0, 0, {"adjusted": "false"}, {}), [row(START)]))
    server.answer = lambda asked: page(asked, [row(START)]) if asked.symbol == "FIRST" else large
    program = [sys.executable, "-m", "mohlcv_dagster_tests.programs.one_page", server.url]
    took = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    assert took["error"]
    assert took["seconds"] < 8
    assert took["megabytes"] < MOST_MEGABYTES


def test_a_gzip_body_of_several_members_is_one_body(server, vendor):
    def answer(asked):
        body = page(asked, [row(START)]).body
        return Reply(gzip.compress(body[:30]) + gzip.compress(b"") + gzip.compress(body[30:]), headers=GZIP)

    server.answer = answer
    assert vendor.fetch_month("SPY", MONTH, timeframe="minute").bars.num_rows == 1


def test_time_to_read_a_page_counts_to_its_attempt(server, monkeypatch):
    over = Event()
    monkeypatch.setattr(module, "_decode", lambda *_: over.wait(20))
    server.answer = lambda asked: page(asked, [])
    hasty = RetryPolicy(attempt_seconds=0.3, tries=1)
    with MassiveProvider(KEY, server.url, retry=hasty) as vendor, pytest.raises(DeadlineError, match="read in time"):
        vendor.fetch_month("SPY", Month(2024, 2), timeframe="minute")
    over.set()
