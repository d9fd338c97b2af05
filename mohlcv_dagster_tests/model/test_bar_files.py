"""A file and its path name each other; nothing else is a path or a symbol. And how large files are."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.errors import FileError, SymbolError
from mohlcv_dagster.model import bar_files, timeframes
from mohlcv_dagster.model.bar_files import LONGEST_SYMBOL, BarFile, EstimatedSize, check_symbol, portability_note
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import AGGREGATED, RAW
from mohlcv_dagster.sandbox import SyntheticMarket

symbols = st.from_regex(r"[A-Za-z0-9]{1,8}([.\-][A-Za-z0-9]{1,7}){0,2}", fullmatch=True)
months = st.builds(Month, st.integers(1970, 9998), st.integers(1, 12))
files = st.builds(BarFile, symbols, st.sampled_from((RAW, *AGGREGATED)), months)

JANUARY = Month(2024, 1)


@pytest.mark.parametrize(
    ("symbol", "timeframe", "path"),
    [
        ("SPY", RAW, "raw_1s/SPY/SPY_2024_01.csv"),
        ("SPY", timeframes.parse("15s"), "aggregated/15s/SPY_2024_01_15s.csv"),
        ("BRK.B", RAW, "raw_1s/BRK.B/BRK.B_2024_01.csv"),
        ("BACpB", timeframes.parse("1min"), "aggregated/1min/BACpB_2024_01_1min.csv"),
        ("BACPB", timeframes.parse("1min"), "aggregated/1min/BACPB_2024_01_1min.csv"),
    ],
)
def test_files_stand_where_the_contract_puts_them(symbol, timeframe, path):
    file = BarFile(symbol, timeframe, JANUARY)
    assert file.path == PurePosixPath(path)
    assert BarFile.parse(path) == file


@given(files)
def test_a_file_is_read_back_from_its_path(file):
    assert BarFile.parse(file.path) == file
    assert BarFile.parse(str(file.path)) == file


@given(st.one_of(st.text(), st.from_regex(r"(raw_1s|aggregated/15s)/\w+/?\w+_[0-9]{4}_[0-9]{2}(_15s)?\.csv")))
def test_a_path_that_is_understood_is_the_one_its_file_gives(path):
    try:
        file = BarFile.parse(path)
    except FileError:
        return
    assert str(file.path) == path


@given(files, files)
def test_two_files_never_share_a_path(one, other):
    assert (one.path == other.path) == (one == other)


def test_an_aggregate_knows_its_raw_file():
    assert BarFile("SPY", timeframes.parse("30s"), JANUARY).raw == BarFile("SPY", RAW, JANUARY)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "raw_1s/SPY_2024_01.csv",
        "raw_1s/SPY/QQQ_2024_01.csv",
        "raw_1s/spy/SPY_2024_01.csv",
        "raw_1s/SPY/SPY_2024_13.csv",
        "raw_1s/SPY/SPY_2024_01.csv.tmp",
        "raw_1s/SPY/SPY_2024_01.csv\n",
        "raw_1s/SPY/SPY_\u0662\u0660\u0662\u0664_01.csv",
        "raw_1s/../SPY_2024_01.csv",
        "raw_1s/../.._2024_01.csv",
        "/raw_1s/SPY/SPY_2024_01.csv",
        "aggregated/30s/SPY_2024_01_15s.csv",
        "aggregated/1s/SPY_2024_01_1s.csv",
        "aggregated/7min/SPY_2024_01_7min.csv",
        r"raw_1s\SPY\SPY_2024_01.csv",
    ],
)
def test_any_other_path_is_refused(path):
    with pytest.raises(FileError, match="is not a path of the archive"):
        BarFile.parse(path)


def test_a_file_in_the_wrong_place_is_told_its_own():
    with pytest.raises(FileError, match=r"belongs at 'raw_1s/QQQ/QQQ_2024_01\.csv'"):
        BarFile.parse("raw_1s/SPY/QQQ_2024_01.csv")


@pytest.mark.parametrize("symbol", ["SPY", "BRK.B", "BACpB", "spy", "A", "BF-B", "AAM.WS", "X" * LONGEST_SYMBOL])
def test_a_symbol_is_kept_as_it_is_written(symbol):
    assert check_symbol(symbol) == symbol


@pytest.mark.parametrize(
    "symbol",
    ["../x", "a/b", r"a\b", "..", ".", ".SPY", "SPY.", "-SPY", "BRK..B", "S PY", " SPY", "SPY\n", "S\x00PY", "\x1b[31m",
     "S_PY", "S*Y", "C:X", "SPY|QQQ", "SPY,QQQ", "~", "$HOME"],
)  # fmt: skip
def test_a_symbol_that_could_name_another_place_or_nothing_is_refused(symbol):
    with pytest.raises(SymbolError, match="is not a US stock symbol"):
        check_symbol(symbol)
    with pytest.raises(SymbolError):
        BarFile(symbol, RAW, JANUARY)


@pytest.mark.parametrize(("symbol", "shown"), [("\u0405PY", "u0405"), ("S\u200bPY", "u200b"), ("\uff33PY", "uff33")])
def test_a_look_alike_is_refused_and_shown_as_what_it_is(symbol, shown):
    with pytest.raises(SymbolError, match=shown):
        check_symbol(symbol)


def test_an_empty_symbol_and_a_long_one_are_refused_as_such():
    with pytest.raises(SymbolError, match="empty"):
        check_symbol("")
    with pytest.raises(SymbolError, match="25 characters, 24 are allowed"):
        check_symbol("X" * 25)


@given(st.text(max_size=30))
def test_a_symbol_that_passes_is_one_plain_path_segment(symbol):
    try:
        check_symbol(symbol)
    except SymbolError:
        return
    assert PurePosixPath("folder", symbol).parts == ("folder", symbol)
    assert symbol.isascii()
    assert symbol not in {"", ".", ".."}


@pytest.mark.parametrize("symbol", ["CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "con", "CON.B"])
def test_a_device_name_of_windows_is_told(symbol):
    assert "device on Windows" in portability_note(symbol)


def test_symbols_that_differ_in_case_only_are_told():
    note = portability_note("BACpB", frozenset({"SPY", "BACPB"}))
    assert "BACpB differs from BACPB in case only" in note


@pytest.mark.parametrize("symbol", ["SPY", "CONN", "COM", "BRK.B"])
def test_an_ordinary_symbol_has_no_note(symbol):
    assert portability_note(symbol, frozenset({symbol, "QQQ"})) is None


DAY = datetime(2024, 1, 10, tzinfo=UTC).date()


@pytest.mark.parametrize("symbol", ["SPY", "AAC"])
def test_a_bar_takes_about_as_many_bytes_as_are_counted(symbol):
    bars = SyntheticMarket().bars(symbol, DAY, RAW, adjusted=False)

    assert len(csv_codec.encode(bars)) / bars.num_rows == pytest.approx(bar_files.BYTES_A_BAR, rel=0.1)


def test_a_busy_symbol_has_the_bars_of_the_busiest_one():
    bars = SyntheticMarket().bars("SPY", DAY, RAW, adjusted=False)

    assert bars.num_rows == pytest.approx(bar_files.BUSY_BARS, rel=0.1)


def test_aggregates_have_a_bar_for_each_bucket_at_most_and_never_more_than_raw_bars():
    every = [timeframes.parse(name) for name in ("15s", "1min")]

    # 57,600 seconds of extended hours: 3,840 buckets of 15 s, 960 of a minute
    assert bar_files.estimate_size(2, 10_000, every) == EstimatedSize(2 * 10_000 * 58, 2 * (3840 + 960) * 58)
    assert bar_files.estimate_size(1, 1000, every) == EstimatedSize(1000 * 58, (1000 + 960) * 58)
    assert bar_files.estimate_size(0, 1000, every) + EstimatedSize(3, 4) == EstimatedSize(3, 4)
