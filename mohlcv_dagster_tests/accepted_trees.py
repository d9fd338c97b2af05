"""Trees of files that the product calls green or warns of, and a reader of its own for them. No test.

A reader that takes types, line ends or the order of columns from one file, or guesses them, fails on another.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

COLUMNS = ["ts_event", "open", "high", "low", "close", "volume"]
LOW_BEFORE_HIGH = ["ts_event", "open", "low", "high", "close", "volume"]
WITH_OTHERS = ["ts_event", "rtype", "publisher_id", "instrument_id", *COLUMNS[1:], "symbol"]
"""As the sibling of Databento writes them."""
FOREIGN = {"rtype": "32", "publisher_id": "2", "instrument_id": "15144"}


def bars(symbol, month, *, fractional=False, step=60):
    """Bars of three sessions; as numbers 9.99 is below 10.02, as text it is above."""
    prices = [(9.98, 9.99, 9.97, 9.98), (9.99, 10.02, 9.99, 10.01), (10.01, 10.01, 8.5, 10.0)]
    return [
        {
            "ts_event": f"{month}-{day:02d} 14:{30 + number * step // 60:02d}:{number * step % 60:02d}+00:00",
            **dict(zip(COLUMNS[1:5], map(str, each), strict=True)),
            "volume": f"{100 * day + number}{'.25' if fractional else ''}",
            "symbol": symbol,
            **FOREIGN,
        }
        for day in (2, 3, 4)
        for number, each in enumerate(prices)
    ]


def text(rows, columns=COLUMNS, end="\n"):
    """A file of these bars."""
    lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
    return "".join(f"{line}{end}" for line in lines).encode()


CRLF = partial(text, end="\r\n")
ORDER = partial(text, columns=LOW_BEFORE_HIGH)
OTHERS = partial(text, columns=WITH_OTHERS)
OTHERS_CRLF = partial(text, columns=WITH_OTHERS, end="\r\n")


@dataclass(frozen=True)
class Tree:
    """How the files of a tree are written.

    Attributes:
        january, february: the months of SPY; the one of QQQ is like the latter.
        before: how many months before January of SPY are the header alone.
        empty: which of the two months of SPY are the header alone.
    """

    january: Callable[..., bytes] = text
    february: Callable[..., bytes] = text
    before: int = 0
    empty: tuple[str, ...] = ()


TREES = {
    "plain": Tree(),
    "crlf": Tree(february=CRLF),
    "crlf first": Tree(january=CRLF),
    "order": Tree(february=ORDER),
    "order first": Tree(january=ORDER),
    "others": Tree(february=OTHERS),
    "others first": Tree(january=OTHERS),
    "all different": Tree(ORDER, OTHERS_CRLF, before=2),
    "an empty month": Tree(before=1),
    "many empty months": Tree(before=36),
    "an empty January": Tree(empty=("2024-01",)),
    "an empty February": Tree(february=CRLF, empty=("2024-02",)),
    "no bars of SPY": Tree(before=1, empty=("2024-01", "2024-02")),
}


def write(data, name):
    """Write a tree into a data folder: raw files, and minutes of the same."""
    tree = TREES[name]
    january = [] if "2024-01" in tree.empty else bars("SPY", "2024-01")
    february = [] if "2024-02" in tree.empty else bars("SPY", "2024-02", fractional=True)
    months = {
        ("SPY", "2024-01"): tree.january(january),
        ("SPY", "2024-02"): tree.february(february),
        ("QQQ", "2024-01"): tree.february(bars("QQQ", "2024-01")),
    }
    for number in range(tree.before):
        months["SPY", f"{2023 - number // 12}-{12 - number % 12:02d}"] = text([])
    for (symbol, month), content in months.items():
        stem = f"{symbol}_{month.replace('-', '_')}"
        for path in (f"raw_1s/{symbol}/{stem}.csv", f"aggregated/1min/{stem}_1min.csv"):
            (data / path).parent.mkdir(parents=True, exist_ok=True)
            (data / path).write_bytes(content)


def read_plainly(data, pattern):
    """The bars of all files, in order of path: a dict each, with times and numbers, its symbol from the file's name."""
    found = []
    for path in sorted(data.glob(pattern)):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                numbers = {name: float(row[name]) for name in COLUMNS[1:]}
                moment = datetime.fromisoformat(row["ts_event"])
                found.append({"symbol": path.name.split("_")[0], "ts_event": moment, **numbers})
    return found
