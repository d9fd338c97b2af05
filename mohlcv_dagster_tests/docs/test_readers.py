"""Each reader that a page shows gives, of every tree that the product accepts, the bars that a plain reader finds."""

import csv
import itertools
import sys
from collections import defaultdict
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mohlcv_dagster
from mohlcv_dagster.bars import csv_codec, parquet_codec
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.file_form import exact_form, readable, volume_precision, volume_type
from mohlcv_dagster.checks.rule import Severity
from mohlcv_dagster.checks.runner import check_file
from mohlcv_dagster.checks.values import ohlc_order
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster_tests.accepted_trees import COLUMNS, TREES, bars, read_plainly, text, write
from mohlcv_dagster_tests.docs.blocks import PAGES, REPOSITORY, blocks
from mohlcv_dagster_tests.docs.conftest import EXAMPLES

NEW_YORK = ZoneInfo("America/New_York")


def day(row):
    return row["ts_event"].astimezone(NEW_YORK).date()


def by_day(rows):
    """(open, high, low, close, volume) of each day, and of each symbol of it."""
    days = defaultdict(list)
    for row in rows:
        days[row["symbol"], day(row)].append(row)
    return {
        key: (
            each[0]["open"],
            max(row["high"] for row in each),
            min(row["low"] for row in each),
            each[-1]["close"],
            sum(row["volume"] for row in each),
        )
        for key, each in days.items()
    }


def rows_of_2024(rows):
    """The rows of January and February 2024, without their symbol."""
    return [tuple(row[name] for name in COLUMNS) for row in rows if row["ts_event"].year == 2024]


@dataclass(frozen=True)
class Shown:
    """What a block of a page gives, from its names, and what it must be, from the rows of a plain reader."""

    page: str
    holds: str
    files: str
    given: object
    expected: object


SPY_SECONDS, SPY_MINUTES, ALL_SECONDS = "raw_1s/SPY/*.csv", "aggregated/1min/SPY_*.csv", "raw_1s/*/*.csv"
SHOWN = [
    Shown(
        "README.md",
        "mohlcv_dagster.read",
        SPY_SECONDS,
        lambda names: [tuple(row) for row in names["eastern"].reset_index().itertuples(index=False)],
        rows_of_2024,
    ),
    Shown(
        "docs/read.md",
        "mohlcv_dagster.read(",
        SPY_MINUTES,
        lambda names: names["eastern"].between_time("09:30", "15:59").volume.sum(),
        lambda rows: sum(row["volume"] for row in rows),
    ),
    Shown(
        "docs/read.md",
        "mohlcv_dagster.duckdb_view(",
        ALL_SECONDS,
        lambda names: names["volumes"].fetchall(),
        lambda rows: [(*key, bar[-1]) for key, bar in sorted(by_day(rows).items())],
    ),
    Shown(
        "docs/read.md",
        "pd.read_csv(",
        SPY_MINUTES,
        lambda names: {("SPY", moment.date()): tuple(bar) for moment, *bar in names["daily"].itertuples()},
        by_day,
    ),
    Shown(
        "docs/read.md",
        "pl.scan_csv(",
        SPY_SECONDS,
        lambda names: names["sessions"].rows(),
        lambda rows: [(key[1], bar[1], bar[2], bar[4]) for key, bar in sorted(by_day(rows).items())],
    ),
    Shown(
        "docs/read.md",
        "FROM read_csv(",
        ALL_SECONDS,
        lambda names: names["volumes"].fetchall(),
        lambda rows: [(*key, bar[-1]) for key, bar in sorted(by_day(rows).items())],
    ),
]
NO_TREES = {
    "docs/read.md": ["check_file(", "@dg.asset"],
    "data/README.md": ["pl.scan_parquet("],
}
"""Blocks of Python that read no CSV files, or one of them with our own reader."""
READING = [REPOSITORY / "README.md", REPOSITORY / "docs/read.md", REPOSITORY / "data/README.md"]


def block_that_holds(page, words, language="python"):
    [found] = [each for each in blocks(REPOSITORY / page) if each.language == language and words in each.text]
    return found


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_is_one_that_the_product_calls_green_or_warns_of(tree, tmp_path):
    write(tmp_path, tree)
    looked_at = [
        (result.rule.name, result.severity)
        for path in sorted(tmp_path.glob(ALL_SECONDS))
        for result in check_file(CheckInput.of(BarFile.parse(path.relative_to(tmp_path)), path.read_bytes()))
        if not result.passed and result.rule in {readable, exact_form, volume_type, volume_precision, ohlc_order}
    ]

    assert set(looked_at) <= {("exact_form", Severity.WARN)}
    assert bool(looked_at) == (TREES[tree].january is not text or TREES[tree].february is not text)


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("shown", SHOWN, ids=lambda each: f"{each.page} {each.holds}")
def test_a_reader_gives_the_bars_that_a_plain_reader_finds(shown, tree, tmp_path):
    write(tmp_path / "data", tree)
    names = {}
    with chdir(tmp_path):
        exec(block_that_holds(shown.page, shown.holds).text, names)  # noqa: S102 - our own page
        given = shown.given(names)

    assert given == shown.expected(read_plainly(tmp_path / "data", shown.files))


@pytest.fixture
def examples(monkeypatch):
    """The folder of the examples, as if it were the user's project."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "my_bars"]:
        del sys.modules[name]


@pytest.mark.parametrize("tree", TREES)
def test_the_example_in_polars_gives_the_days_that_a_plain_reader_finds(tree, examples, tmp_path):
    from my_bars.in_polars import daily_bars  # noqa: PLC0415 - found by the fixture's path only

    write(tmp_path, tree)
    daily_bars(dg.build_asset_context(), archive=ArchiveResource(data_dir=str(tmp_path)))
    made = {tuple(row[:2]): row[2:] for row in pl.read_parquet(tmp_path / "mine/daily_bars.parquet").rows()}

    assert made == by_day(read_plainly(tmp_path, "aggregated/1min/*.csv"))


@pytest.mark.parametrize("tree", TREES)
def test_the_example_in_duckdb_gives_the_seconds_that_a_plain_reader_finds(tree, examples, tmp_path):
    from my_bars.in_duckdb import busiest_seconds  # noqa: PLC0415 - as above

    write(tmp_path, tree)
    busiest_seconds(dg.build_asset_context(), archive=ArchiveResource(data_dir=str(tmp_path)))
    with duckdb.connect(str(tmp_path / "mine/bars.duckdb"), read_only=True) as database:
        query = "select symbol, epoch(busiest_second), shares, seconds_traded from busiest_seconds order by symbol"
        made = database.execute(query).fetchall()

    expected = []
    for symbol, rows in itertools.groupby(read_plainly(tmp_path, ALL_SECONDS), key=lambda row: row["symbol"]):
        each = list(rows)
        most = max(each, key=lambda row: row["volume"])
        expected.append((symbol, most["ts_event"].timestamp(), most["volume"], len(each)))
    assert made == expected


@pytest.mark.parametrize(("month", "days"), [("2024-01", 3), ("2023-12", 0)])
def test_the_example_in_pandas_gives_the_days_of_a_month_with_bars_and_of_one_without(month, days, examples, tmp_path):
    from my_bars.in_pandas import daily_volatility  # noqa: PLC0415 - as above

    write(tmp_path, "an empty month")
    bars = mohlcv_dagster.read("SPY", month, month, timeframe="1min", data_dir=tmp_path)
    with dg.build_asset_context(partition_key=dg.MultiPartitionKey({"month": month, "symbol": "SPY"})) as context:
        daily_volatility(context, bars=bars, archive=ArchiveResource(data_dir=str(tmp_path)))
    with (tmp_path / f"mine/volatility_SPY_{month}.csv").open(newline="") as file:
        made = list(csv.DictReader(file))

    assert [list(row) for row in made] == [["day", "volatility"]] * days
    assert (tmp_path / f"mine/volatility_SPY_{month}.csv").read_text().startswith("day,volatility\n")


@pytest.mark.parametrize("page", READING, ids=lambda page: page.name)
def test_every_reader_that_a_page_shows_is_tried(page):
    name = str(page.relative_to(REPOSITORY))
    tried = [shown.holds for shown in SHOWN if shown.page == name] + NO_TREES.get(name, [])

    for block in blocks(page):
        if block.language == "python":
            assert sum(words in block.text for words in tried) == 1, block


def test_no_other_page_shows_a_reader_of_csv():
    others = [block for page in PAGES if page not in READING for block in blocks(page) if block.language == "python"]

    assert [str(block) for block in others if "_csv(" in block.text] == []


def mirror(folder, symbols):
    """Mirrors of minutes of these symbols, all but the first without trades, as an earlier version wrote them."""
    for number, symbol in enumerate(symbols):
        table = csv_codec.decode(text(bars(symbol, "2024-01")))
        at = folder / f"timeframe=1min/symbol={symbol}/month=2024-01/{symbol}_2024_01_1min.parquet"
        at.parent.mkdir(parents=True)
        content = parquet_codec.encode(table, "0" * 64)
        if number:
            pq.write_table(pq.read_table(pa.BufferReader(content)).drop_columns(["trades", "vwap"]), at)
        else:
            at.write_bytes(content)


GUESSED = [["TRUE"], ["FALSE", "TRUE"], ["1"], ["1", "SPY"], ["NAN"], ["SPY", "QQQ"]]
"""Symbols that a reader of folders may take for truth values or numbers."""


@pytest.mark.parametrize("symbols", GUESSED, ids="-".join)
def test_the_folders_of_the_mirror_are_text_for_every_symbol(symbols, tmp_path):
    mirror(tmp_path / "data/parquet", symbols)
    expected = sorted(
        (symbol, "2024-01", float(sum(int(row["volume"]) for row in bars(symbol, "2024-01")))) for symbol in symbols
    )
    names = {}
    with chdir(tmp_path):
        by_sql = duckdb.sql(block_that_holds("data/README.md", "read_parquet(", "sql").text).fetchall()
        exec(block_that_holds("data/README.md", "scan_parquet(").text, names)  # noqa: S102 - our own page
        by_polars = names["minutes"].group_by("symbol", "month").agg(pl.col("volume").sum()).collect().rows()

    assert sorted(by_sql) == expected
    assert sorted(by_polars) == expected


def test_the_plain_reader_finds_what_was_written(tmp_path):
    write(tmp_path, "all different")
    found = read_plainly(tmp_path, SPY_SECONDS)

    assert found[0]["ts_event"] == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    assert by_day(found)["SPY", date(2024, 2, 2)] == (9.98, 10.02, 8.5, 10.0, 603.75)
