"""Makes a provider of bars by its name, from the settings.

Massive.com is the default. To add another, register a function under its name where the code location is made, and
name it in the resource::

    from mohlcv_dagster.definitions import build
    from mohlcv_dagster.defs.resources import ProviderResource
    from mohlcv_dagster.providers import create

    create.register("csv_folder", lambda settings: CsvFolder("/bars"))
    defs = build(settings, massive=ProviderResource.of(settings, provider="csv_folder"))
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.providers.base import BarProvider
from mohlcv_dagster.settings import Settings

Factory: TypeAlias = Callable[[Settings], BarProvider]

MASSIVE: Final = "massive"


def _massive(settings: Settings) -> BarProvider:
    from mohlcv_dagster.providers.massive.provider import MassiveProvider  # noqa: PLC0415 - only where it is used

    return MassiveProvider(
        settings.require_key(),
        settings.base_url,
        adjusted=settings.adjusted,
        concurrency=settings.concurrency,
        requests_per_minute=settings.requests_per_minute,
        limit_store=settings.limit_store,
    )


_FACTORIES: Final[dict[str, Factory]] = {MASSIVE: _massive}


def register(name: str, factory: Factory) -> None:
    """Let `provider` make the provider called `name` by `factory`, in this process."""
    _FACTORIES[name] = factory


def provider(settings: Settings, name: str = MASSIVE) -> BarProvider:
    """The provider called `name`, ready to be used; no request is made.

    Raises:
        SettingsError: no such provider is registered, or it cannot be made from these settings.
        MissingKeyError: it needs an API key, and none is set.
    """
    if name not in _FACTORIES:
        raise SettingsError(f"no provider of bars is called {name!r}; registered are {', '.join(sorted(_FACTORIES))}")
    return _FACTORIES[name](settings)
