"""A month of few synthetic bars, made without a library that the programs here must not load. No test."""

import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket


def quiet_month(symbol, month):
    """The bars of a UTC month."""
    market = SyntheticMarket()
    days = market.days(symbol, month.start.date(), month.end.date())
    bars = pa.concat_tables([market.bars(symbol, day, RAW, adjusted=False) for day in days])
    return bars.slice(0, int((bar_table.seconds(bars) < month.end_second).sum()))
