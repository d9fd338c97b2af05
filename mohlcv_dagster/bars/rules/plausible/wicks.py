"""Wicks: a high or low far beyond its own bar's open and close, while the bars beside it are quiet."""

from typing import Final

import numpy as np

from mohlcv_dagster.bars.bar_table import Floats, from_numpy
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.plausible.sound import Rows, Sound
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import tally
from mohlcv_dagster.model.bar_files import PRICES

BEYOND: Final = 0.03
QUIET: Final = 0.005


def wicks(evidence: Evidence) -> Outcome:
    """Judge: no high or low is more than 3 % beyond the body between two quiet neighbours.

    The body is what lies between open and close; a wick shorter than its body is a price that moves. A neighbour is the
    bar before or after on the same trading day, quiet where its own body is within 0.5 % of this one's. A bar with only
    one is judged by that one, without any it is not. Context: `beyond_percent`, how far beyond the body.
    """
    sound = Sound.of(evidence.own)
    at = _long(sound)
    at = at[_between_quiet(sound, at)]
    if not at.size:
        return Outcome(of=sound.size)
    beyond = from_numpy(np.round(100 * _beyond(sound, at), 2))
    bars = sound.bars(at).append_column("beyond_percent", beyond)
    text = "a high or low more than 3 % beyond open and close, with both neighbours within 0.5 %"
    return Outcome(of=sound.size, fault=tally(bars, sound.size, text, shown=PRICES), bars=bars)


def _long(sound: Sound) -> Rows:
    """Where a high or low is more than 3 % beyond the body, and than it is long; the close alone tells most are not."""
    high, low, close = (sound.prices[name] for name in ("high", "low", "close"))
    at = np.flatnonzero((high > (1 + BEYOND) * close) | (low < (1 - BEYOND) * close))
    top, bottom = _body(sound, at)
    return at[_beyond(sound, at) > np.maximum(BEYOND, top / bottom - 1)]


def _beyond(sound: Sound, at: Rows) -> Floats:
    """How far the furthest of high and low is beyond the body, as a share of the body's end."""
    top, bottom = _body(sound, at)
    return np.maximum(sound.prices["high"][at] / top - 1, 1 - sound.prices["low"][at] / bottom)


def _body(sound: Sound, at: Rows) -> tuple[Floats, Floats]:
    opens, close = sound.prices["open"][at], sound.prices["close"][at]
    return np.maximum(opens, close), np.minimum(opens, close)


def _between_quiet(sound: Sound, at: Rows) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """Whether the body of every neighbour that there is, and there is one, is within 0.5 % of the bar's own."""
    beside = np.stack([at - 1, at + 1]).clip(0, max(sound.size - 1, 0))
    there = (sound.days(beside) == sound.days(at)) & (beside != at)
    (top, bottom), (their_top, their_bottom) = _body(sound, at), _body(sound, beside)
    quiet = (their_top <= (1 + QUIET) * top) & (their_bottom >= (1 - QUIET) * bottom)
    return np.asarray((quiet | ~there).all(axis=0) & there.any(axis=0))
