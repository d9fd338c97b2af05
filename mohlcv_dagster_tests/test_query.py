"""`read` and `duckdb_view` give the bars that a plain reader finds, of every tree that the product accepts."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mohlcv_dagster
from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.errors import CsvFormatError, FileMissingError, InputError, MonthError, VolumePrecisionError
from mohlcv_dagster_tests.accepted_trees import COLUMNS, TREES, read_plainly, write
from mohlcv_dagster_tests.docs.test_blocks import parse_by_click

HEADER = b"ts_event,open,high,low,close,volume\n"
BAR = "2024-{:02d}-02 14:30:00+00:00,1.0,2.0,0.5,1.5,{}\n"


def store(data, months, symbol="SPY"):
    """Raw files of these contents by number of month in 2024."""
    for month, content in months.items():
        at = data / f"raw_1s/{symbol}/{symbol}_2024_{month:02d}.csv"
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(content)


def months_of(*volumes, symbol="SPY", data):
    store(data, {n: HEADER + BAR.format(n, each).encode() for n, each in enumerate(volumes, 1)}, symbol)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.mark.parametrize("timeframe", ["1s", "1min"])
@pytest.mark.parametrize("tree", TREES)
def test_each_form_has_the_bars_that_a_plain_reader_finds(tree, timeframe, data):
    write(data, tree)
    pattern = "raw_1s/SPY/*.csv" if timeframe == "1s" else "aggregated/1min/SPY_*.csv"
    expected = [[row[name] for name in COLUMNS] for row in read_plainly(data, pattern)]
    table = mohlcv_dagster.read("SPY", timeframe=timeframe, as_="arrow", data_dir=data)
    frame = mohlcv_dagster.read("SPY", timeframe=timeframe, data_dir=data)
    polars = mohlcv_dagster.read("SPY", timeframe=timeframe, as_="polars", data_dir=data)

    assert [list(row.values()) for row in table.to_pylist()] == expected
    assert [[moment.to_pydatetime(), *map(float, row)] for moment, *row in frame.itertuples()] == expected
    assert [list(row) for row in polars.rows()] == expected


@pytest.mark.parametrize("tree", TREES)
def test_a_view_of_duckdb_has_them_of_every_symbol(tree, data):
    write(data, tree)
    with duckdb.connect() as connection:
        mohlcv_dagster.duckdb_view(connection, "bars", data_dir=data)
        query = "SELECT symbol, epoch_us(ts_event), open, high, low, close, volume FROM bars ORDER BY ALL"
        found = connection.execute(query).fetchall()
        types = [row[1] for row in connection.execute("DESCRIBE bars").fetchall()]

    expected = sorted(
        (row["symbol"], int(row["ts_event"].timestamp()) * 1_000_000, *(row[name] for name in COLUMNS[1:]))
        for row in read_plainly(data, "raw_1s/*/*.csv")
    )
    assert found == expected
    assert types == ["VARCHAR", "TIMESTAMP WITH TIME ZONE", *["DOUBLE"] * 5]


@pytest.mark.parametrize(("volumes", "kind"), [((7, 8), "int64"), ((7, 8.5), "double"), (("7.0", 8.5), "double")])
def test_volumes_are_whole_where_all_of_the_range_are(volumes, kind, data):
    months_of(*volumes, data=data)

    assert str(mohlcv_dagster.read("SPY", as_="arrow", data_dir=data).schema.field("volume").type) == kind
    assert str(mohlcv_dagster.read("SPY", "2024-01", "2024-01", as_="arrow", data_dir=data)["volume"][0]) in {
        "7",
        "7.0",
    }


def test_a_month_without_bars_has_the_types_of_the_others(data):
    store(data, {1: HEADER, 2: HEADER + BAR.format(2, 7).encode()})
    empty = [mohlcv_dagster.read("SPY", "2024-01", "2024-01", as_=form, data_dir=data) for form in ("arrow", "polars")]
    full = [mohlcv_dagster.read("SPY", "2024-02", "2024-02", as_=form, data_dir=data) for form in ("arrow", "polars")]
    frame = mohlcv_dagster.read("SPY", "2024-01", "2024-01", data_dir=data)

    assert [len(each) for each in (*empty, frame)] == [0, 0, 0]
    assert [each.schema for each in empty] == [each.schema for each in full]
    assert frame.tz_convert("America/New_York").between_time("09:30", "16:00").volume.sum() == 0
    assert str(frame.index.tz) == "UTC"
    assert frame.dtypes.astype(str).to_dict() == {**dict.fromkeys(COLUMNS[1:5], "float64"), "volume": "int64"}


def test_the_types_are_those_that_are_promised(data):
    months_of(7, data=data)
    table = mohlcv_dagster.read("SPY", as_="arrow", data_dir=data)
    polars = mohlcv_dagster.read("SPY", as_="polars", data_dir=data)
    frame = mohlcv_dagster.read("SPY", data_dir=data)

    assert table.schema == bar_table.bar_schema(whole_volume=True)
    assert next(iter(polars.schema.items())) == ("ts_event", pl.Datetime("us", "UTC"))
    assert (type(table), type(polars), type(frame)) == (pa.Table, pl.DataFrame, pd.DataFrame)
    assert frame.index[0] == pd.Timestamp("2024-01-02 14:30", tz="UTC")


def test_a_range_includes_its_last_month_and_is_open_where_it_is_left_out(data):
    months_of(1, 2, 3, 4, data=data)

    def volumes(*span):
        return mohlcv_dagster.read("SPY", *span, as_="arrow", data_dir=data)["volume"].to_pylist()

    assert volumes() == [1, 2, 3, 4]
    assert volumes("2024-02", "2024-03") == [2, 3]
    assert volumes("2024-03") == [3, 4]
    assert volumes(None, "2024-02") == [1, 2]


def test_months_that_are_not_stored_are_named_with_the_command_that_makes_them(data):
    store(data, dict.fromkeys((1, 3, 6), HEADER))
    with pytest.raises(FileMissingError) as raised:
        mohlcv_dagster.read("SPY", "2023-12", "2024-06", data_dir=data)

    assert str(raised.value) == (
        f"SPY at 1s is not stored for 2023-12, 2024-02, 2024-04 to 2024-05 in {data}: run "
        "`mohlcv fetch --symbol SPY --start 2023-12-01 --end 2024-05-31`, or pass missing='skip' to leave them out"
    )


def test_aggregates_that_are_missing_are_resampled_from_months_that_are_stored(data):
    store(data, {1: HEADER})
    with pytest.raises(FileMissingError, match=r"1min is not stored for 2024-01 .*run `mohlcv resample --symbol SPY"):
        mohlcv_dagster.read("SPY", "2024-01", "2024-01", timeframe="1min", data_dir=data)
    with pytest.raises(FileMissingError, match=r"run `mohlcv fetch .*2024-02-29`, then `mohlcv resample "):
        mohlcv_dagster.read("SPY", "2024-01", "2024-02", timeframe="1min", data_dir=data)


@pytest.mark.parametrize("span", [("2024-05", None), (None, "2023-11")])
def test_a_range_beyond_what_is_stored_is_missing(span, data):
    store(data, {1: HEADER, 2: HEADER})
    with pytest.raises(FileMissingError, match=f"SPY at 1s is not stored for {span[0] or span[1]}"):
        mohlcv_dagster.read("SPY", *span, data_dir=data)

    assert mohlcv_dagster.read("SPY", *span, missing="skip", data_dir=data).empty


@pytest.mark.parametrize("timeframe", ["1s", "1min"])
def test_the_commands_that_an_error_names_exist(timeframe, data):
    with pytest.raises(FileMissingError) as raised:
        mohlcv_dagster.read("BRK.B", timeframe=timeframe, data_dir=data)
    commands = re.findall(r"`(mohlcv [^`]+)`", str(raised.value))

    assert len(commands) == (1 if timeframe == "1s" else 2)
    for command in commands:
        with parse_by_click(command.split()) as context:
            assert context.params["symbols"] == ["BRK.B"]


def test_a_symbol_of_which_nothing_is_stored_is_an_error_and_can_be_left_out(data):
    with pytest.raises(FileMissingError, match=r"nothing is stored of SPY at 1s in .*: run `mohlcv fetch"):
        mohlcv_dagster.read("SPY", data_dir=data)

    assert mohlcv_dagster.read("SPY", missing="skip", data_dir=data).empty
    with duckdb.connect() as connection:
        mohlcv_dagster.duckdb_view(connection, "bars", data_dir=data)
        assert connection.execute("SELECT count(*), max(high) FROM bars").fetchall() == [(0, None)]


def test_months_that_are_not_stored_are_left_out_on_request(data):
    store(data, {n: HEADER + BAR.format(n, n).encode() for n in (1, 3)})
    bars = mohlcv_dagster.read("SPY", "2023-01", "2024-12", as_="arrow", missing="skip", data_dir=data)

    assert bars["volume"].to_pylist() == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"symbol": "../SPY"}, "is not a US stock symbol"),
        ({"timeframe": "7s"}, "timeframe '7s' is not offered; choose from 15s, .*, or 1s"),
        ({"as_": "list"}, "as_='list' is not offered; choose from pandas, polars, arrow"),
        ({"missing": "ignore"}, "missing='ignore' is not offered; choose from error, skip"),
        ({"start": "2024-03", "end": "2024-01"}, "2024-03, is after the last, 2024-01: swap them"),
    ],
)
def test_what_is_invalid_is_refused_with_the_choice(arguments, said, data):
    with pytest.raises(InputError, match=said):
        mohlcv_dagster.read(**{"symbol": "SPY", "data_dir": data, **arguments})


def test_a_day_is_not_taken_for_a_month(data):
    with pytest.raises(MonthError, match="'2024-01-15' is not a month; write it as 2024-01"):
        mohlcv_dagster.read("SPY", "2024-01-15", data_dir=data)


def test_a_file_that_cannot_be_read_is_named(data):
    store(data, {1: HEADER + b"2024-01-02 14:30:00+00:00,1.0,x,0.5,1.5,7\n"})
    with pytest.raises(CsvFormatError, match=r"SPY_2024_01\.csv: it cannot be read: line 2: high 'x' is not a number"):
        mohlcv_dagster.read("SPY", data_dir=data)


def test_a_volume_that_a_float_cannot_hold_is_not_rounded_in_silence(data):
    months_of(2**53 + 1, 1.5, data=data)
    with pytest.raises(VolumePrecisionError, match="read these months alone"):
        mohlcv_dagster.read("SPY", as_="arrow", data_dir=data)

    alone = mohlcv_dagster.read("SPY", "2024-01", "2024-01", as_="arrow", data_dir=data)
    assert alone["volume"].to_pylist() == [2**53 + 1]


def test_polars_that_is_not_installed_is_named_with_the_command(data, monkeypatch):
    monkeypatch.setattr("mohlcv_dagster.query.find_spec", lambda name: None)
    with pytest.raises(InputError, match="polars, which is not installed: run `uv add polars`"):
        mohlcv_dagster.read("SPY", as_="polars", data_dir=data)


@pytest.mark.parametrize("where", ["environment", "env file"])
def test_the_folder_is_the_one_of_the_settings(where, tmp_path, monkeypatch):
    months_of(7, data=tmp_path / "bars")
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    if where == "environment":
        monkeypatch.setenv("MOHLCV_DATA_DIR", "bars")
    else:
        monkeypatch.delenv("MOHLCV_DATA_DIR", raising=False)
        (tmp_path / ".env").write_text("MOHLCV_DATA_DIR=bars\n")

    assert mohlcv_dagster.read("SPY").volume.tolist() == [7]


def test_both_read_a_store_behind_a_url(data):
    import fsspec  # noqa: PLC0415 - no other test needs it

    write(data, "crlf")
    memory = fsspec.filesystem("memory")
    memory.put(str(data), "/bars-of-query", recursive=True)
    table = mohlcv_dagster.read("SPY", as_="arrow", data_dir="memory://bars-of-query")
    with duckdb.connect() as connection:
        for _ in range(2):
            mohlcv_dagster.duckdb_view(connection, "bars", "SPY", data_dir="memory://bars-of-query")
        [(rows, shares)] = connection.execute("SELECT count(*), sum(volume) FROM bars").fetchall()

    expected = [row["volume"] for row in read_plainly(data, "raw_1s/SPY/*.csv")]
    assert table["volume"].to_pylist() == expected
    assert (rows, shares) == (len(expected), sum(expected))


def test_a_view_reads_the_files_when_it_is_asked(data):
    months_of(7, data=data)
    months_of(9, symbol="BRK.B", data=data)
    with duckdb.connect() as connection:
        mohlcv_dagster.duckdb_view(
            connection, 'my "bars"', ["BRK.B", "SPY", "SPY"], "2024-01", "2024-01", data_dir=data
        )
        months_of(8, data=data)
        found = connection.execute('SELECT symbol, volume FROM "my ""bars""" ORDER BY symbol').fetchall()

    assert found == [("BRK.B", 9), ("SPY", 8)]


@pytest.mark.parametrize("folder", ["it's", "a[b]", "q?*", "%41", "two words"])
def test_folders_of_any_name_are_read(folder, tmp_path):
    months_of(7, data=tmp_path / folder)
    with duckdb.connect() as connection:
        mohlcv_dagster.duckdb_view(connection, "bars", data_dir=tmp_path / folder)
        assert connection.execute("SELECT symbol, volume FROM bars").fetchall() == [("SPY", 7)]

    assert mohlcv_dagster.read("SPY", data_dir=tmp_path / folder).volume.tolist() == [7]


def loaded_by(*statements):
    """The modules that a fresh interpreter loads for these statements."""
    program = "\n".join(["import sys", "before = set(sys.modules)", *statements, "print(*set(sys.modules) - before)"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_to_import_the_package_imports_nothing_else():
    assert loaded_by("import mohlcv_dagster") == {"mohlcv_dagster"}


def test_a_table_needs_no_frame_and_no_dagster(data):
    months_of(7, data=data)
    read = f"mohlcv_dagster.read('SPY', as_='arrow', data_dir={str(data)!r})"

    assert not loaded_by("import mohlcv_dagster", read) & {"pandas", "polars", "duckdb", "dagster", "massive", "upath"}


def test_the_package_offers_both_and_nothing_that_is_not_there():
    assert set(mohlcv_dagster.__all__) == {"read", "duckdb_view"}
    with pytest.raises(AttributeError, match="has no attribute 'reed'"):
        _ = mohlcv_dagster.reed


TYPED = """
import mohlcv_dagster

reveal_type(mohlcv_dagster.read("SPY"))
reveal_type(mohlcv_dagster.read("SPY", "2024-01", as_="polars"))
reveal_type(mohlcv_dagster.read("SPY", "2024-01", "2024-03", timeframe="1min", as_="arrow"))
mohlcv_dagster.read("SPY", as_="list")
"""


@pytest.mark.slow  # mypy reads pandas and pyarrow anew
@pytest.mark.timeout(300)
def test_each_form_is_known_to_a_type_checker(tmp_path):
    (tmp_path / "mine.py").write_text(TYPED)
    words = [sys.executable, "-m", "mypy", "--config-file", str(Path(__file__).parents[1] / "pyproject.toml")]
    done = subprocess.run([*words, str(tmp_path / "mine.py")], capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if "Revealed" in line]

    assert ["DataFrame" in told[0], "polars" in told[1], "pyarrow" in told[2]] == [True] * 3
    assert 'mine.py:7: error: No overload variant of "read"' in done.stdout


def test_the_start_of_a_bar_is_aware(data):
    months_of(7, data=data)

    assert mohlcv_dagster.read("SPY", as_="arrow", data_dir=data)["ts_event"][0].as_py() == datetime(
        2024, 1, 2, 14, 30, tzinfo=UTC
    )
