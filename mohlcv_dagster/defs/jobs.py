"""The jobs: refresh the month in progress, backfill a symbol, check a range of stored months again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import dagster as dg
from pydantic import Field

from mohlcv_dagster.dagster_patches.unexported import AssetJob
from mohlcv_dagster.defs import run_tags
from mohlcv_dagster.defs.asset_checks import SAMPLE
from mohlcv_dagster.defs.failures import as_dagster_failure
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, files_of, partition_key
from mohlcv_dagster.defs.progress import RunProgress
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource, launch_schema
from mohlcv_dagster.errors import InputError, MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import BarFile, check_symbol
from mohlcv_dagster.model.month_decision import RunOptions
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

REFRESH: Final = "refresh_month_in_progress"
REFRESH_SCHEDULE: Final = "refresh_month_in_progress_daily"
BACKFILL: Final = "backfill_a_symbol"
RE_VERIFY: Final = "re_verify_a_range"
BACKFILL_OP: Final = "ask_for_a_backfill"
RE_VERIFY_OP: Final = "judge_stored_months"
_CURE: Final = "Look at the check's page, tab Partitions, for the cure, and materialize the months again."
_SHOWN: Final = 12


def refresh_job(timeframes: Sequence[Timeframe]) -> AssetJob:
    """The job `refresh_month_in_progress`: raw bars, aggregates of `timeframes` and the checks of both, of a month."""
    return dg.define_asset_job(
        REFRESH,
        selection=dg.AssetSelection.assets(*map(asset_key, (RAW, *timeframes))),
        description=(
            "Completes the month in progress of a symbol: bars that came since it was fetched are asked for, "
            "aggregates are resampled again, and all is checked. By hand: *Materialize all*, the month *Latest* and "
            f"the symbols. Daily: its schedule {REFRESH_SCHEDULE}."
        ),
    )


class BackfillConfig(dg.Config):
    """Which months of which symbol are to be fetched and resampled."""

    symbol: str = Field(default="", description="One symbol, such as SPY or BRK.B; it is added if it is not kept yet.")
    first_month: str = Field(default="", description="The first month, such as 2024-01; blank: the first there is.")
    last_month: str = Field(default="", description="The last month (inclusive); blank: the one in progress.")
    only_failed_and_missing: bool = Field(
        default=True,
        description="Leave out what is stored and did not fail; false: fetch and resample all of it again.",
    )
    force: bool = Field(
        default=False, description="Download whole months where a part would do (the tag mohlcv/force)."
    )


def backfill_job(
    timeframes: Sequence[Timeframe], partitions: dg.MultiPartitionsDefinition, earliest: Month
) -> dg.JobDefinition:
    """The job `backfill_a_symbol`: adds a symbol and asks Dagster for a backfill of its months, as the UI launches one.

    It fetches nothing and is over in a moment; the daemon carries the backfill out, up to a year a run.

    Args:
        timeframes: those of the aggregates.
        partitions: month × symbol.
        earliest: the first month that can be asked for.
    """

    @dg.op(name=BACKFILL_OP, out=dg.Out(dg.Nothing))
    def ask(context: dg.OpExecutionContext, config: BackfillConfig) -> Iterator[Any]:
        from mohlcv_dagster.dagster_patches import backfills  # noqa: PLC0415 - the location loads without Dagster's daemon

        instance = context.instance
        with as_dagster_failure():
            symbol = check_symbol(config.symbol.strip())
            first, last = parse_months(config.first_month, config.last_month, earliest=earliest)
        keys = [partition_key(symbol, month) for month in first.until(last)]
        run_tags.add(instance, context.run_id, keys)
        instance.add_dynamic_partitions(SYMBOL, [symbol])
        wanted = {
            key: backfills.failed_and_missing(instance, key, keys, partitions)
            if config.only_failed_and_missing
            else keys
            for key in map(asset_key, (RAW, *timeframes))
        }
        tags = RunOptions(force=config.force).tags()
        backfill = backfills.ask(instance, f"{symbol} {first} to {last}", wanted, partitions, tags)
        counts = {key.to_user_string(): len(each) for key, each in wanted.items()}
        metadata: dict[str, dg.MetadataValue] = {"partitions to make": dg.MetadataValue.json(counts)}
        if backfill is None:
            context.log.info("All is stored or under way; only_failed_and_missing: false makes it again.")
        else:
            context.log.info("Backfill %s begins within a minute.", backfill)
            metadata["backfill"] = dg.MetadataValue.url(f"/runs/b/{backfill}")
        yield dg.Output(None, metadata=metadata)

    @dg.config_mapping(config_schema=launch_schema(BackfillConfig))
    def flat(config: Mapping[str, object]) -> Mapping[str, object]:
        return {"ops": {BACKFILL_OP: {"config": config}}}

    @dg.job(name=BACKFILL, config=flat, description=_BACKFILL_DESCRIPTION, executor_def=dg.in_process_executor)
    def backfill_a_symbol() -> None:
        ask()

    return backfill_a_symbol


class ReVerifyConfig(dg.Config):
    """Which stored months are checked again."""

    symbols: list[str] = Field(default=[], description="Symbols such as [SPY, QQQ]; empty: all that are stored.")
    first_month: str = Field(default="", description="The first month, such as 2024-01; blank: the first there is.")
    last_month: str = Field(default="", description="The last month (inclusive); blank: the one in progress.")
    ask_the_vendor: bool = Field(
        default=False, description="Compare minutes with the vendor's own too: one request a month."
    )


def re_verify_job(timeframes: Sequence[Timeframe], earliest: Month) -> dg.JobDefinition:
    """The job `re_verify_a_range`: the checks only, on the stored months of a range, each under its own partition.

    An op and no selection of checks: Dagster 1.13 launches a job of partitioned checks alone neither for a range nor
    with a config. Its evaluations are on the same pages as those that follow a materialization.

    Args:
        timeframes: those of the aggregates.
        earliest: the first month there is.
    """

    @dg.op(name=RE_VERIFY_OP, out=dg.Out(dg.Nothing))
    def re_verify(
        context: dg.OpExecutionContext, config: ReVerifyConfig, massive: ProviderResource, archive: ArchiveResource
    ) -> Iterator[Any]:
        with as_dagster_failure():
            months = _stored_files(context.instance, config, (RAW, *timeframes), earliest)
        yield from _check(context, months, archive, massive if config.ask_the_vendor else None)

    @dg.config_mapping(config_schema=launch_schema(ReVerifyConfig))
    def flat(config: Mapping[str, object]) -> Mapping[str, object]:
        return {"ops": {RE_VERIFY_OP: {"config": config}}}

    @dg.job(name=RE_VERIFY, config=flat, description=_RE_VERIFY_DESCRIPTION, executor_def=dg.in_process_executor)
    def re_verify_a_range() -> None:
        re_verify()

    return re_verify_a_range


def _stored_files(
    instance: dg.DagsterInstance, config: ReVerifyConfig, timeframes: Iterable[Timeframe], earliest: Month
) -> dict[str, list[BarFile]]:
    """The stored files that `config` selects, by partition, in order of symbol and month; of each the raw one first."""
    keys = [asset_key(each) for each in timeframes]
    stored = [file for key in keys for file in files_of(key, instance.get_materialized_partitions(key)).values()]
    first, last = parse_months(config.first_month, config.last_month, earliest=earliest)
    symbols = set(parse_symbols(config.symbols, {file.symbol for file in stored}))
    months: dict[str, list[BarFile]] = {}
    for file in sorted(stored, key=lambda file: (file.symbol, file.month)):  # stable: raw files stay in front
        if file.symbol in symbols and first <= file.month <= last:
            months.setdefault(partition_key(file.symbol, file.month), []).append(file)
    return months


def _check(
    context: dg.OpExecutionContext,
    months: Mapping[str, Sequence[BarFile]],
    archive: ArchiveResource,
    massive: ProviderResource | None,
) -> Iterator[Any]:
    """Yield an evaluation of each check for each of these files, by partition, then the output of the op.

    Raises:
        dagster.Failure: a check failed with an error.
    """
    from mohlcv_dagster.defs.check_runner import CheckRunner, VendorMinutesSource  # noqa: PLC0415 - the location loads without arrays

    run_tags.add(context.instance, context.run_id, list(months))
    progress = RunProgress.for_run(context, RE_VERIFY, len(months))
    checked, errors, warnings = 0, list[dg.TableRecord](), list[dg.TableRecord]()
    with ExitStack() as stack:
        vendor = None
        if massive is not None:
            create = massive.create_provider
            vendor = VendorMinutesSource(cache(lambda: stack.enter_context(create())))
        runner = CheckRunner(context.instance, archive.reader(), context.log, vendor)
        for files in months.values():
            for evaluation in (each for file in files for each in runner.check(file).evaluations):
                checked += 1
                if not evaluation.passed:
                    is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
                    (errors if is_error else warnings).append(_failure_row(evaluation))
                yield evaluation
            progress.finished(0)
    progress.end()
    found = (
        f"{quantity(sum(map(len, months.values())), 'stored file')}, {quantity(checked, 'check')}: "
        f"{len(errors):,} failed with an error, {len(warnings):,} with a warning."
    )
    metadata: dict[str, dg.MetadataValue] = {"found": dg.MetadataValue.text(found)}
    if failed := [*errors, *warnings]:
        metadata["first failing checks"] = dg.MetadataValue.table(failed[:SAMPLE])
    if errors:
        raise dg.Failure(f"{found} {_CURE}", metadata=metadata, allow_retries=False)
    yield dg.Output(None, metadata=metadata)


def _failure_row(evaluation: dg.AssetCheckEvaluation) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "partition": str(evaluation.partition),
            "asset": evaluation.asset_key.to_user_string(),
            "check": evaluation.check_name,
            "found": evaluation.description or "",
        }
    )


def parse_months(first: str, last: str, *, earliest: Month) -> tuple[Month, Month]:
    """The first and the last month that a config names, both inclusive.

    Args:
        first: such as `2024-01`; blank for `earliest`.
        last: as `first`; blank for the month in progress.
        earliest: the first month that may be named.

    Raises:
        InputError: one is not a month, lies outside, or they are the wrong way round.
    """
    latest = Month.of(datetime.now(UTC))
    begin, end = _month("first_month", first, earliest), _month("last_month", last, latest)
    if begin > end:
        raise InputError(f"first_month {begin} is after last_month {end}: swap them")
    if begin < earliest:
        raise InputError(f"first_month {begin} is before {earliest}, the first month there is (MOHLCV_START decides)")
    if end > latest:
        raise InputError(f"last_month {end} has not begun: write {latest} or an earlier month, or leave it blank")
    return begin, end


def parse_symbols(named: Iterable[str], stored: Iterable[str]) -> list[str]:
    """The symbols that a config names, in order; all that are stored where none is named.

    Raises:
        InputError: one is not a symbol, or nothing of it is stored.
    """
    every, symbols = sorted(stored), sorted({check_symbol(each.strip()) for each in named})
    unknown = [each for each in symbols if each not in every]
    if unknown:
        there = ", ".join(every[:_SHOWN]) + (", …" if len(every) > _SHOWN else "") if every else "nothing"
        raise InputError(f"symbols: no month is stored of {', '.join(unknown)}; stored is {there}")
    return symbols or every


def _month(name: str, written: str, default: Month) -> Month:
    try:
        return Month.parse(written.strip()) if written.strip() else default
    except MonthError as error:
        raise InputError(f"{name}: {error}") from error


_BACKFILL_DESCRIPTION: Final = (
    "Adds a symbol and backfills its months: raw bars, aggregates and their checks, a run up to a year of months.\n\n"
    "Launch it from *Launchpad*:\n\n"
    "    symbol: SPY\n    first_month: 2024-01\n    last_month: 2024-12\n\n"
    "The job is over in a moment: it hands the months to Dagster's daemon, and the link in its output leads to the "
    "backfill, where they are watched, cancelled and resumed. What is stored already is left out unless "
    "`only_failed_and_missing: false`."
)
_RE_VERIFY_DESCRIPTION: Final = (
    "Checks only: reads the stored files of a range of months and checks them again, raw bars and aggregates, without "
    "making any of them. Every evaluation is under its partition on the checks tab of its asset; the run fails if "
    "one fails with an error, and says which.\n\n"
    "Launch it from *Launchpad*. As it is there, it checks every stored month; narrow it down with\n\n"
    "    symbols: [SPY]\n    first_month: 2024-01\n    last_month: 2024-12\n\n"
    "`ask_the_vendor: true` also compares `aggregated/1min` with the vendor's own minutes, one request a month."
)
