"""The bytes of a page to typed columns, with no Python object a bar. Proven is what they say in `pages`, `page_rows`.

A page whose rows are proven `alike` is read by columns. Any other is read as JSON by the strict reader, whose word is
the one that counts: what it refuses, nobody takes.

The strict reader is Arrow's under an explicit schema (a type guessed from the first rows would cut fractional volumes).
It refuses what is cut short, duplicated keys in what is read, text where a number belongs, and times that are not
integers. Where it is lax, more is done:

- it takes any number of documents, and a lone `null` crashes it: so the body is read as the one element
  of a list inside an envelope of ours, where a second document is a second element or a syntax error;
- it takes NaN, Infinity and missing or null fields: missing ones are refused here, the others by `page_rows`.
"""

from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.json as pa_json

from mohlcv_dagster.bars.arrays import in_one_piece, to_numpy
from mohlcv_dagster.bars.schema import PRICES, VOLUME, Floats
from mohlcv_dagster.vendor import alike
from mohlcv_dagster.vendor.page_rows import prove_rows
from mohlcv_dagster.vendor.pages import DELAYED, Envelope, Page, PageRequest, not_whole, prove_envelope

_TIME_KEY: Final = "t"
_KEYS: Final = dict(zip((*PRICES, VOLUME), ("o", "h", "l", "c", "v"), strict=True))
_TYPES: Final[dict[str, pa.DataType]] = {_TIME_KEY: pa.int64(), **dict.fromkeys(_KEYS.values(), pa.float64())}
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

Columns: TypeAlias = dict[str, Any]
"""An Arrow array by key (the stubs have no type that carries its methods)."""


def decode_page(body: bytes, request: PageRequest) -> Page:
    """The page in `body`, proven to be the whole answer to `request`.

    Args:
        body: the JSON document, decompressed, in any layout.
        request: what was asked.

    Raises:
        PageNotWholeError: it is not JSON, or not an aggregates page, or fails the proof of `pages`.
    """
    try:
        columns, envelope = _read_alike(body) or _read_strictly(body)
    except (pa.ArrowException, ValueError) as exc:
        kind = "HTML" if body.lstrip().startswith(b"<") else "no whole aggregates page"
        raise not_whole(request, f"expected JSON, were {len(body)} bytes of {kind} ({exc})") from exc
    prove_envelope(envelope, request)
    return prove_rows(_page(columns, envelope, request), request)


def _read_alike(body: bytes) -> tuple[Columns, Envelope] | None:
    """The page by columns; `None` where that is not proven to be the same as reading it strictly."""
    rows = alike.separate(body)
    table = rows and rows.columns(_TYPES)
    if not rows or not table:
        return None
    page = _read(rows.remainder)
    results = page.field("results")[0]
    if not results.is_valid or len(results):
        return None
    columns: Columns = {name: in_one_piece(table[name]) for name in _TYPES}
    return columns, _envelope(page, rows.count)


def _read_strictly(body: bytes) -> tuple[Columns, Envelope]:
    page = _read(body)
    rows = page.field("results").flatten()
    return dict(zip(_BAR.names, rows.flatten(), strict=True)), _envelope(page, len(rows))


def _read(body: bytes) -> Any:  # noqa: ANN401  # an Arrow struct array: the stubs have no type that carries its methods
    document = _BEFORE + body + _BEHIND
    table = pa_json.read_json(
        pa.BufferReader(document),  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
        read_options=pa_json.ReadOptions(use_threads=False, block_size=len(document) + 1),
        parse_options=pa_json.ParseOptions(
            explicit_schema=_SCHEMA, newlines_in_values=True, unexpected_field_behavior="ignore"
        ),
    )
    lists: Any = in_one_piece(table["pages"])
    pages = lists.flatten()
    if len(table) != 1 or len(pages) != 1:
        raise ValueError(f"{max(len(table), len(pages))} documents where one belongs")
    return pages


def _envelope(page: Any, rows: int) -> Envelope:  # noqa: ANN401  # as in _read
    said = {name: page.field(name)[0].as_py() for name in _PAGE.names if name != "results"}
    return Envelope(
        ticker=said["ticker"],
        status=said["status"],
        results_count=said["resultsCount"],
        count=said["count"],
        adjusted=said["adjusted"],
        request_id=said["request_id"],
        following=said["next_url"] is not None,
        rows=rows,
    )


def _page(columns: Columns, envelope: Envelope, request: PageRequest) -> Page:
    for key, column in columns.items():
        if column.null_count:
            row = column.is_null().index(True).as_py()
            raise not_whole(request, f"expected a number for {key!r}, was nothing in row {row}", envelope.request_id)
    numbers: dict[str, Floats] = {name: to_numpy(columns[key]) for name, key in _KEYS.items()}
    return Page(
        starts=to_numpy(columns[_TIME_KEY]),
        numbers=numbers,
        request_id=envelope.request_id,
        delayed=envelope.status == DELAYED,
        following=envelope.following,
    )
