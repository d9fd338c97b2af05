"""The best that pandas alone does: one frame a page of JSON, whole columns converted, each file read once."""

import json
from typing import Any, Final

import pandas as pd
import urllib3

from benchmarks.case import TIMEFRAMES, Case
from benchmarks.ways import original
from benchmarks.ways.original import load, read, text, write

__all__ = ["aggregate", "check", "drain", "fetch", "load", "month", "read", "text", "write"]

_NAMES: Final = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


def _pages(url: str, symbol: str, month: str) -> list[Any]:
    """The pages of a month: one chain, as `next_url` leads."""
    start = pd.Timestamp(f"{month}-01", tz="UTC")
    last = (start + pd.offsets.MonthBegin(1)).value // 10**6 - 1
    headers = {"Authorization": "Bearer benchmark", "Accept-Encoding": "gzip"}
    fields = {"adjusted": "false", "sort": "asc", "limit": "50000"}
    pages, first = [], start.value // 10**6
    with urllib3.PoolManager(headers=headers) as pool:
        while True:
            path = f"{url}/v2/aggs/ticker/{symbol}/range/1/second/{first}/{last}"
            page = json.loads(pool.request("GET", path, fields=fields).data)
            pages.append(page["results"])
            if "next_url" not in page:
                return pages
            first = page["results"][-1]["t"] + 1000


def drain(url: str, symbol: str, month: str) -> int:
    """Ask for the pages this way asks for; how many bars they have."""
    return sum(map(len, _pages(url, symbol, month)))


def fetch(case: Case) -> pd.DataFrame:
    """A month's bars, a frame a page."""
    frame = pd.concat([pd.DataFrame(page) for page in _pages(case.url, case.symbol, case.month)], ignore_index=True)
    index = pd.DatetimeIndex(pd.to_datetime(frame["t"], unit="ms", utc=True), name="ts_event")
    bars = frame[list(_NAMES)].rename(columns=_NAMES).set_index(index)
    return original.as_contracted(bars)


def aggregate(case: Case) -> None:
    """The three aggregates, the raw file read once."""
    original.resample_script(case)


def check(case: Case) -> list[str]:
    """The original's checks with the raw file read once."""
    raw, faults = read(case.raw()), []
    for timeframe in TIMEFRAMES:
        frame = read(case.aggregate(timeframe))
        found = original.faults_of(frame, timeframe) + original.differences_from_raw(frame, raw, timeframe)
        faults += [f"{timeframe}: {fault}" for fault in found]
    return faults


def month(case: Case) -> list[str]:
    """The whole job in one process."""
    write(fetch(case), case.raw())
    aggregate(case)
    return check(case)
