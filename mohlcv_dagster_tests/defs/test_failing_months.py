"""Runs over several months in which some fail: what is made all the same, what is tried again, what the run says."""

import errno
import os

import dagster as dg
import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import records
from mohlcv_dagster.errors import (
    BadRequestError,
    IncompletePageError,
    PlanError,
    ServerError,
    UnknownKeyError,
    UnreachableError,
)
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster_tests.defs.location import HandedVendor, failure_of, location, passed_by_check, passed_by_rule, run
from mohlcv_dagster_tests.defs.test_partition_loop import (
    AGGREGATE_QUESTIONS,
    ALL,
    FEBRUARY,
    FIRST,
    RAW_QUESTIONS,
    SECOND,
    THIRD,
    WHOLE,
    aggregates_passed,
    materialized,
    month,
    paths,
    raw_passed,
    stored,
)

SESSIONS = {number: {5: 6, 10: 7}.get(number, 5) for number in range(1, 13)}
YEAR = {
    ("SPY", f"2024-{number:02d}"): month(number).replace(b"-05 14", b"-%02d 14" % day)
    for number, day in SESSIONS.items()
}
EIGHTH = "2024-08|SPY"
AT_ONCE = dg.RetryPolicy(max_retries=1, delay=0)
REFUSED = "the vendor refused the API key: copy it from the dashboard"


def name(number):
    return f"2024-{number:02d}|SPY"


def make_year(folder, instance, vendor, *, expect=False):
    """A run over the twelve months of 2024, in which a vendor that is away is asked again once."""
    return run(location(folder, vendor, retry=AT_ONCE), instance, name(1), *ALL, until=name(12), expect=expect)


def asked(vendor):
    """The months whose seconds were asked for, in order."""
    return [month for _, month, timeframe, _ in vendor.asked if timeframe == "second"]


def log_of(instance, result):
    """The lines that the run wrote to its log."""
    return [entry.user_message for entry in instance.all_logs(result.run_id) if entry.dagster_event is None]


def said_of(instance, result, text):
    """In how many lines of the log and failures of steps a text stands."""
    failures = [event.step_failure_data.user_failure_data.description for event in result.get_step_failure_events()]
    return sum(line.count(text) for line in [*log_of(instance, result), *failures])


@pytest.mark.parametrize(
    "error",
    [IncompletePageError("a page of it was not whole"), BadRequestError("not found"), ServerError("status 503")],
    ids=["not whole", "refused", "away"],
)
def test_a_vendor_fault_in_the_eighth_of_twelve_months_fails_that_month_alone(tmp_path, instance, error):
    result = make_year(tmp_path, instance, {**YEAR, ("SPY", "2024-08"): error})

    others = [number for number in range(1, 13) if number != 8]
    assert stored(tmp_path) == paths(*others)
    assert materialized(instance, "raw_1s") == materialized(instance, "aggregated/15s") == set(map(name, others))
    verdicts = raw_passed(*map(name, others)) | aggregates_passed(*map(name, others))
    assert passed_by_rule(result) == verdicts
    assert failure_of(result).description == f"1 failed, 0 not tried, of 12 partitions. 2024-08|SPY: {error}"


def test_only_failed_and_missing_picks_the_month_that_failed_and_nothing_else(tmp_path, instance):
    definitions = location(tmp_path, {**YEAR, ("SPY", "2024-08"): IncompletePageError("not whole")})
    run(definitions, instance, name(1), *ALL, until=name(12), expect=False)

    for asset in ALL:
        key = dg.AssetKey.from_user_string(asset)
        parts = definitions.resolve_asset_graph().get(key).partitions_def
        status = instance.get_status_by_partition(key, [name(number) for number in range(1, 13)], parts)
        assert [partition for partition, each in status.items() if each.value == "FAILED"] == [EIGHTH]
        assert [partition for partition, each in status.items() if each is None] == []


def test_a_refused_key_ends_the_run_at_once_and_is_said_once(tmp_path, instance):
    vendor = HandedVendor(dict.fromkeys(YEAR, UnknownKeyError(REFUSED, status=401)))
    result = make_year(tmp_path, instance, vendor)

    assert asked(vendor) == ["2024-01"]
    assert failure_of(result).description == f"1 failed, 11 not tried, of 12 partitions. 2024-01|SPY: {REFUSED}"
    assert said_of(instance, result, REFUSED) == 1
    assert stored(tmp_path) == []


def test_a_key_that_is_refused_in_the_third_month_leaves_the_two_before_it_whole(tmp_path, instance):
    vendor = HandedVendor({**YEAR, ("SPY", "2024-03"): UnknownKeyError(REFUSED, status=401)})
    result = make_year(tmp_path, instance, vendor)

    assert asked(vendor) == ["2024-01", "2024-02", "2024-03"]
    assert failure_of(result).description.startswith("1 failed, 9 not tried, of 12 partitions. 2024-03|SPY: ")
    assert stored(tmp_path) == paths(1, 2)
    assert passed_by_rule(result) == raw_passed(FIRST, SECOND) | aggregates_passed(FIRST, SECOND)


def test_a_missing_key_ends_the_run_at_once_and_is_said_once(tmp_path, instance):
    definitions = build(Settings.from_environment({"MOHLCV_DATA_DIR": str(tmp_path), "MOHLCV_TIMEFRAMES": "15s"}))
    result = run(definitions, instance, name(1), *ALL, until=name(12), expect=False)

    said = failure_of(result).description
    assert said.startswith("1 failed, 11 not tried, of 12 partitions. 2024-01|SPY: MASSIVE_API_KEY is not set")
    assert said_of(instance, result, "MASSIVE_API_KEY is not set") == 1


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes the first so many bar files."""
    room = []
    write = atomic_writes.write

    def replace(at, content):
        if at.suffix == ".csv" and not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if at.suffix == ".csv":
            room.pop()
        return write(at, content)

    monkeypatch.setattr(atomic_writes, "write", replace)
    return room


def test_a_full_disk_ends_the_run_at_once_and_is_said_once(tmp_path, instance, disk):
    disk.extend(["raw", "aggregate", "raw"])
    vendor = HandedVendor(YEAR)
    result = make_year(tmp_path, instance, vendor)

    assert asked(vendor) == ["2024-01", "2024-02"]
    said = failure_of(result).description
    assert said.startswith("1 failed, 10 not tried, of 12 partitions. 2024-02|SPY: ")
    assert said_of(instance, result, "No space left on device") == 1
    assert stored(tmp_path) == sorted([*paths(1), "raw_1s/SPY/SPY_2024_02.csv"])
    made = {(asset, each) for asset in ALL for each in materialized(instance, asset)}
    assert made == {("raw_1s", FIRST), ("aggregated/15s", FIRST), ("raw_1s", SECOND)}
    assert {key for key, passed in passed_by_check(result).items() if passed or key[1] == "complete"} == {
        *(("raw_1s", question, each) for question in RAW_QUESTIONS for each in (FIRST, SECOND)),
        *(("aggregated/15s", question, FIRST) for question in AGGREGATE_QUESTIONS),
    }


def refused(number):
    return PlanError(f"the plan of this API key does not reach SPY second bars of 2024-{number:02d}", status=403)


def test_a_plan_that_refuses_every_month_is_asked_for_the_oldest_and_the_newest_and_says_so_once(tmp_path, instance):
    vendor = HandedVendor({("SPY", f"2024-{number:02d}"): refused(number) for number in range(1, 13)})
    result = make_year(tmp_path, instance, vendor)

    assert asked(vendor) == ["2024-01", "2024-12"]
    assert failure_of(result).description == (
        "2 failed, 10 not tried, of 12 partitions. 2024-01|SPY, 2024-12|SPY: "
        "the plan of this API key does not reach SPY second bars of 2024-12"
    )
    assert stored(tmp_path) == []


def test_a_plan_that_refuses_the_oldest_months_gives_the_newer_ones(tmp_path, instance):
    vendor = HandedVendor({**YEAR, **{("SPY", f"2024-{number:02d}"): refused(number) for number in (1, 2, 3)}})
    result = make_year(tmp_path, instance, vendor)

    assert sorted(asked(vendor)) == [f"2024-{number:02d}" for number in range(1, 13)]
    newer = list(map(name, range(4, 13)))
    assert stored(tmp_path) == paths(*range(4, 13))
    assert passed_by_rule(result) == raw_passed(*newer) | aggregates_passed(*newer)
    assert failure_of(result).description == (
        "3 failed, 0 not tried, of 12 partitions. 2024-01|SPY, 2024-02|SPY, 2024-03|SPY: "
        "the plan of this API key does not reach SPY second bars of 2024-03"
    )


def test_a_month_that_was_never_traded_is_named_and_the_others_are_made(tmp_path, instance):
    months = {key: content for key, content in WHOLE.items() if key != FEBRUARY}
    result = run(location(tmp_path, months), instance, FIRST, *ALL, until=THIRD, expect=False)

    assert failure_of(result).description == (
        "1 failed, 0 not tried, of 3 partitions. 2024-02|SPY: SPY has no trades in 2024-02"
    )
    assert stored(tmp_path) == paths(1, 3)
    assert records.latest(instance, BarFile.parse("raw_1s/SPY/SPY_2024_03.csv")).rows == 1


class AwayAtFirst(HandedVendor):
    """Cannot be reached the first time that each of some months is asked for."""

    away = ("2024-02",)

    def fetch_month(self, symbol, month, **options):
        again = (symbol, str(month), "second", None) in self.asked
        fetched = super().fetch_month(symbol, month, **options)
        if str(month) in self.away and not again:
            raise UnreachableError("the vendor cannot be reached")
        return fetched


def test_a_month_that_the_vendor_was_away_for_is_tried_again_after_the_others_in_the_same_run(tmp_path, instance):
    vendor = AwayAtFirst(WHOLE)
    result = run(location(tmp_path, vendor, retry=AT_ONCE), instance, FIRST, *ALL, until=THIRD)

    assert asked(vendor) == ["2024-01", "2024-02", "2024-03", "2024-02"]
    assert passed_by_rule(result) == raw_passed(FIRST, SECOND, THIRD) | aggregates_passed(FIRST, SECOND, THIRD)
    assert stored(tmp_path) == paths(1, 2, 3)
    assert "trying again in 0 s: 2024-02|SPY: the vendor cannot be reached" in log_of(instance, result)
    [step] = [event for event in result.all_events if event.event_type_value == "STEP_START"]
    assert step.step_key == "bars"


def test_a_vendor_away_for_two_months_in_a_row_is_asked_for_no_other_until_the_next_pass(tmp_path, instance):
    vendor = AwayAtFirst(YEAR)
    vendor.away = ("2024-02", "2024-03")
    make_year(tmp_path, instance, vendor, expect=True)

    rest = [f"2024-{number:02d}" for number in range(2, 13)]
    assert asked(vendor) == ["2024-01", "2024-02", "2024-03", *rest]
    assert stored(tmp_path) == paths(*range(1, 13))


def test_a_vendor_that_stays_away_is_told_with_what_was_not_tried(tmp_path, instance):
    vendor = HandedVendor({**dict.fromkeys(YEAR, UnreachableError("it is away")), ("SPY", "2024-01"): month(1)})
    result = make_year(tmp_path, instance, vendor)

    assert asked(vendor) == ["2024-01", *(2 * ["2024-02", "2024-03"])]
    assert failure_of(result).description == (
        "2 failed, 9 not tried, of 12 partitions. 2024-02|SPY, 2024-03|SPY: it is away"
    )
    assert stored(tmp_path) == paths(1)


def test_a_refused_month_is_not_tried_again(tmp_path, instance):
    vendor = HandedVendor({**WHOLE, FEBRUARY: BadRequestError("not found", status=404)})
    run(location(tmp_path, vendor, retry=AT_ONCE), instance, FIRST, *ALL, until=THIRD, expect=False)

    assert asked(vendor) == ["2024-01", "2024-02", "2024-03"]


def test_a_run_that_is_interrupted_leaves_every_month_before_recorded_and_checked(tmp_path, instance):
    vendor = HandedVendor({**WHOLE, ("SPY", "2024-03"): KeyboardInterrupt()})
    result = run(location(tmp_path, vendor), instance, FIRST, *ALL, until=THIRD, expect=False)

    assert materialized(instance, "raw_1s") == materialized(instance, "aggregated/15s") == {FIRST, SECOND}
    assert passed_by_rule(result) == raw_passed(FIRST, SECOND) | aggregates_passed(FIRST, SECOND)
    again = run(location(tmp_path, WHOLE), instance, THIRD, *ALL)
    assert passed_by_rule(again) == raw_passed(THIRD) | aggregates_passed(THIRD)
