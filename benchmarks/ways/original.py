"""The original's way, written here by its README and its measurements: three scripts, five processes a month.

`fetch_1s_bars_massive.py`: the vendor's own iterator gives an object a bar, each becomes a dict with one
`pd.to_datetime`; `resample_bars.py`: `read_csv` and `resample`; `validate_bars.py`, once a timeframe: the aggregate
read and checked, the raw file read again, resampled again and compared. Where the contract is stricter
than the original (volume's type, exact sums), one vectorised line makes its bytes the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pandas as pd
from massive import RESTClient

from benchmarks.case import TIMEFRAMES, Case

_AGGREGATION: Final = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
_TOLERANCE: Final = 1e-9
_ALIAS: Final = {"15s": "15s", "30s": "30s", "1min": "1min"}


def _client(base: str) -> RESTClient:
    """The vendor's client, for a vendor that is not at home: `next_url` names the vendor's host, this asks `base`."""
    client = RESTClient("benchmark", base=base)
    ask = client.client.request

    def redirected(method: str, url: str, **more: Any) -> Any:  # noqa: ANN401 - as urllib3 has it
        away = url.find("https://")
        url = url if away < 0 else base + urlsplit(url[away:])._replace(scheme="", netloc="").geturl()
        return ask(method, url, **more)

    client.client.request = redirected
    return client


def _ask(url: str, symbol: str, month: str) -> Iterator[Any]:
    start = pd.Timestamp(f"{month}-01", tz="UTC")
    end = start + pd.offsets.MonthBegin(1)
    first, last = start.value // 10**6, end.value // 10**6 - 1
    bars: Iterator[Any] = _client(url).list_aggs(
        symbol, 1, "second", first, last, adjusted=False, sort="asc", limit=50_000
    )
    return bars


def fetch(case: Case, month: str | None = None) -> pd.DataFrame:
    """A month's bars: an object, a time and a dict for each."""
    rows = [
        {
            "ts_event": pd.to_datetime(bar.timestamp, unit="ms", utc=True),
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
        }
        for bar in _ask(case.url, case.symbol, month or case.month)
    ]
    return as_contracted(pd.DataFrame(rows).set_index("ts_event"))


def as_contracted(frame: pd.DataFrame) -> pd.DataFrame:
    """Whole volumes as integers; others exact to a millionth of a share."""
    prices = [name for name in _AGGREGATION if name != "volume"]
    frame[prices] = frame[prices].astype("float64")  # a page may write 184 for 184.0
    volume = frame["volume"]
    whole = bool((volume % 1 == 0).all())
    frame["volume"] = volume.astype("int64") if whole else volume.astype("float64").round(6)
    return frame


def read(path: Path) -> pd.DataFrame:
    """A file's bars."""
    return pd.read_csv(path, index_col="ts_event", parse_dates=True)


load = read


def write(frame: pd.DataFrame, path: Path) -> None:
    """A file of bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path)


def text(frame: pd.DataFrame) -> bytes:
    """The file that proves the bars."""
    return frame.to_csv().encode()


def _resample(frame: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    resampled = frame.resample(_ALIAS[timeframe]).agg(_AGGREGATION).dropna()
    if frame["volume"].dtype.kind == "f":
        resampled["volume"] = resampled["volume"].round(6)
    return resampled


def download_script(case: Case) -> None:
    """`fetch_1s_bars_massive.py`: one process for a symbol's months."""
    for month in case.months:
        write(fetch(case, month), case.raw(month))


def resample_script(case: Case) -> None:
    """`resample_bars.py --timeframes 15s,30s,1min`: one process for a symbol's months."""
    for month in case.months:
        raw = read(case.raw(month))
        for timeframe in TIMEFRAMES:
            write(_resample(raw, timeframe), case.aggregate(timeframe, month))


aggregate = resample_script


def validate_script(case: Case, timeframe: str) -> list[str]:
    """`validate_bars.py --timeframe … --raw_data_dir …`: one process a timeframe."""
    faults = []
    for month in case.months:
        frame, raw = read(case.aggregate(timeframe, month)), read(case.raw(month))
        faults += [f"{timeframe} {month}: {fault}" for fault in faults_of(frame, timeframe)]
        faults += [f"{timeframe} {month}: {fault}" for fault in differences_from_raw(frame, raw, timeframe)]
    return faults


def validate_15s(case: Case) -> list[str]:
    """The validator of 15-second bars."""
    return validate_script(case, "15s")


def validate_30s(case: Case) -> list[str]:
    """The validator of 30-second bars."""
    return validate_script(case, "30s")


def validate_1min(case: Case) -> list[str]:
    """The validator of minute bars."""
    return validate_script(case, "1min")


SCRIPTS: Final = ("download_script", "resample_script", "validate_15s", "validate_30s", "validate_1min")
"""The five processes, in order."""


def check(case: Case) -> list[str]:
    """The three runs of the validator one after the other, without their start-up."""
    return [fault for timeframe in TIMEFRAMES for fault in validate_script(case, timeframe)]


def faults_of(frame: pd.DataFrame, timeframe: str) -> list[str]:
    """What is wrong with the bars of a file."""
    seconds = pd.Timedelta(_ALIAS[timeframe]).total_seconds()
    index = pd.DatetimeIndex(frame.index)
    body = frame[["open", "high", "low", "close"]]
    verdicts = {
        "empty": frame.empty,
        "missing values": bool(frame.isna().any().any()),
        "duplicates": bool(index.duplicated().any()),
        "out of order": not index.is_monotonic_increasing,
        "not aligned": bool((index != index.floor(f"{int(seconds)}s")).any()),
        "high is not highest": bool((frame["high"] < body.max(axis=1)).any()),
        "low is not lowest": bool((frame["low"] > body.min(axis=1)).any()),
        "prices": bool((body <= 0).any().any()),
        "volume": bool((frame["volume"] < 0).any()),
    }
    return [name for name, bad in verdicts.items() if bad]


def differences_from_raw(frame: pd.DataFrame, raw: pd.DataFrame, timeframe: str) -> list[str]:
    """Where the bars differ from the resampled raw bars."""
    expected = _resample(raw, timeframe)
    if not frame.index.equals(expected.index):
        return ["other bars than the raw file gives"]
    return [
        f"{name} unlike raw" for name in _AGGREGATION if bool(((frame[name] - expected[name]).abs() > _TOLERANCE).any())
    ]
