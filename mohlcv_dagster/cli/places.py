"""Which folders a command works on, and which Dagster remembers it: the project's own, or one that forgets."""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mohlcv_dagster.cli.homes import DAGSTER_HOME
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dagster as dg

    from mohlcv_dagster.defs.resources import ArchiveResource


@dataclass(frozen=True)
class Places:
    """Where the files of a command stand.

    Attributes:
        data_dir: the project's data folder or URL.
        raw_dir: the folder of raw files, where it is another than the project's.
        aggregated_dir: the folder of the timeframes' folders, where it is another than the project's.
    """

    data_dir: str
    raw_dir: str | None = None
    aggregated_dir: str | None = None

    @classmethod
    def of(cls, settings: Settings, raw_dir: str | None = None, aggregated_dir: str | None = None) -> Self:
        """The places that options name; one that is the project's own, by whatever spelling, is left to it.

        Raises:
            InputError: one is a URL of no store that is known or installed.
        """
        own, asked = Archive(settings.data_dir), Archive(settings.data_dir, raw_dir, aggregated_dir)
        return cls(
            settings.data_dir,
            None if is_same(own.raw, asked.raw) else raw_dir,
            None if is_same(own.aggregated, asked.aggregated) else aggregated_dir,
        )

    @property
    def are_own(self) -> bool:
        """Whether all are the project's own: a home remembers the files of its own data folder only."""
        return self.raw_dir is None and self.aggregated_dir is None

    def archive(self) -> Archive:
        """The files."""
        return Archive(self.data_dir, self.raw_dir, self.aggregated_dir)

    def resource(self) -> "ArchiveResource":
        """The files, for Dagster."""
        from mohlcv_dagster.defs.resources import ArchiveResource  # noqa: PLC0415 - it loads Dagster

        return ArchiveResource(data_dir=self.data_dir, raw_dir=self.raw_dir, aggregated_dir=self.aggregated_dir)

    @contextmanager
    def remembered(self) -> "Iterator[tuple[dg.DagsterInstance, Mapping[str, str]]]":
        """The Dagster that remembers what is done here, and the tags for its runs."""
        import dagster as dg  # noqa: PLC0415 - it takes its time to load

        from mohlcv_dagster.cli import runs, unfinished  # noqa: PLC0415 - as above

        if not self.are_own:
            with dg.DagsterInstance.ephemeral() as instance:
                yield instance, {}
            return
        with runs.instance() as instance, unfinished.command(instance, Path(os.environ[DAGSTER_HOME])) as tags:
            yield instance, tags


def is_same(one: object, other: object) -> bool:
    """Whether two places are one, links followed."""
    if isinstance(one, Path) and isinstance(other, Path):
        return one.resolve() == other.resolve()
    return str(one).rstrip("/") == str(other).rstrip("/")
