"""In pandas, partition by partition: the IO manager reads the bars, this asset has the symbols and months of ours."""

import os
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from mohlcv_dagster.defs.partitions import months_by_symbol
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.settings import Settings

MINUTES = dg.AssetKey(["aggregated", "1min"])


@dg.asset(
    partitions_def=months_by_symbol(Settings.from_environment(os.environ).start),
    ins={"bars": dg.AssetIn(MINUTES)},
    group_name="mine",
    kinds={"pandas"},
)
def daily_volatility(context: dg.AssetExecutionContext, bars: pd.DataFrame, archive: ArchiveResource) -> None:
    """Realized volatility of each trading day: the root of the sum of squared one-minute returns, regular hours."""
    eastern = bars.tz_convert("America/New_York").between_time("09:30", "15:59")
    by_day = eastern.groupby(eastern.index.date).close
    volatility = by_day.apply(lambda close: float(np.sqrt((np.log(close).diff() ** 2).sum())))
    month, symbol = context.partition_key.split("|")
    path = Path(archive.data_dir) / "mine" / f"volatility_{symbol}_{month}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    volatility.rename_axis("day").rename("volatility").to_csv(path)
    context.add_output_metadata({"days": len(volatility), "dagster/uri": str(path)})
