"""The vendor's response bodies, byte for byte in its form: bars, refusals, rows of JSON, plain or gzipped.

A row reads `{"v":15234,"vw":475.3,"o":475.32,"c":475.4,"h":475.45,"l":475.28,"t":1704205800000,"n":87}`. Numbers are
written as Go's shortest `%g` writes them, which is what recorded answers show: `184`, `475.32`, `1.300741e+06`.
"""

import json
import zlib
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.sandbox.market import LruCache

VENDOR: Final = "https://api.massive.com"
"""The host in `next_url`, for every server."""

_EXPONENT_FROM: Final = 1e6
_EXPONENT_BELOW: Final = 1e-4
_SHARES_A_TRADE: Final = 175
_STRAY_AVERAGE_EACH: Final = 1009
_LEAST_VOLUME: Final = 1e-6

_CACHE_BYTES: Final = 128 * 2**20
_COMPRESSOR_BYTES: Final = 270_000
_CACHED_FROM: Final = 16_384
_GZIP_LEVEL, _GZIP_FORM = 1, 31

_Begun = tuple[bytes, Any]  # what zlib.compressobj gives has no public type


@dataclass(frozen=True)
class FixedResponse:
    """A response without rows: a refusal, a gateway's page in HTML, a reference document.

    `retry_after` is the seconds of the header `Retry-After`; `None` leaves it out.
    """

    status: int
    body: bytes
    html: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class BarsResponse:
    """A response with bars, its rows apart from the rest, so that a fault can change either.

    Attributes:
        query_count: the number of base bars that it reports.
        results_count: the number of rows that it reports.
        first: the first millisecond requested; not part of the body.
        following: the address of what follows the last row, whether or not there are rows; not part of the body.
        rows: the text of the rows, a comma after each.
        results: `rows`; or `null` or `absent` for a body that has null, or nothing, instead.
        status: `OK` or `DELAYED`.
        request_id: of the answer; empty for a new one in each body.
    """

    ticker: str
    query_count: int
    results_count: int
    adjusted: bool
    first: int
    following: str
    rows: tuple[bytes | memoryview, ...]
    results: str = "rows"
    status: str = "OK"
    next_url: str | None = None
    request_id: str = ""

    def before_request_id(self) -> list[bytes | memoryview]:
        """The body up to the end of the rows, in parts: equal for equal answers."""
        fields = {
            "ticker": self.ticker,
            "queryCount": self.query_count,
            "resultsCount": self.results_count,
            "adjusted": self.adjusted,
        }
        opening = {"rows": b',"results":[', "null": b',"results":null', "absent": b""}[self.results]
        head = to_json(fields)[:-1] + opening
        if self.results != "rows" or not self.rows:
            return [head]
        return [head, *self.rows[:-1], self.rows[-1][:-1]]  # without the comma after the last row

    def tail(self) -> bytes:
        """The rest of the body, with a new `request_id` at each call where none is given."""
        fields: dict[str, object] = {"status": self.status, "request_id": self.request_id or new_request_id()}
        if self.results_count:
            fields["count"] = self.results_count
        if self.next_url is not None:
            fields["next_url"] = self.next_url
        return (b"]," if self.results == "rows" else b",") + to_json(fields)[1:]


def new_request_id() -> str:
    """The id of one answer, such as `sandbox-9ec51009a5dbddbef348c26f1e22ea47`."""
    return f"sandbox-{uuid4().hex}"


def error_response(status: int, text: str) -> FixedResponse:
    """A refusal whose body has the `status` ERROR and an `error`."""
    return FixedResponse(status, to_json({"status": "ERROR", "request_id": new_request_id(), "error": text}))


def message_response(status: int, name: str, text: str) -> FixedResponse:
    """A refusal whose body has the `status` `name` and a `message`."""
    return FixedResponse(status, to_json({"status": name, "request_id": new_request_id(), "message": text}))


def not_entitled() -> FixedResponse:
    """The refusal where the plan does not reach the date, or the date is in the future."""
    upgrade = "Please upgrade your plan at https://massive.com/pricing"
    return message_response(403, "NOT_AUTHORIZED", f"You are not entitled to this data. {upgrade}")


def not_found(text: str = "Data not found.") -> FixedResponse:
    """The refusal for an unknown route or symbol."""
    return message_response(404, "NOT_FOUND", text)


def to_json(fields: dict[str, Any]) -> bytes:
    """JSON without blanks, as the vendor writes it."""
    return json.dumps(fields, separators=(",", ":")).encode()


@dataclass(frozen=True)
class EncodedRows:
    """The rows of one day as JSON.

    Attributes:
        starts: the bars' starts, Unix milliseconds, rising, shape (n,).
        base_ends: how many base bars the rows up to and including each hold, shape (n,).
        text: the rows one after another, each followed by a comma.
        offsets: where each row begins in `text`, and the end of the last, shape (n + 1,).
    """

    starts: Seconds
    base_ends: Seconds
    text: memoryview
    offsets: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """The memory taken, in bytes."""
        return self.text.nbytes + self.starts.nbytes + self.base_ends.nbytes + self.offsets.nbytes

    def between(self, begin: int, end: int) -> memoryview:
        """The text of the rows `begin` (inclusive) to `end` (exclusive), a comma after each."""
        return self.text[int(self.offsets[begin]) : int(self.offsets[end])]


def format_number(value: float) -> str:
    """A finite number in the vendor's form: no `.0`, an exponent from a million up and below 0.0001."""
    if value == 0 or _EXPONENT_BELOW <= abs(value) < _EXPONENT_FROM:
        return repr(float(value)).removesuffix(".0")
    return np.format_float_scientific(value, trim="-", exp_digits=2)


def encode_rows(bars: pa.Table, base_bars: Seconds, seconds: pa.Table | None = None) -> EncodedRows:
    """The rows of `bars`.

    Args:
        bars: a table of bars without nulls, its times rising.
        base_bars: how many base bars (seconds, or minutes) each was made from, shape (n,).
        seconds: the bars of a second of the same time, whose trades they count; `None` where they are these.
    """
    starts = bar_table.seconds(bars) * 1000
    volume = _floats(bars, bar_files.VOLUME)
    trades, average = _figures(bars) if seconds is None else _summed_figures(bars, seconds)
    columns: list[Any] = [
        _texts(volume, '{"v":'),
        _texts(average, ',"vw":'),
        *(_texts(_floats(bars, name), f',"{name[0]}":') for name in ("open", "close", "high")),
        _texts(_floats(bars, "low"), ',"l":', ',"t":'),
        pa.array(starts).cast(pa.string()),
        _texts(trades, ',"n":', "},"),
    ]
    joined = pc.binary_join_element_wise(*columns, pa.scalar(""))
    _, offsets, text = joined.buffers()
    bounds = np.zeros(1, np.int32) if offsets is None else np.frombuffer(memoryview(offsets), np.int32, len(starts) + 1)
    return EncodedRows(starts, np.cumsum(base_bars), memoryview(text or b""), bounds)


def _floats(bars: pa.Table, name: str) -> Floats:
    return bars[name].to_numpy().astype(np.float64)


def _texts(values: Floats, before: str, after: str = "") -> "pa.Array[Any]":
    """Each value as text; a day has few distinct values, so only those are formatted."""
    encoded = pa.array(values).dictionary_encode()
    texts = [f"{before}{format_number(value)}{after}" for value in encoded.dictionary.to_numpy().tolist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _figures(bars: pa.Table) -> tuple[Floats, Floats]:
    """The number of trades of bars of a second, and their average price."""
    trades: Floats = 1 + _floats(bars, bar_files.VOLUME) // _SHARES_A_TRADE
    return trades, _average_price(bars)


def _summed_figures(bars: pa.Table, seconds: pa.Table) -> tuple[Floats, Floats]:
    """The number of trades of longer bars, and their average price, of those of the seconds in them.

    Volume that is in no second, as in a replayed file of minutes that is unlike the seconds, has trades of its own.
    """
    starts, volume = bar_table.seconds(bars), _floats(bars, bar_files.VOLUME)
    if not len(starts) or not seconds.num_rows:
        return _figures(bars)
    bar = np.maximum(np.searchsorted(starts, bar_table.seconds(seconds), side="right") - 1, 0)
    each, (trades, average) = _floats(seconds, bar_files.VOLUME), _figures(seconds)
    sums = [np.bincount(bar, weights, len(starts)) for weights in (each, trades, each * average)]
    other = np.where(np.abs(volume - sums[0]) > _LEAST_VOLUME, volume - sums[0], 0)
    counted = sums[1] + np.sign(other) * (1 + np.abs(other) // _SHARES_A_TRADE)
    known = sums[0] > 0
    weighted = np.rint(sums[2] / np.where(known, sums[0], 1) * 1e4) / 1e4
    return np.maximum(counted, 1), np.where(known, weighted, _average_price(bars))


def _average_price(bars: pa.Table) -> Floats:
    """A volume-weighted price near the bar's; now and then outside of it, as prints that update only volume cause."""
    opened, high, low, close = (_floats(bars, name) for name in bar_files.PRICES)
    middle = (opened + high + low + close) / 4
    stray = bar_table.seconds(bars) % _STRAY_AVERAGE_EACH == 0
    average: Floats = np.rint(np.where(stray, high * 1.0005, middle) * 1e4) / 1e4
    return average


class BodyEncoder:
    """Bodies as bytes, plain or gzipped at level 1; the part before a `request_id` is compressed once and cached."""

    def __init__(self) -> None:
        self._cache: LruCache[_Begun] = LruCache(_CACHE_BYTES, lambda begun: len(begun[0]) + _COMPRESSOR_BYTES)

    def plain(self, response: BarsResponse | FixedResponse) -> bytes:
        """The body as it is."""
        if isinstance(response, FixedResponse):
            return response.body
        return b"".join([*response.before_request_id(), response.tail()])

    def gzipped(self, response: BarsResponse | FixedResponse, cache_key: tuple[object, ...] | None) -> bytes:
        """The body, gzipped.

        Args:
            response: what to encode.
            cache_key: equal for answers of equal rows; `None` where nothing is to be cached.
        """
        if isinstance(response, FixedResponse):
            return gzip_body(response.body)
        if cache_key is None or sum(map(len, response.rows)) < _CACHED_FROM:
            begun, compressor = _begin_gzip(response)
        else:
            begun, compressor = self._cache.get(cache_key, lambda: _begin_gzip(response))
        rest = compressor.copy()
        return b"".join([begun, rest.compress(response.tail()), rest.flush()])


def _begin_gzip(response: BarsResponse) -> _Begun:
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORM)
    return b"".join(map(compressor.compress, response.before_request_id())), compressor


def gzip_body(body: bytes) -> bytes:
    """The bytes, gzipped at level 1."""
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORM)
    return compressor.compress(body) + compressor.flush()
