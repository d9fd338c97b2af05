import json
import re
from datetime import date

import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.errors import CsvFormatError, FileMissingError
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.sandbox.market import LruCache
from mohlcv_dagster.sandbox.responses import format_number
from mohlcv_dagster_tests.real import REAL, needs_real


def test_what_was_made_is_kept_and_the_least_recently_used_goes_first():
    made = []

    def make(thing):
        return lambda: made.append(thing) or thing

    cache = LruCache(max_bytes=3, size=len)
    for thing in ("a", "b", "c", "a", "d", "a", "b"):
        assert cache.get(thing, make(thing)) == thing
    assert made == ["a", "b", "c", "d", "b"]


def test_a_value_larger_than_the_cache_is_kept_alone():
    cache = LruCache(max_bytes=2, size=len)
    assert cache.get(1, lambda: "large") is cache.get(1, lambda: "never made")


MINUTE, HOUR = Timeframe(60, "minute"), Timeframe(3600, "hour")
HEADER = "ts_event,open,high,low,close,volume\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("second", "minute"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(folder, name, *rows):
    (folder / name).write_text(HEADER + "".join(f"{row}\n" for row in rows))


def starts(market, day, timeframe=RAW, symbol="ABC"):
    return [str(t) for t in market.bars(symbol, day, timeframe, adjusted=False)["ts_event"].to_pylist()]


def test_an_eastern_day_is_gathered_from_both_months_it_touches(folder):
    write(folder, "second/ABC_2024_01.csv", "2024-01-31 23:59:59+00:00,1.0,1.0,1.0,1.0,5")
    write(folder, "second/ABC_2024_02.csv", "2024-02-01 00:00:00+00:00,1.0,1.0,1.0,1.0,1.5")
    market = ReplayedMarket(folder)
    assert starts(market, date(2024, 1, 31)) == ["2024-01-31 23:59:59+00:00", "2024-02-01 00:00:00+00:00"]
    assert starts(market, date(2024, 2, 1)) == []
    assert date(2024, 1, 31) in market.days("ABC", date(2024, 1, 1), date(2024, 3, 1))


def test_a_file_of_minutes_is_served_as_it_stands_and_one_that_is_missing_is_resampled(folder):
    write(folder, "second/ABC_2024_01.csv", "2024-01-03 15:00:01+00:00,1.0,2.0,1.0,1.5,5")
    write(folder, "second/OWN_2024_01.csv", "2024-01-03 15:00:01+00:00,1.0,2.0,1.0,1.5,5")
    write(folder, "minute/OWN_2024_01.csv", "2024-01-03 15:07:00+00:00,9.0,9.0,9.0,9.0,9")
    market = ReplayedMarket(folder)
    assert starts(market, date(2024, 1, 3), MINUTE) == ["2024-01-03 15:00:00+00:00"]
    assert starts(market, date(2024, 1, 3), MINUTE, "OWN") == ["2024-01-03 15:07:00+00:00"]
    assert starts(market, date(2024, 1, 3), HOUR, "OWN") == ["2024-01-03 15:00:00+00:00"]


def test_a_minute_is_served_as_it_stands_whatever_its_volume(folder):
    write(folder, "second/ABC_2024_01.csv", "2024-01-03 15:00:01+00:00,1.0,2.0,1.0,1.5,5")
    write(folder, "minute/ABC_2024_01.csv", "2024-01-03 15:00:00+00:00,1.0,2.0,1.0,1.25,-7")
    [bar] = ReplayedMarket(folder).bars("ABC", date(2024, 1, 3), MINUTE, adjusted=False).to_pylist()
    assert (bar["close"], bar["volume"]) == (1.25, -7)


def test_a_symbol_or_month_without_a_file_of_seconds_has_no_days(folder):
    write(folder, "second/ABC_2024_01.csv", "2024-01-03 15:00:01+00:00,1.0,2.0,1.0,1.5,5")
    market = ReplayedMarket(folder)
    assert list(market.days("abc", date(2024, 1, 1), date(2024, 1, 31))) == []
    assert list(market.days("ABC", date(2024, 3, 1), date(2024, 3, 31))) == []


def test_a_folder_without_seconds_is_refused_with_what_it_should_hold(folder):
    with pytest.raises(FileMissingError, match=r"no file such as second/SPY_2013_10\.csv"):
        ReplayedMarket(folder)


def test_a_file_with_an_empty_field_is_refused(folder):
    write(folder, "second/ABC_2024_01.csv", "2024-01-03 15:00:01+00:00,1.0,2.0,1.0,,5")
    with pytest.raises(CsvFormatError, match="has empty fields"):
        starts(ReplayedMarket(folder), date(2024, 1, 3))


@needs_real
def test_a_real_month_comes_back_as_it_is_stored(http):
    rows = []
    with Sandbox(ReplayedMarket(REAL)) as sandbox:
        url = f"{sandbox.url}/v2/aggs/ticker/SPY/range/1/second/2013-10-01/2013-10-31?limit=20000"
        while url:
            answer = json.loads(http.request("GET", url, headers={"Authorization": "Bearer k"}).data)
            rows += answer["results"]
            url = answer.get("next_url", "").replace("https://api.massive.com", sandbox.url)
    stored = csv_codec.decode((REAL / "second" / "SPY_2013_10.csv").read_bytes())
    for key, name in zip("ohlcv", ("open", "high", "low", "close", "volume"), strict=True):
        assert [row[key] for row in rows] == stored[name].to_pylist()
    assert [row["t"] for row in rows] == [int(t.timestamp()) * 1000 for t in stored["ts_event"].to_pylist()]


@needs_real
def test_recorded_rows_are_written_as_they_were_recorded():
    message = (REAL / "recorded" / "AAPL_day_2025-01_scientific_v.json").read_text()
    tokens = re.findall(r'"(?:v|vw|o|c|h|l)":([^,}]+)', message)
    assert len(tokens) == 36
    assert [format_number(float(token)) for token in tokens] == tokens
