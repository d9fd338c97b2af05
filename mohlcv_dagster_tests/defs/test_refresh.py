"""A month fetched again: topped up while it is provisional, compared once it is settled."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.asset_checks import failed_rules
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster_tests.checks.clean_files import BASIS_RULES, COMPANY_RULES, HEADER, PLAUSIBLE_RULES, WHOLE_RULES
from mohlcv_dagster_tests.defs.location import HandedVendor, failure_of, location, run

JANUARY = "2024-01|SPY"
KEY = ("SPY", "2024-01")
FILE = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")

# Tuesday the 16th to Thursday the 18th, EST: a bar at 10:00, one in the closing hour, one in the evening
ROWS = [
    f"2024-01-{day:02d} {clock}+00:00,10.0,11.0,9.0,10.5,{day}\n".encode()
    for day in (16, 17, 18)
    for clock in ("15:00:00", "20:30:00", "22:00:00")
]
FEW = HEADER + b"".join(ROWS[:5])
WHOLE = HEADER + b"".join(ROWS)
WEDNESDAY = datetime(2024, 1, 17, 21, tzinfo=UTC)  # 16:00 EST: Tuesday is settled
THURSDAY = datetime(2024, 1, 18, 23, tzinfo=UTC)  # 18:00 EST: Wednesday is
SINCE = datetime(2024, 1, 16, 20, tzinfo=UTC)  # Tuesday's closing hour
MARCH = datetime(2024, 3, 5, 12, tzinfo=UTC)  # January has long settled
MANY = HEADER + b"".join(
    b"2024-01-16 15:%02d:%02d+00:00,10.0,11.0,9.0,10.5,7\n" % (second // 60, second % 60) for second in range(100)
)


def changed(content, row, volume):
    old = ROWS[row]
    assert content.count(old) == 1
    return content.replace(old, old[: old.rindex(b",")] + b",%d\n" % volume)


def fetch(folder, instance, content, at, *assets, tags=None, expect=True, **vendor):  # noqa: PLR0913 - what, when, where and how
    """Materialize January from a vendor that has `content` at the moment `at`; the run, and what was asked for."""
    handed = HandedVendor({KEY: content}, at, **vendor)
    made = run(location(folder, handed), instance, JANUARY, *(assets or ["raw_1s"]), tags=tags, expect=expect)
    return made, handed.since


def stored(folder):
    return (folder / str(FILE.path)).read_bytes()


def facts(result):
    [made] = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey("raw_1s")]
    return {name: value.value for name, value in made.materialization.metadata.items()}


def warnings_of(result):
    """What failed, but for the rules that a month of a few bars fails whenever it was fetched."""
    return {
        (found.asset_key.to_user_string(), rule.name): rule.message
        for found in result.get_asset_check_evaluations()
        for rule in failed_rules(found)
        if rule.name not in (*WHOLE_RULES, *BASIS_RULES, *PLAUSIBLE_RULES, *COMPANY_RULES)
    }


def test_a_first_fetch_is_whole_and_has_nothing_to_compare_with(tmp_path, instance):
    result, asked = fetch(tmp_path, instance, FEW, WEDNESDAY)

    assert asked == [None]
    assert facts(result)["state"] == "provisional"
    assert not {"compared", "topped_up_from", "settled_compared"} & set(facts(result))
    assert set(warnings_of(result)) == {("raw_1s", "settled")}


def test_a_provisional_month_is_asked_for_from_its_last_settled_closing_hour_and_written_whole(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY, "raw_1s", "aggregated/15s")
    result, asked = fetch(tmp_path, instance, WHOLE, THURSDAY, "raw_1s", "aggregated/15s")

    assert asked == [SINCE]
    assert stored(tmp_path) == WHOLE
    told = facts(result)
    assert told["topped_up_from"] == SINCE.timestamp()
    assert told["compared"] == "the last 2 final bars of the stored file came back unchanged"
    counts = [told[f"settled_{name}"] for name in ("compared", "changed", "gained", "lost")]
    assert (counts, told["unsettled_revised"]) == ([2, 0, 0, 0], 0)
    assert told["dagster/partition_row_count"] == 9
    assert told["request_ids"] == ["first", "second", "first", "second"]  # of both fetches: bars of either are there
    assert (told["fetched_at"], told["complete_through"]) == (THURSDAY.timestamp(), THURSDAY.timestamp())
    assert set(warnings_of(result)) == {("raw_1s", "settled")}
    assert (tmp_path / "aggregated/15s/SPY_2024_01_15s.csv").read_bytes().count(b"\n") == 1 + 9


def test_bars_that_were_not_settled_are_replaced_and_counted(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    late = changed(WHOLE, 3, 1000)
    result, asked = fetch(tmp_path, instance, late, THURSDAY)

    assert asked == [SINCE]
    assert stored(tmp_path) == late
    assert facts(result)["unsettled_revised"] == 1
    assert set(warnings_of(result)) == {("raw_1s", "settled")}


def test_an_overlap_that_came_back_otherwise_has_the_whole_month_fetched_and_says_so(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    revised = changed(changed(WHOLE, 0, 500), 1, 501)  # one of them before the overlap, one in it
    result, asked = fetch(tmp_path, instance, revised, THURSDAY)

    assert asked == [SINCE, None]
    assert stored(tmp_path) == revised
    told = facts(result)
    assert (told["settled_compared"], told["settled_changed"]) == (3, 2)
    assert told["requests"] == 2 * 25
    assert told["compared"] == (
        "the 3 final bars of the stored file with those fetched now; fetched whole since 1 final bars of the "
        "overlap were not as stored"
    )
    first, second = (record.data for record in told["revision"].records)
    assert (first["ts_event"], first["old_volume"], first["new_volume"]) == ("2024-01-16 15:00:00+00:00", 16, 500)
    assert (second["ts_event"], second["old_volume"], second["new_volume"]) == ("2024-01-16 20:30:00+00:00", 16, 501)
    assert "2 final bars are not as they were" in warnings_of(result)[("raw_1s", "revised")]


def test_a_month_that_has_settled_is_completed_and_then_passes(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    result, asked = fetch(tmp_path, instance, WHOLE, MARCH)

    assert asked == [SINCE]
    assert stored(tmp_path) == WHOLE
    assert facts(result)["state"] == "settled"
    assert warnings_of(result) == {}


def test_a_settled_month_fetched_again_unchanged_is_compared_bar_by_bar_and_passes(tmp_path, instance):
    fetch(tmp_path, instance, WHOLE, MARCH)
    result, asked = fetch(tmp_path, instance, WHOLE, MARCH)

    assert asked == [None]
    assert facts(result)["settled_compared"] == 9
    assert "revision" not in facts(result)
    assert warnings_of(result) == {}


def test_a_settled_month_that_came_back_otherwise_warns_shows_both_and_the_check_can_be_run_again(tmp_path, instance):
    fetch(tmp_path, instance, WHOLE, MARCH)
    revised = changed(WHOLE, 4, 99) + b"2024-01-19 15:00:00+00:00,1.0,1.0,1.0,1.0,1\n"
    result, _ = fetch(tmp_path, instance, revised, MARCH)

    assert stored(tmp_path) == revised
    assert [
        (row.data["ts_event"], row.data["old_volume"], row.data["new_volume"])
        for row in facts(result)["revision"].records
    ] == [("2024-01-17 20:30:00+00:00", 17, 99), ("2024-01-19 15:00:00+00:00", None, 1)]
    assert records.latest(instance, FILE).revised == RevisionCounts(compared=9, changed=1, gained=1, lost=0)
    assert set(warnings_of(result)) == {("raw_1s", "revised")}
    assert (
        "2 final bars are not as they were before the fetch at 2024-03-05 12:00:00Z: 1 changed, 1 added, 0 lost"
        in (warnings_of(result)[("raw_1s", "revised")])
    )


def test_a_new_answer_that_lacks_settled_bars_fails_and_the_stored_file_stays_byte_for_byte(tmp_path, instance):
    fetch(tmp_path, instance, MANY, MARCH)
    rows = MANY.splitlines(keepends=True)
    fewer = b"".join(rows[:60])
    for tags in (None, {"mohlcv/force": "true"}):
        result, _ = fetch(tmp_path, instance, fewer, MARCH, tags=tags, expect=False)
        failure = failure_of(result)
        assert "41 of the 100 final bars stored of SPY 2024-01 1s are missing" in failure.description
        assert "the first at 2024-01-16 15:00:59Z" in failure.description
        assert failure.metadata["error"].value == "BarsLostError"
        assert stored(tmp_path) == MANY
    assert records.latest(instance, FILE).rows == 100

    result, _ = fetch(tmp_path, instance, fewer, MARCH, tags={"mohlcv/accept_loss": "true"})
    assert stored(tmp_path) == fewer
    assert facts(result)["compared"].endswith("; their loss was accepted by a tag of the run")
    assert set(warnings_of(result)) == {("raw_1s", "revised")}
    assert len(facts(result)["revision"].records) == 20


def test_settled_bars_lost_from_a_provisional_month_are_missed_too(tmp_path, instance):
    provisional = MANY + ROWS[1] + ROWS[3]
    fetch(tmp_path, instance, provisional, WEDNESDAY)
    result, asked = fetch(tmp_path, instance, HEADER + ROWS[3], THURSDAY, expect=False)

    assert asked == [SINCE, None]
    assert "101 of the 101 final bars" in failure_of(result).description
    assert stored(tmp_path) == provisional


def test_the_tag_force_downloads_a_provisional_month_anew_and_compares_what_was_settled(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    result, asked = fetch(tmp_path, instance, WHOLE, THURSDAY, tags={"mohlcv/force": "true"})

    assert asked == [None]
    assert (facts(result)["settled_compared"], facts(result)["unsettled_revised"]) == (3, 0)


def test_an_invalid_tag_is_refused_before_anything_is_asked(tmp_path, instance):
    result, asked = fetch(tmp_path, instance, FEW, WEDNESDAY, tags={"mohlcv/force": "yes"}, expect=False)

    assert asked == []
    failure = failure_of(result)
    assert failure.description == "the run's tag mohlcv/force is 'yes'; write true or false, or leave it out"


@pytest.mark.parametrize(
    ("first", "vendor", "why"),
    [
        (MARCH, {"adjusted": True}, "the stored file is unadjusted, and adjusted prices are asked for"),
        (WEDNESDAY, {"name": "massive.com"}, "the stored file is from stand-in at http://127.0.0.1:1, not massive.com"),
    ],
)
def test_a_month_of_another_vendor_or_basis_is_fetched_whole_and_not_compared(tmp_path, instance, first, vendor, why):
    fetch(tmp_path, instance, MANY, first)
    result, asked = fetch(tmp_path, instance, WHOLE, MARCH, **vendor)

    assert asked == [None]
    assert stored(tmp_path) == WHOLE
    assert facts(result)["compared"] == f"not compared: {why}"
    assert "settled_compared" not in facts(result)
    assert warnings_of(result) == {}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda content: changed(content, 0, 1), "it has 275 bytes, 276 were written"),
        (lambda content: changed(content, 0, 61), "its digest is another one"),
    ],
)
def test_a_stored_file_that_is_not_the_one_recorded_is_neither_topped_up_nor_compared(tmp_path, instance, spoil, why):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    at = tmp_path / str(FILE.path)
    at.write_bytes(spoil(at.read_bytes()))
    result, asked = fetch(tmp_path, instance, WHOLE, THURSDAY)

    assert asked == [None]
    assert stored(tmp_path) == WHOLE
    assert facts(result)["compared"] == f"not compared: the stored file is not the one that was recorded: {why}"


def test_a_stored_file_that_was_copied_back_unchanged_is_topped_up(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    at = tmp_path / str(FILE.path)
    at.with_suffix(".copy").write_bytes(at.read_bytes())
    at.with_suffix(".copy").replace(at)
    _, asked = fetch(tmp_path, instance, WHOLE, THURSDAY)

    assert asked == [SINCE]


def test_what_the_vendor_gave_with_a_negative_volume_is_compared_and_not_topped_up(tmp_path, instance):
    fetch(tmp_path, instance, changed(FEW, 0, -16), WEDNESDAY, expect=False)
    result, asked = fetch(tmp_path, instance, WHOLE, THURSDAY)

    assert asked == [None]
    assert stored(tmp_path) == WHOLE
    assert "the stored file is broken: " in facts(result)["compared"]
    [row] = [record.data for record in facts(result)["revision"].records]
    assert (row["old_volume"], row["new_volume"]) == (-16, 16)
    assert "1 final bar is not as it was before" in warnings_of(result)[("raw_1s", "revised")]


def test_a_month_with_a_negative_volume_is_not_replaced_by_one_that_lacks_bars_of_it(tmp_path, instance):
    below = MANY.replace(b",7\n", b",-7\n", 1)
    fetch(tmp_path, instance, below, MARCH, expect=False)
    half = b"".join(MANY.splitlines(keepends=True)[:50])
    result, _ = fetch(tmp_path, instance, half, MARCH, expect=False)

    assert not result.success
    assert stored(tmp_path) == below


def test_a_stored_file_of_which_nothing_is_recorded_is_replaced_by_a_whole_month(tmp_path, instance):
    fetch(tmp_path, instance, FEW, WEDNESDAY)
    with dg.DagsterInstance.ephemeral() as another:
        result, asked = fetch(tmp_path, another, WHOLE, THURSDAY)

    assert asked == [None]
    assert facts(result)["compared"] == "not compared: when the stored file was fetched is not recorded"


def test_a_month_of_which_nothing_is_settled_is_replaced_as_it_comes(tmp_path, instance):
    evening = HEADER + b"2024-01-02 15:00:00+00:00,1.0,1.0,1.0,1.0,1\n"
    fetch(tmp_path, instance, evening, datetime(2024, 1, 2, 16, tzinfo=UTC))
    day = evening.replace(b",1\n", b",2\n") + b"2024-01-02 16:00:00+00:00,1.0,1.0,1.0,1.0,1\n"
    result, asked = fetch(tmp_path, instance, day, datetime(2024, 1, 2, 17, tzinfo=UTC))

    assert asked == [datetime(2024, 1, 1, tzinfo=UTC)]
    assert stored(tmp_path) == day
    assert facts(result)["compared"] == "no final bar was there to compare"
    assert facts(result)["unsettled_revised"] == 1


def test_a_part_without_bars_leaves_what_was_settled(tmp_path, instance):
    fetch(tmp_path, instance, HEADER + ROWS[0], WEDNESDAY)
    result, asked = fetch(tmp_path, instance, HEADER + ROWS[0], MARCH)

    assert asked == [SINCE]
    assert stored(tmp_path) == HEADER + ROWS[0]
    assert facts(result)["state"] == "settled"


@pytest.mark.parametrize("adjusted", [True, False])
def test_adjusted_bars_are_joined_only_where_the_overlap_shows_that_they_are_of_one_basis(tmp_path, instance, adjusted):
    """Where no bar is in the overlap, a split in between would be on the new bars alone."""
    early = HEADER + ROWS[0]
    fetch(tmp_path, instance, early + ROWS[3], WEDNESDAY, adjusted=adjusted)
    halved = early.replace(b"10.0,11.0,9.0,10.5,16", b"5.0,5.5,4.5,5.25,32") + ROWS[6]
    result, since = fetch(tmp_path, instance, halved, MARCH, adjusted=adjusted)

    assert since == ([SINCE, None] if adjusted else [SINCE])
    assert stored(tmp_path) == (halved if adjusted else early + ROWS[6])
    assert facts(result)["settled_changed"] == (1 if adjusted else 0)


def test_in_a_run_of_several_months_each_is_refreshed_by_itself(tmp_path, instance):
    february = {("SPY", "2024-02"): MANY.replace(b"2024-01-16", b"2024-02-16")}
    first = HandedVendor({KEY: FEW, **february}, WEDNESDAY)
    first.months[("SPY", "2024-02")] = february[("SPY", "2024-02")]
    run(location(tmp_path, first), instance, JANUARY, "raw_1s")
    run(location(tmp_path, HandedVendor(february, MARCH)), instance, "2024-02|SPY", "raw_1s")
    fewer = {("SPY", "2024-02"): MANY.replace(b"2024-01-16", b"2024-02-16")[: len(HEADER) + 400]}
    second = HandedVendor({KEY: WHOLE, **fewer}, MARCH)
    result = run(location(tmp_path, second), instance, JANUARY, "raw_1s", until="2024-02|SPY", expect=False)

    assert second.since == [SINCE, None]
    assert stored(tmp_path) == WHOLE
    assert records.latest(instance, FILE).revised == RevisionCounts(2)
    failure = failure_of(result)
    assert failure.description.startswith("1 failed, 0 not tried, of 2 partitions. 2024-02|SPY: ")
    assert (tmp_path / "raw_1s/SPY/SPY_2024_02.csv").read_bytes() == february[("SPY", "2024-02")]
