"""The pictures of `mohlcv_dagster.charts` as markdown metadata, which the UI shows inline."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.charts import heat_map, month_charts
from mohlcv_dagster.errors import MonthError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pyarrow as pa

    from mohlcv_dagster.charts.svg import Picture
    from mohlcv_dagster.defs.metadata import Metadata
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.model.quality_rows import MonthQuality

PRICES: Final = "price and volume by session"
MINUTES: Final = "minutes with bars"
HEAT_MAP: Final = "heat map"


def of_month(file: "BarFile", bars: "pa.Table", complete_through: "datetime") -> "Metadata":
    """The pictures of a raw month; none of a month without bars or beyond the exchange calendar.

    Args:
        file: which month.
        bars: its bars, rising.
        complete_through: the moment (exclusive) up to which they were asked for.
    """
    if not bars.num_rows:
        return {}
    try:
        return {
            PRICES: _shown(month_charts.draw_session_prices(file.symbol, file.month, bars, complete_through)),
            MINUTES: _shown(
                month_charts.draw_minutes_of_day(file.symbol, file.month, bar_table.seconds(bars), complete_through)
            ),
        }
    except MonthError:
        return {}


def of_quality(months: "Iterable[MonthQuality]") -> "Metadata":
    """The heat map of all stored months."""
    levels = {(month.symbol, month.month): heat_map.level_of(month) for month in months}
    return {HEAT_MAP: _shown(heat_map.draw(levels))}


def _shown(picture: "Picture") -> dg.MetadataValue:
    return dg.MetadataValue.md(picture.markdown)
