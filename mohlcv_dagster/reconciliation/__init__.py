"""Compare our minutes with the vendor's own minutes of the same month, and explain each difference.

::

    found = reconcile(seconds, minutes_ours, minutes_vendor, month, month.end, adjusted=False)
    found.counts                         # {DifferenceKind.AUCTION_PRINT: 3}: the minutes that differ, by kind
    found.causes                         # what explains complete sessions, each named once

`minute_pairs` aligns the minutes of both sides; `session_causes` looks for a shift of the labels or a factor that
explains complete sessions; `difference_kinds` sorts the minutes that are left; `reconciler` joins the three. How much
may differ is decided by the rules of `matches_vendor`.
"""

from mohlcv_dagster.reconciliation.difference_kinds import KINDS, DifferenceKind, KindDescription
from mohlcv_dagster.reconciliation.reconciler import Reconciliation, reconcile
from mohlcv_dagster.reconciliation.session_causes import SessionCause, shows_openings

__all__ = [
    "KINDS",
    "DifferenceKind",
    "KindDescription",
    "Reconciliation",
    "SessionCause",
    "reconcile",
    "shows_openings",
]
