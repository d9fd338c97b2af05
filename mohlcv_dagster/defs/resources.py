"""The resources: configuration in, plain objects out. Made at start-up without a key and without network."""

import os
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

import dagster as dg

from mohlcv_dagster.providers import create
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mohlcv_dagster.providers.base import BarProvider
    from mohlcv_dagster.storage.reader import BarReader

NO_CONFIG: Final["Mapping[str, object]"] = {}
"""A schema without fields, which refuses any. Without a schema Dagster would accept whatever a launch says."""


def not_configurable(resource: object) -> dg.ResourceDefinition:
    """A resource that is this object in every run; a launch with config for it is refused."""
    return dg.ResourceDefinition(lambda _: resource, config_schema=NO_CONFIG)


def io_manager_of_others() -> dg.IOManagerDefinition:
    """Dagster's own IO manager, for assets of users that name none; no launch can name the folder that it unpickles."""
    return dg.IOManagerDefinition(dg.FilesystemIOManager.from_resource_context, config_schema=NO_CONFIG)


def launch_schema(config: type[dg.Config]) -> dict[str, dg.Field]:
    """The fields of `config`, which are texts, truth values and lists of texts, as what a launch may say.

    Dagster's own schema of it would also take `{"env": NAME}`, and with that the key into a name or a message.
    """
    return {
        name: dg.Field(
            [str] if field.annotation == list[str] else field.annotation,
            is_required=field.is_required(),
            description=field.description,
            **({} if field.is_required() else {"default_value": field.default}),
        )
        for name, field in config.model_fields.items()
    }


class ProviderResource(dg.ConfigurableResource["BarProvider"]):
    """The provider of bars. The API key is not configuration: it is read when a fetch begins.

    Attributes:
        provider: its name in `providers.create`.
        base_url: where Massive.com answers.
        adjusted: whether bars are asked for adjusted for later splits.
        concurrency: requests in flight for one month.
        requests_per_minute: shared by all that use `MASSIVE_LIMIT_STORE`; `None` means no limit.
    """

    provider: str = create.MASSIVE
    base_url: str
    adjusted: bool
    concurrency: int
    requests_per_minute: int | None

    @classmethod
    def of(cls, settings: Settings, provider: str = create.MASSIVE) -> Self:
        """The resource that these settings ask for, with the provider of this name."""
        return cls(
            provider=provider,
            base_url=settings.base_url,
            adjusted=settings.adjusted,
            concurrency=settings.concurrency,
            requests_per_minute=settings.requests_per_minute,
        )

    def create_provider(self) -> "BarProvider":
        """The provider, ready to be used.

        Raises:
            MissingKeyError: it needs an API key, and none is set.
        """
        settings = replace(
            Settings.from_environment(os.environ),
            base_url=self.base_url,
            adjusted=self.adjusted,
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
        )
        return create.provider(settings, self.provider)


class ArchiveResource(dg.ConfigurableResource[Archive]):
    """The files.

    Attributes:
        data_dir: a folder or an fsspec URL.
        raw_dir: the same for raw files, where they are not in `raw_1s` under `data_dir`.
        aggregated_dir: the same for aggregates, where they are not in `aggregated` under `data_dir`.
        parquet: whether each stored partition is written as a Parquet file too.
        history: whether the former version of a raw file that is replaced is kept.
    """

    data_dir: str
    raw_dir: str | None = None
    aggregated_dir: str | None = None
    parquet: bool = False
    history: bool = True

    def open(self) -> Archive:
        """The archive."""
        return self.reader().archive

    def reader(self) -> "BarReader":
        """Its reader; one a folder and process, so that a file read for one step serves the next."""
        return reader_of(self.data_dir, self.raw_dir, self.aggregated_dir)


@lru_cache(maxsize=8)
def reader_of(data_dir: str, raw_dir: str | None, aggregated_dir: str | None) -> "BarReader":
    """The reader of an archive; the same object whenever the same places are asked for in this process."""
    from mohlcv_dagster.storage.reader import BarReader  # noqa: PLC0415 - see the first lines of this package

    return BarReader(Archive(data_dir, raw_dir, aggregated_dir))
