"""A file's text beside the text the contract writes for the same bars: what differs, and which of it matters."""

import io
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mohlcv_dagster.model.bar_files import COLUMNS

_HEADER = ",".join(COLUMNS).encode()


@dataclass(frozen=True)
class Differences:
    """Where a file's lines are not the contract's.

    Attributes:
        lines: how many lines differ, those one side has more included.
        summary: the first of them, in words.
        bars: the bars on those lines with `line`, `found` and `expected`; none where lines cannot be matched to bars.
    """

    lines: int
    summary: str
    bars: pa.Table


def columns_as_text(content: bytes, names: tuple[str, ...]) -> pa.Table:
    """Columns of a readable file as written, by name, as strings."""
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=list(names))
    # A header that no line end closes is not one for Arrow.
    text = content if b"\n" in content else content + b"\n"
    return csv.read_csv(io.BytesIO(text), convert_options=convert)


def normalized(content: bytes) -> tuple[bytes, list[str]]:
    """The text without the differences that every reader accepts, and what those were."""
    accepted = []
    if b"\r\n" in content:
        accepted.append("CRLF line ends")
        content = content.replace(b"\r\n", b"\n")
    header = content.partition(b"\n")[0]
    if header != _HEADER and not content.startswith(BOM_UTF8):  # some readers take the mark for a part of the name
        accepted.append(f"the columns {header.decode(errors='backslashreplace')}")
        content = _selected(content)
    return content, accepted


def differences(bars: pa.Table, found: bytes, expected: bytes) -> Differences:
    """Where the lines of `found` are not those of `expected`; both hold the same bars."""
    here, there = found.split(b"\n"), expected.split(b"\n")
    lines = [at for at, (one, other) in enumerate(zip(here, there, strict=False)) if one != other]
    lines += range(min(len(here), len(there)), max(len(here), len(there)))
    first = lines[0]
    differ = "1 line differs" if len(lines) == 1 else f"{len(lines):,} lines differ"
    summary = f"{differ}; first line {first + 1:,}, which is {_shown(here, first)} where {_shown(there, first)} is due"
    # With as many lines as the contract's, line 0 is the header and line n the bar in row n - 1.
    on_bars = [at for at in lines if 1 <= at <= bars.num_rows] if len(here) == len(there) else []
    offending = bars.take(pa.array([at - 1 for at in on_bars], pa.int64()))
    offending = offending.append_column("line", pa.array([at + 1 for at in on_bars], pa.int64()))
    offending = offending.append_column("found", pa.array([_text(here[at]) for at in on_bars], pa.string()))
    offending = offending.append_column("expected", pa.array([_text(there[at]) for at in on_bars], pa.string()))
    return Differences(len(lines), summary, offending)


def _selected(content: bytes) -> bytes:
    table = columns_as_text(content, COLUMNS)
    comma = pa.scalar(",")
    lines: Any = pc.binary_join_element_wise(*(table[name] for name in COLUMNS), comma)  # type: ignore[call-overload]  # the stubs know no separator
    text = "\n".join([_HEADER.decode(), *lines.to_pylist()])
    return text.encode() + (b"\n" if content.endswith(b"\n") else b"")


def _shown(lines: list[bytes], at: int) -> str:
    return repr(_text(lines[at])) if at < len(lines) else "no line"


def _text(line: bytes) -> str:
    return line.decode(errors="backslashreplace")
