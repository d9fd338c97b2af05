"""Months without a bar: a sandbox that has listings and nothing else, the real client, the real graph."""

import dagster as dg
import pytest

from mohlcv_dagster.cli import runs
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.defs.impatient import ImpatientMassive
from mohlcv_dagster_tests.defs.location import latest_evaluation, location, rules_of, run


class NeverTraded:
    """The listings of the synthetic market without its bars."""

    listing = staticmethod(SyntheticMarket().listing)

    def days(self, symbol, first, last):
        return ()


@pytest.fixture(scope="module")
def _served():
    with Sandbox(NeverTraded()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_served):
    yield _served
    _served.clear()


@pytest.fixture
def fetch(sandbox, tmp_path, instance):
    """The outcome of a run of the raw month and an aggregate, the facts recorded, and what `not_empty` said of it."""

    def fetch(symbol, month):
        massive = ImpatientMassive(base_url=sandbox.url, attempt_seconds=5)
        settings = Settings.from_environment(
            {"MOHLCV_DATA_DIR": str(tmp_path), "MOHLCV_TIMEFRAMES": "1min", "MOHLCV_START": "2003-09"}
        )
        raw = BarFile.parse(f"raw_1s/{symbol}/{symbol}_{month}.csv")
        outcome = runs.materialize(
            build(settings, massive=massive), instance, raw, [raw.timeframe, *settings.timeframes]
        )
        record = records.latest(instance, raw)
        if record is None:
            return outcome, None, None
        checked = latest_evaluation(instance, "raw_1s", "complete", f"{raw.month}|{symbol}")
        return outcome, record, rules_of(checked)["not_empty"]

    return fetch


def stored(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}


def test_a_month_that_cannot_have_bars_is_recorded_with_what_was_asked_to_prove_it(fetch, sandbox, instance):
    sandbox.inject("server-error:on=details")
    fetch("TSLA", "2010_05")

    [made] = instance.fetch_materializations(dg.AssetKey("raw_1s"), limit=9).records
    facts = {name: value.value for name, value in made.asset_materialization.metadata.items()}
    assert facts["requests"] == 2 + 3  # the overview twice, the events
    assert len(sandbox.requests) == 2 + 3 + 1  # its minutes, for the check
    assert facts["retries"] == 1
    assert len(facts["request_ids"]) == 2 + 2
    assert facts["empty_cause"] == "explained"
    assert facts["empty_because"] == "Tesla, Inc. was listed 2010-06-29, after this month"
    assert facts["notes"] == "TSLA 2010-05 is empty: Tesla, Inc. was listed 2010-06-29, after this month."


@pytest.mark.parametrize(
    ("symbol", "month", "because"),
    [
        ("TSLA", "2010_05", "Tesla, Inc. was listed 2010-06-29, after this month"),
        ("TWTR", "2022_11", "Twitter, Inc. was delisted 2022-10-28, before this month"),
        ("META", "2021_03", "Meta Platforms, Inc. was FB in this month and the change was on 2022-06-09"),
    ],
)
def test_a_month_that_cannot_have_bars_is_stored_empty_and_right_with_its_reason(
    fetch, tmp_path, symbol, month, because
):
    outcome, record, found = fetch(symbol, month)

    assert outcome.succeeded
    assert outcome.empty
    assert [check.name for check in outcome.checks if not check.passed] == []
    assert found["result"] == "passed"
    assert because in found["what was found"]
    assert {check.asset for check in outcome.checks} == {"raw_1s", "aggregated/1min"}
    assert stored(tmp_path) == {
        f"raw_1s/{symbol}/{symbol}_{month}.csv": HEADER,
        f"aggregated/1min/{symbol}_{month}_1min.csv": HEADER,
    }
    assert record.rows == 0
    assert record.empty.reason.startswith(because)


@pytest.mark.parametrize(("symbol", "asked"), [("ZZNO", "Is the symbol right?"), ("spy", "is SPY meant?")])
def test_a_symbol_the_vendor_does_not_know_fails_and_stores_nothing(fetch, tmp_path, symbol, asked):
    outcome, record, _ = fetch(symbol, "2024_01")

    assert not outcome.succeeded
    [reason] = outcome.reasons
    assert reason.startswith(f"{symbol} has no trades in 2024-01: all 2 pages of it came complete and empty")
    assert f"the vendor knows no symbol {symbol}" in reason
    assert asked in reason
    assert (record, stored(tmp_path)) == (None, {})


def test_a_symbol_listed_all_month_without_a_bar_is_stored_and_its_check_is_an_error(fetch, tmp_path):
    outcome, record, found = fetch("AAPL", "2024_01")

    assert outcome.succeeded
    assert found["result"] == "error"
    assert (
        "yet Apple Inc. has been listed since 1980-12-12 and was AAPL all month, in which the exchange"
        in found["what was found"]
    )
    assert record.empty.cause == "unexplained"
    assert set(stored(tmp_path).values()) == {HEADER}
    assert [reason.split(":")[0] for reason in outcome.reasons] == ["raw_1s not_empty"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("plan-date:on=reference", "the plan of this API key has no reference data"),
        ("reset:on=reference,times=all", "the vendor's reference did not answer"),
    ],
)
def test_a_reference_that_does_not_answer_leaves_the_reason_unknown_and_the_month_stored(
    fetch, sandbox, tmp_path, fault, said
):
    sandbox.inject(fault)
    outcome, record, found = fetch("TSLA", "2010_05")

    assert outcome.succeeded
    assert outcome.reasons == ()
    assert [(check.asset, check.name, check.error) for check in outcome.checks if not check.passed] == [
        ("raw_1s", "complete", False)
    ]
    assert found["result"] == "warning"
    assert said in found["what was found"]
    assert record.empty.cause == "unknown"
    assert set(stored(tmp_path).values()) == {HEADER}


def test_a_month_that_has_bars_is_not_replaced_by_none(fetch, sandbox, tmp_path, instance):
    run(location(tmp_path, {("AAPL", "2024-01"): WHOLE}), instance, "2024-01|AAPL", "raw_1s")
    before = stored(tmp_path)
    outcome, record, _ = fetch("AAPL", "2024_01")

    assert not outcome.succeeded
    assert "although 6 bars of it were stored before; the stored file stays as it is" in outcome.reasons[0]
    assert stored(tmp_path) == before
    assert record.rows == 6
