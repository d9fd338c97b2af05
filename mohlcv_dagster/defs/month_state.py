"""The states of raw months for `model.month_decision`: from records, check results, and one look at each file.

A file whose stamp is the one recorded is the file that was recorded; nothing of it is read. Where the stamp differs, or
none was recorded, size and digest tell. An edit that leaves inode, size and time as they were is not seen here: `mohlcv
verify` reads every file.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from mohlcv_dagster.dagster_patches.unexported import in_batches
from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.metadata import provenance_of
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.errors import FileError, NotRegularFileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import KnownSplits, Split, executed_by
from mohlcv_dagster.model.month_decision import FileState, MonthState
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.locations import FileStat
from mohlcv_dagster.storage.manifest import measure


def for_request(instance: dg.DagsterInstance, archive: Archive, file: BarFile) -> MonthState:
    """The state of a month that somebody requests: its checks do not matter then, and are not looked up."""
    return _with_file(archive, file, _with_splits(instance, _recorded(instance, [file]), None).get(file))


def for_files(
    instance: dg.DagsterInstance | None,
    archive: Archive,
    files: Collection[BarFile],
    ask_splits: Callable[[str], KnownSplits] | None = None,
) -> dict[BarFile, MonthState]:
    """The states of raw months, in a few queries for a thousand of them.

    Args:
        instance: knows what was recorded; `None` where there is none, so that nothing was.
        archive: where the files are.
        files: raw files, whether or not they are there.
        ask_splits: gives the splits of a symbol as the vendor has them now, for symbols of which adjusted months are
            stored; `None`: what was recorded with the months has to do.

    Raises:
        FileError: a file could not be looked at.
    """
    recorded = _recorded(instance, files) if instance else {}
    if instance is not None:
        recorded = _with_splits(instance, recorded, ask_splits)
    states = {file: _with_file(archive, file, recorded.get(file)) for file in files}
    if instance is not None:
        _add_checks(instance, states)
        _add_interrupted(instance, states)
    return states


def from_records(instance: dg.DagsterInstance, files: Collection[BarFile]) -> dict[BarFile, MonthState]:
    """What was recorded of raw months, as if each file were the one recorded: no file and no check is looked at."""
    recorded = _recorded(instance, files)
    return {
        file: _state(file, recorded.get(file), FileState.AS_RECORDED if file in recorded else FileState.ABSENT)
        for file in files
    }


def _recorded(instance: dg.DagsterInstance, files: Collection[BarFile]) -> dict[BarFile, Provenance]:
    """What was recorded when each file was last written; nothing of an event that tells of no file."""
    own = {partition_key(file.symbol, file.month): file for file in files}
    made = records.materializations(instance, asset_key(RAW), list(own))
    found = ((own[key], provenance_of(each.metadata)) for key, each in made)
    return {file: recorded for file, recorded in found if recorded is not None}


def _with_splits(
    instance: dg.DagsterInstance,
    recorded: dict[BarFile, Provenance],
    ask: Callable[[str], KnownSplits] | None,
) -> dict[BarFile, Provenance]:
    """What was recorded, with the splits executed by now of each symbol that has adjusted bars among it."""
    executed: dict[str, tuple[Split, ...]] = {}
    for file, each in recorded.items():
        if each.adjusted and each.rows and file.symbol not in executed:
            known = ask(file.symbol).splits if ask else None
            by_now = records.executed_splits(instance, file) if known is None else ()
            executed[file.symbol] = by_now or executed_by(known or (), datetime.now(UTC))
    return {
        file: replace(each, splits_now=executed[file.symbol]) if each.adjusted and each.rows else each
        for file, each in recorded.items()
    }


def _state(file: BarFile, recorded: Provenance | None, found: FileState) -> MonthState:
    if recorded is None:
        return MonthState(file.month, found)
    return MonthState(
        file.month,
        found,
        recorded=True,
        fetched_at=recorded.fetched_at,
        vendor=recorded.vendor,
        adjusted=recorded.adjusted,
        splits=recorded.splits,
        splits_now=recorded.splits_now,
    )


def _with_file(archive: Archive, file: BarFile, recorded: Provenance | None) -> MonthState:
    """The state of a month with what its file is; of its checks nothing."""
    try:
        seen = archive.status(file)
    except NotRegularFileError as error:
        return MonthState(file.month, FileState.DIFFERENT, difference=str(error))
    if seen is None:
        return _state(file, recorded, FileState.ABSENT)
    try:
        if recorded is None:
            return _unrecorded(archive, file)
        difference = _difference(archive, file, seen, recorded)
    except FileError as error:  # that of one file: the states of the others are known
        return MonthState(file.month, FileState.DIFFERENT, difference=str(error))
    state = _state(file, recorded, FileState.DIFFERENT if difference else FileState.AS_RECORDED)
    written_at = archive.written_at(file) if state.fetched_at is None else None
    return replace(state, difference=difference, written_at=written_at)


def _difference(archive: Archive, file: BarFile, seen: FileStat, written: Provenance) -> str:
    """How the file differs from the one recorded; empty where it is that one."""
    if seen.stamp == written.stamp:
        return ""
    if written.size is not None and written.size != seen.size:
        return f"it has {seen.size:,} bytes, {written.size:,} were written"
    return "" if measure(archive.path(file)).sha256 == written.sha256 else "its digest is another one"


def _unrecorded(archive: Archive, file: BarFile) -> MonthState:
    state = MonthState(file.month, FileState.UNRECORDED, written_at=archive.written_at(file))
    entry = manifest.read_if_valid(archive, file) if manifest.in_layout(archive, file) else None
    if entry is None:
        return state
    if entry.sha256 != measure(archive.path(file)).sha256:
        return replace(state, matches_manifest=False)
    return replace(
        state, matches_manifest=True, fetched_at=entry.fetched_at, vendor=entry.vendor, adjusted=entry.adjusted
    )


def _add_checks(instance: dg.DagsterInstance, states: dict[BarFile, MonthState]) -> None:
    recorded = [file for file, state in states.items() if state.file is FileState.AS_RECORDED]
    for file, found in records.of_files(instance, recorded).items():
        states[file] = replace(states[file], errors=found.errors, unchecked=found.unchecked)


def _add_interrupted(instance: dg.DagsterInstance, states: dict[BarFile, MonthState]) -> None:
    """Find unrecorded files of runs that ended between the file and its record: they began before it was written.

    Any run that was to write the file may be the one: a later fetch that fails leaves the file as it was.
    """
    own = {
        partition_key(file.symbol, file.month): file
        for file, state in states.items()
        if state.file is FileState.UNRECORDED
    }
    planned = list(_planned(instance, list(own)))
    began = _start_times(instance, {run_id for _, run_id in planned})
    for file, run_id in ((own[partition], run_id) for partition, run_id in planned if run_id in began):
        written_at = states[file].written_at
        if written_at is not None and written_at >= began[run_id]:
            states[file] = replace(states[file], interrupted=True)


def _planned(instance: dg.DagsterInstance, partitions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The raw partitions that runs were to write, each with the run."""
    for some in in_batches(partitions):
        wanted = dg.EventRecordsFilter(
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=asset_key(RAW), asset_partitions=some
        )
        for record in instance.event_log_storage.get_event_records(wanted):
            yield str(record.partition_key), record.run_id


def _start_times(instance: dg.DagsterInstance, run_ids: Collection[str]) -> dict[str, datetime]:
    """When each run began, by its id; nothing of those that never did."""
    records = instance.get_run_records(dg.RunsFilter(run_ids=list(run_ids))) if run_ids else []
    return {
        record.dagster_run.run_id: datetime.fromtimestamp(record.start_time, UTC)
        for record in records
        if record.start_time is not None
    }
