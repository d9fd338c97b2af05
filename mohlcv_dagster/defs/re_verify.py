"""The job `re_verify_a_range`: the checks alone, on the stored months of a range, each under its own partition.

An op and no selection of checks: Dagster 1.13 launches a job of partitioned checks alone neither for a range nor with a
config. Its evaluations stand on the same pages as those that follow a materialization.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import dagster as dg
from pydantic import Field

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.rules import AGAINST_VENDOR, Rule
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import checks, run_tags, spans
from mohlcv_dagster.defs.checks import Judge
from mohlcv_dagster.defs.evaluations import SAMPLE
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import asset_key, files_of, partition_key
from mohlcv_dagster.defs.progress import Standing
from mohlcv_dagster.defs.resources import ArchiveResource, MassiveResource
from mohlcv_dagster.defs.vendor_checks import Asking

JOB: Final = "re_verify_a_range"
OP: Final = "judge_stored_months"

_Judging: TypeAlias = tuple[tuple[Rule, ...], Judge]
"""Rules and what judges files by them."""


class Range(dg.Config):
    """Which stored months are checked again."""

    symbols: list[str] = Field(default=[], description="Symbols such as [SPY, QQQ]; empty: all that are stored.")
    first_month: str = Field(default="", description="The first month, such as 2024-01; blank: the first there is.")
    last_month: str = Field(default="", description="The last month (inclusive); blank: the one in progress.")
    ask_the_vendor: bool = Field(
        default=False, description="Hold minutes against the vendor's own too: one request a month."
    )


@dataclass
class Found:
    """What came of it so far.

    Attributes:
        files: how many were judged.
        evaluations: how many checks were evaluated.
        errors: what failed as an error: asset, partition, check and sentence of each.
        warnings: the same of warnings.
    """

    files: int = 0
    evaluations: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def note(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Take note of an evaluation."""
        self.evaluations += 1
        if not evaluation.passed:
            failing = self.errors if evaluation.severity is dg.AssetCheckSeverity.ERROR else self.warnings
            asset = evaluation.asset_key.to_user_string()
            row = {"partition": str(evaluation.partition), "asset": asset, "check": evaluation.check_name}
            failing.append({**row, "found": evaluation.description or ""})

    @property
    def said(self) -> str:
        """All of it in a sentence."""
        judged = f"{self.files:,} stored files, {self.evaluations:,} checks"
        return f"{judged}: {len(self.errors):,} failed with an error, {len(self.warnings):,} with a warning."

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """The first of what failed, errors before warnings."""
        first = [dg.TableRecord(row) for row in [*self.errors, *self.warnings][:SAMPLE]]
        shown: dict[str, dg.MetadataValue] = {"found": dg.MetadataValue.text(self.said)}
        return {**shown, "first failing checks": dg.MetadataValue.table(first)} if first else shown


def job(timeframes: Sequence[Timeframe], earliest: Month) -> dg.JobDefinition:
    """The job.

    Args:
        timeframes: those of the aggregates.
        earliest: the first month there is.
    """

    @dg.op(name=OP, out=dg.Out(dg.Nothing))
    def re_verify(
        context: dg.OpExecutionContext, config: Range, massive: MassiveResource, archive: ArchiveResource
    ) -> Iterator[Any]:
        with told_to_dagster():
            months = _meant(context.instance, config, (RAW, *timeframes), earliest)
        run_tags.add(context.instance, context.run_id, run_tags.of_partitions(list(months)))
        found = Found()
        with ExitStack() as stack:
            judges: list[_Judging] = [(rules.RULES, checks.judge_of_files(context.instance, archive))]
            if config.ask_the_vendor:
                asking = stack.enter_context(Asking(massive, archive.reader()))
                judges.append((AGAINST_VENDOR, asking.judge))
            yield from _evaluations(context, archive.open(), months, judges, found)
        if found.errors:
            raise dg.Failure(f"{found.said} {_CURE}", metadata=found.metadata(), allow_retries=False)
        yield dg.Output(None, metadata=found.metadata())

    @dg.config_mapping
    def flat(config: Range) -> dg.RunConfig:
        return dg.RunConfig(ops={OP: config})

    @dg.job(name=JOB, config=flat, description=_DESCRIPTION, executor_def=dg.in_process_executor)
    def re_verify_a_range() -> None:
        re_verify()

    return re_verify_a_range


_CURE: Final = "Look at the check's page, tab Partitions, for the cure, and materialize the months again."

_DESCRIPTION: Final = (
    "Checks only: reads the stored files of a range of months and judges them anew, raw bars and aggregates, without "
    "making any of them. Every evaluation stands under its partition on the checks tab of its asset; the run fails if "
    "one fails with an error, and says which.\n\n"
    "Launch it from *Launchpad*. As it stands there, it checks every stored month; narrow it down with\n\n"
    "    symbols: [SPY]\n    first_month: 2024-01\n    last_month: 2024-12\n\n"
    "`ask_the_vendor: true` also holds `aggregated/1min` against the vendor's own minutes, one request a month."
)


def _meant(
    instance: dg.DagsterInstance, config: Range, timeframes: Iterable[Timeframe], earliest: Month
) -> dict[str, list[BarFile]]:
    """The stored files meant, by partition, in order of symbol and month; of each the raw one first.

    Raises:
        InputError: the config names what is not stored, or is none of the kind.
    """
    keys = [asset_key(each) for each in timeframes]
    stored = [file for key in keys for file in files_of(key, instance.get_materialized_partitions(key)).values()]
    first, last = spans.months(
        config.first_month, config.last_month, earliest=earliest, latest=Month.of(datetime.now(UTC))
    )
    symbols = set(spans.symbols(config.symbols, {file.symbol for file in stored}))
    months: dict[str, list[BarFile]] = {}
    for file in sorted(stored, key=lambda file: (file.symbol, file.month)):  # stable: raw files stay in front
        if file.symbol in symbols and first <= file.month <= last:
            months.setdefault(partition_key(file.symbol, file.month), []).append(file)
    return months


def _evaluations(
    context: dg.OpExecutionContext,
    archive: Archive,
    months: dict[str, list[BarFile]],
    judges: Sequence[_Judging],
    found: Found,
) -> Iterator[dg.AssetCheckEvaluation]:
    standing = Standing.of_run(context, JOB, len(months))
    for files in months.values():
        for file, (among, judge) in ((file, each) for file in files for each in judges):
            selected = {rule.name for rule in rules.for_timeframe(file.timeframe, among)}
            noting = checks.noting(archive, judge, selected, context.log)
            for evaluation in checks.judged(context.instance, noting, file, blocking=False) if selected else ():
                found.note(evaluation)
                yield evaluation
        found.files += len(files)
        standing.finished(None)
    standing.over()
