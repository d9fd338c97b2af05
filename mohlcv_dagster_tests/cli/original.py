"""The command lines of the scripts that `mohlcv` replaces, and a market whose files pandas writes. No test."""

import pandas as pd

from mohlcv_dagster.sandbox import ReplayedMarket

YEAR = """\
python scripts/fetch_1s_bars_massive.py --symbol SPY --start 2024-01-01 --end 2024-12-31
python scripts/fetch_1s_bars_massive.py --symbol QQQ --start 2024-06-01 --end 2024-06-30
python scripts/resample_bars.py --symbol SPY --timeframes 15s,30s,1min
python scripts/resample_bars.py --symbol QQQ --timeframes 15s,30s,1min
python scripts/validate_bars.py --input_dir data/aggregated/1min --timeframe 1min --raw_data_dir data/raw_1s
"""
MONTH = """\
python scripts/fetch_1s_bars_massive.py --symbol QQQ --start 2024-06-01 --end 2024-06-30 --output_dir data/raw_1s
python scripts/resample_bars.py --symbol QQQ --timeframes 15s,30s,1min
python scripts/validate_bars.py --input_dir data/aggregated/1min --timeframe 1min --raw_data_dir data/raw_1s
"""
_OURS = {"fetch_1s_bars_massive.py": "fetch", "resample_bars.py": "resample", "validate_bars.py": "validate"}
_HOLIDAYS = ["2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19", "2024-07-04"]
_HOLIDAYS += ["2024-09-02", "2024-11-28", "2024-12-25"]
_FOLDED = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def words(line):
    """A line with nothing but the name of its script replaced, word by word."""
    _, script, *rest = line.split()
    return [_OURS[script.removeprefix("scripts/")], *rest]


def seconds(month):
    """A few bars a session of a month such as `2024-06`, as a frame indexed by `ts_event`."""
    days = pd.bdate_range(f"{month}-01", pd.Timestamp(f"{month}-01") + pd.offsets.MonthEnd())
    days = days[~days.isin(pd.to_datetime(_HOLIDAYS))]
    opens = [(day.tz_localize("America/New_York") + pd.Timedelta(hours=9.5)).tz_convert("UTC") for day in days]
    times = [start + pd.Timedelta(seconds=at) for start in opens for at in (1, 2, 14, 15, 31, 59, 60, 3600, 12_500)]
    price = [round(470 + number % 7 * 0.35, 2) for number in range(len(times))]
    frame = pd.DataFrame({"open": price, "close": price[::-1]}, index=pd.DatetimeIndex(times, name="ts_event"))
    frame["high"] = frame[["open", "close"]].max(axis=1) + 0.25
    frame["low"] = frame[["open", "close"]].min(axis=1) - 0.5
    frame["volume"] = [100 + 37 * number % 9001 for number in range(len(times))]
    return frame.round(2)[["open", "high", "low", "close", "volume"]]


def market(folder, months):
    """The market and every file due of it: `months` are those of each symbol."""
    (folder / "second").mkdir()
    due = {}
    for symbol, keys in months.items():
        for key in keys:
            stem, bars = f"{symbol}_{key.replace('-', '_')}", seconds(key)
            due[f"raw_1s/{symbol}/{stem}.csv"] = raw = bars.to_csv().encode()
            (folder / "second" / f"{stem}.csv").write_bytes(raw)
            for timeframe in ("15s", "30s", "1min"):
                folded = bars.resample(timeframe).agg(_FOLDED).dropna()
                folded["volume"] = folded["volume"].astype("int64")
                due[f"aggregated/{timeframe}/{stem}_{timeframe}.csv"] = folded.to_csv().encode()
    return ReplayedMarket(folder), due


def stored(project):
    """Every file of the data folder but the manifest entries, which the original has none of."""
    data = project / "data"
    files = (path for path in data.rglob("*") if path.is_file() and path.relative_to(data).parts[0] != "manifest")
    return {str(path.relative_to(data)): path.read_bytes() for path in files}
