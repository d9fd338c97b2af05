"""What is known of many raw months is gathered in few queries, and is what is known of each."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import month_state, records
from mohlcv_dagster.defs.adoption import AdoptionRun
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.defs.records import FileChecks
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import FileState
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive

FETCHED = datetime(2024, 2, 5, tzinfo=UTC)
MANY = 21
"""More failing evaluations than are asked for one by one."""


def files(count):
    return [BarFile(f"S{number}", RAW, Month(2024, 1)) for number in range(count)]


def record(instance, archive, file):
    """Write a file and record it, as a run does."""
    written = archive.write(file, b"ts_event,open,high,low,close,volume\n")
    facts = {
        "dagster/partition_row_count": 0,
        "sha256": written.sha256,
        "size_bytes": written.size,
        "file_stamp": written.stamp,
        "vendor": "massive.com",
        "adjusted": False,
        "fetched_at": dg.MetadataValue.timestamp(FETCHED),
    }
    with AdoptionRun(instance) as recording:
        recording.materialized(dg.AssetMaterialization(asset_key(RAW), partition=_key(file), metadata=facts))


def check(instance, file, **options):
    """Record what every check says of `file`: that it passes, but for those that `options` names."""
    pointer = records.latest(instance, file).materialization
    with AdoptionRun(instance) as recording:
        for name in records.offline_checks(RAW):
            said = {"passed": True, "severity": dg.AssetCheckSeverity.WARN, **options.get(name, {})}
            if said.pop("left_out", False):
                continue
            recording.evaluated(
                dg.AssetCheckEvaluation(
                    asset_key=asset_key(RAW),
                    check_name=name,
                    partition=_key(file),
                    target_materialization_data=pointer,
                    **said,
                )
            )


def _key(file):
    return partition_key(file.symbol, file.month)


ERROR = {"passed": False, "severity": dg.AssetCheckSeverity.ERROR}
WARNING = {"passed": False, "severity": dg.AssetCheckSeverity.WARN}
TABLE = dg.MetadataValue.table(
    [
        dg.TableRecord({"rule": "ohlc_order", "result": "error", "what was found": ""}),
        dg.TableRecord({"rule": "positive_prices", "result": "passed", "what was found": ""}),
        dg.TableRecord({"rule": "volume_traded", "result": "warning", "what was found": ""}),
        dg.TableRecord({"rule": "rising_time", "result": "error", "what was found": ""}),
    ]
)


def blocking():
    return next(name for name, blocks in records.offline_checks(RAW).items() if blocks)


def harmless():
    return next(name for name, blocks in records.offline_checks(RAW).items() if not blocks)


def test_verdicts_name_the_failing_rules_of_checks_that_block_and_tell_what_is_unchecked(instance, tmp_path):
    archive, wanted = Archive(tmp_path / "data"), files(7)
    plain, by_rules, warned, beside, partly, before, never = wanted
    for file in wanted:
        record(instance, archive, file)
    check(instance, plain)
    check(instance, by_rules, **{blocking(): {**ERROR, "metadata": {"rules": TABLE}}})
    check(instance, warned, **{blocking(): WARNING})
    check(instance, beside, **{harmless(): ERROR})
    check(instance, partly, **{harmless(): {"left_out": True}})
    check(instance, before, **{blocking(): ERROR})
    record(instance, archive, before)  # what its checks said is about the file before

    assert records.of_files(instance, wanted) == {
        plain: FileChecks(),
        by_rules: FileChecks(("ohlc_order", "rising_time")),
        warned: FileChecks(),
        beside: FileChecks(),
        partly: FileChecks(unchecked=True),
        before: FileChecks(unchecked=True),
        never: FileChecks(unchecked=True),
    }
    assert all(records.of_file(instance, file) == records.of_files(instance, wanted)[file] for file in wanted)


def test_many_failing_checks_are_read_a_page_at_a_time_with_the_same_result(instance, tmp_path, monkeypatch):
    archive, wanted = Archive(tmp_path / "data"), files(MANY)
    for file in wanted:
        record(instance, archive, file)
        check(instance, file, **{blocking(): ERROR})
    monkeypatch.setattr(unexported, "MOST_AT_ONCE", 10)  # three pages, and three queries for the results

    assert records.of_files(instance, wanted) == dict.fromkeys(wanted, FileChecks((blocking(),)))


def test_the_statements_do_not_rise_with_the_months(instance, tmp_path):
    archive, wanted = Archive(tmp_path / "data"), files(9)
    for file in wanted:
        record(instance, archive, file)
        check(instance, file)

    few = statements_of(lambda: month_state.for_files(instance, archive, wanted[:3]))
    many = statements_of(lambda: month_state.for_files(instance, archive, wanted))
    assert few[0] == many[0]
    assert {state.file for state in many[1].values()} == {FileState.AS_RECORDED}
    few = statements_of(lambda: records.final_files(instance, wanted[:3]))
    many = statements_of(lambda: records.final_files(instance, wanted))
    assert few[0] == many[0]
    assert many[1] == set(wanted)


def statements_of(work):
    """How many statements `work` sends to the database, and what it gives."""
    sent = []

    def count(*_):
        sent.append(1)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        found = work()
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return len(sent), found


def test_nothing_of_a_file_is_read_while_its_stamp_is_the_one_recorded(instance, tmp_path, monkeypatch):
    archive, [file] = Archive(tmp_path / "data"), files(1)
    record(instance, archive, file)
    monkeypatch.setattr(month_state, "measure", lambda _: pytest.fail("it was read"))
    assert month_state.for_request(instance, archive, file).file is FileState.AS_RECORDED

    archive.path(file).write_bytes(b"longer than it was, so that the size tells without a look inside\n")
    assert month_state.for_request(instance, archive, file).difference == "it has 65 bytes, 36 were written"


def test_without_an_instance_nothing_is_recorded(tmp_path):
    archive, [there, absent] = Archive(tmp_path / "data"), files(2)
    archive.write(there, b"ts_event,open,high,low,close,volume\n")

    states = month_state.for_files(None, archive, [there, absent])
    assert [states[file].file for file in (there, absent)] == [FileState.UNRECORDED, FileState.ABSENT]


def test_a_record_that_tells_of_no_file_is_none(instance, tmp_path):
    archive, [file] = Archive(tmp_path / "data"), files(1)
    archive.write(file, b"ts_event,open,high,low,close,volume\n")
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(RAW), partition=_key(file)))

    assert month_state.for_request(instance, archive, file).file is FileState.UNRECORDED
