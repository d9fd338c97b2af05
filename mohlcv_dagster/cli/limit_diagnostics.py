"""What `mohlcv doctor` says of the store by which processes share the limit of requests."""

import time
from contextlib import closing
from typing import Final

from mohlcv_dagster.cli.diagnostics import Diagnosis, fine, warning, wrong
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.formatting import without_credentials
from mohlcv_dagster.providers.massive.limit_stores import UnusableStoreError, open_store, require_package
from mohlcv_dagster.providers.massive.rate_limits import MINUTE
from mohlcv_dagster.settings import LIMIT_STORE

_TOPIC: Final = "rate limit"


def rate_limit(per_minute: int, address: str, *, made: bool, offline: bool) -> Diagnosis:
    """Whether the store answers; no request is counted in it.

    Args:
        per_minute: the limit.
        address: the store: a file or a URL.
        made: whether the home was made; a file in it is made with the first request.
        offline: whether a URL is left alone.
    """
    limit, shown = f"{per_minute:,} requests a minute", without_credentials(address)
    if "://" in address and offline:
        return warning(_TOPIC, f"{limit}; {shown} not asked: --offline")
    if "://" not in address and not made:
        return fine(_TOPIC, f"{limit}, to be shared by {shown}")
    try:
        require_package(address)
        began = time.monotonic()
        with closing(open_store(address, "doctor", MINUTE)) as store:
            store.held_for()
    except SettingsError as error:
        found, _, cure = str(error).partition(": ")
        return wrong(_TOPIC, found, f"{cure[0].upper()}{cure[1:]}.")
    except UnusableStoreError as error:
        cure = f"Start it, or correct {LIMIT_STORE.variable}; until then each process keeps the limit for itself alone."
        return wrong(_TOPIC, f"{shown} cannot be used: {error}", cure)
    return fine(_TOPIC, f"{limit}, shared by {shown}, which answers in {time.monotonic() - began:.2f} s")
