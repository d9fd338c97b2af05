"""Each example of a downstream asset is materialized on the sandbox's bars and compared with plain code."""

import csv
import itertools
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster_tests.checks.whole_months import whole_month
from mohlcv_dagster_tests.defs.location import location, run

pytestmark = pytest.mark.slow  # pandas, Polars and DuckDB in one process

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
EASTERN = ZoneInfo("America/New_York")
SYMBOL, MONTH = "AAC", "2024-02"
PARTITION = f"{MONTH}|{SYMBOL}"


@pytest.fixture(scope="module")
def mine():
    """The code location of the examples, imported as a user's project would."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import my_bars.definitions as location  # noqa: PLC0415 - found by the path above only

        yield location
    finally:
        sys.path.remove(str(EXAMPLES))
        for name in [name for name in sys.modules if name.split(".")[0] == "my_bars"]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def stored(mine, tmp_path_factory):
    """An archive with a quiet month of the sandbox, the assets of the examples, and the Dagster instance."""
    folder = tmp_path_factory.mktemp("archive")
    own = [mine.daily_volatility, mine.daily_bars, mine.busiest_seconds]
    months = {(SYMBOL, MONTH): csv_codec.encode(whole_month(SYMBOL, MONTH))}
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = location(folder, months, extra=own, timeframes="1min")
        run(definitions, instance, PARTITION, "raw_1s", "aggregated/1min")
        yield folder, definitions, instance


def rows(path):
    with path.open(newline="") as file:
        return [
            {**row, "moment": datetime.fromisoformat(row["ts_event"]).astimezone(EASTERN)}
            for row in csv.DictReader(file)
        ]


def test_the_location_has_all_of_ours_and_the_three(mine):
    keys = {key.to_user_string() for key in mine.defs.resolve_asset_graph().get_all_asset_keys()}

    assert keys >= {
        "raw_1s",
        "aggregated/1min",
        "quality/coverage",
        "daily_volatility",
        "daily_bars",
        "busiest_seconds",
    }
    assert {sensor.name for sensor in mine.defs.sensors} >= {"keep_current", "alert_on_failing_check"}


def test_in_pandas_a_partition_gives_the_volatility_of_its_days(stored):
    folder, definitions, instance = stored
    run(definitions, instance, PARTITION, "daily_volatility")

    closes = {}
    for row in rows(folder / f"aggregated/1min/{SYMBOL}_2024_02_1min.csv"):
        if timedelta(hours=9, minutes=30) <= since_midnight(row["moment"]) < timedelta(hours=16):
            closes.setdefault(str(row["moment"].date()), []).append(float(row["close"]))
    expected = {
        day: math.sqrt(sum(math.log(after / before) ** 2 for before, after in itertools.pairwise(each)))
        for day, each in closes.items()
    }
    with (folder / f"mine/volatility_{SYMBOL}_{MONTH}.csv").open(newline="") as file:
        made = {row["day"]: float(row["volatility"]) for row in csv.DictReader(file)}
    assert len(made) > 10
    assert made == pytest.approx(expected)


def since_midnight(moment):
    return timedelta(hours=moment.hour, minutes=moment.minute)


def test_in_polars_all_minutes_give_a_bar_a_day(stored):
    import polars as pl  # noqa: PLC0415 - costs half a second of every test run that does not need it

    folder, definitions, instance = stored
    run(definitions, instance, None, "daily_bars")

    expected = {}
    for row in rows(folder / f"aggregated/1min/{SYMBOL}_2024_02_1min.csv"):
        bar = expected.setdefault(row["moment"].date(), [float(row["open"]), 0.0, math.inf, 0.0, 0.0])
        bar[1:] = [
            max(bar[1], float(row["high"])),
            min(bar[2], float(row["low"])),
            float(row["close"]),
            bar[4] + float(row["volume"]),
        ]
    made = pl.read_parquet(folder / "mine/daily_bars.parquet")
    assert set(made["symbol"]) == {SYMBOL}
    assert made["day"].to_list() == sorted(expected)
    for row in made.iter_rows(named=True):
        assert [row[name] for name in ("open", "high", "low", "close", "volume")] == pytest.approx(expected[row["day"]])


def test_in_duckdb_all_seconds_give_the_busiest(stored):
    import duckdb  # noqa: PLC0415 - as above

    folder, definitions, instance = stored
    run(definitions, instance, None, "busiest_seconds")

    raw = rows(folder / f"raw_1s/{SYMBOL}/{SYMBOL}_2024_02.csv")
    most = max(float(row["volume"]) for row in raw)
    moments = {row["moment"].astimezone(UTC) for row in raw if float(row["volume"]) == most}
    with duckdb.connect(str(folder / "mine/bars.duckdb"), read_only=True) as database:
        query = "select symbol, epoch(busiest_second), shares, seconds_traded from busiest_seconds"
        [(symbol, second, shares, seconds)] = database.execute(query).fetchall()
    assert (symbol, shares, seconds) == (SYMBOL, most, len(raw))
    assert datetime.fromtimestamp(second, UTC) in moments


def test_the_page_on_downstream_assets_shows_the_location_as_it_is():
    page = (EXAMPLES.parent / "downstream.md").read_text(encoding="utf-8")
    shown = page.split("```python\n")[1].split("```")[0]
    code = (EXAMPLES / "my_bars/definitions.py").read_text(encoding="utf-8")

    assert code.endswith(shown)
