"""Adjusted months and a split of later: a sandbox whose splits come to be known, the real client, the real graph."""

from datetime import UTC, date, datetime

import dagster as dg
import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import records
from mohlcv_dagster.model import bar_files, exchange_calendar
from mohlcv_dagster.sandbox import Sandbox, synthetic_market
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.defs.impatient import ImpatientMassive
from mohlcv_dagster_tests.defs.location import execute_checks_alone, latest_evaluation, rules_of, run

SPLIT = synthetic_market.SandboxSplit(date(2024, 2, 15), 4)
JANUARY, FEBRUARY, MARCH, APRIL = (f"2024-0{number}|AAA" for number in (1, 2, 3, 4))
OTHER = "2024-01|BBB"


class OneBarASession:
    """A bar at the opening bell, under any symbol; the splits known change, and the price."""

    splits = ()
    price = 10.0

    def listing(self, symbol):
        return synthetic_market.SandboxListing(symbol, 1.0, 10.0, self.splits)

    def days(self, symbol, first, last):
        return [session.date for session in exchange_calendar.sessions_between(first, last)]

    def bars(self, symbol, day, timeframe, *, adjusted):
        start = np.array([int(exchange_calendar.session_on(day).regular_open.timestamp())])
        return bar_table.from_arrays(start, dict.fromkeys(bar_files.PRICES, np.array([self.price])), np.array([100]))


@pytest.fixture
def market():
    return OneBarASession()


@pytest.fixture
def fetch(market, tmp_path, instance):
    with Sandbox(market) as sandbox:

        def definitions(*, adjusted=True):
            massive = ImpatientMassive(base_url=sandbox.url, adjusted=adjusted, attempt_seconds=5)
            settings = Settings.from_environment({"MOHLCV_DATA_DIR": str(tmp_path), "MOHLCV_TIMEFRAMES": "1min"})
            return build(settings, massive=massive)

        def fetch(partition, *, adjusted=True):
            run(definitions(adjusted=adjusted), instance, partition, "raw_1s")

        fetch.sandbox, fetch.definitions = sandbox, definitions
        yield fetch


def checked(fetch, instance, *partitions):
    """What `split_basis` says when its check is executed alone, by partition: no request is made for it."""
    asked = len(fetch.sandbox.requests)
    verdicts = {}
    for partition in partitions:
        execute_checks_alone(fetch.definitions(), instance, "raw_1s", partition, "current")
        verdicts[partition] = rules_of(latest_evaluation(instance, "raw_1s", "current", partition))["split_basis"]
    assert len(fetch.sandbox.requests) == asked
    return verdicts


def noted(instance, partition):
    """The notes recorded with the newest materialization of a partition."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("raw_1s"), asset_partitions=[partition])
    facts = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization.metadata
    return facts["notes"].value if "notes" in facts else None


def test_a_split_marks_exactly_the_adjusted_months_that_it_touches_and_that_lack_it(fetch, market, instance):
    for partition in (JANUARY, FEBRUARY, MARCH):
        fetch(partition)
    assert {found["result"] for found in checked(fetch, instance, JANUARY, FEBRUARY, MARCH).values()} == {"passed"}

    market.splits = (SPLIT,)
    fetch.sandbox.clear()
    fetch(APRIL)
    assert [served.path for served in fetch.sandbox.requests if "/aggs/" not in served.path] == ["/stocks/v1/splits"]
    assert noted(instance, APRIL) == (
        "2 stored months of AAA came before a split (4 for 1 on 2024-02-15): 2024-01, 2024-02; fetch them again."
    )
    found = checked(fetch, instance, JANUARY, FEBRUARY, MARCH, APRIL)
    assert {partition: each["result"] for partition, each in found.items()} == {
        JANUARY: "error",
        FEBRUARY: "error",
        MARCH: "passed",
        APRIL: "passed",
    }
    assert "is not adjusted for 1 split of AAA known by now: 4 for 1 on 2024-02-15" in found[JANUARY]["what was found"]
    assert found[JANUARY]["count"] == 21  # the sessions of January 2024
    assert found[FEBRUARY]["count"] == 10  # those of February before the 15th
    whole = latest_evaluation(instance, "raw_1s", "current", JANUARY)
    assert (whole.passed, whole.severity, whole.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)

    fetch(JANUARY)
    assert noted(instance, JANUARY) == (
        "1 stored month of AAA came before a split (4 for 1 on 2024-02-15): 2024-02; fetch them again."
    )
    again = checked(fetch, instance, JANUARY, FEBRUARY)
    assert (again[JANUARY]["result"], again[FEBRUARY]["result"]) == ("warning", "error")
    assert (
        "AAA 2024-02 after it is adjusted as of 2026-11-23: they are on two bases" in (again[JANUARY]["what was found"])
    )

    fetch(FEBRUARY)
    assert checked(fetch, instance, JANUARY, FEBRUARY)[JANUARY]["result"] == "passed"
    fetch(APRIL)
    assert noted(instance, APRIL) is None


@pytest.mark.parametrize(("price", "result"), [(10.0, "passed"), (40.0, "warning")])
def test_the_month_after_a_split_is_compared_with_the_close_of_a_stale_one_on_its_own_basis(
    fetch, market, instance, price, result
):
    market.price = 40.0
    fetch(JANUARY)
    market.splits, market.price = (synthetic_market.SandboxSplit(date(2024, 2, 1), 4),), price
    fetch(FEBRUARY)

    assert rules_of(latest_evaluation(instance, "raw_1s", "plausible", FEBRUARY))["open_jumps"]["result"] == result


@pytest.mark.parametrize(
    ("splits", "result", "said"),
    [
        ((synthetic_market.SandboxSplit(date(2024, 2, 1), 4),), "passed", "split 4 for 1 on 2024-02-01"),
        (
            (),
            "warning",
            "4-for-1 split at 2024-02-01 14:30:00Z; prices are recorded as unadjusted, and the vendor knows no such",
        ),
    ],
    ids=["a split", "none"],
)
def test_the_unadjusted_month_after_a_split_is_good_since_the_split_is_looked_up(  # noqa: PLR0913, PLR0917 - as above
    fetch, market, instance, splits, result, said
):
    market.price = 40.0
    fetch(JANUARY, adjusted=False)
    market.splits, market.price = splits, 10.0
    fetch.sandbox.clear()
    fetch(FEBRUARY, adjusted=False)
    found = rules_of(latest_evaluation(instance, "raw_1s", "plausible", FEBRUARY))["open_jumps"]

    assert [served.path for served in fetch.sandbox.requests if "/aggs/" not in served.path] == ["/stocks/v1/splits"]
    assert (found["result"], said in found["what was found"]) == (result, True)


def test_the_jump_to_a_stale_month_is_told_as_one_of_the_basis_and_not_of_the_price(fetch, market, instance):
    market.price = 40.0
    fetch(JANUARY)
    market.splits, market.price = (synthetic_market.SandboxSplit(date(2024, 2, 15), 4),), 10.0
    fetch(FEBRUARY)
    found = checked(fetch, instance, FEBRUARY)[FEBRUARY]

    assert found["result"] == "warning"
    assert "AAA 2024-01 before it is adjusted as of 2026-11-23: they are on two bases" in found["what was found"]
    assert (
        "The jump between them (close 40, then open 10) is that of the basis, a factor of 0.25"
        in (found["what was found"])
    )
    assert "Re-materialize raw_1s for AAA 2024-01" in found["what was found"]
    assert rules_of(latest_evaluation(instance, "raw_1s", "plausible", FEBRUARY))["open_jumps"]["result"] == "passed"


def test_an_adjusted_month_beside_an_unadjusted_one_warns_with_the_setting(fetch, instance):
    fetch(JANUARY, adjusted=False)
    fetch(FEBRUARY)
    found = checked(fetch, instance, JANUARY, FEBRUARY)

    assert {each["result"] for each in found.values()} == {"warning"}
    assert "is unadjusted, and AAA 2024-02 after it is adjusted as of" in found[JANUARY]["what was found"]
    assert "MASSIVE_ADJUSTED decides" in found[FEBRUARY]["what was found"]


def test_neither_an_unadjusted_month_nor_another_symbols_is_marked_as_stale(fetch, market, instance):
    fetch(JANUARY, adjusted=False)
    fetch(OTHER)
    market.splits = (SPLIT,)
    fetch("2024-03|CCC")
    assert checked(fetch, instance, OTHER)[OTHER]["result"] == "passed"
    assert "came before a split" not in (noted(instance, "2024-03|CCC") or "")
    found = checked(fetch, instance, JANUARY)[JANUARY]
    assert found["result"] == "passed"
    assert found["what was found"] == "unadjusted: no later split rewrites them"


def test_a_split_to_come_counts_from_its_day_on_and_without_another_fetch(fetch, market, instance, monkeypatch):
    market.splits = (
        synthetic_market.SandboxSplit(date(2026, 11, 25), 2),
    )  # the fetch is on 2026-11-23, see `impatient`
    fetch(JANUARY)

    class Clock(datetime):
        today = datetime(2026, 11, 25, 4, 59, tzinfo=UTC)

        @classmethod
        def now(cls, tz=None):
            return cls.today

    monkeypatch.setattr(records, "datetime", Clock)
    assert checked(fetch, instance, JANUARY)[JANUARY]["result"] == "passed"
    Clock.today = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)  # midnight in New York
    assert checked(fetch, instance, JANUARY)[JANUARY]["result"] == "error"


def test_splits_that_the_vendor_does_not_tell_are_a_warning_and_a_note(fetch, instance):
    fetch.sandbox.inject("plan-date:on=splits")
    fetch(JANUARY)
    found = checked(fetch, instance, JANUARY)[JANUARY]
    assert found["result"] == "warning"
    assert noted(instance, JANUARY).startswith("The splits of AAA are unknown")
    assert "answered 403" in noted(instance, JANUARY)
