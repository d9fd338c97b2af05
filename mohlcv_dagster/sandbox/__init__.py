"""A stand-in for the vendor: a real HTTP server on loopback with its aggregates and reference API, with faults.

It runs only when started; each `request_id` begins with `sandbox-`. Only the command starts it.

- `server`: the answer to each request (bars, a reference document, a refusal, a fault), and HTTP.
- `pages`: a request for bars parsed, and the page of rows that answers it.
- `responses`: the vendor's bodies and rows, byte for byte, plain or gzipped.
- `reference`: the documents on listings, renames and splits.
- `faults`: the kinds of fault, how one is written, and which requests it affects.
- `response_faults`: what a fault does to a response: false contents, cut bodies, broken connections.
- `market`: what a source of bars must provide, and `ReplayedMarket`; `synthetic_market`: made-up bars.
"""

from mohlcv_dagster.sandbox.faults import FAULT_KINDS, FaultKind, InjectedFault
from mohlcv_dagster.sandbox.market import Market, ReplayedMarket
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
