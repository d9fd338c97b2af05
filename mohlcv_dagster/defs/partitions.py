"""The partitions, month × symbol, and the one translation between Dagster's keys and files of the archive.

A partition key reads `2024-01|SPY`; an asset key is the folder path: `raw_1s`, `aggregated/15s`. The path of a file is
`model.bar_files.BarFile.path`; the place of the archive is added by `storage.archive.Archive.path`.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import dagster as dg

from mohlcv_dagster.errors import MonthError, SymbolError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile, check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

MONTH: Final = "month"
SYMBOL: Final = "symbol"

symbols: Final = dg.DynamicPartitionsDefinition(name=SYMBOL)
"""The symbols kept; the launch dialog, `mohlcv symbols add` and `mohlcv fetch` add to them."""


def months(start: Month) -> dg.MonthlyPartitionsDefinition:
    """Every UTC month from `start` (inclusive) to the month in progress (inclusive)."""
    return dg.MonthlyPartitionsDefinition(start_date=str(start), fmt="%Y-%m", timezone="UTC", end_offset=1)


def months_by_symbol(start: Month) -> dg.MultiPartitionsDefinition:
    """The partitions of every asset: `months(start)` × `symbols`."""
    return dg.MultiPartitionsDefinition({MONTH: months(start), SYMBOL: symbols})


def asset_key(timeframe: Timeframe) -> dg.AssetKey:
    """The key of the asset that holds bars of `timeframe`."""
    return dg.AssetKey(RAW_FOLDER) if timeframe == RAW else dg.AssetKey([AGGREGATED_FOLDER, timeframe.name])


def timeframe_of(key: dg.AssetKey) -> Timeframe:
    """The timeframe of the asset `key`.

    Raises:
        TimeframeError: it is not an asset of bars.
    """
    return RAW if key == asset_key(RAW) else timeframes.parse(key.path[-1])


def partition_key(symbol: str, month: Month) -> str:
    """The partition of a symbol's month: `2024-01|SPY`."""
    return str(dg.MultiPartitionKey({MONTH: str(month), SYMBOL: symbol}))


def partition_tags(partition: str) -> dict[str, str]:
    """The tags by which Dagster keeps the dimensions of a materialization of `partition`."""
    month, symbol = split(partition)
    return {f"dagster/partition/{MONTH}": month, f"dagster/partition/{SYMBOL}": symbol}


def split(partition: str) -> tuple[str, str]:
    """The month and the symbol of a partition, as they are written in its key."""
    month, _, symbol = partition.partition("|")
    return month, symbol


def file_of(key: dg.AssetKey, partition: str) -> BarFile:
    """The file that holds `partition` of the asset `key`.

    Raises:
        SymbolError: the symbol was added by hand and cannot be stored.
        MonthError, TimeframeError: the keys are not ours.
    """
    month, symbol = split(partition)
    return BarFile(check_symbol(symbol), timeframe_of(key), Month.parse(month))


def files_of(key: dg.AssetKey, partitions: Iterable[str]) -> dict[str, BarFile]:
    """The file of each of `partitions` of the asset `key`; without those that no file can hold.

    Raises:
        TimeframeError: `key` is not an asset of bars.
    """
    timeframe_of(key)
    files = {}
    for partition in partitions:
        with suppress(SymbolError, MonthError):
            files[partition] = file_of(key, partition)
    return files
