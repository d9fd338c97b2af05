"""Seconds that are lost without making one minute differ: found over the month, by the sign of what is left.

A lost second takes volume from its minute, and never adds any. Where so little is lost that each minute stays within
the tolerance, the differences still have one sign: the vendor's minutes have more, again and again. Differences of
rounding or of late corrections go both ways. Where the vendor counts trades, a single such minute is enough: less
volume and fewer trades are a lost second. Counts alone show nothing: no second is lost at the same volume.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Floats, empty, from_numpy
from mohlcv_dagster.model.bar_files import TIME, VOLUME
from mohlcv_dagster.reconciliation.difference_kinds import carried
from mohlcv_dagster.reconciliation.minute_pairs import Days, Mask, Pairs

if TYPE_CHECKING:
    from mohlcv_dagster.bars.trade_figures import MinuteTrades
    from mohlcv_dagster.reconciliation.session_causes import Fitted

_FEW: Final = 12
_OF_MONTH: Final = 0.01
_OF_SESSION: Final = 0.05
_BEYOND_CHANCE: Final = 5.0
"""Standard deviations: where both signs are as likely, one sign leads by so much once in three million months."""
_LEAST_VOLUME: Final = 1e-6
"""Shares; volumes have six decimals."""
_ROUNDED: Final = 60.0
"""Shares that a minute may lose as its adjusted seconds are rounded, one each."""


@dataclass(frozen=True, eq=False)
class ThinSeconds:
    """What the minutes that agree show of lost seconds. None is shown where `rows` is empty.

    Attributes:
        compared: minutes that agree, but for sessions that a shift or a factor explains.
        short: those with more volume on the vendor's side, within the tolerance.
        long: those with more on ours.
        one_sided: whether short ones lead by more than chance allows, in the month or in sessions.
        lacking: the volume of `rows` that is in no second of ours, shares.
        volume: the vendor's volume of the minutes compared, shares.
        counted: minutes compared whose trades are known of both sides.
        fewer: those with more trades and more volume on the vendor's side.
        lacking_trades: the trades of those that are in no second of ours.
        other_counts: those with another number of trades, but not less volume on our side.
        rows: the minutes that show it, rising: `ts_event`, `volume`, `vendor_volume`, `trades`, `vendor_trades`.
    """

    compared: int = 0
    short: int = 0
    long: int = 0
    one_sided: bool = False
    lacking: float = 0.0
    volume: float = 0.0
    counted: int = 0
    fewer: int = 0
    lacking_trades: int = 0
    other_counts: int = 0
    rows: pa.Table = field(default_factory=empty)


def find(
    base: Pairs,
    fitted: "Fitted",
    days: Days,
    trades: "tuple[MinuteTrades, MinuteTrades] | None",
    *,
    adjusted: bool | None,
) -> ThinSeconds:
    """What minutes that agree show of lost seconds.

    Args:
        base: the minutes as they are.
        fitted: what explains complete sessions, which are left out.
        days: the Eastern days.
        trades: in our minutes and in the vendor's; `None` where they are not known.
        adjusted: whether both sides are adjusted for splits.
    """
    pairs = base.take(base.agree & ~carried(base) & ~_explained(base, fitted, days))
    off = pairs.vendor.volume - pairs.ours.volume
    least = _ROUNDED if adjusted else _LEAST_VOLUME
    short, long = off >= least, off <= -least
    leading = _leading(pairs, short, long)
    ours, theirs = (_unknown(pairs), _unknown(pairs)) if trades is None else (each.at(pairs.starts) for each in trades)
    missing = theirs - ours
    known = ~np.isnan(missing)
    fewer = short & (np.nan_to_num(missing) > 0)
    shown = leading | fewer
    return ThinSeconds(
        compared=len(pairs.starts),
        short=int(short.sum()),
        long=int(long.sum()),
        one_sided=bool(leading.any()),
        lacking=float(off[shown].sum()),
        volume=float(pairs.vendor.volume.sum()),
        counted=int(known.sum()),
        fewer=int(fewer.sum()),
        lacking_trades=int(missing[fewer].sum()),
        other_counts=int((known & ~short & (missing != 0)).sum()),
        rows=_table(pairs.take(shown), ours[shown], theirs[shown]),
    )


def _explained(base: Pairs, fitted: "Fitted", days: Days) -> Mask:
    """Which minutes are in a session that a shift or a factor explains."""
    causes = [cause for cause in fitted.causes if not cause.both]
    by_day = [any(cause.first <= day <= cause.last for cause in causes) for day in days.dates]
    mask: Mask = np.array(by_day, dtype=np.bool_)[base.day]
    return mask


def _leading(pairs: Pairs, short: Mask, long: Mask) -> Mask:
    """The short minutes of the month, or of the sessions, in which they lead by more than chance allows."""
    if _leads(short.sum(), long.sum(), len(short), _OF_MONTH):
        return short
    minutes, shorts, longs = (np.bincount(pairs.day[each]) for each in (slice(None), short, long))
    mask: Mask = np.zeros(len(short), dtype=np.bool_)
    for day in np.flatnonzero(shorts):
        others = longs[day] if day < len(longs) else 0
        if _leads(shorts[day], others, minutes[day], _OF_SESSION):
            mask |= short & (pairs.day == day)
    return mask


def _leads(short: int, long: int, minutes: int, share: float) -> bool:
    least = max(_FEW, share * minutes, _BEYOND_CHANCE * float(np.sqrt(short + long)))
    return bool(short - long > least)


def _unknown(pairs: Pairs) -> Floats:
    return np.full(len(pairs.starts), np.nan)


def _table(pairs: Pairs, ours: Floats, theirs: Floats) -> pa.Table:
    columns: dict[str, Any] = {
        TIME: from_numpy(pairs.starts).cast(TIME_TYPE),
        VOLUME: from_numpy(pairs.ours.volume),
        f"vendor_{VOLUME}": from_numpy(pairs.vendor.volume),
        "trades": from_numpy(ours, np.isnan(ours)),
        "vendor_trades": from_numpy(theirs, np.isnan(theirs)),
    }
    return pa.table(columns)
