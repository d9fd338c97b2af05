"""The vendor's official client, made strict: our pool inside, its own handler off. What it is asked is in `massive`."""

import logging
from typing import TYPE_CHECKING

from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.secret import Secret

if TYPE_CHECKING:
    from massive import RESTClient


def open_client(secret: Secret, base_url: str, clock: Clock, connections: int) -> "RESTClient":
    """A client that serves as many threads as it has `connections`.

    Imports the client and its HTTP library, which costs half a second the first time.
    """
    from massive import RESTClient  # noqa: PLC0415  # a code location loads, and a plan is made, without it

    from mohlcv_dagster.vendor.transport import StrictPool  # noqa: PLC0415  # as above

    _silence("RESTClient")
    client = RESTClient(secret.reveal(), base=base_url, retries=0, pagination=False)
    trust = {name: client.client.connection_pool_kw[name] for name in ("ca_certs", "cert_reqs")}
    client.client = StrictPool(base_url, secret, clock, connections, **trust)
    return client


def _silence(name: str) -> None:
    """Take off the stdout handler that the client's import puts on; records still reach the root's handlers."""
    logger = logging.getLogger(name)
    for handler in list(logger.handlers):
        if type(handler) is logging.StreamHandler:
            logger.removeHandler(handler)
