"""A stand-in vendor: a real HTTP server on loopback that speaks Massive's aggregates and reference, faults on demand.

It answers when it was started and asked for, never by itself; each answer's `request_id` begins with `sandbox-`. Only
the command starts it, and nothing else of the package imports it. One request goes this way::

    server → desk → ledger → market (synthetic or replayed) → rows → answers → retelling → delivery
                  ↘ faults, kinds; reference (listings, renames, splits)
"""

from mohlcv_dagster.sandbox.faults import Fault
from mohlcv_dagster.sandbox.kinds import KINDS, Kind
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.replayed import Replayed
from mohlcv_dagster.sandbox.server import Sandbox, Served
from mohlcv_dagster.sandbox.synthetic import Synthetic

__all__ = ["KINDS", "Fault", "Kind", "Market", "Replayed", "Sandbox", "Served", "Synthetic"]
