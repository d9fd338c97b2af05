"""The bytes of a page to typed columns, without a Python object for each bar. The contents are verified in `pages`.

There are two parsers. The strict one decides: a page that it refuses is refused. The fast one takes only pages that are
verified to give the same result, and leaves every other to the strict one, also where it is a good page (a row alone
without `n`). Both give the same floats, by the same number parser of Arrow.

The strict parser is Arrow's JSON reader under an explicit schema (a type guessed from the first rows would truncate
fractional volumes). It refuses truncated documents, duplicate keys in what is read, text where a number belongs, and
times that are not integers. Where it is lax, more is done:

- it takes any number of documents, and a lone `null` crashes it: so the body is read as the one element of a list
  inside an envelope of ours, where a second document is a second element or a syntax error;
- it takes NaN and Infinity, and bytes that are not UTF-8 in what is not read: such a document is refused here;
- it takes missing or null fields: they are refused here, but for `n` and `vw`, which a bar may lack.

The fast parser is twice as fast. The vendor writes a page's rows with the same keys in the same order, without a
blank. Where that is so, the rows are a table of numbers once the keys are taken out, and Arrow's CSV reader takes it.
This is not assumed of any page, but verified:

1. With the characters of numbers taken out, what is left of the rows is one row's skeleton, over and over; and those
   characters follow a colon, or one of their own. So each row has the same keys in the same order, and
   nothing but a number is where a value belongs.
2. Every value is digits with at most a point inside, as JSON writes them: no sign, no exponent, no needless zero.
   Before that, a value such as `1.300741e+06`, which the vendor writes of an auction's volume, has its point moved.
3. With the rows taken out, the document is read by the strict parser, which must find `results` there, empty.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json

from mohlcv_dagster.bars import trade_figures
from mohlcv_dagster.bars.bar_table import Floats, from_numpy, null_mask, one_chunk, to_numpy
from mohlcv_dagster.formatting import printable
from mohlcv_dagster.model.bar_files import PRICES, VOLUME
from mohlcv_dagster.providers.massive.pages import (
    DELAYED,
    GOOD,
    Envelope,
    Page,
    incomplete_page,
    verify_envelope,
    verify_rows,
)
from mohlcv_dagster.providers.massive.paging import PageRequest
from mohlcv_dagster.providers.massive.vendor_text import ToPrintable, VendorWords

_TIME_KEY: Final = "t"
_KEYS: Final = dict(zip((*PRICES, VOLUME), ("o", "h", "l", "c", "v"), strict=True))
_NEEDED: Final[dict[str, pa.DataType]] = {_TIME_KEY: pa.int64(), **dict.fromkeys(_KEYS.values(), pa.float64())}
_OPTIONAL: Final = dict(zip(trade_figures.NAMES, ("n", "vw"), strict=True))
_TYPES: Final = {**_NEEDED, **dict.fromkeys(_OPTIONAL.values(), pa.float64())}
_BAR: Final = pa.struct(list(_TYPES.items()))
_PAGE: Final = pa.struct(
    [
        ("ticker", pa.string()),
        ("status", pa.string()),
        ("resultsCount", pa.int64()),
        ("count", pa.int64()),
        ("adjusted", pa.bool_()),
        ("request_id", pa.string()),
        ("next_url", pa.string()),
        ("results", pa.list_(_BAR)),
    ]
)
_SCHEMA: Final = pa.schema([("pages", pa.list_(_PAGE))])
_BEFORE: Final = b'{"pages":['
_BEHIND: Final = b"]}"

_OPENING: Final = b'"results":['
_NUMBER: Final = b"0123456789.+-eE"
_EXPONENT: Final = re.compile(rb"(?<=:)([1-9])(?:\.([0-9]{1,15}))?e\+([01][0-9])(?=[,}])")
_NOT_PLAIN: Final = (b"+", b"-", b"e", b"E")
_ROW: Final = re.compile(rb'\{"[a-df-zA-DF-Z]+":(?:,"[a-df-zA-DF-Z]+":)*\}')
"""The skeleton of a row; no key holds an `e`, which is a character of numbers."""
_KEY: Final = re.compile(rb"[a-zA-Z]+")
_MOST_VALUES: Final = 1_000_000
"""Of a page, which has 50,000 rows of eight; Arrow takes 50 bytes and more for a row, also for an empty one."""
_STRING_OR_NO_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|(NaN|Inf)', re.DOTALL)
_CHUNK: Final = 1 << 17
_ROW_ENDS: Final = bytes.maketrans(b"}", b"\n")
_POINT, _ZERO, _COLON, _COMMA = b".0:,"

Columns: TypeAlias = dict[str, Any]
"""An Arrow array by key (the stubs have no type that carries its methods)."""
Bytes: TypeAlias = npt.NDArray[np.uint8]


def decode_page(body: bytes, request: PageRequest, to_printable: ToPrintable = printable) -> Page:
    """The page in `body`, verified to be the complete answer to `request`.

    Args:
        body: the JSON document, decompressed, in any layout.
        request: what was requested.
        to_printable: makes the vendor's texts safe to show and to store.

    Raises:
        PlanError: the vendor refuses the bars, though with the status 200.
        IncompletePageError: it is not JSON, or not an aggregates page, or fails a check of `pages`.
    """
    try:
        columns, envelope = _read_fast(body) or _read_strict(body)
    except (pa.ArrowException, ValueError) as exc:
        kind = "HTML" if body.lstrip().startswith(b"<") else "an incomplete or unknown document"
        reason = f"expected JSON, were {len(body)} bytes of {kind} ({to_printable(str(exc))})"
        raise incomplete_page(request, reason) from exc
    envelope = _printable(envelope, to_printable)
    words = None if envelope.status in GOOD else VendorWords.of(body, to_printable).words
    verify_envelope(envelope, request, words)
    return verify_rows(_page(columns, envelope, request), request)


def _read_fast(body: bytes) -> tuple[Columns, Envelope] | None:
    """The page by the fast parser; `None` where that is not verified to be the same as by the strict one."""
    rows = split_rows(body)
    table = rows and rows.columns(_NEEDED)
    if not rows or not table:
        return None
    page = _read(rows.remainder)
    results = page.field("results")[0]
    if not results.is_valid or len(results):
        return None
    columns: Columns = {key: one_chunk(table[key]) if key in rows.keys else _nothing(rows.count) for key in _TYPES}
    return columns, _envelope(page, rows.count)


def _nothing(rows: int) -> Any:  # noqa: ANN401 - as in _read
    return from_numpy(np.zeros(rows), np.ones(rows, np.bool_))


def _read_strict(body: bytes) -> tuple[Columns, Envelope]:
    values: Bytes = np.frombuffer(body, np.uint8)
    if np.count_nonzero(values == _COMMA) > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES:,} values")
    page = _read(body)
    rows = page.field("results").flatten()
    return dict(zip(_BAR.names, rows.flatten(), strict=True)), _envelope(page, len(rows))


def _read(body: bytes) -> Any:  # noqa: ANN401  # an Arrow struct array: the stubs have no type that carries its methods
    _require_json(body)
    document = _BEFORE + body + _BEHIND
    table = pa_json.read_json(
        pa.BufferReader(document),  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
        read_options=pa_json.ReadOptions(use_threads=False, block_size=len(document) + 1),
        parse_options=pa_json.ParseOptions(
            explicit_schema=_SCHEMA, newlines_in_values=True, unexpected_field_behavior="ignore"
        ),
    )
    lists: Any = one_chunk(table["pages"])
    pages = lists.flatten()
    if len(table) != 1 or len(pages) != 1:
        raise ValueError(f"{max(len(table), len(pages))} documents where one belongs")
    return pages


def _require_json(body: bytes) -> None:
    """Refuse what Arrow's reader takes although JSON forbids it: other bytes than UTF-8, NaN and Infinity.

    Raises:
        ValueError: there is such a thing.
    """
    if not body.isascii():
        body.decode()
    if b"NaN" in body or b"Inf" in body:
        found = next((each for each in _STRING_OR_NO_NUMBER.finditer(body) if each[1]), None)
        if found is not None:
            raise ValueError(f"{found[1].decode()} where a number belongs")


def _envelope(page: Any, rows: int) -> Envelope:  # noqa: ANN401  # as in _read
    fields = {name: page.field(name)[0].as_py() for name in _PAGE.names if name != "results"}
    following, results_count = fields.pop("next_url") is not None, fields.pop("resultsCount")
    return Envelope(**fields, results_count=results_count, following=following, rows=rows)


def _printable(envelope: Envelope, to_printable: ToPrintable) -> Envelope:
    """The fields with their texts made printable; one that is a symbol or a status stays the same."""
    ticker, status, request_id = (
        None if text is None else to_printable(text) for text in (envelope.ticker, envelope.status, envelope.request_id)
    )
    return replace(envelope, ticker=ticker, status=status, request_id=request_id)


def _page(columns: Columns, envelope: Envelope, request: PageRequest) -> Page:
    for key in _NEEDED:
        column = columns[key]
        if column.null_count:
            row = int(null_mask(column).argmax())  # Arrow's own search loads pandas
            raise incomplete_page(
                request, f"expected a number for {key!r}, was nothing in row {row}", envelope.request_id
            )
    numbers: dict[str, Floats] = {name: to_numpy(columns[key]) for name, key in {**_KEYS, **_OPTIONAL}.items()}
    return Page(
        starts=to_numpy(columns[_TIME_KEY]),
        numbers=numbers,
        request_id=envelope.request_id,
        delayed=envelope.status == DELAYED,
        following=envelope.following,
    )


@dataclass(frozen=True)
class UniformRows:
    """Rows that all have the same keys in the same order, as the text of a table, and the page without them.

    Attributes:
        keys: of each row, in order.
        values: a line for each row, each value after a comma.
        count: how many rows, at least one.
        remainder: the document with `results` empty.
    """

    keys: tuple[str, ...]
    values: bytes
    count: int
    remainder: bytes

    def columns(self, types: dict[str, pa.DataType]) -> pa.Table | None:
        """The columns by key, of these types or float64; `None` where one is missing, or a value is not of its type.

        All values are read, also those that are not needed: one that is not a number makes the document invalid JSON.
        """
        if not set(types) <= set(self.keys):
            return None
        each = {key: types.get(key, pa.float64()) for key in self.keys}
        try:
            return pa_csv.read_csv(
                pa.BufferReader(self.values),  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
                read_options=pa_csv.ReadOptions(
                    column_names=["", *self.keys], use_threads=False, block_size=len(self.values) + 1
                ),
                parse_options=pa_csv.ParseOptions(quote_char=False, double_quote=False),
                convert_options=pa_csv.ConvertOptions(column_types=each, include_columns=list(each), null_values=[]),
            )
        except pa.ArrowInvalid:
            return None


def split_rows(body: bytes) -> UniformRows | None:
    """The rows of a page taken out of it; `None` where they are not shown to be uniform and plain, or there are none.

    Args:
        body: the JSON document, decompressed.
    """
    begin = body.find(_OPENING) + len(_OPENING)
    end = body.find(b"]", begin)
    if begin < len(_OPENING) or end <= begin:
        return None
    skeleton = body[begin : body.find(b"}", begin) + 1].translate(None, _NUMBER)
    keys = _keys(skeleton)
    if keys is None:
        return None
    lines, count = [], 0
    for rows in _chunks(body, begin, end):
        found = _lines(rows, skeleton)
        if found is None:
            return None
        lines.append(found[0])
        count += found[1]
    return UniformRows(keys, b"".join(lines), count, body[:begin] + body[end:])


def _chunks(body: bytes, begin: int, end: int) -> Iterator[bytes]:
    """The rows from `begin` to `end`, some thousands at a time, which stay in the processor's cache."""
    while begin < end:
        last = body.find(b"},{", begin + _CHUNK, end)
        cut = end if last < 0 else last + 1
        yield body[begin:cut]
        begin = cut + 1


def _lines(rows: bytes, skeleton: bytes) -> tuple[bytes, int] | None:
    """A line of values for each row, and how many rows; `None` where they are not of this skeleton and plain."""
    if b"e" in rows:
        rows = _EXPONENT.sub(_point_moved, rows)
    bones = rows.translate(None, _NUMBER)
    count = (len(bones) + 1) // (len(skeleton) + 1)
    if bones != ((skeleton + b",") * count)[:-1] or not _after_colons(rows):
        return None
    values = b"," + rows.translate(_ROW_ENDS, bytes(set(skeleton) - set(b",}")))
    return (values, count) if _plain(values, count) else None


def _point_moved(value: re.Match[bytes]) -> bytes:
    """The same decimal number without its exponent."""
    decimals, exponent = value[2] or b"", int(value[3])
    whole, rest = decimals[:exponent], decimals[exponent:]
    return value[1] + whole.ljust(exponent, b"0") + (b"." + rest if rest else b"")


def _keys(skeleton: bytes) -> tuple[str, ...] | None:
    """The keys of a row's skeleton; `None` where it is not one, or has a key twice."""
    if _ROW.fullmatch(skeleton) is None:
        return None
    keys = [key.decode() for key in _KEY.findall(skeleton)]
    return tuple(keys) if len(set(keys)) == len(keys) else None


def _after_colons(rows: bytes) -> bool:
    """Whether each digit and point has a colon, a digit or a point before it.

    In ASCII these are 46 to 58, with a slash that no skeleton has; colon last.
    """
    place: Bytes = np.frombuffer(rows, np.uint8) - _POINT  # those below wrap round to the upper end
    value, colon = place < _COLON - _POINT, place <= _COLON - _POINT
    return not (value[0] or bool(np.any(value[1:] & ~colon[:-1])))


def _plain(values: bytes, count: int) -> bool:
    """Whether each value is written as JSON writes a number without sign and exponent.

    Known before: there are only digits, points, a comma before each value and a line end after each row. Two of these
    that are not digits are adjacent where a row ends and the next begins, `count - 1` times; any more of it is an
    empty value, or a point without a digit on either side. (A second point in a value is refused by the reader.)
    """
    if any(sign in values for sign in _NOT_PLAIN):
        return False
    text: Bytes = np.frombuffer(values, np.uint8)
    mark = text < _ZERO
    if np.count_nonzero(mark[1:] & mark[:-1]) != count - 1:
        return False
    needless = text[:-2] <= _COMMA
    needless &= text[1:-1] == _ZERO
    needless &= text[2:] >= _ZERO
    return not needless.any()
