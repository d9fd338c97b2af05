"""Stale prices: bar upon bar in regular hours without any move, in a symbol that trades all the time."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Seconds, from_numpy, to_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.plausible.sound import Rows, Sound
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import as_text
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import PRICES, TIME
from mohlcv_dagster.model.exchange_calendar import Session

IN_A_ROW: Final = 120


def stale_prices(evidence: Evidence) -> Outcome:
    """Judge: in regular hours no 120 bars in a row have all four prices equal to the close before; liquid symbols.

    The bars offending are counted one by one; `bars` has the first of each run. Context: `last_ts_event`, `run_length`.
    """
    sound = Sound.of(evidence.own)
    unchanged = _unchanged(sound)
    if not _runs(unchanged)[0].size:  # usual
        return Outcome(of=sound.size)
    if not evidence.liquid:
        return Outcome(of=sound.size, note="does not apply: a quiet symbol")
    session = _session_of(sound.starts, exchange_calendar.sessions_in(evidence.file.month))
    regular = np.flatnonzero(session >= 0)
    firsts, lengths = _runs(unchanged[regular], breaks=np.diff(session[regular]) != 0)
    if not firsts.size:
        return Outcome(of=sound.size)
    last = from_numpy(sound.starts[regular[firsts + lengths - 1]]).cast(TIME_TYPE)
    bars = sound.bars(regular[firsts]).append_column("last_ts_event", last)
    bars = bars.append_column("run_length", from_numpy(lengths))
    return Outcome(of=sound.size, fault=_told(bars, regular.size), bars=bars, count=int(lengths.sum()))


def _unchanged(sound: Sound) -> npt.NDArray[np.bool_]:
    """Whether all four prices of a bar are the close of the bar before; never of the first."""
    previous = sound.prices["close"][:-1]
    same = np.ones(sound.size, dtype=bool)
    same[:1] = False
    for name in PRICES:
        same[1:] &= sound.prices[name][1:] == previous
    return same


def _runs(unchanged: npt.NDArray[np.bool_], breaks: npt.NDArray[np.bool_] | None = None) -> tuple[Rows, Rows]:
    """The first position and the length of each run of 120 or more; a run goes on over no break.

    Args:
        unchanged: shape (bars,).
        breaks: whether the run must end between a bar and the next, shape (bars - 1,).
    """
    ends = unchanged[1:] != unchanged[:-1]
    if breaks is not None:
        ends |= breaks
    firsts = np.concatenate([[0], np.flatnonzero(ends) + 1]) if unchanged.size else np.empty(0, np.intp)
    lengths = np.diff(np.append(firsts, unchanged.size))
    long = lengths >= IN_A_ROW
    long[long] = unchanged[firsts[long]]
    return firsts[long], lengths[long]


def _session_of(starts: Seconds, open_hours: tuple[Session, ...]) -> Rows:
    """In whose regular hours each bar is, as a position in `open_hours`; -1 for none."""
    if not open_hours:
        return np.full(starts.size, -1)
    opens = np.array([int(each.regular_open.timestamp()) for each in open_hours])
    closes = np.array([int(each.regular_close.timestamp()) for each in open_hours])
    session = np.searchsorted(opens, starts, side="right") - 1
    return np.where((session >= 0) & (starts < closes[session]), session, -1)


def _told(runs: pa.Table, of: int) -> str:
    first = runs.slice(0, 1).to_pylist()[0]
    bars = int(to_numpy(runs["run_length"]).sum())
    many = "1 run" if runs.num_rows == 1 else f"{runs.num_rows:,} runs"
    return (
        f"{many} of {IN_A_ROW} or more bars at an unchanged price, {bars:,} of {of:,} bars in regular hours; "
        f"first from {as_text(runs[TIME][0])} to {as_text(runs['last_ts_event'][0])} "
        f"({first['run_length']:,} bars at {first['close']})"
    )
