"""The step of the job `re_verify_a_range`: selects stored files, checks them, and says what failed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from mohlcv_dagster.defs import jobs, run_tags
from mohlcv_dagster.defs.asset_checks import SAMPLE
from mohlcv_dagster.defs.check_runner import CheckRunner, VendorMinutesSource
from mohlcv_dagster.defs.partitions import asset_key, files_of, partition_key
from mohlcv_dagster.defs.progress import RunProgress
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import Timeframe

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import BarProvider

_CURE: Final = "Look at the check's page, tab Partitions, for the cure, and materialize the months again."


@dataclass
class RecheckSummary:
    """What was checked so far, and what failed.

    Attributes:
        files: how many were checked.
        evaluations: how many checks were evaluated.
        errors: what failed as an error: asset, partition, check and sentence of each.
        warnings: the same of warnings.
    """

    files: int = 0
    evaluations: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def add(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Count an evaluation."""
        self.evaluations += 1
        if not evaluation.passed:
            failing = self.errors if evaluation.severity is dg.AssetCheckSeverity.ERROR else self.warnings
            asset = evaluation.asset_key.to_user_string()
            row = {"partition": str(evaluation.partition), "asset": asset, "check": evaluation.check_name}
            failing.append({**row, "found": evaluation.description or ""})

    @property
    def sentence(self) -> str:
        """All of it in a sentence."""
        checked = f"{self.files:,} stored files, {self.evaluations:,} checks"
        return f"{checked}: {len(self.errors):,} failed with an error, {len(self.warnings):,} with a warning."

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """The first of what failed, errors before warnings."""
        first = [dg.TableRecord(row) for row in [*self.errors, *self.warnings][:SAMPLE]]
        shown: dict[str, dg.MetadataValue] = {"found": dg.MetadataValue.text(self.sentence)}
        return {**shown, "first failing checks": dg.MetadataValue.table(first)} if first else shown


def stored_files(
    instance: dg.DagsterInstance, config: jobs.ReVerifyConfig, timeframes: Iterable[Timeframe], earliest: Month
) -> dict[str, list[BarFile]]:
    """The stored files that `config` selects, by partition, in order of symbol and month; of each the raw one first.

    Args:
        instance: knows what is stored.
        config: which months are selected.
        timeframes: those that have assets, the raw one among them.
        earliest: the first month there is.

    Raises:
        InputError: the config names what is not stored, or is invalid.
    """
    keys = [asset_key(each) for each in timeframes]
    stored = [file for key in keys for file in files_of(key, instance.get_materialized_partitions(key)).values()]
    first, last = jobs.parse_months(config.first_month, config.last_month, earliest=earliest)
    symbols = set(jobs.parse_symbols(config.symbols, {file.symbol for file in stored}))
    months: dict[str, list[BarFile]] = {}
    for file in sorted(stored, key=lambda file: (file.symbol, file.month)):  # stable: raw files stay in front
        if file.symbol in symbols and first <= file.month <= last:
            months.setdefault(partition_key(file.symbol, file.month), []).append(file)
    return months


def check(
    context: dg.OpExecutionContext,
    months: Mapping[str, Sequence[BarFile]],
    archive: ArchiveResource,
    massive: ProviderResource | None,
) -> Iterator[Any]:
    """What the op yields: an evaluation of each check for each selected file, and its output.

    Args:
        context: of the op.
        months: the selected files, by partition.
        archive: where they stand.
        massive: asked for its own minutes; `None`: minutes are not compared with them.

    Raises:
        dagster.Failure: a check failed with an error.
    """
    run_tags.add(context.instance, context.run_id, run_tags.for_partitions(list(months)))
    summary, progress = RecheckSummary(), RunProgress.for_run(context, jobs.RE_VERIFY, len(months))
    with ExitStack() as stack:
        vendor = None if massive is None else VendorMinutesSource(cache(lambda: _opened(massive, stack)))
        runner = CheckRunner(context.instance, archive.reader(), context.log, vendor)
        for files in months.values():
            for evaluation in (each for file in files for each in runner.check(file).evaluations):
                summary.add(evaluation)
                yield evaluation
            summary.files += len(files)
            progress.finished(0)
    progress.end()
    if summary.errors:
        raise dg.Failure(f"{summary.sentence} {_CURE}", metadata=summary.metadata(), allow_retries=False)
    yield dg.Output(None, metadata=summary.metadata())


def _opened(massive: ProviderResource, stack: ExitStack) -> "BarProvider":
    return stack.enter_context(massive.create_provider())
