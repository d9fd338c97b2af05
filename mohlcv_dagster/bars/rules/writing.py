"""The rules that look at how a file is written: readable, in the contract's form, volume as it must be, as recorded."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.bars.bar_table import from_numpy, to_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.form import columns_as_text, differences, normalized
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.bars.rules.rule import WRITE_BACK, Outcome, Severity
from mohlcv_dagster.bars.rules.wording import tally
from mohlcv_dagster.model.bar_files import VOLUME


def readable(evidence: Evidence) -> Outcome:
    """Judge: the bytes are a CSV file with the six columns, numeric throughout."""
    problem = evidence.own.problem
    fault = f"{evidence.file.path} {problem.removeprefix('it ')}" if problem else None
    return Outcome(of=evidence.own.rows, fault=fault, cure=WRITE_BACK if evidence.own.is_absent else None)


def exact_form(evidence: Evidence) -> Outcome:
    """Judge: the file is what the encoder writes for its bars, byte for byte.

    A warning where the sole differences are ones that every reader accepts: additional columns, another order of
    columns, CRLF. A missing last line end is an error: `152` may be what is left of `15234`.
    Context: `line`, counted from 1, `found` and `expected`.
    """
    rows = evidence.own.rows
    if evidence.own.is_exact:
        return Outcome(of=rows)
    contract = csv_codec.encode(evidence.own.present)
    plain, accepted = normalized(evidence.own.text)
    if plain == contract:
        fault = (
            f"{evidence.file.path} has {' and '.join(accepted)}; every reader accepts that, byte comparison does not"
        )
        return Outcome(of=rows, fault=fault, count=0, severity=Severity.WARN)
    if plain + b"\n" == contract:
        fault = f"{evidence.file.path} ends without a line end, so its last line may be cut short"
        last = evidence.own.present.slice(rows - 1) if rows else None
        return Outcome(of=rows, fault=fault, bars=last)
    found = differences(evidence.own.present, plain, contract)
    fault = f"{evidence.file.path} is not in the form that data/README.md gives: {found.summary}"
    return Outcome(of=rows, fault=fault, bars=found.bars, count=found.lines)


def as_recorded(evidence: Evidence) -> Outcome:
    """Judge: rows and digest are those recorded when the file was written; a warning where nothing was recorded."""
    own, recorded, path = evidence.own, evidence.recorded, evidence.file.path
    if recorded is None:
        fault = f"Nothing is recorded of {path}, so a later change could not be told"
        return Outcome(of=own.rows, fault=fault, severity=Severity.WARN)
    faults = []
    if own.rows != recorded.rows:
        faults.append(f"it has {own.rows:,} bars, {recorded.rows:,} were recorded")
    if own.sha256 != recorded.sha256:
        faults.append(f"its sha256 is {own.sha256[:12]}…, {recorded.sha256[:12]}… was recorded")
    if not faults:
        return Outcome(of=own.rows)
    return Outcome(of=own.rows, fault=f"{path} has changed since it was written: {'; '.join(faults)}")


def volume_type(evidence: Evidence) -> Outcome:
    """Judge: volume is written as integers exactly where every volume of the raw file is whole."""
    own, file = evidence.own.present, evidence.file
    if evidence.is_raw:
        if bar_table.normalize_volume_dtype(own).schema.equals(own.schema):
            return Outcome(of=own.num_rows)
        fault = f"{file.path} writes volume as decimals although all {own.num_rows:,} volumes are whole"
        return Outcome(of=own.num_rows, fault=fault)
    whole, raw_whole = bar_table.has_whole_volume(own), bar_table.has_whole_volume(evidence.raw.present)
    if whole == raw_whole:
        return Outcome(of=own.num_rows)
    kinds = {True: "integers", False: "decimals"}
    fault = f"{file.path} writes volume as {kinds[whole]}, its raw file as {kinds[raw_whole]}"
    return Outcome(of=own.num_rows, fault=fault)


def volume_precision(evidence: Evidence) -> Outcome:
    """Judge: no volume has more than 6 decimals, or is written with an exponent from 0.0001 share up.

    Below that the contract's own form has one (`2.3e-05`): 23 millionths of a share are a volume like any other.
    Context: `volume_text`. A volume that is missing or infinite is the matter of `no_missing_values`.
    """
    own, volume = evidence.own, evidence.own.volume
    if volume.dtype == np.int64:  # written as integers throughout, which have neither decimals nor an exponent
        return Outcome(of=own.rows)
    rows, finite = own.rows, np.isfinite(volume)
    fine = ~finite | ~resample.beyond_millionths(volume)
    exponent = _have_exponent(own) & finite & (np.abs(volume) >= csv_codec.SMALLEST_PLAIN)
    bad = ~fine | exponent
    if not bad.any():
        return Outcome(of=rows)
    bars = own.present.filter(from_numpy(bad))
    shown: tuple[str, ...] = (VOLUME,)
    text = _texts_with_exponent(own.text)
    if text is not None:
        bars, shown = bars.append_column("volume_text", text.filter(from_numpy(bad))), ("volume_text",)
    fault = tally(bars, rows, "a volume with more than 6 decimals or an exponent", shown=shown)
    return Outcome(of=rows, fault=fault, bars=bars)


def _have_exponent(own: Reading) -> npt.NDArray[np.bool_]:
    """Which volumes are written with an exponent, shape (rows,); small ones, which may be, need not be among them."""
    if own.proven is not None:
        large: npt.NDArray[np.bool_] = np.abs(own.volume) >= csv_codec.LEAST_WITH_EXPONENT
        return large
    text = _texts_with_exponent(own.text)
    return np.zeros(own.rows, np.bool_) if text is None else to_numpy(pc.match_substring(text, "e"))


def _texts_with_exponent(content: bytes) -> "pa.ChunkedArray[Any] | None":
    """The volume column as written, in lower case; `None` where no byte after the header can be an exponent's."""
    header = content.find(b"\n")
    if content.find(b"e", header) < 0 and content.find(b"E", header) < 0:
        return None
    return pc.utf8_lower(columns_as_text(content, (VOLUME,))[VOLUME])
