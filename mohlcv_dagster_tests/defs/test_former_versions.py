"""A month that is stored again: what it was is kept, and the partition lists it."""

import hashlib

import dagster as dg

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.defs import io_managers, month_metadata
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster_tests.defs.location import HandedVendor, location, run
from mohlcv_dagster_tests.defs.test_refresh import (
    FEW,
    FILE,
    JANUARY,
    KEY,
    MARCH,
    THURSDAY,
    WEDNESDAY,
    WHOLE,
    changed,
    facts,
    fetch,
)

FORCE = {"mohlcv/force": "true"}


def versions(folder):
    history = VersionHistory(Archive(folder))
    return [
        (history.content(FILE, each), each.following and str(each.following.why)) for each in history.versions(FILE)
    ]


def test_a_month_that_is_completed_revised_or_forced_is_kept_as_it_was_and_the_partition_lists_it(tmp_path, instance):
    first, _ = fetch(tmp_path, instance, FEW, WEDNESDAY)
    completed, _ = fetch(tmp_path, instance, WHOLE, THURSDAY)
    revised = changed(WHOLE, 0, 500)
    fetch(tmp_path, instance, WHOLE, MARCH)
    downloaded, _ = fetch(tmp_path, instance, revised, MARCH)
    same, _ = fetch(tmp_path, instance, revised, MARCH)
    forced, _ = fetch(tmp_path, instance, WHOLE, MARCH, tags=FORCE)

    assert versions(tmp_path) == [
        (FEW, "completed"),
        (WHOLE, "downloaded again"),
        (revised, "downloaded again, forced"),
        (WHOLE, None),
    ]
    told = [facts(each).get("former_versions") for each in (first, completed, downloaded, same, forced)]
    assert told == [None, 1, 2, 2, 3]
    newest = facts(forced)["versions"].records[0].data
    assert (newest["why"], newest["changed"], newest["added"], newest["removed"]) == (
        "downloaded again, forced",
        1,
        0,
        0,
    )
    assert (newest["bars"], newest["sha256"]) == (9, hashlib.sha256(revised).hexdigest())
    assert [row.data["why"] for row in facts(forced)["versions"].records][1:] == ["downloaded again", "completed"]


def test_a_run_keeps_nothing_where_that_is_turned_off(tmp_path, instance):
    for content in (WHOLE, changed(WHOLE, 0, 500)):
        handed = HandedVendor({KEY: content}, MARCH)
        result = run(location(tmp_path, handed, history=False), instance, JANUARY, "raw_1s")

    assert versions(tmp_path) == [(changed(WHOLE, 0, 500), None)]
    assert "former_versions" not in facts(result)


def test_aggregates_have_no_history(tmp_path, instance):
    for content in (WHOLE, changed(WHOLE, 0, 500)):
        fetch(tmp_path, instance, content, MARCH, "raw_1s", "aggregated/15s")

    assert sorted(each.name for each in (tmp_path / "history").iterdir()) == ["raw_1s"]


def test_a_materialization_lists_the_newest_twenty_versions(tmp_path):
    archive, bars = Archive(tmp_path), [csv_codec.decode(changed(WHOLE, 0, volume)) for volume in range(100, 123)]
    for each in bars:
        recorded = io_managers.store(archive, FILE, each, {}, parquet=False)

    assert recorded["former_versions"] == dg.MetadataValue.int(22)
    assert len(recorded["versions"].records) == month_metadata.MOST_VERSIONS == 20
    assert recorded["versions"].records[0].data["sha256"] == hashlib.sha256(changed(WHOLE, 0, 121)).hexdigest()
