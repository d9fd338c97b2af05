"""One interactive HTML page: the candles and the volume of a month or a day, its sessions, and what the checks found.

The library that draws it is inside the page, so that it needs no network. Times are Eastern. plotly is an optional
extra: it is loaded here alone, when a page is made.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, to_numpy
from mohlcv_dagster.charts.svg import AMBER, BLUE, FALL, INK, RED, RISE
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.exchange_calendar import EASTERN, Session

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_CANDLES: Final = 60_000
"""More are not drawn well by a browser: a day of 1-second bars has up to 57,600."""
MOST_MARKS: Final = 500
"""How many offending bars of a rule are drawn."""
_HEIGHT: Final = 720
_STEP: Final = 0.02
"""How much higher the markers of a rule are than those of the one before, a share of the range of prices."""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 90rem; padding: 1rem; color: #1c2230; background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }}
h1 {{ font-size: 1.4rem; margin: 0; }}
li {{ margin: .3rem 0; overflow-wrap: anywhere; }}
.error {{ color: #b3261e; }} .warn {{ color: #8a5a00; }} .soft {{ color: #5d6677; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p class="soft">{summary}</p>
{figure}
<h2>What the checks found</h2>
{findings}
</body>
</html>
"""


@dataclass(frozen=True)
class Mark:
    """What a rule found, and where.

    Attributes:
        rule: its name.
        is_error: whether it failed as an error; else it warns.
        message: what is wrong and what to do.
        starts: Unix seconds of what offends; none where the file itself does.
        ends: where each ends, for gaps; else none.
    """

    rule: str
    is_error: bool
    message: str
    starts: Seconds
    ends: Seconds | None = None


@dataclass(frozen=True)
class Candles:
    """Bars to draw: arrays of one length, rising by `starts`, Unix seconds."""

    starts: Seconds
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def of(cls, bars: pa.Table, seconds: int) -> "Candles":
        """Bars joined into candles of `seconds`. Bars out of order are sorted, and those without a price left out."""
        starts = bar_table.seconds(bars)
        columns = [to_numpy(bars[name]).astype(np.float64) for name in (*bar_files.PRICES, bar_files.VOLUME)]
        usable = np.flatnonzero(np.isfinite(np.stack(columns[:4])).all(axis=0))
        order = usable[np.argsort(starts[usable], kind="stable")]
        buckets = starts[order] // seconds * seconds
        opens, highs, lows, closes, volume = (column[order] for column in columns)
        if not order.size:
            return cls(buckets, opens, highs, lows, closes, volume)
        first = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
        last = np.append(first[1:], order.size) - 1
        return cls(
            buckets[first],
            opens[first],
            np.maximum.reduceat(highs, first),
            np.minimum.reduceat(lows, first),
            closes[last],
            np.add.reduceat(np.nan_to_num(volume), first),
        )


def eastern(starts: Seconds) -> npt.NDArray[np.datetime64]:
    """Unix seconds as Eastern wall time, without a zone: what plotly draws as it is."""
    hours, which = np.unique(starts // 3600, return_inverse=True)
    moments = [datetime.fromtimestamp(int(hour) * 3600, UTC) for hour in hours]
    offsets = [(moment.astimezone(EASTERN).utcoffset() or timedelta()) // timedelta(seconds=1) for moment in moments]
    local = starts + np.array(offsets, dtype=np.int64)[which] if starts.size else starts
    return local.astype("datetime64[s]")


def page(title: str, timeframe: str, candles: Candles, sessions: Sequence[Session], marks: Sequence[Mark]) -> str:
    """The page as HTML; every text in it is escaped.

    Args:
        title: what is drawn, such as `SPY 2024-01`.
        timeframe: of the candles, such as `1min`.
        candles: from one to `MOST_CANDLES`.
        sessions: whose regular hours are shaded.
        marks: what the checks found, errors first.
    """
    drawn = figure(candles, sessions, marks)
    body = drawn.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False, "scrollZoom": True})
    items = "".join(
        f'<li class="{"error" if each.is_error else "warn"}"><b>{html.escape(each.rule)}</b>: '
        f"{html.escape(each.message)}{_left_out(each)}</li>\n"
        for each in marks
    )
    return _PAGE.format(
        title=html.escape(f"{title}, {timeframe} bars"),
        summary=f"{quantity(candles.starts.size, 'candle')}, Eastern time; regular hours are shaded. Drag to zoom, "
        "double-click to go back; click a name in the legend to hide it.",
        figure=body,
        findings=f"<ul>\n{items}</ul>" if items else "<p>Nothing: no check that was made here failed.</p>",
    )


def _left_out(mark: Mark) -> str:
    more = mark.starts.size - MOST_MARKS
    return f" <i>The first {MOST_MARKS} are drawn, {more:,} are not.</i>" if more > 0 else ""


def figure(candles: Candles, sessions: Sequence[Session], marks: Sequence[Mark]) -> "go.Figure":
    """Candles above, volume below, regular hours shaded, and a trace of markers for each rule that found something."""
    import plotly.graph_objects as go  # noqa: PLC0415 - optional
    from plotly.subplots import make_subplots  # noqa: PLC0415 - as above

    times = eastern(candles.starts)
    made = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.8, 0.2], vertical_spacing=0.02)
    prices = go.Candlestick(
        x=times,
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        name="price",
        increasing_line_color=RISE,
        decreasing_line_color=FALL,
    )
    made.add_trace(prices, row=1, col=1)
    made.add_trace(
        go.Bar(x=times, y=candles.volume, name="volume", marker={"color": BLUE, "line": {"width": 0}}), row=2, col=1
    )
    for rank, mark in enumerate(mark for mark in marks if mark.starts.size):
        made.add_trace(_markers(mark, candles, rank), row=1, col=1)
    made.update_layout(
        height=_HEIGHT,
        margin={"l": 60, "r": 20, "t": 20, "b": 40},
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.06},
        xaxis_rangeslider_visible=False,
        shapes=[*_regular_hours(sessions), *_gaps(marks)],
    )
    made.update_yaxes(title_text="US dollars", row=1, col=1)
    made.update_yaxes(title_text="shares", row=2, col=1)
    made.update_xaxes(rangebreaks=_breaks(candles.starts, sessions), range=[str(times[0]), str(times[-1])])
    return made


def _markers(mark: Mark, candles: Candles, rank: int) -> "go.Scatter":
    import plotly.graph_objects as go  # noqa: PLC0415 - optional

    starts = mark.starts[:MOST_MARKS]
    at = np.clip(np.searchsorted(candles.starts, starts, side="right") - 1, 0, None)
    heights = candles.high[at] + (rank + 1) * _STEP * (candles.high.max() - candles.low.min())
    colour = RED if mark.is_error else AMBER
    return go.Scatter(
        x=eastern(starts),
        y=heights,
        mode="markers",
        name=html.escape(f"{mark.rule} ({mark.starts.size:,})"),
        hovertext=html.escape(mark.message),
        hoverinfo="name+x+text",
        marker={"symbol": "triangle-down", "size": 11, "color": colour, "line": {"width": 1, "color": INK}},
    )


def _regular_hours(sessions: Sequence[Session]) -> list[dict[str, Any]]:
    spans = [(day.regular_open, day.regular_close) for day in sessions]
    return [_shade(int(opens.timestamp()), int(closes.timestamp()), BLUE, 0.07) for opens, closes in spans]


def _gaps(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    return [
        _shade(int(start), int(end), RED if mark.is_error else AMBER, 0.2)
        for mark in marks
        if mark.ends is not None
        for start, end in zip(mark.starts[:MOST_MARKS], mark.ends[:MOST_MARKS], strict=True)
    ]


def _shade(start: int, end: int, colour: str, opacity: float) -> dict[str, Any]:
    left, right = (str(moment) for moment in eastern(np.array([start, end], dtype=np.int64)))
    place = {"type": "rect", "xref": "x", "yref": "paper", "x0": left, "x1": right, "y0": 0, "y1": 1}
    return {**place, "fillcolor": colour, "opacity": opacity, "line_width": 0, "layer": "below"}


def _breaks(starts: Seconds, sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """What is left out of the axis: from the end of a session to the begin of the next, unless a bar lies there."""
    spans = [tuple(int(moment.timestamp()) for moment in span) for day in sessions for span in day.spans]
    closed = [(before[1], after[0]) for before, after in pairwise(spans)]
    return [
        {"bounds": [str(moment) for moment in eastern(np.array(each, dtype=np.int64))]}
        for each in closed
        if each[0] < each[1] and np.diff(np.searchsorted(starts, each))[0] == 0
    ]
