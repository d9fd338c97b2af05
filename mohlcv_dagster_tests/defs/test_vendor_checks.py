"""Minutes compared with the vendor's own: in the run that makes them, over several months, on stored ones."""

import dagster as dg
import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.definitions import build, defs
from mohlcv_dagster.errors import PlanError, UnreachableError
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import HEADER
from mohlcv_dagster_tests.defs import location as handed
from mohlcv_dagster_tests.defs.impatient import KEY, ImpatientMassive
from mohlcv_dagster_tests.defs.location import execute_checks_alone, rules_of, run
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS

CHECK = "matches_vendor"
RULES = {"vendor_minutes", "volume_ladder", "thin_seconds"}
ASSETS = ("raw_1s", "aggregated/1min")
FIRST, SECOND, THIRD = ("2024-01|SPY", "2024-02|SPY", "2024-03|SPY")
VINTAGES = {
    # symbol: what was done to it, its verdict, and the minutes that differ by kind
    "EXACT": (None, None, {}),
    "AUCTION": ("auctions in the vendor's minutes alone", "WARN", {"auction_print": 7}),
    "EARLY": ("the month one second early", "ERROR", {"shifted_label": 553}),
    "CLOSE": ("a wrong close in half the vendor's minutes", "ERROR", {"unknown": 721}),
    "BELOW": ("five of the vendor's minutes negative", "ERROR", {"negative_volume": 5}),
}


def month(number):
    return HEADER + (
        b"2024-%02d-05 14:30:01+00:00,10.0,11.0,9.0,10.5,7\n2024-%02d-05 14:31:01+00:00,10.5,11.0,9.0,10.0,3\n"
        % (number, number)
    )


WHOLE = {("SPY", f"2024-{number:02d}"): month(number) for number in (1, 2, 3)}


def location(folder, months, **options):
    """Definitions with the handed months, and the vendor that gives them."""
    definitions = handed.location(folder, months, timeframes="1min", **options)
    return definitions, next(reversed(handed._VENDORS.values()))


def found(result):
    """The evaluations of the check, by partition."""
    return {each.partition: each for each in result.get_asset_check_evaluations() if each.check_name == CHECK}


def results(evaluation):
    """What it says of each of its rules."""
    return {rule: row["result"] for rule, row in rules_of(evaluation).items()}


def execute_alone(definitions, instance, partition=None):
    return execute_checks_alone(definitions, instance, "aggregated/1min", partition, CHECK)


def failing(error):
    def fail(_):
        raise error

    return fail


def minutes_asked(vendor):
    return [asked for asked in vendor.asked if asked[2] == "minute"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """Serves each vintage under a symbol of its own: files of seconds and of minutes that are unlike them."""
    folder = tmp_path_factory.mktemp("vintages")
    for name in ("second", "minute"):
        (folder / name).mkdir()
    for symbol, (what, _, _) in VINTAGES.items():
        case = reconciled_months.winter()
        for seed in SEEDS:
            case = seed.make(case) if seed.what == what else case
        for name, bars in (("second", case.seconds), ("minute", case.vendor)):
            (folder / name / f"{symbol}_2024_02.csv").write_bytes(csv_codec.encode(bars.table()))
    with Sandbox(ReplayedMarket(folder)) as sandbox:
        yield sandbox


def served(folder, sandbox, key=KEY):
    told = {"MASSIVE_BASE_URL": sandbox.url, "MOHLCV_DATA_DIR": str(folder), "MOHLCV_TIMEFRAMES": "1min"}
    massive = ImpatientMassive(base_url=sandbox.url, api_key=key, tries=2)
    return build(Settings.from_environment(told), massive=massive)


@pytest.mark.parametrize(
    "symbol",
    ["EXACT", "AUCTION", "EARLY", *(pytest.param(each, marks=pytest.mark.slow) for each in ("CLOSE", "BELOW"))],
)
def test_each_vintage_lands_in_its_kind_at_the_price_of_one_request(tmp_path, instance, sandbox, symbol):
    sandbox.requests.clear()
    partition = f"2024-02|{symbol}"
    result = run(served(tmp_path, sandbox), instance, partition, *ASSETS)

    check = found(result)[partition]
    _, severity, kinds = VINTAGES[symbol]
    assert check.passed is (severity is None)
    assert severity in (None, check.severity.value)
    said = {None: "passed", "WARN": "warning", "ERROR": "error"}[severity]
    assert results(check)["vendor_minutes"] == said
    assert check.metadata["minutes that differ, by kind"].value == kinds
    asked = [request for request in sandbox.requests if "/range/1/minute/" in request.path]
    assert len(asked) == 1
    assert asked[0].query["adjusted"] == "false"
    assert check.metadata["requests"].value == "1"
    assert check.metadata["request ids"].value.startswith("sandbox-")
    assert check.blocking is False
    if kinds:
        rows = [record.data for record in check.metadata["the first offending minutes of vendor_minutes"].value.records]
        assert {row["kind"] for row in rows} == set(kinds)
        assert {"open", "vendor_open", "volume", "vendor_volume"} < set(rows[0])


@pytest.fixture(scope="module")
def stored(tmp_path_factory, sandbox):
    """A data folder and a Dagster in which EXACT is stored."""
    folder = tmp_path_factory.mktemp("stored")
    with dg.DagsterInstance.ephemeral() as instance:
        run(served(folder, sandbox), instance, "2024-02|EXACT", *ASSETS)
        yield folder, instance


@pytest.mark.parametrize("kind", ["server-error", "cut-json", "not-found"])
def test_a_vendor_that_gives_no_minutes_warns_with_its_reason_and_fails_no_run(stored, sandbox, kind):
    folder, instance = stored
    sandbox.clear()
    sandbox.inject(f"{kind}:timespan=minute,times=all")
    result = execute_alone(served(folder, sandbox), instance, "2024-02|EXACT")
    sandbox.clear()

    assert result.success
    checks = found(result)
    assert set(checks) == {"2024-02|EXACT"}
    for check in checks.values():
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert results(check) == dict.fromkeys(RULES, "not judged") | {"vendor_minutes": "warning"}
        assert "could not be compared with the vendor's own minutes: " in check.description
        cure = "Execute the check of aggregated/1min for EXACT 2024-02 again once that is cured."
        assert check.description.endswith(cure)


def test_without_a_key_stored_minutes_are_not_compared_and_the_check_says_what_is_missing(stored, sandbox):
    folder, instance = stored
    result = execute_alone(served(folder, sandbox, key=""), instance, "2024-02|EXACT")

    assert result.success
    [check] = found(result).values()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "MASSIVE_API_KEY is not set" in check.description


def test_the_check_carries_the_partitions_blocks_nothing_and_shares_the_pool_of_the_fetches():
    graph = defs.resolve_asset_graph()
    [key] = [key for key in graph.asset_check_keys if key.name == CHECK]

    assert key.asset_key.to_user_string() == "aggregated/1min"
    assert graph.get(key).blocking is False
    assert graph.get(key).partitions_def.partition_dimension_names == ["month", "symbol"]
    assert graph.get(key.asset_key).assets_def.op.pool == "massive_api"


def test_without_minutes_among_the_timeframes_there_is_no_such_check():
    graph = build(Settings.from_environment({"MOHLCV_TIMEFRAMES": "15s,2min"})).resolve_asset_graph()

    assert CHECK not in {key.name for key in graph.asset_check_keys}


def test_each_of_several_months_is_compared_under_its_own_partition_and_all_stored_ones_where_none_is_named(
    tmp_path, instance
):
    definitions, vendor = location(tmp_path, WHOLE)
    vendor.minutes[SECOND] = lambda bars: bars.slice(1)
    result = run(definitions, instance, FIRST, *ASSETS, until=THIRD)

    good, bad = (dict.fromkeys(RULES, "passed") | {"vendor_minutes": found} for found in ("passed", "error"))
    assert {partition: results(check) for partition, check in found(result).items()} == {
        FIRST: good,
        SECOND: bad,
        THIRD: good,
    }
    # with the flag that was recorded of the raw month
    assert minutes_asked(vendor) == [("SPY", f"2024-0{n}", "minute", False) for n in (1, 2, 3)]

    vendor.asked.clear()
    swept = found(execute_alone(definitions, instance))
    assert {partition: check.passed for partition, check in swept.items()} == {
        FIRST: True,
        SECOND: False,
        THIRD: True,
        None: False,
    }
    assert swept[None].description == "1 of 3 stored partitions fails."
    assert len(minutes_asked(vendor)) == 3


def test_a_vendor_that_is_away_is_asked_once_and_one_whose_plan_does_not_reach_a_month_for_the_next_too(
    tmp_path, instance
):
    definitions, vendor = location(tmp_path, WHOLE)
    vendor.minutes[FIRST] = failing(PlanError("the plan does not reach 2024-01"))
    vendor.minutes[SECOND] = failing(UnreachableError("it cannot be reached"))
    result = run(definitions, instance, FIRST, *ASSETS, until=THIRD)

    assert [month for _, month, *_ in minutes_asked(vendor)] == ["2024-01", "2024-02"]
    reasons = {partition: check.description for partition, check in found(result).items()}
    assert "the plan does not reach 2024-01. Execute" in reasons[FIRST]
    assert "it cannot be reached. Execute" in reasons[SECOND]
    assert "it cannot be reached. Execute" in reasons[THIRD]


def test_the_vendor_is_not_asked_and_nothing_is_said_where_a_file_of_ours_is_gone(tmp_path, instance):
    definitions, vendor = location(tmp_path, WHOLE)
    run(definitions, instance, FIRST, *ASSETS)
    (tmp_path / "aggregated/1min/SPY_2024_01_1min.csv").unlink()
    vendor.asked.clear()
    result = execute_alone(definitions, instance, FIRST)

    assert result.success
    assert vendor.asked == []
    assert found(result) == {}


def test_a_comparison_that_is_interrupted_ends_the_run_and_is_no_verdict(tmp_path, instance):
    definitions, vendor = location(tmp_path, WHOLE)
    vendor.minutes[FIRST] = failing(KeyboardInterrupt())
    result = run(definitions, instance, FIRST, *ASSETS, expect=False)

    assert found(result) == {}
    assert (tmp_path / "aggregated/1min/SPY_2024_01_1min.csv").exists()
