"""Trees as other programs left them, written with pandas alone. No test."""

import pandas as pd

TIMEFRAMES = ("15s", "30s", "1min")


def bars(*days, at="14:30:00", count=40, price=475.0):
    """Some seconds of each of these UTC days, three in twenty minutes; every price is whole hundredths."""
    seconds = [1200 * (n // 3) + (0, 4, 21)[n % 3] for n in range(count)]
    starts = pd.DatetimeIndex(
        [pd.Timestamp(f"{day} {at}", tz="UTC") + pd.Timedelta(seconds=second) for day in days for second in seconds],
        name="ts_event",
    )
    steps = pd.Series(range(len(starts)), index=starts)
    opens = (price + steps % 7 / 100).round(2)
    frame = pd.DataFrame({"open": opens, "high": (opens + 0.05).round(2), "low": (opens - 0.03).round(2)})
    frame["close"] = (opens + 0.01).round(2)
    frame["volume"] = 100 + steps % 11
    return frame


def resampled(frame, timeframe):
    """What the original's second script made of raw bars."""
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return frame.resample(timeframe).agg(how).dropna()[frame.columns].astype(frame.dtypes)


def text(frame, **options):
    return frame.to_csv(index=True, lineterminator="\n", **options).encode()


def sibling(frame, symbol):
    """The columns that a file of the Databento sibling has."""
    told = frame.assign(rtype=32, publisher_id=2, instrument_id=15144, symbol=symbol)
    return text(told[["rtype", "publisher_id", "instrument_id", *frame.columns, "symbol"]])


def put(folder, path, content):
    at = folder / path
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(content)
    return at


def raw_path(symbol, month):
    return f"raw_1s/{symbol}/{symbol}_{month}.csv"


def path_of(symbol, month, timeframe):
    return f"aggregated/{timeframe}/{symbol}_{month}_{timeframe}.csv"


def put_month(folder, symbol, month, frame, timeframes=TIMEFRAMES):
    """A month and its aggregates, as they should be."""
    put(folder, raw_path(symbol, month), text(frame))
    for timeframe in timeframes:
        put(folder, path_of(symbol, month, timeframe), text(resampled(frame, timeframe)))


EVENING = bars("2024-02-01", at="00:10:00", count=5, price=476.0)
"""The evening of 31 January in New York."""
EAST_JANUARY = bars("2024-01-02", "2024-01-31")
EAST_FEBRUARY = bars("2024-02-01", at="15:00:00")
MONTHS = {"2024_01": bars("2024-01-02", "2024-01-03"), "2024_02": bars("2024-02-05")}

FAULTY = {
    "Eastern month": raw_path("EAST", "2024_01"),
    "additional columns": raw_path("DBN", "2024_01"),
    "half file": raw_path("HALF", "2024_01"),
    "whole volumes as decimals": raw_path("FLT", "2024_01"),
    "CRLF line ends": path_of("DOS", "2024_01", "15s"),
    "repeated rows": raw_path("DUP", "2024_01"),
}
"""The file of each of the six faults in `put_tree`."""


def put_tree(folder):
    """24 files, six of them with a fault each; what each of them should be, by path."""
    for month, frame in MONTHS.items():
        put_month(folder, "SPY", month, frame)
    january = MONTHS["2024_01"]
    for symbol in ("QQQ", "DBN"):
        put_month(folder, symbol, "2024_01", january)
    put_month(folder, "DOS", "2024_01", january, ("15s",))
    put_month(folder, "EAST", "2024_01", EAST_JANUARY, ())
    put_month(folder, "EAST", "2024_02", EAST_FEBRUARY, ())
    put_month(folder, "HALF", "2024_01", january, ())
    put_month(folder, "HALF", "2024_02", MONTHS["2024_02"], ())
    put_month(folder, "FLT", "2024_01", january, ())
    put_month(folder, "DUP", "2024_01", january, ())
    whole = {str(at.relative_to(folder)): at.read_bytes() for at in folder.rglob("*.csv")}

    put(folder, FAULTY["Eastern month"], text(pd.concat([EAST_JANUARY, EVENING])))
    put(folder, FAULTY["additional columns"], sibling(january, "DBN"))
    put(folder, FAULTY["half file"], whole[FAULTY["half file"]][:-17])
    put(folder, FAULTY["whole volumes as decimals"], text(january.astype({"volume": "float64"})))
    put(folder, FAULTY["CRLF line ends"], whole[FAULTY["CRLF line ends"]].replace(b"\n", b"\r\n"))
    put(folder, FAULTY["repeated rows"], text(pd.concat([january.iloc[:10], january.iloc[5:]])))
    return whole | {raw_path("EAST", "2024_02"): text(pd.concat([EVENING, EAST_FEBRUARY]))}
