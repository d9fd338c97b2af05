"""Encode and decode the CSV files of bars, exactly as `pandas.DataFrame.to_csv` writes them.

Fast since a month has few distinct prices: each distinct number is formatted once, and the file is these texts taken in
the order of its fields. Chunks of rows are encoded in parallel.
"""

import csv
from bisect import bisect_left
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import (
    from_numpy,
    from_strings,
    int_scalar,
    null_mask,
    one_chunk,
    string_scalar,
    to_numpy,
)
from mohlcv_dagster.bars.runtime import FEW_BARS, map_in_order
from mohlcv_dagster.errors import CsvFormatError
from mohlcv_dagster.formatting import printable, quantity, quoted
from mohlcv_dagster.model import bar_files

HEADER: Final = (",".join(bar_files.COLUMNS) + "\n").encode()

_ROWS_AT_ONCE: Final = 3 << 13
"""About 1.5 MB of text; a few chunks are in memory at once."""
SMALLEST_PLAIN: Final = 1e-4
"""Python's `repr`, and so pandas and the contract, writes a float below this with an exponent."""
LEAST_WITH_EXPONENT: Final = 1e16
"""It writes a float of this size or above with an exponent too."""
_LARGEST_PLAIN: Final = 1e9
"""From `SMALLEST_PLAIN` to here Arrow writes a fraction with the same digits as Python, without an exponent."""
_UNREADABLE: Final = (pa.ArrowInvalid, pa.ArrowKeyError)
"""What Arrow raises of a file that is not a CSV of bars."""
_TimeUnit: TypeAlias = Literal["s", "ns"]
_TIME_UNITS: Final[tuple[_TimeUnit, ...]] = ("s", "ns")
"""How times are read: nanoseconds for those with a fraction, which must be zero."""
_LONGEST_HEADER: Final = 1 << 16
_LONGEST_ROW: Final = 1 << 16
"""Bytes up to which a row is looked at for what is wrong with it."""
_SECONDS: Final = from_strings([*(f":{second:02d}+00:00," for second in range(60)), ","])
"""What follows the minute of a time, by its second; the last one is for a missing time."""
_FIRST_SECOND: Final = int(np.datetime64("0001-01-01", "s").astype(np.int64))
_LAST_SECOND: Final = int(np.datetime64("10000-01-01", "s").astype(np.int64))
"""Unix seconds of the years 1 to 9999, the last one exclusive."""
_ZERO = int_scalar(0)
_NOTHING, _COMMA, _LINE_END = string_scalar(""), string_scalar(","), string_scalar("\n")
_Fields: TypeAlias = tuple["npt.NDArray[Any]", "pa.Array[Any]"]
"""Fields of each row, column after column: the index of each in the distinct texts, and these texts."""
_EXPECTED: Final = {
    bar_files.TIME: "a moment in whole seconds with its offset from UTC, such as 2024-01-02 09:30:00+00:00"
}


def encode(bars: pa.Table) -> bytes:
    """The complete file: what `DataFrame.to_csv(index=True)` gives for these bars, lines ended by a bare line feed.

    Args:
        bars: a table of bars (see `bar_table`); other columns are left out. Null and NaN give an empty field.
    """
    file = BytesIO()  # joining the chunks at the end would hold the file twice
    for chunk in encode_chunks(bars):
        file.write(chunk)
    return file.getvalue()


def encode_chunks(bars: pa.Table) -> Iterator[bytes | pa.Buffer]:
    """The same file in chunks, header first, each ending at the end of a line."""
    yield HEADER
    chunks = [bars.slice(start, _ROWS_AT_ONCE) for start in range(0, len(bars), _ROWS_AT_ONCE)]
    yield from map_in_order(encode_rows, chunks) if len(bars) > FEW_BARS else map(encode_rows, chunks)


def is_exact_form(content: bytes, bars: pa.Table) -> bool:
    """Whether `content` is what `encode` gives for `bars`, byte for byte; stops at the first chunk that differs."""
    rest = pa.py_buffer(content)
    for chunk in encode_chunks(bars):
        piece = pa.py_buffer(chunk)
        if piece.size > rest.size or not rest.slice(0, piece.size).equals(piece):
            return False
        rest = rest.slice(piece.size)
    return not rest.size


def decode(data: bytes | pa.Buffer) -> pa.Table:
    """The bars of a CSV file.

    Columns are found by name in any order, others are ignored; CRLF and a missing last line end are accepted. Volume
    is int64 where every field of it is written as an integer that fits, float64 otherwise. An empty field is null,
    `nan` and `inf` are floats: the rules check them. Blanks around a number do not matter. A time has whole seconds, a
    fraction of zeros or none, and an offset from UTC (`+00:00`; `Z` and others are converted to UTC); minutes and
    seconds that are left out are zero. It is in the years 1 to 9999.

    Raises:
        CsvFormatError: the bytes are not a CSV of bars; the message gives the line, the column and the value.
    """
    buffer = pa.py_buffer(data)
    try:
        end = _header_end(buffer)
        names = _header(buffer, end)
    except CsvFormatError as exc:
        from mohlcv_dagster.bars.foreign_files import foreign_format  # noqa: PLC0415 - hardly ever needed

        begin = buffer.slice(0, min(_LONGEST_HEADER, buffer.size)).to_pybytes()
        raise CsvFormatError(foreign_format(begin) or str(exc)) from exc
    if end >= buffer.size:
        return bar_table.empty()
    for unit, whole_volume in product(_TIME_UNITS, (True, False)):
        try:
            bars = _read(buffer, whole_volume=whole_volume, unit=unit)
            if whole_volume and may_be_hexadecimal(data if isinstance(data, bytes) else data.to_pybytes()):
                _read(buffer, whole_volume=False, columns=(bar_files.VOLUME,))
        except _UNREADABLE as exc:
            error = exc
        else:
            _require_years(bars)
            return bars
    raise CsvFormatError(_what_is_wrong(buffer, names, error)) from error


def is_cut_short(content: bytes) -> bool:
    """Whether a file that cannot be read is the beginning of a CSV of bars: all but its last line can be read."""
    complete, rest = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
    if not complete or not rest or b"\0" in rest:
        return bool(rest) and HEADER.startswith(content)
    try:
        decode(complete)
    except CsvFormatError:
        return False
    return True


def may_be_hexadecimal(text: bytes) -> bool:
    """Whether there is an `x` anywhere, be it in the name of a column: Arrow takes 0x1F for an integer."""
    return b"x" in text or b"X" in text


def has_years(starts: npt.NDArray[np.int64]) -> bool:
    """Whether all Unix seconds are in the years 1 to 9999, beyond which there is no `datetime`; also without any."""
    return not starts.size or bool(starts.min() >= _FIRST_SECOND and starts.max() < _LAST_SECOND)


def _require_years(bars: pa.Table) -> None:
    times = bars[bar_files.TIME].cast(pa.int64())
    starts = to_numpy(times.fill_null(_ZERO) if times.null_count else times)
    if not has_years(starts):
        at = int(np.argmax((starts < _FIRST_SECOND) | (starts >= _LAST_SECOND)))
        moment = np.datetime64(int(starts[at]), "s")
        raise CsvFormatError(f"bar {at + 1:,} starts at {moment}Z, beyond the years 1 to 9999; correct the line")


def encode_rows(bars: pa.Table) -> pa.Buffer:
    """The text of some thousands of rows, each with its line end; `encode_chunks` is for more.

    A row is seven texts (the time is two of them), each an index into the list of all distinct texts.
    """
    count, prices = len(bars), [one_chunk(bars[name]) for name in bar_files.PRICES]
    fields: list[_Fields] = [
        *_moments(one_chunk(bars[bar_files.TIME])),
        _numbers(pa.concat_arrays(prices), _COMMA),  # together, since the columns have most prices in common
        _numbers(one_chunk(bars[bar_files.VOLUME]), _LINE_END),
    ]
    order = np.empty((count, sum(len(places) for places, _ in fields) // count), np.int32)
    known = column = 0
    for places, texts in fields:
        side_by_side = places.reshape(-1, count)
        upto = column + len(side_by_side)
        np.add(side_by_side.T, known, out=order[:, column:upto], casting="unsafe")
        known, column = known + len(texts), upto
    file = pc.take(pa.concat_arrays([texts for _, texts in fields]), from_numpy(order.reshape(-1)))
    _, stops, content = file.buffers()
    size = int(np.frombuffer(memoryview(stops), np.int32)[len(file)]) if stops else 0
    return content.slice(0, size) if content else pa.py_buffer(b"")


def _moments(times: "pa.Array[Any]") -> Iterator[_Fields]:
    """The text of each time up to its minute, and that of its second and offset; empty where it is null."""
    is_null = null_mask(times)
    seconds = to_numpy(times.cast(pa.int64()).fill_null(_ZERO))
    minute = seconds // 60
    begins = np.concatenate(([True], (minute[1:] != minute[:-1]) | (is_null[1:] != is_null[:-1])))
    minutes = from_numpy(minute[begins] * 60, is_null[begins]).cast(pa.timestamp("s")).cast(pa.string())
    yield np.cumsum(begins) - 1, _join(pc.utf8_slice_codeunits(minutes, 0, -len(":00")))
    yield np.where(is_null, len(_SECONDS) - 1, seconds - minute * 60), _SECONDS


def _numbers(numbers: "pa.Array[Any]", end: "pa.Scalar[Any]") -> _Fields:
    """The text of each number, followed by `end`."""
    distinct = numbers.dictionary_encode(null_encoding="encode")
    return to_numpy(distinct.indices), _join(_texts(distinct.dictionary), end)


def _texts(numbers: "pa.Array[Any]") -> "pa.Array[Any]":
    """Each number as Python's `repr` writes it, as pandas does; NaN as an empty text."""
    texts = numbers.cast(pa.string())
    if pa.types.is_integer(numbers.type):
        return texts
    values = to_numpy(numbers)
    size = np.abs(values)
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        fraction = values != np.rint(values)
    otherwise = ~((size >= SMALLEST_PLAIN) & (size < _LARGEST_PLAIN) & fraction)
    by_repr = ["" if value != value else repr(value) for value in values[otherwise].tolist()]  # noqa: PLR0124 - NaN alone differs from itself
    result: pa.StringArray = pc.replace_with_mask(texts, from_numpy(otherwise), from_strings(by_repr))
    return result


def _join(*columns: Any) -> pa.StringArray:  # noqa: ANN401 - arrays or scalars, as Arrow takes them
    how: dict[str, Any] = {"null_handling": "replace", "null_replacement": ""}
    joined: pa.StringArray = pc.binary_join_element_wise(*columns, _NOTHING, **how)
    return joined


def _read(
    buffer: pa.Buffer, *, whole_volume: bool, unit: _TimeUnit = "s", columns: tuple[str, ...] = bar_files.COLUMNS
) -> pa.Table:
    schema = bar_table.bar_schema(whole_volume=whole_volume)
    types = {field.name: field.type for field in schema} | {bar_files.TIME: pa.timestamp(unit, tz="UTC")}
    convert = arrow_csv.ConvertOptions(column_types=types, include_columns=list(columns), null_values=[""])
    table = arrow_csv.read_csv(pa.BufferReader(buffer), convert_options=convert)  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
    return table if unit == "s" else table.cast(pa.schema([schema.field(name) for name in columns]))


def _header_end(buffer: pa.Buffer) -> int:
    """The offset behind the first line; the size of the file where it has one line.

    Raises:
        CsvFormatError: the first line is longer than any header.
    """
    at = buffer.slice(0, min(_LONGEST_HEADER, buffer.size)).to_pybytes().find(b"\n")
    if at < 0 and buffer.size > _LONGEST_HEADER:
        begin = buffer.slice(0, 40).to_pybytes()
        raise CsvFormatError(
            f"its first line, {begin!r}…, has more than {_LONGEST_HEADER:,} bytes; expected {HEADER.decode().strip()}"
        )
    return at + 1 if at >= 0 else buffer.size


def _header(buffer: pa.Buffer, end: int) -> list[str]:
    """The names of the columns; each of `COLUMNS` must be there once."""
    if not buffer.size:
        raise CsvFormatError(f"the file is empty, without even a header; expected {HEADER.decode().strip()}")
    line = buffer.slice(0, end).to_pybytes()
    try:
        names = _split(line.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise CsvFormatError(f"the file is not text: it begins with {line[:40]!r}; expected a CSV of bars") from exc
    except csv.Error as exc:
        raise CsvFormatError(f"the header {quoted(line)} is not one of a CSV ({exc})") from exc
    for name in bar_files.COLUMNS:
        if names.count(name) != 1:
            what = "has no column" if name not in names else "has more than one column"
            raise CsvFormatError(f"the header {what} {name!r}: it reads {quoted(line.rstrip())}")
    return names


def _split(line: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], strict=True), [])


def _what_is_wrong(buffer: pa.Buffer, names: list[str], error: Exception) -> str:
    """What is wrong with the first unreadable line, found by bisection over prefixes of complete lines."""
    breaks = np.flatnonzero(np.frombuffer(memoryview(buffer), np.uint8) == ord("\n")) + 1
    ends = [*breaks.tolist(), buffer.size] if breaks[-1] < buffer.size else breaks.tolist()
    line = bisect_left(range(1, len(ends)), True, key=lambda last: not _readable(buffer.slice(0, ends[last])))
    if line + 1 >= len(ends):
        return f"the file is not a CSV of bars: {printable(str(error))}"
    header, row = buffer.slice(0, ends[0]), buffer.slice(ends[line], ends[line + 1] - ends[line])
    if row.size > _LONGEST_ROW:
        return f"line {line + 2} has {row.size:,} bytes, a row of bars about 60; fetch the month again"
    return f"line {line + 2}: {_what_is_wrong_in(header, row, names)}; fetch the month again or correct the line"


def _readable(buffer: pa.Buffer, columns: tuple[str, ...] = bar_files.COLUMNS) -> bool:
    for unit in _TIME_UNITS:
        try:
            _read(buffer, whole_volume=False, unit=unit, columns=columns)
        except _UNREADABLE:
            continue
        return True
    return False


def _what_is_wrong_in(header: pa.Buffer, row: pa.Buffer, names: list[str]) -> str:
    text = row.to_pybytes().decode(errors="replace")
    if zeros := text.count("\0"):
        return f"{quantity(zeros, 'NUL byte')} in place of text, as a power cut leaves them"
    try:
        fields = _split(text)
    except csv.Error as exc:
        return f"{quoted(text[:40])} is not text of a CSV ({exc})"
    if len(fields) != len(names):
        cut = "" if text.endswith("\n") else " and no line end: the file was cut off"
        return f"the row {quoted(text[:80])} has {len(fields)} of {len(names)} fields{cut}"
    alone = pa.py_buffer(header.to_pybytes() + row.to_pybytes())
    for name in bar_files.COLUMNS:
        if not _readable(alone, (name,)):
            return f"{name} {quoted(fields[names.index(name)])} is not {_EXPECTED.get(name, 'a number')}"
    return f"the row {quoted(text[:80])} cannot be read"
