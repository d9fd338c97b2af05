"""The code location: all of mohlcv, and the assets of one's own; `workspace.yaml` names `my_bars.definitions`."""

import dagster as dg

from mohlcv_dagster import definitions as mohlcv
from my_bars.in_duckdb import busiest_seconds
from my_bars.in_pandas import daily_volatility
from my_bars.in_polars import daily_bars

defs = dg.Definitions.merge(mohlcv.defs, dg.Definitions(assets=[daily_volatility, daily_bars, busiest_seconds]))
