"""The rules on how a file is written: readable, unchanged, in the exact form, its volume in the right type.

Prices of a dollar or more are quoted in cents, lower ones in ten-thousandths (Rule 612 of Regulation NMS). Trades at a
mid-point or an average price may have four decimals at any price, and the tapes' price fields have six, so that a trade
now and then has five or six. More are not traded: they come of arithmetic, such as a split's ratio or a float sum.
"""

import io
from codecs import BOM_UTF8
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.bars.bar_table import Floats, from_numpy, to_numpy
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.rule import AFTER_RAW, WRITE_AGAIN, Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import offending, percent
from mohlcv_dagster.formatting import printable_bytes, quantity, quoted
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, VOLUME
from mohlcv_dagster.model.months import Month

_HEADER: Final = ",".join(COLUMNS).encode()
_COPY_BACK: Final = "Copy the file back, or re-materialize {asset} for {partition}, which writes it again."
_RECORD_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file again and records it."


@rule(
    sentence="The file is CSV with ts_event, open, high, low, close and volume, each field a time or a number.",
    threshold="0 faults",
    requires=Requires.FILE,
    cure=WRITE_AGAIN,
)
def readable(given: CheckInput) -> RuleOutcome:
    """An absent file is not readable."""
    problem = given.own.problem
    fault = f"{given.file.path} {problem.removeprefix('it ')}" if problem else None
    return RuleOutcome(of=given.own.rows, fault=fault, cure=_COPY_BACK if given.own.is_absent else None)


@rule(
    sentence="Row count and sha256 are those recorded when the file was written.",
    threshold="equal",
    cure=_RECORD_AGAIN,
    aggregate_cure=_RECORD_AGAIN,
)
def as_recorded(given: CheckInput) -> RuleOutcome:
    """A warning where nothing was recorded."""
    own, recorded, path = given.own, given.provenance, given.file.path
    if recorded is None:
        fault = f"Nothing is recorded of {path}, so a later change would not be noticed"
        return RuleOutcome(of=own.rows, fault=fault, severity=Severity.WARN)
    faults = []
    if own.rows != recorded.rows:
        faults.append(f"it has {quantity(own.rows, 'bar')}, {recorded.rows:,} were recorded")
    if own.sha256 != recorded.sha256:
        faults.append(f"its sha256 is {own.sha256[:12]}…, {recorded.sha256[:12]}… was recorded")
    if not faults:
        return RuleOutcome(of=own.rows)
    return RuleOutcome(of=own.rows, fault=f"{path} has changed since it was written: {'; '.join(faults)}")


@rule(
    sentence="The file is, byte for byte, what the contract writes for its bars.",
    threshold="0 bytes",
    counts="lines",
    cure=WRITE_AGAIN,
    aggregate_cure=WRITE_AGAIN,
)
def exact_form(given: CheckInput) -> RuleOutcome:
    """A warning where the only differences are additional columns, another order of columns, or CRLF.

    A reader that reads each file by its own header accepts those, as docs/read.md shows; one that takes columns by
    their place swaps prices, and one that takes the line end of the first file loses bars. A missing last line end is
    an error: `152` may be what is left of `15234`.
    Context: `line`, counted from 1, `found` and `expected`.
    """
    own, path = given.own, given.file.path
    if own.is_exact:
        return RuleOutcome(of=own.rows)
    expected = csv_codec.encode(own.present)
    plain, accepted = normalized(own.text)
    if plain == expected:
        fault = f"{path} has {' and '.join(accepted)}; a reader that goes by each file's own header accepts that"
        return RuleOutcome(of=own.rows, fault=fault, count=0, severity=Severity.WARN)
    if plain + b"\n" == expected:
        fault = f"{path} ends without a line end, so its last line may be cut short"
        return RuleOutcome(of=own.rows, fault=fault, bars=own.present.slice(own.rows - 1) if own.rows else None)
    found = differences(own.present, plain, expected)
    fault = f"{path} is not in the form that data/README.md gives: {found.summary}"
    return RuleOutcome(of=own.rows, fault=fault, bars=found.bars, count=found.lines)


@rule(
    sentence="Volume is written as integers exactly where every volume of the raw file is whole.",
    threshold="0 files",
    requires=Requires.RAW,
    cure=WRITE_AGAIN,
    aggregate_cure=AFTER_RAW,
)
def volume_type(given: CheckInput) -> RuleOutcome:
    """The raw file of a raw file is itself."""
    own, path = given.own.present, given.file.path
    if given.is_raw:
        if bar_table.normalize_volume_dtype(own).schema.equals(own.schema):
            return RuleOutcome(of=own.num_rows)
        fault = f"{path} writes volume as decimals although all {own.num_rows:,} volumes are whole"
        return RuleOutcome(of=own.num_rows, fault=fault)
    is_whole, raw_whole = bar_table.has_whole_volume(own), bar_table.has_whole_volume(given.raw.present)
    if is_whole == raw_whole:
        return RuleOutcome(of=own.num_rows)
    kinds = {True: "integers", False: "decimals"}
    return RuleOutcome(
        of=own.num_rows, fault=f"{path} writes volume as {kinds[is_whole]}, its raw file as {kinds[raw_whole]}"
    )


@rule(
    sentence="No volume has more than 6 decimals, or an exponent where 0.0001 share or more traded.",
    threshold="0 bars",
)
def volume_precision(given: CheckInput) -> RuleOutcome:
    """Below 0.0001 share the exact form has an exponent (`2.3e-05`), so 23 millionths of a share are fine.

    A volume that is missing or infinite is left to `no_missing_values`. Context: `volume_text`.
    """
    own, volume = given.own, given.own.volume
    if volume.dtype == np.int64:  # written as integers throughout, which have neither decimals nor an exponent
        return RuleOutcome(of=own.rows)
    finite = np.isfinite(volume)
    exponent = _have_exponent(own) & finite & (np.abs(volume) >= csv_codec.SMALLEST_PLAIN)
    bad = (finite & resample.beyond_millionths(volume)) | exponent
    if not bad.any():
        return RuleOutcome(of=own.rows)
    bars, shown = own.present.filter(from_numpy(bad)), VOLUME
    text = _texts_with_exponent(own.text)
    if text is not None:
        bars, shown = bars.append_column("volume_text", text.filter(from_numpy(bad))), "volume_text"
    fault = offending(bars, own.rows, "a volume with more than 6 decimals or an exponent", shown=(shown,))
    return RuleOutcome(of=own.rows, fault=fault, bars=bars)


@dataclass(frozen=True)
class LineDifferences:
    """Where the lines of a file are not in the exact form.

    Attributes:
        lines: how many lines differ, those that only one side has included.
        summary: the first of them, in words.
        bars: the bars on those lines with `line`, `found` and `expected`; none where lines cannot be matched to bars.
    """

    lines: int
    summary: str
    bars: pa.Table


def differences(bars: pa.Table, found: bytes, expected: bytes) -> LineDifferences:
    """Where the lines of `found` are not those of `expected`; both hold the same bars."""
    here, there = found.split(b"\n"), expected.split(b"\n")
    lines = [at for at, (one, other) in enumerate(zip(here, there, strict=False)) if one != other]
    lines += range(min(len(here), len(there)), max(len(here), len(there)))
    first = lines[0]
    differ = f"{quantity(len(lines), 'line')} {'differs' if len(lines) == 1 else 'differ'}"
    shown = f"{_shown(here, first)} where {_shown(there, first)} is expected"
    # With as many lines as expected, line 0 is the header and line n the bar in row n - 1.
    on_bars = [at for at in lines if 1 <= at <= bars.num_rows] if len(here) == len(there) else []
    offending_bars = bars.take(pa.array([at - 1 for at in on_bars], pa.int64()))
    offending_bars = offending_bars.append_column("line", pa.array([at + 1 for at in on_bars], pa.int64()))
    for name, texts in (("found", here), ("expected", there)):
        column = pa.array([printable_bytes(texts[at]) for at in on_bars], pa.string())
        offending_bars = offending_bars.append_column(name, column)
    return LineDifferences(len(lines), f"{differ}; first line {first + 1:,}, which is {shown}", offending_bars)


def normalized(content: bytes) -> tuple[bytes, list[str]]:
    """The text without the differences that are only a warning, and what those were."""
    accepted = []
    if b"\r\n" in content:
        accepted.append("CRLF line ends")
        content = content.replace(b"\r\n", b"\n")
    header = content.partition(b"\n")[0]
    if header != _HEADER and not content.startswith(BOM_UTF8):  # some readers take the mark for a part of the name
        accepted.append(f"the columns {printable_bytes(header)}")
        content = _selected(content)
    return content, accepted


def _selected(content: bytes) -> bytes:
    """The text of the six columns, in their order."""
    table = _columns_as_text(content, COLUMNS)
    comma = pa.scalar(",")
    lines: Any = pc.binary_join_element_wise(*(table[name] for name in COLUMNS), comma)  # type: ignore[call-overload]  # the stubs know no separator
    text = "\n".join([_HEADER.decode(), *lines.to_pylist()])
    return text.encode() + (b"\n" if content.endswith(b"\n") else b"")


def _columns_as_text(content: bytes, names: tuple[str, ...]) -> pa.Table:
    """Columns of a readable file as written, by name, as strings."""
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=list(names))
    # Arrow does not take a header for one that no line end closes.
    text = content if b"\n" in content else content + b"\n"
    return csv.read_csv(io.BytesIO(text), convert_options=convert)


def inexact_number(content: bytes) -> str | None:
    """The first number of a readable file that a float does not hold exactly, such as `volume '18446744073709551615'`.

    `None` where every price and volume, as a decimal, is the one that would be written for it.
    """
    table = _columns_as_text(content, COLUMNS[1:])
    for name in COLUMNS[1:]:
        for text in table[name].unique().to_pylist():
            if text and not _is_exact(text):
                return f"{name} {quoted(text)}"
    return None


def _is_exact(text: str) -> bool:
    number = Decimal(text.strip())
    return not number.is_finite() or number == Decimal(repr(float(number)))


def _shown(lines: list[bytes], at: int) -> str:
    return quoted(lines[at]) if at < len(lines) else "no line"


def _have_exponent(own: Reading) -> npt.NDArray[np.bool_]:
    """Which volumes are written with an exponent, shape (rows,); small ones, which may be, need not be among them."""
    if own.verified_sha256 is not None:
        large: npt.NDArray[np.bool_] = np.abs(own.volume) >= csv_codec.LEAST_WITH_EXPONENT
        return large
    text = _texts_with_exponent(own.text)
    return np.zeros(own.rows, np.bool_) if text is None else to_numpy(pc.match_substring(text, "e"))


def _texts_with_exponent(content: bytes) -> "pa.ChunkedArray[Any] | None":
    """The volume column as written, in lower case; `None` where no byte after the header can be an exponent's."""
    header = content.find(b"\n")
    if content.find(b"e", header) < 0 and content.find(b"E", header) < 0:
        return None
    return pc.utf8_lower(_columns_as_text(content, (VOLUME,))[VOLUME])


TRADED: Final = 4
ON_TAPE: Final = 6
FEW: Final = 0.01
"""The share of bars up to which five or six decimals are a warning."""

FEWEST_FOR_CENTS: Final = 200
"""So many bars of a price that moves have cents in one of them."""

_MOVED: Final = 0.5
_CENTS_COUNT: Final = 1000.0
"""US dollars: a higher price may be quoted without."""
_DECIMAL: Final = Month(2001, 5)
"""The first whole month without prices in fractions of a dollar, such as 1/32."""
_AT_ONCE: Final = 1 << 15
"""Prices looked at in one piece, so that what is between the steps stays in the processor's cache."""


@rule(
    sentence="No unadjusted price has more than 4 decimals, and some of 200 bars have cents.",
    threshold="0 bars a warning; an error beyond 1 % of the bars, or with more than 6 decimals",
    blocking=False,
    scope=Scope.RAW,
)
def price_precision(given: CheckInput) -> RuleOutcome:
    """Each price is judged as the shortest decimal that gives its float64.

    Not judged: prices recorded as adjusted, which are quotients, and months before May 2001, with prices in fractions.
    A warning where it is not recorded whether they are adjusted. A missing or infinite price is another rule's.
    Context: `decimals`, the most of the bar's four prices.
    """
    own = given.own
    if given.adjusted:
        return RuleOutcome(of=own.rows, note="not judged: prices adjusted for splits are quotients, with any decimals")
    if given.file.month < _DECIMAL:
        return RuleOutcome(of=own.rows, note="not judged: prices were fractions of a dollar then")
    bad = np.zeros(own.rows, np.bool_)
    for price in own.prices.values():
        _mark(bad, price)
    at = np.flatnonzero(bad)
    if not at.size:
        return _rounded(own)
    decimals = np.max([_decimals(price[at]) for price in own.prices.values()], axis=0)
    bars = own.present.take(from_numpy(at)).append_column("decimals", from_numpy(decimals))
    worst = int(decimals.max())
    share = f"a price with more than {TRADED} decimals ({percent(at.size / own.rows)} of the bars, up to {worst})"
    is_wrong = worst > ON_TAPE or at.size > FEW * own.rows
    severity = Severity.ERROR if is_wrong and given.adjusted is False else Severity.WARN
    fault = offending(bars, own.rows, share, shown=PRICES)
    if given.adjusted is None:
        fault += "; whether they are adjusted for splits, which gives such prices, is not recorded"
    return RuleOutcome(of=own.rows, fault=fault, bars=bars, severity=severity)


def _rounded(own: Reading) -> RuleOutcome:
    """The outcome for prices of which none has too many decimals: a warning where none has cents either."""
    close = own.prices["close"]
    spread = float(np.ptp(close)) if close.size >= FEWEST_FOR_CENTS else 0.0
    has_cents = not (spread >= _MOVED and close.max() < _CENTS_COUNT) or any(
        _beyond(price[: 1 << 10], 1).any() or _beyond(price, 1).any() for price in own.prices.values()
    )
    if has_cents:
        return RuleOutcome(of=own.rows)
    fault = f"not one of the prices of {own.rows:,} bars has more than one decimal, as where they were rounded"
    return RuleOutcome(of=own.rows, fault=fault, count=own.rows, bars=own.present.slice(0, 20), severity=Severity.WARN)


def _mark(bad: npt.NDArray[np.bool_], price: Floats) -> None:
    """Set `bad` where a price has more than four decimals; piece by piece, which is twice as fast."""
    for first in range(0, price.size, _AT_ONCE):
        piece = slice(first, first + _AT_ONCE)
        bad[piece] |= _beyond(price[piece], TRADED)


def _beyond(price: Floats, decimals: int) -> npt.NDArray[np.bool_]:
    """Which finite prices have more decimals: the nearest with so many is another float64."""
    scale = 10.0**decimals
    with np.errstate(invalid="ignore", over="ignore"):
        nearest = price * scale
        np.rint(nearest, out=nearest)
        nearest /= scale
        more: npt.NDArray[np.bool_] = nearest != price
    if more.any():
        more &= np.isfinite(price) & (np.abs(price) < 2**52 / scale)  # above, float64 has no such decimals
    return more


def _decimals(price: Floats) -> npt.NDArray[np.int64]:
    """How many decimals each price has in its shortest form; 0 of one that is not finite."""
    texts = (np.format_float_positional(each, trim="-") if np.isfinite(each) else "" for each in price)
    return np.fromiter((len(text.partition(".")[2]) for text in texts), np.int64, price.size)
