"""The floor: the same bytes fetched, read and written, and nothing made of them. What no way can be faster than."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from benchmarks.case import TIMEFRAMES, Case
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.paging import Timespan, cut

IN_FLIGHT = 8


def drain(url: str, symbol: str, month: str, *, unpack: bool = True) -> int:
    """Fetch the pages that this project asks for of a busy month, eight in flight, and throw them away; their bytes.

    Args:
        url: where the vendor answers.
        symbol: whose bars.
        month: such as `2024-01`.
        unpack: whether the gzip bodies are unpacked, as everybody must who wants what is in them.
    """
    span = Month.parse(month)
    windows = cut(span.start, span.end, Timespan.parse("second"))
    paths = [f"{url}/v2/aggs/ticker/{symbol}/range/1/second/{w.start}/{w.last}" for w in windows]
    headers = {"Authorization": "Bearer benchmark", "Accept-Encoding": "gzip"}
    fields = {"adjusted": "false", "sort": "asc", "limit": "50000"}
    with urllib3.PoolManager(maxsize=IN_FLIGHT, headers=headers) as pool:

        def one(path: str) -> int:
            response = pool.request("GET", path, fields=fields, preload_content=False)
            body = response.read(decode_content=unpack)
            response.release_conn()
            return len(body)

        with ThreadPoolExecutor(IN_FLIGHT) as threads:
            return sum(threads.map(one, paths))


def fetch(case: Case) -> bytes:
    """The month drained, its bodies unpacked and thrown away."""
    drain(case.url, case.symbol, case.month)
    return b""


def fetch_packed(case: Case) -> bytes:
    """The month drained as it comes over the wire."""
    drain(case.url, case.symbol, case.month, unpack=False)
    return b""


def load(path: Path) -> bytes:
    """The bytes to write."""
    return path.read_bytes()


read = load


def write(content: bytes, path: Path) -> None:
    """The bytes written and flushed to disk."""
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def aggregate(case: Case) -> None:
    """The raw file read, and as many bytes as the aggregates have written, whatever they are."""
    content = memoryview(case.raw().read_bytes())
    for timeframe, seconds in TIMEFRAMES.items():
        write(bytes(content[: len(content) // seconds * 2]), case.aggregate(timeframe))


def check(case: Case) -> list[str]:
    """Every file read once."""
    for path in case.files():
        path.read_bytes()
    return []
