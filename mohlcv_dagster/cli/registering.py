"""Stored files that Dagster has no record of: recorded as `mohlcv adopt` records them, and checked."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import dagster as dg
from filelock import FileLock, Timeout

from mohlcv_dagster.cli.homes import Home
from mohlcv_dagster.cli.runs import Outcome
from mohlcv_dagster.defs.adoption import Adoption, AdoptionRun
from mohlcv_dagster.defs.adoption_state import AdoptionState
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import measure
from mohlcv_dagster.storage.reader import BarReader

PATIENCE: Final = 10.0
"""Seconds that another process at work on the home is waited for."""


@dataclass(frozen=True)
class Registered:
    """What became of a file.

    Attributes:
        evaluations: what each check said; none where the file could not be read and nothing was recorded.
        outcome: the same, as the outcome of a run.
    """

    evaluations: list[dg.AssetCheckEvaluation]
    outcome: Outcome


def register(
    home: Home, instance: dg.DagsterInstance, archive: Archive, files: Collection[BarFile], *, parquet: bool
) -> dict[BarFile, Registered]:
    """Record raw files and what their checks say; a file that cannot be read is not recorded.

    Args:
        home: of the instance.
        instance: where they are recorded; it has no record of them.
        archive: where they are.
        files: raw files that are there.
        parquet: whether each is written as Parquet too.

    Raises:
        SettingsError: `mohlcv adopt` is at work on the home.
        FileError: a file could not be read.
    """
    measured = {file: measure(archive.path(file)) for file in files}
    adoption = Adoption(AdoptionState(instance, archive, (RAW,), measured, {}), BarReader(archive), parquet)
    with _alone(home), _Listening(instance) as recording:
        entries = [entry for entry in adoption.register(files, recording) if entry.registered]
        for _ in adoption.judge(entries, recording):
            pass
    return {file: _registered(recording.heard.get(file, [])) for file in files}


class _Listening(AdoptionRun):
    """A recording that keeps what checks said."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.heard: dict[BarFile, list[dg.AssetCheckEvaluation]] = {}

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Record what a check says."""
        super().evaluated(evaluation)
        file = file_of(evaluation.asset_key, str(evaluation.partition))
        self.heard.setdefault(file, []).append(evaluation)


def _registered(evaluations: list[dg.AssetCheckEvaluation]) -> Registered:
    reasons = tuple(
        f"{each.asset_key.to_user_string()} {each.check_name}: {each.description}"
        for each in evaluations
        if not each.passed and each.severity is dg.AssetCheckSeverity.ERROR
    )
    return Registered(evaluations, Outcome("", succeeded=True, reasons=reasons, checks=()))


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold what `mohlcv adopt` holds while it records: only one recording may be open on a home."""
    try:
        with FileLock(home.adopt_lock, timeout=PATIENCE):
            yield
    except Timeout as error:
        raise SettingsError(f"`mohlcv adopt` is at work on {home.path}: wait until it is done") from error
