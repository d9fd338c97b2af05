"""Stretches of regular hours without a bar that chance does not explain, of a symbol that has empty minutes by nature.

A session is judged by the month's other sessions: how often they trade in that stretch, on average, at this session's
own pace. Trades that come at random leave a stretch empty in which `n` were expected with a probability
of `exp(-n)`. They come in clusters too: where the pace of an hour varies by a gamma distribution of relative variance
`v`, an hour is empty with a probability of `(1 + v n) ** (-1 / v)`. That variance is the month's own, measured over
all its hours. A stretch that is empty in every session is judged by the other hours of the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.coverage import SessionCoverage
from mohlcv_dagster.model.exchange_calendar import Session

SURPRISE: Final = 15.0
"""The least surprise: chance leaves one stretch empty once in three million (`exp(15)`); a month has a thousand."""
TIMES_USUAL: Final = 2.0
"""And how many times that of the emptiest stretch in three of four sessions of the month."""
FEWEST: Final = 5
"""With fewer sessions nothing is known of the others."""

_LULL: Final = 0.5
"""The least pace of any hour, as a share of the average of the others: around noon less is traded."""
_HOUR: Final = 60
_IN_EVERY: Final = 12.0
"""The same for the few stretches that are empty in every session."""
_FULL: Final = 0.98
"""The share of minutes with bars above which the pace is not known from it."""
_DOUBT: Final = 1.5
"""Standard deviations by which a session's own pace may be lower than it looks."""
_SMOOTHED: Final = 15
"""Minutes over which the other sessions' pace is averaged, since few sessions say little of one minute."""
_SHORTEST: Final = 30
"""Minutes: a shorter stretch may be empty in every session of a symbol that seldom trades."""

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EmptyStretch:
    """Consecutive regular minutes without a bar.

    Attributes:
        session: of which.
        first: the first minute, counted from the opening.
        end: the minute after the last.
        expected: how many trades were expected in them, at the least.
        surprise: minus the logarithm of the probability that chance leaves it empty.
    """

    session: Session
    first: int
    end: int
    expected: float
    surprise: float

    @property
    def start(self) -> datetime:
        """When it begins, UTC."""
        return self.session.regular_open + timedelta(minutes=self.first)

    @property
    def until(self) -> datetime:
        """When it ends, UTC, exclusive."""
        return self.session.regular_open + timedelta(minutes=self.end)


def unlikely(sessions: Sequence[SessionCoverage]) -> list[EmptyStretch]:
    """The stretch that is empty in every session, or else of each session that has one the least likely.

    Those that chance explains are left out. In the order of sessions.

    Args:
        sessions: those of the month that have bars.
    """
    if len(sessions) < FEWEST:
        return []
    in_every = _in_every(sessions)
    if in_every:
        return in_every
    usual = _usual(sessions)
    if max(map(_most_expected, sessions, usual)) <= SURPRISE:  # never less than the surprise; as in most months
        return []
    spread = [_spread(each.minutes, theirs) for each, theirs in zip(sessions, usual, strict=True)]
    found = [
        _emptiest(each, theirs, _variance(spread[:at] + spread[at + 1 :]))
        for at, (each, theirs) in enumerate(zip(sessions, usual, strict=True))
    ]
    usually = sorted(each.surprise for each in found)[3 * (len(found) - 1) // 4]
    least = max(SURPRISE, TIMES_USUAL * usually)
    return [each for each in found if each.surprise > least]


def _usual(sessions: Sequence[SessionCoverage]) -> list[Floats]:
    """For each session the pace of the others in each of its minutes: trades a minute that come at random."""
    sums, around = {}, np.ones(_SMOOTHED)
    for size in {each.minutes.size for each in sessions}:
        long = [each.minutes[:size] for each in sessions if each.minutes.size >= size]
        near = (len(long) - 1) * np.convolve(np.ones(size), around, "same")
        sums[size] = np.sum(long, axis=0, dtype=np.float64), np.maximum(near, 1)
    found = []
    for each in sessions:
        total, near = sums[each.minutes.size]
        found.append(_pace(np.convolve(total - each.minutes, around, "same") / near))
    return found


def _pace(share: Floats) -> Floats:
    """Trades a minute, where this share of minutes has some."""
    pace: Floats = -np.log1p(-np.minimum(share, _FULL))
    return pace


def _spread(minutes: npt.NDArray[np.bool_], usual: Floats) -> tuple[float, float]:
    """How much a session's hours vary beyond chance, and its expected trades, both as sums of squares over hours."""
    hours = np.arange(0, minutes.size, _HOUR)
    lengths = np.diff(np.append(hours, minutes.size))
    share = np.add.reduceat(minutes.astype(np.float64), hours) / lengths
    had, due = lengths * _pace(share), np.add.reduceat(usual, hours)
    due *= had.sum() / max(due.sum(), 1e-9)
    by_chance = lengths * np.expm1(np.minimum(due / lengths, -np.log1p(-_FULL)))
    return float(((had - due) ** 2 - by_chance).sum()), float((due**2).sum())


def _variance(spread: Sequence[tuple[float, float]]) -> float:
    """The relative variance of an hour's pace, at least a little."""
    beyond, squares = (sum(each) for each in zip(*spread, strict=True))
    return float(max(beyond / max(squares, 1e-9), 1e-3))


def _most_expected(of: SessionCoverage, usual: Floats) -> float:
    """The trades expected in the stretch without a bar that has most of them, at the other sessions' pace."""
    passed = np.concatenate([[0.0], np.cumsum(usual)])
    firsts, ends = _empty_runs(of.minutes)
    return float((passed[ends] - passed[firsts]).max(initial=0.0))


def _emptiest(of: SessionCoverage, usual: Floats, variance: float) -> EmptyStretch:
    """The stretch in which the other sessions have most minutes with bars."""
    sums = np.concatenate([[0.0], np.cumsum(usual)])
    firsts, ends = _empty_runs(of.minutes)
    if not firsts.size:
        return EmptyStretch(of.session, 0, 0, 0.0, 0.0)
    inside = sums[ends] - sums[firsts]
    at = int(inside.argmax())
    first, end = int(firsts[at]), int(ends[at])
    elsewhere = np.delete(of.minutes, np.arange(first, end))
    own = elsewhere.size * float(_pace(elsewhere.mean(dtype=np.float64))) if elsewhere.size else 0.0
    own *= max(0.0, 1 - _DOUBT / np.sqrt(elsewhere.sum() + 1))
    pace = min(1.0, own / max(float(sums[-1] - inside[at]), 1e-9))
    edges = np.array([first, *range((first // _HOUR + 1) * _HOUR, end, _HOUR), end])
    surprise = float(np.log1p(variance * pace * np.diff(sums[edges])).sum() / variance)
    return EmptyStretch(of.session, first, end, pace * float(inside[at]), surprise)


def _in_every(sessions: Sequence[SessionCoverage]) -> list[EmptyStretch]:
    """The longest stretch that is empty in every full session, once for each; none where chance may explain it."""
    full = max(each.minutes.size for each in sessions)
    whole = [each for each in sessions if each.minutes.size == full]
    counts = np.sum([each.minutes for each in whole], axis=0)
    firsts, ends = _empty_runs(counts > 0)
    if len(whole) < FEWEST or not firsts.size:
        return []
    at = int((ends - firsts).argmax())
    first, end = int(firsts[at]), int(ends[at])
    expected = _LULL * float(counts.sum()) * (end - first) / max(full - (end - first), 1)
    if end - first < _SHORTEST or expected <= _IN_EVERY:
        return []
    return [EmptyStretch(each.session, first, end, expected / len(whole), expected) for each in whole]


def _empty_runs(minutes: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The first minute of each run of minutes without bars, and the one after its last."""
    edges = np.diff(np.concatenate([[False], ~minutes, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
