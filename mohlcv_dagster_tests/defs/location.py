"""A code location whose vendor gives the months it was handed, for tests that are not about the vendor."""

import re
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import asset_checks, assets
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
from mohlcv_dagster.errors import NoTradesError
from mohlcv_dagster.model.company import KnownCompany
from mohlcv_dagster.model.listings import KnownSplits
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.providers.base import FetchedMonth
from mohlcv_dagster.settings import Settings

UNLOGGED = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
"""For a Dagster on disk: without it each step starts processes to copy its output."""
FETCHED_AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


class HandedVendor:
    """Gives months from CSV text, by `(symbol, month)`; asked for another, it has no trades.

    Its own minutes are those resampled from them, changed by what `minutes` has for the partition.

    Attributes:
        companies: by symbol, who has it.
        fetched_at: what its clock says.
        asked: the requests: symbol, month, timeframe, adjusted.
        since: from where on each fetch of seconds was to be; `None` for a whole month.
        figures: what it says of the trades in bars, a function of the bars; `None` for nothing.
    """

    def __init__(self, months, fetched_at=FETCHED_AT, *, name="stand-in at http://127.0.0.1:1", adjusted=False):
        self.months = months
        self.fetched_at = fetched_at
        self.name = name
        self.adjusted = adjusted
        self.minutes = {}
        self.companies = {}
        self.figures = None
        self.since = []
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def close(self):
        return None

    def splits(self, symbol):
        return KnownSplits(None, "a folder of months has no splits")

    def company(self, symbol, day, known=()):
        return KnownCompany(self.companies.get(symbol), "a folder of months has no reference data")

    def fetch_month(self, symbol, month, *, timeframe="second", adjusted=None, since=None, on_progress=None):  # noqa: PLR0913 - as the real one
        self.asked.append((symbol, str(month), timeframe, adjusted))
        if timeframe == "second":
            self.since.append(since)
        content = self.months.get((symbol, str(month)))
        if isinstance(content, BaseException):
            raise content
        if content is None:
            raise NoTradesError(f"{symbol} has no trades in {month}")
        bars = csv_codec.decode(content)
        if timeframe == "minute":
            bars = self.minutes.get(f"{month}|{symbol}", lambda same: same)(resample.resample(bars, MINUTE))
        bars = bar_table.between(bars, since, None) if since else bars
        return FetchedMonth(
            bars=bars,
            figures=self.figures and self.figures(bars),
            requests=25,
            retries=1,
            seconds=1.23456,
            bytes=4321,
            fetched_at=self.fetched_at,
            complete_through=min(self.fetched_at, Month.parse(str(month)).end),
            vendor=self.name,
            adjusted=self.adjusted if adjusted is None else adjusted,
            request_ids=("first", "second"),
            plan_delayed=False,
        )


class HandedMassive(ProviderResource):
    """A resource that gives what `vendor` says, whatever its configuration."""

    def create_provider(self):
        return _VENDORS[self.base_url]


_VENDORS: dict[str, HandedVendor] = {}


def location(  # noqa: PLR0913 - each has a default
    data_dir,
    months,
    *,
    extra=(),
    timeframes="15s",
    start="2003-09",
    adjusted=False,
    parquet=False,
    history=True,
    **options,
):
    """Definitions over `data_dir` with the handed months; `extra` are a user's own assets, `options` go to `build`.

    In the place of months, a `HandedVendor` of the test's own will do.
    """
    settings = Settings.from_environment(
        {
            "MOHLCV_DATA_DIR": str(data_dir),
            "MOHLCV_TIMEFRAMES": timeframes,
            "MOHLCV_START": start,
            "MOHLCV_PARQUET": str(parquet).lower(),
            "MOHLCV_HISTORY": str(history).lower(),
        }
    )
    url = f"http://handed/{len(_VENDORS)}"
    _VENDORS[url] = months if isinstance(months, HandedVendor) else HandedVendor(months, adjusted=adjusted)
    massive = HandedMassive(base_url=url, adjusted=adjusted, concurrency=1, requests_per_minute=None)
    ours = build(settings, massive=massive, archive=ArchiveResource(data_dir=str(data_dir)), **options)
    return dg.Definitions.merge(ours, dg.Definitions(assets=list(extra))) if extra else ours


def run(definitions, instance, partition, *assets, expect=True, until=None, tags=None):  # noqa: PLR0913 - as a launch has them
    """Materialize `assets` (key strings) of one partition in this process; `partition` is `None` for none.

    With `until`, the run is over the range of partitions from `partition` to `until`, as a backfill makes it.
    """
    for symbol in [partition.partition("|")[2]] if partition and "|" in partition else []:
        instance.add_dynamic_partitions("symbol", [symbol])
    span = {ASSET_PARTITION_RANGE_START_TAG: partition, ASSET_PARTITION_RANGE_END_TAG: until} if until else {}
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        partition_key=None if until else partition,
        tags={**span, **(tags or {})},
        asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success is expect, [event.message for event in result.all_events if event.is_failure]
    return result


def execute_checks_alone(definitions, instance, asset, partition, *names):
    """What the UI's Execute on the checks tab does: run checks of a stored partition without materializing it.

    Without a partition it runs them over all stored ones, as *Execute all* does.
    """
    keys = {dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name) for name in names}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection=keys
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False, run_config=quiet)


def latest_evaluation(instance, asset, name, partition):
    """The newest evaluation of a check for a partition, from the event log as the UI reads it."""
    key = dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    found = (record.evaluation for record in history)  # what was planned only is in the history, too
    made = (each for each in found if isinstance(each, dg.AssetCheckEvaluation))
    return next(evaluation for evaluation in made if evaluation.partition == partition)


def rules_of(evaluation):
    """The table of an evaluation: the row of each rule, by its name; empty where it sums up partitions."""
    table = evaluation.metadata.get(asset_checks.RULES)
    if isinstance(table, dg.MarkdownMetadataValue):  # where all passed
        header, _, *rows = (_cells(line) for line in table.value.splitlines())
        records = [dict(zip(header, row, strict=True)) for row in rows]
        return {row["rule"]: {**row, "count": int(row["count"])} for row in records}
    return {record.data["rule"]: record.data for record in table.value.records} if table else {}


def _cells(line):
    """The cells of a line of a Markdown table."""
    return [cell.replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rule_results(result):
    """What the checks of a run said of each rule: `passed`, `warning`, `error` or `not judged`.

    The keys are asset, rule and partition; they stand in the order of the evaluations and of their tables.
    """
    return {
        (evaluation.asset_key.to_user_string(), rule, evaluation.partition): row["result"]
        for evaluation in result.get_asset_check_evaluations()
        for rule, row in rules_of(evaluation).items()
    }


def passed_by_rule(result):
    """Whether each rule passed that the checks of a run judged, by asset, rule and partition."""
    judged = {key: found for key, found in rule_results(result).items() if found != asset_checks.NOT_JUDGED}
    return {key: found == asset_checks.PASSED for key, found in judged.items()}


def failing_rules(result):
    """The rules that failed in a run, as asset, rule and partition."""
    return [key for key, passed in passed_by_rule(result).items() if not passed]


def passed_by_check(result):
    """Whether each evaluation of a run passed, by asset, check and partition."""
    return {
        (evaluation.asset_key.to_user_string(), evaluation.check_name, evaluation.partition): evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
    }


def evaluation_of(result, asset, name):
    """The one evaluation of a check in a run."""
    [found] = [
        each
        for each in result.get_asset_check_evaluations()
        if (each.asset_key.to_user_string(), each.check_name) == (asset, name)
    ]
    return found


def materializations_of(result, asset):
    """The materializations of an asset in a run, in order."""
    made = (event.step_materialization_data.materialization for event in result.get_asset_materialization_events())
    return [each for each in made if each.asset_key.to_user_string() == asset]


def failure_of(result, step=assets.OP):
    """Why a step of a run failed: that of the bars, unless another is named."""
    return result.failure_data_for_node(step).user_failure_data


def launch(definitions, instance, job, **config):
    """What the launchpad of a job does with this config."""
    return definitions.resolve_job_def(job).execute_in_process(
        run_config=config, instance=instance, raise_on_error=False
    )
