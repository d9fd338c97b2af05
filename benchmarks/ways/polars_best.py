"""The best that Polars alone does, where it is installed: rows as lines of JSON, whole columns, each file read once.

Its times are mended to the contract's form. Its floats are written as they are: equal for prices and volumes of the
sizes generated here, not for all (the proof would show it).
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import polars as pl
import urllib3

from benchmarks.case import TIMEFRAMES, Case
from benchmarks.ways.floor import IN_FLIGHT
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.paging import Timespan, Window, cut

_TIME: Final = "ts_event"
_NAMES: Final = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_ROW: Final = {"t": pl.Int64, **dict.fromkeys(_NAMES, pl.Float64)}
_ROWS: Final = b'"results":['


def _pages(case: Case) -> list[bytes]:
    """The bodies of a month, in order."""
    span = Month.parse(case.month)
    headers = {"Authorization": "Bearer benchmark", "Accept-Encoding": "gzip"}
    fields = {"adjusted": "false", "sort": "asc", "limit": "50000"}
    with urllib3.PoolManager(maxsize=IN_FLIGHT, headers=headers) as pool, ThreadPoolExecutor(IN_FLIGHT) as threads:

        def body(window: Window) -> bytes:
            path = f"/v2/aggs/ticker/{case.symbol}/range/1/second/{window.start}/{window.last}"
            return pool.request("GET", case.url + path, fields=fields).data

        return list(threads.map(body, cut(span.start, span.end, Timespan.parse("second"))))


def fetch(case: Case) -> pl.DataFrame:
    """A month's bars."""
    bodies = [body for body in _pages(case) if _ROWS in body]
    lines = b"\n".join(body[body.index(_ROWS) + len(_ROWS) : body.rindex(b"]")] for body in bodies)
    frame = pl.read_ndjson(lines.replace(b"},{", b"}\n{"), schema=_ROW)
    time = pl.from_epoch("t", time_unit="ms").dt.replace_time_zone("UTC").alias(_TIME)
    return _settled(frame.select(time, *(pl.col(key).alias(name) for key, name in _NAMES.items())))


def _settled(frame: pl.DataFrame) -> pl.DataFrame:
    """Whole volumes as integers."""
    whole = bool(frame.select((pl.col("volume") % 1 == 0).all()).item())
    return frame.with_columns(pl.col("volume").cast(pl.Int64)) if whole else frame


def read(path: Path) -> pl.DataFrame:
    """A file's bars."""
    frame = pl.read_csv(path, infer_schema_length=None)
    time = pl.col(_TIME).str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S", time_zone="UTC")
    return frame.with_columns(time)


load = read


def write(frame: pl.DataFrame, path: Path) -> None:
    """A file of bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.with_columns(pl.col(_TIME).dt.strftime("%Y-%m-%d %H:%M:%S+00:00")).write_csv(path)


def text(frame: pl.DataFrame) -> bytes:
    """The file that proves the bars."""
    text: str = frame.with_columns(pl.col(_TIME).dt.strftime("%Y-%m-%d %H:%M:%S+00:00")).write_csv()
    return text.encode()


def _fold(frame: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    first, last = pl.col("open").first(), pl.col("close").last()
    extremes, volume = (pl.col("high").max(), pl.col("low").min()), pl.col("volume").sum()
    every = f"{TIMEFRAMES[timeframe]}s"
    resampled = frame.set_sorted(_TIME).group_by_dynamic(_TIME, every=every).agg(first, *extremes, last, volume)
    return resampled.with_columns(pl.col("volume").round(6)) if resampled["volume"].dtype == pl.Float64 else resampled


def aggregate(case: Case) -> None:
    """The three aggregates, the raw file read once."""
    raw = read(case.raw())
    for timeframe in TIMEFRAMES:
        write(_fold(raw, timeframe), case.aggregate(timeframe))


def check(case: Case) -> list[str]:
    """The original's checks, each file read once."""
    raw, faults = read(case.raw()), []
    for timeframe in TIMEFRAMES:
        frame = read(case.aggregate(timeframe))
        body = [pl.col(name) for name in ("open", "high", "low", "close")]
        bad = frame.select(
            (pl.any_horizontal(pl.all().is_null())).any().alias("missing values"),
            (pl.col(_TIME).diff().dt.total_seconds() <= 0).any().alias("out of order"),
            (pl.col(_TIME).dt.epoch("s") % TIMEFRAMES[timeframe] != 0).any().alias("not aligned"),
            (pl.col("high") < pl.max_horizontal(body)).any().alias("high is not highest"),
            (pl.col("low") > pl.min_horizontal(body)).any().alias("low is not lowest"),
            (pl.min_horizontal(body) <= 0).any().alias("prices"),
            (pl.col("volume") < 0).any().alias("volume"),
        )
        faults += [f"{timeframe}: {name}" for name, found in bad.row(0, named=True).items() if found]
        faults += [] if frame.equals(_fold(raw, timeframe)) else [f"{timeframe}: unlike raw"]
    return faults


def month(case: Case) -> list[str]:
    """The whole job in one process."""
    write(fetch(case), case.raw())
    aggregate(case)
    return check(case)
