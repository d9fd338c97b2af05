"""Minute-of-day occupancy: in which share of a month's sessions each minute from 04:00 to 20:00 Eastern has a bar.

A liquid symbol fills regular hours to the top; a minute that is missing session after session is a notch, and bars
labelled in a wrong zone are a block that does not fit the marked hours.
"""

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.schema import Floats, Seconds
from mohlcv_dagster.bars.sessions import Session
from mohlcv_dagster.charts import svg
from mohlcv_dagster.charts.svg import BLUE, INK, Picture, Scale

WIDTH: Final = 680
HEIGHT: Final = 158
MINUTES: Final = 960
"""From 04:00 (inclusive) to 20:00 (exclusive) Eastern."""
STEPS: Final = (23, 11, 5)
"""The heights that are told apart: as many as a month has sessions, or fewer where the outline would be too long."""
LONGEST_OUTLINE: Final = 3_000
"""Characters; a third more as markdown."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 672, 34, 134
_BELL, _CLOSE = 330, 720
"""09:30 and 16:00 as minutes since 04:00."""
_CLOCKS: Final = ((0, "04:00"), (_BELL, "09:30"), (480, "12:00"), (_CLOSE, "16:00"), (MINUTES, "20:00"))
_DAY: Final = 86_400


def draw(symbol: str, month: Month, starts: Seconds, complete_through: datetime) -> Picture:
    """The month's day of minutes.

    Args:
        symbol: for the title.
        month: whose sessions are looked at.
        starts: its bars' starts, Unix seconds, rising.
        complete_through: the moment (exclusive) up to which they were asked for.
    """
    shares = occupancy(starts, month, complete_through)
    regular, rest = shares[_BELL:_CLOSE], np.concatenate([shares[:_BELL], shares[_CLOSE:]])
    alt = (
        f"{symbol} {month}: a minute of regular hours has a bar in {_percent(regular)} of the sessions on average, "
        f"one before or after in {_percent(rest)}"
    )
    minutes = Scale(0, MINUTES, _LEFT, _RIGHT)
    return svg.picture(WIDTH, HEIGHT, alt, [*_frame(f"{symbol} {month}", minutes), _area(shares), *_bells(minutes)])


def occupancy(starts: Seconds, month: Month, complete_through: datetime) -> Floats:
    """The share of sessions, 0 to 1, in which each minute has a bar, shape (MINUTES,); NaN where none has that minute.

    A session has a minute when it lies in its extended hours, in the month, and was over by `complete_through`.
    """
    begin, end = month.start_second, min(month.end_second, int(complete_through.timestamp()))
    days = sessions.sessions_overlapping(month)
    minutes = _distinct(starts // 60)
    due, present = np.zeros(MINUTES), np.zeros(MINUTES)
    for day in days:
        first, last = _extended_minutes(day)
        due[max(first, -(-begin // 60)) - first : max(min(last, end // 60) - first, 0)] += 1
        own = minutes[slice(*np.searchsorted(minutes, [first, last]))]
        present[own - first] += 1
    shares: Floats = np.divide(np.minimum(present, due), due, out=np.full(MINUTES, np.nan), where=due > 0)
    return shares


def _extended_minutes(day: Session) -> tuple[int, int]:
    return int(day.extended_open.timestamp()) // 60, int(day.extended_close.timestamp()) // 60


def _distinct(rising: Seconds) -> Seconds:
    new = np.ones(rising.size, dtype=np.bool_)
    new[1:] = rising[1:] != rising[:-1]
    distinct: Seconds = rising[new]
    return distinct


def _percent(shares: Floats) -> str:
    known = shares[np.isfinite(shares)]
    return f"{np.mean(known):.1%}" if known.size else "none"


def _frame(title: str, minutes: Scale) -> list[str]:
    levels = Scale(0, 1, _BOTTOM, _TOP)
    return [
        svg.text(_LEFT, 13, title, bold=True),
        svg.text(_RIGHT, 13, "sessions with a bar, by minute, Eastern time", anchor="end"),
        svg.path([f"M{_LEFT} {levels(share):g}H{_RIGHT}" for share in (0, 0.5, 1)], stroke=INK, stroke_opacity=".3"),
        *(svg.text(_LEFT - 6, levels(share) + 4, f"{share:.0%}", anchor="end") for share in (0, 0.5, 1)),
        *(svg.text(minutes(at), HEIGHT - 8, words, anchor=_anchor(at)) for at, words in _CLOCKS),
    ]


def _bells(minutes: Scale) -> list[str]:
    lines = [f"M{svg.number(minutes(at))} {_TOP - 4}V{_BOTTOM + 4}" for at in (_BELL, _CLOSE)]
    return [
        svg.path(lines, stroke=INK, stroke_width="1.5", stroke_dasharray="5 3"),
        svg.text(minutes((_BELL + _CLOSE) / 2), _TOP - 3, "regular hours", anchor="middle"),
    ]


def _anchor(minute: int) -> str:
    return {0: "start", MINUTES: "end"}.get(minute, "middle")


def _area(shares: Floats) -> str:
    for steps in STEPS:
        outline = _outline(np.rint(np.nan_to_num(shares) * steps).astype(int))
        if len(outline) <= LONGEST_OUTLINE:
            break
    across, up = (_RIGHT - _LEFT) / MINUTES, (_BOTTOM - _TOP) / steps
    turn = f"matrix({across:.4g} 0 0 {-up:.4g} {_LEFT} {_BOTTOM})"
    return svg.path([outline], transform=turn, fill=BLUE, fill_opacity=".75")


def _outline(heights: npt.NDArray[np.int64]) -> str:
    """From minute to minute in relative steps, which are the shortest to write; a level stretch is one step."""
    changes = np.diff(heights) != 0
    corners = np.flatnonzero(np.append(True, changes) | np.append(changes, True))
    along, up = np.diff(corners), np.diff(heights[corners])
    steps = [f"{dx} {dy}" if dy >= 0 else f"{dx}{dy}" for dx, dy in zip(along.tolist(), up.tolist(), strict=True)]
    return f"M0 0V{heights[0]}l{' '.join(steps)}h1V0z"
