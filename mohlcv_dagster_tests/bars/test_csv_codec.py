"""The CSV form: what pandas writes, byte for byte, and nothing that is not bars is read."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.csv_codec import decode, encode, encode_chunks
from mohlcv_dagster.errors import CsvFormatError
from mohlcv_dagster.model import bar_files
from mohlcv_dagster_tests.bars import strategies
from mohlcv_dagster_tests.bars.strategies import bars
from mohlcv_dagster_tests.real import REAL, needs_real

HEADER = b"ts_event,open,high,low,close,volume\n"
ROW = b"2024-01-02 09:30:00+00:00,475.32,475.45,475.28,475.4,15234\n"


def pandas_bytes(table):
    """What `DataFrame.to_csv` gives, the frame built here and not by the code under test."""
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "ts_event"}
    starts = table["ts_event"].cast(pa.timestamp("s")).to_numpy()
    index = pd.DatetimeIndex(starts, name="ts_event").tz_localize("UTC")
    return pd.DataFrame(columns, index=index).to_csv(index=True, lineterminator="\n").encode()


# writing


def test_the_contract_s_own_example_is_written_as_it_stands_there():
    table = bars(("2024-01-02 09:30:00", 475.32, 475.45, 475.28, 475.4, 15234))
    assert encode(table) == HEADER + ROW


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (184.0, "184.0"),
        (1e-05, "1e-05"),
        (0.0001, "0.0001"),
        (1e16, "1e+16"),
        (9999999999999998.0, "9999999999999998.0"),
        (123456789012345.6, "123456789012345.6"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.30000000000000004"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), ""),
    ],
)
def test_a_price_is_written_in_the_shortest_form_that_reads_back(number, text):
    table = bars(("2024-01-02 09:30:00", number, 0.0, number, 2.5, 1))
    assert encode(table) == HEADER + f"2024-01-02 09:30:00+00:00,{text},0.0,{text},2.5,1\n".encode()


def test_the_two_zeros_of_one_column_are_kept_apart():
    zeros = np.array([0.0, -0.0, -0.0, 0.0])
    table = bar_table.from_arrays(np.arange(4), dict.fromkeys(bar_files.PRICES, zeros), zeros)
    assert [row.split(",")[1] for row in encode(table).decode().splitlines()[1:]] == ["0.0", "-0.0", "-0.0", "0.0"]


@given(strategies.tables(prices=strategies.nasty_floats, volumes=strategies.nasty_floats))
def test_any_floats_are_written_as_pandas_writes_them(table):
    assert encode(table) == pandas_bytes(table)


@given(strategies.tables())
def test_bars_are_written_as_pandas_writes_them(table):
    assert encode(table) == pandas_bytes(table)


def test_doubles_of_every_size_are_written_as_pandas_writes_them():
    bits = np.random.default_rng(7).integers(0, 2**64, 20_000, dtype=np.uint64)
    sizes = 10.0 ** np.random.default_rng(8).uniform(-7, 19, 20_000)
    numbers = {"open": bits.view(np.float64), "high": sizes, "low": np.round(sizes, 4), "close": np.rint(sizes)}
    table = bar_table.from_arrays(np.arange(20_000), numbers, np.round(sizes, 6))
    assert encode(table) == pandas_bytes(table)


@pytest.mark.parametrize("whole_volume", [True, False])
def test_an_empty_month_is_a_header_and_reads_back_empty(whole_volume):
    table = bar_table.empty(whole_volume=whole_volume)
    assert encode(table) == HEADER == pandas_bytes(table)
    assert decode(HEADER).equals(bar_table.empty())


def test_bars_at_midnight_only_keep_their_time_of_day():
    table = bars(("2024-01-31 00:00:00", 1.0, 1.0, 1.0, 1.0, 1), ("2024-02-01 00:00:00", 1.0, 1.0, 1.0, 1.0, 1))
    assert b"2024-02-01 00:00:00+00:00,1.0" in encode(table)
    assert encode(table) == pandas_bytes(table)


def test_nulls_are_empty_fields_and_read_back_as_nulls():
    table = pa.Table.from_arrays(
        [
            pa.array([None, 1_706_745_600], bar_table.TIME_TYPE),
            *[pa.array([1.5, None], pa.float64())] * 4,
            pa.array([None, 7], pa.int64()),
        ],
        schema=bar_table.bar_schema(whole_volume=True),
    )
    assert encode(table) == HEADER + b",1.5,1.5,1.5,1.5,\n2024-02-01 00:00:00+00:00,,,,,7\n"
    assert decode(encode(table)).equals(table)


@pytest.mark.parametrize("few", [0, 100], ids=["side by side", "one after the other"])
def test_pieces_end_at_lines_and_join_to_the_file(monkeypatch, few):
    monkeypatch.setattr(csv_codec, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(csv_codec, "FEW_BARS", few)
    table = bar_table.from_arrays(np.arange(10), dict.fromkeys(bar_files.PRICES, np.arange(10) / 4), np.arange(10))
    pieces = [bytes(piece) for piece in encode_chunks(table)]
    assert [piece.count(b"\n") for piece in pieces] == [1, 3, 3, 3, 1]
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces) == encode(table) == pandas_bytes(table)


def test_a_slice_and_a_table_in_many_chunks_are_written_like_any_other():
    table = bar_table.from_arrays(np.arange(9), dict.fromkeys(bar_files.PRICES, np.arange(9) / 4), np.arange(9))
    pieces = pa.concat_tables([table.slice(1, 2), table.slice(3, 1), table.slice(4, 4)])
    assert encode(pieces) == pandas_bytes(pieces) == pandas_bytes(table.slice(1, 7))


# there and back


@given(strategies.tables(min_size=1))
def test_what_is_written_reads_back_the_same(table):
    assert decode(encode(table)).equals(table)


@given(strategies.tables())
def test_writing_what_was_read_gives_the_file_again(table):
    file = pandas_bytes(table)
    assert encode(decode(file)) == file


@needs_real
@pytest.mark.parametrize(
    "path",
    [
        "second/SPY_2013_10.csv",
        "minute/SPY_2013_10.csv",
        "expected/SPY_2013_10_30s.csv",
    ],
)
def test_a_real_file_read_and_written_is_the_same_file(path):
    file = (REAL / path).read_bytes()
    table = decode(file)
    assert len(table) == file.count(b"\n") - 1
    assert encode(table) == file


@needs_real
def test_a_real_file_of_another_hand_is_normalised_once_and_stays():
    # its whole volumes among fractional ones are written `1`, not `1.0`
    table = decode((REAL / "fractional" / "second.csv").read_bytes())
    assert table["volume"].type == pa.float64()
    assert encode(table) == pandas_bytes(table)
    assert decode(encode(table)).equals(table)


# reading


def reads_as_the_row(data):
    expected = bars(("2024-01-02 09:30:00", 475.32, 475.45, 475.28, 475.4, 15234))
    return decode(data).equals(expected)


def test_columns_are_found_by_name_and_further_ones_ignored():
    header = b"rtype,volume,close,symbol,low,high,open,publisher_id,ts_event\n"
    row = b'32,15234,475.4,"SPY, the fund",475.28,475.45,475.32,2,2024-01-02 09:30:00+00:00\n'
    assert reads_as_the_row(header + row)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((HEADER + ROW).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param((HEADER + ROW)[:-1], id="no last line end"),
        pytest.param(b"\xef\xbb\xbf" + HEADER + ROW, id="byte order mark"),
        pytest.param((HEADER + ROW).replace(b"+00:00", b"Z"), id="Z"),
        pytest.param((HEADER + ROW).replace(b"09:30:00+00:00", b"04:30:00-05:00"), id="another offset"),
        pytest.param((HEADER + ROW).replace(b" 09:30:00+00:00", b"T09:30:00.000000000Z"), id="nanoseconds of zero"),
        pytest.param((HEADER + ROW).replace(b"00+00:00", b"00.000+00:00"), id="milliseconds of zero"),
        pytest.param(pa.py_buffer(HEADER + ROW), id="an Arrow buffer"),
    ],
)
def test_other_spellings_of_the_same_bars_are_accepted(data):
    assert reads_as_the_row(data)


def test_a_header_without_a_line_end_is_an_empty_month():
    assert decode(HEADER[:-1]).equals(bar_table.empty())
    assert decode(HEADER.replace(b"\n", b"\r\n")).equals(bar_table.empty())


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (["100", "200"], pa.int64()),
        (["100.0", "200.0"], pa.float64()),
        (["100", "1.5"], pa.float64()),
        (["100", ""], pa.int64()),
        (["100", "nan"], pa.float64()),
        (["100", "9223372036854775808"], pa.float64()),
    ],
)
def test_volume_is_whole_only_where_every_field_is_written_as_an_integer(fields, kind):
    rows = [f"2024-01-02 09:30:0{i}+00:00,1.0,1.0,1.0,1.0,{field}\n" for i, field in enumerate(fields)]
    assert decode(HEADER + "".join(rows).encode())["volume"].type == kind


def test_an_x_in_another_column_does_not_change_the_type_of_the_volume():
    content = HEADER.replace(b"volume", b"volume,x") + ROW.replace(b"15234", b"15234,0x1F")
    assert decode(content)["volume"].type == pa.int64()


def test_floats_that_are_no_numbers_are_read_and_left_for_the_rules():
    row = decode(HEADER + b"2024-01-02 09:30:00+00:00,nan,inf,-inf,,0\n").to_pylist()[0]
    assert row["open"] != row["open"]
    assert (row["high"], row["low"], row["close"]) == (float("inf"), float("-inf"), None)


# refusing

SECOND = ROW.replace(b"09:30:00", b"09:30:01")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["the file is empty", "ts_event,open,high,low,close,volume"]),
        (b"\n", ["the header has no column 'ts_event': it reads ''"]),
        (b" ts,open \r\n", ["the header has no column 'ts_event': it reads ' ts,open'"]),
        (b"ts_event,open,high,low,close\n" + ROW, ["no column 'volume'"]),
        (HEADER.replace(b"volume", b"volume,open") + ROW, ["more than one column 'open'"]),
        (b"\x89PNG\r\n\x1a\n\xff\x00\xfe\n", ["not text", "PNG"]),
        (b"\x1f\x8b" + bytes(range(256)) * 2000, ["a gzip file"]),
        (b"a" * 3_000_000, ["its first line, b'aaa", "more than 65,536 bytes"]),
        (HEADER + b"a" * 3_000_000, ["line 2 has 3,000,000 bytes"]),
        (HEADER + ROW + SECOND.replace(b"475.45", b"abc"), ["line 3: high 'abc' is not a number"]),
        (HEADER + ROW + SECOND.replace(b"15234", b"1_0"), ["line 3: volume '1_0' is not a number"]),
        (HEADER + ROW + SECOND.replace(b"15234", b"0x1F"), ["line 3: volume '0x1F' is not a number"]),
        (HEADER + ROW + SECOND.replace(b"15234", b"-0X1F"), ["line 3: volume '-0X1F' is not a number"]),
        (HEADER + ROW + SECOND[:38], ["line 3", "has 3 of 6 fields", "cut off"]),
        (HEADER + ROW + b"2024-01-02 09:30:01+00:00,1,2\n" + ROW, ["line 3", "has 3 of 6 fields"]),
        (
            HEADER + b"x" * 99 + b"\n",
            [f"line 2: the row '{'x' * 80}' has 1 of 6 fields; fetch the month again or correct"],
        ),
        (HEADER + ROW + SECOND[:-1] + b",9\n", ["line 3", "has 7 of 6 fields"]),
        (HEADER + ROW + SECOND.replace(b"+00:00", b""), ["line 3: ts_event '2024-01-02 09:30:01'", "offset"]),
        (HEADER + ROW.replace(b"00+00", b"00.500+00"), ["line 2: ts_event", "whole seconds"]),
        (HEADER + ROW.replace(b"2024-01-02", b"2024-02-30"), ["line 2: ts_event '2024-02-30"]),
        (HEADER + ROW + b"\xff\xfe,1,2,3,4,5\n", ["line 3: ts_event"]),
        (HEADER + ROW + b"\xff\xfe\x00,1,2,3,4,5\n", ["line 3: 1 NUL byte"]),
        (HEADER.replace(b",volume", b',"volume') + ROW, ["the header 'ts_event,", "is not one of a CSV"]),
        (HEADER[:-1] + b"," + b"x" * 70_000 + b"\n" + ROW, ["its first line", "more than 65,536 bytes"]),
        (HEADER + ROW + ROW.replace(b"2024-01-02 09:30:00+00", b"0001-01-01 00:30:00+01"), ["bar 2 starts at 0000-12"]),
        (HEADER + ROW.replace(b"2024-01-02 09:30:00+00", b"9999-12-31 23:30:00-01"), ["bar 1 starts at 10000-01-01"]),
        (HEADER + ROW + b"\n" + SECOND.replace(b"475.4,", b"x,"), ["line 4: close 'x'"]),
    ],
)
def test_what_is_not_bars_is_refused_with_the_line_and_the_value(data, words):
    with pytest.raises(CsvFormatError) as refused:
        decode(data)
    for word in words:
        assert word in str(refused.value)


def test_a_fraction_of_a_second_that_is_not_zero_is_refused_among_fractions_that_are():
    zero = ROW.replace(b"00+00:00", b"00.000000000Z")
    with pytest.raises(
        CsvFormatError, match=r"line 4: ts_event '2024-01-02 09:30:00\.000000001Z' is not a moment in whole"
    ):
        decode(HEADER + ROW + zero + zero.replace(b"0Z", b"1Z") + zero)


def test_one_bad_line_among_a_hundred_thousand_is_named():
    lines = [ROW] * 100_000
    lines[76_543] = ROW.replace(b"475.28", b"4 75.28")
    with pytest.raises(CsvFormatError, match=r"line 76545: low '4 75\.28' is not a number"):
        decode(HEADER + b"".join(lines))


def test_the_first_of_two_bad_lines_is_named_whatever_is_wrong_with_each():
    wide, word = b"2024-01-02 09:30:00+00:00,1\n", ROW.replace(b"15234", b"many")
    with pytest.raises(CsvFormatError, match="line 3: volume 'many'"):
        decode(HEADER + ROW + word + ROW + wide)
    with pytest.raises(CsvFormatError, match=r"line 3: the row .* has 2 of 6"):
        decode(HEADER + ROW + wide + ROW + word)


@given(st.one_of(st.binary(), st.text(alphabet='0123456789.,:+-eZ \r\n"ax').map(str.encode)), st.booleans())
def test_any_bytes_are_refused_as_no_bars_or_read_as_bars_with_one_file_form(rubbish, after_a_header):
    data = HEADER + ROW + rubbish if after_a_header else rubbish
    try:
        file = encode(decode(data))
    except CsvFormatError:
        return
    assert file.startswith(HEADER)
    assert encode(decode(file)) == file
