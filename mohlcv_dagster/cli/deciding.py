"""What a command is to do about raw months: `model.month_decision` asked with what the files and Dagster say.

Dagster is loaded where a file is there, and not before.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import Decision, MonthState, StoredFile, decide
from mohlcv_dagster.providers.massive.provider import provider_name

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.cli.homes import Home
    from mohlcv_dagster.settings import Settings
    from mohlcv_dagster.storage.archive import Archive


@dataclass(frozen=True)
class Deciding:
    """Decides about raw months of an archive.

    Attributes:
        archive: where the files are.
        vendor: who would be asked.
        adjusted: whether bars adjusted for splits would be asked for.
        force: whether whole months were ordered.
    """

    archive: "Archive"
    vendor: str
    adjusted: bool
    force: bool

    @classmethod
    def of(cls, settings: "Settings", archive: "Archive", *, force: bool) -> Self:
        """One for a fetch with these settings.

        Raises:
            SettingsError: the base URL is invalid.
        """
        return cls(archive, provider_name(settings.base_url), settings.adjusted, force)

    def about(self, instance: "dg.DagsterInstance | None", files: Collection[BarFile]) -> dict[BarFile, Decision]:
        """What is to be done about each of `files`, in their order.

        Args:
            instance: knows what was recorded; `None` where nothing was.
            files: raw files, whether or not they are there.

        Raises:
            FileError: a file could not be looked at.
            MonthError: a month is beyond the exchange calendar.
        """
        from mohlcv_dagster.defs import month_state  # noqa: PLC0415 - it loads Dagster

        return self._decided(month_state.for_files(instance, self.archive, files))

    def without_running(self, home: "Home", files: Collection[BarFile]) -> dict[BarFile, Decision]:
        """As `about`, by what `home` has recorded; no home is made."""
        if any(self.archive.exists(file) for file in files):
            with _instance_of(home) as instance:
                return self.about(instance, files)
        return self._decided({file: MonthState(file.month, StoredFile.ABSENT) for file in files})

    def _decided(self, states: dict[BarFile, MonthState]) -> dict[BarFile, Decision]:
        now = datetime.now(UTC)
        return {
            file: decide(state, now=now, vendor=self.vendor, adjusted=self.adjusted, force=self.force)
            for file, state in states.items()
        }


@contextmanager
def _instance_of(home: "Home") -> "Iterator[dg.DagsterInstance | None]":
    """The instance of `home`; `None` where there is no home."""
    if not (home.path / "dagster.yaml").exists():
        yield None
        return
    from mohlcv_dagster.cli import runs  # noqa: PLC0415 - it loads Dagster

    home.prepare()
    with runs.instance() as instance:
        yield instance
