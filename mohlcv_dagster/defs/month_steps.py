"""What is done for one month of a symbol: fetch, write, check, resample, write, check, compare with the vendor.

Each step yields an event of its partition for Dagster as it happens. `partition_loop` decides which months, and what
happens after one that fails.
"""

from collections.abc import Generator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import dagster as dg

from mohlcv_dagster.checks import runner
from mohlcv_dagster.defs import metadata, month_metadata, records
from mohlcv_dagster.defs.check_runner import CheckRunner, VendorMinutesSource
from mohlcv_dagster.defs.metadata import Metadata, convert
from mohlcv_dagster.defs.partitions import asset_key, file_of, partition_tags, timeframe_of
from mohlcv_dagster.defs.progress import RunProgress
from mohlcv_dagster.defs.refresh import Refresh
from mohlcv_dagster.defs.run_options import RunOptions
from mohlcv_dagster.model.timeframes import RAW

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.checks.rule import RuleResult
    from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
    from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.providers.base import BarProvider

_SHOWN_FIRST: Final = (metadata.STATE, metadata.EMPTY_BECAUSE, metadata.NOTES)
_SHOWN_LAST: Final = (metadata.REQUEST_IDS, metadata.MISSING_MINUTES)


class MonthSteps:
    """The steps of a month, for the assets and checks that a run selects; a context manager.

    Args:
        context: of the step of all bars.
        massive: the vendor, asked only when a step needs it.
        archive: reads the files.
        files: writes them.
        progress: shows how far the fetches have come.
        stored: in a run that names no partition, the stored partitions of each asset; else empty.

    Raises:
        InputError: a tag of the run is invalid.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what is selected, the three it is done with, and the progress
        self,
        context: dg.AssetExecutionContext,
        massive: "ProviderResource",
        archive: "ArchiveResource",
        files: "BarsCsvIOManager",
        progress: RunProgress,
        stored: Mapping[dg.AssetKey, AbstractSet[str]],
    ) -> None:
        self._context = context
        self._massive = massive
        self._reader = archive.reader()
        self._files = files
        self._progress = progress
        self.stored = stored
        self._options = RunOptions.from_tags(context.run.tags)
        self._open = ExitStack()
        self._checks = CheckRunner(
            context.instance, self._reader, context.log, VendorMinutesSource(lambda: self._vendor)
        )
        self._bars = 0
        self._made = set(context.selected_asset_keys)
        touched = {*self._made, *(check.asset_key for check in context.selected_asset_check_keys)}
        self._keys = sorted(touched, key=timeframe_of)  # raw bars first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    @property
    def bars(self) -> int:
        """How many bars the first file of the last month had."""
        return self._bars

    def run(self, partition: str) -> Iterator[Any]:
        """All selected steps of a partition, as events for Dagster.

        Raises:
            MohlcvError: a file cannot be made, or one that was made fails a check that blocks.
        """
        self._reader.release()
        self._bars = 0
        broken: list[tuple[BarFile, list[RuleResult]]] = []
        for key in self._keys:
            if self.stored and partition not in self.stored[key]:
                continue
            file = file_of(key, partition)
            if key in self._made:
                yield self._materialized(file, partition)
            blocking = yield from self._checked(file)
            if key in self._made and blocking:
                broken.append((file, blocking))
                if file.timeframe == RAW:
                    break
        for file, findings in broken:
            runner.require(file, findings)

    def _materialized(self, file: "BarFile", partition: str) -> dg.AssetMaterialization:
        """Make and write a file; the event that records it."""
        bars, facts = self._fetch(file) if file.timeframe == RAW else self._resample(file)
        self._bars = self._bars or bars.num_rows
        recorded = self._files.write(file, bars, facts)
        return dg.AssetMaterialization(
            asset_key(file.timeframe),
            partition=partition,
            metadata={**recorded, **facts},
            tags=partition_tags(partition),
        )

    def _checked(self, file: "BarFile") -> "Generator[Any, None, list[RuleResult]]":
        """Check a file as it stands; returns the findings that block."""
        key = asset_key(file.timeframe)
        names = {check.name for check in self._context.selected_asset_check_keys if check.asset_key == key}
        if not names:
            return []
        result = self._checks.check(file, names)
        yield from result.evaluations
        return result.blocking

    def _resample(self, file: "BarFile") -> "tuple[pa.Table, Metadata]":
        record = records.latest(self._context.instance, file.raw)
        return self._reader.resample(file, record), record.origin.inherited(
            record.sha256
        ).to_metadata() if record else {}

    def _fetch(self, file: "BarFile") -> "tuple[pa.Table, Metadata]":
        instance, log = self._context.instance, self._context.log
        refresh = Refresh(self._vendor, self._reader, instance, self._options, log)
        fetched, facts = refresh.fetch(file, self._progress.fetching(file))
        bars, until = fetched.bars, fetched.complete_through
        notes = month_metadata.notes(instance, file, fetched)
        for note in notes:
            log.warning(note)
        return bars, _in_order(
            {
                **month_metadata.charts(file, bars, until),
                **convert({metadata.NOTES: " ".join(notes) or None}),
                **month_metadata.coverage_metadata(bars, file.month, until),
                **facts,
            }
        )

    @cached_property
    def _vendor(self) -> "BarProvider":
        return self._open.enter_context(self._massive.create_provider())


def _in_order(facts: Metadata) -> Metadata:
    """The facts of a raw month in the order in which the UI is to show them: long lists, which hide the rest, last."""
    first, last = ({name: facts[name] for name in names if name in facts} for names in (_SHOWN_FIRST, _SHOWN_LAST))
    return {**first, **{name: value for name, value in facts.items() if name not in last}, **last}
