"""A stand-in for the vendor: a real HTTP server on loopback that speaks its aggregates and reference API, with faults.

It answers only when it was started and asked; each `request_id` begins with `sandbox-`. Only the command starts it.

- `server`: the HTTP server in a thread, and how a reply goes over the wire.
- `router`: what each request is answered: bars, a reference document, a refusal, a fault.
- `pages`: a request for bars parsed, and the page of rows that answers it.
- `responses`: the vendor's bodies and rows, byte for byte, plain or gzipped.
- `reference`: the documents on listings, renames and splits.
- `faults`: the kinds of fault, how one is written, and which requests it strikes.
- `response_faults`: what a fault does to a response: false contents, cut bodies, broken connections.
- `market`: what a source of bars must give; `synthetic_market` and `replayed_market` are the two there are.
"""

from mohlcv_dagster.sandbox.faults import FAULT_KINDS, FaultKind, InjectedFault
from mohlcv_dagster.sandbox.market import Market
from mohlcv_dagster.sandbox.replayed_market import ReplayedMarket
from mohlcv_dagster.sandbox.server import Sandbox, ServedRequest
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket

__all__ = [
    "FAULT_KINDS",
    "FaultKind",
    "InjectedFault",
    "Market",
    "ReplayedMarket",
    "Sandbox",
    "ServedRequest",
    "SyntheticMarket",
]
