"""Our minutes beside the vendor's own of the same month: what differs, and of which kind each difference is.

::

    outcome = reconcile(seconds, minutes_ours, minutes_vendor, month, month.end, adjusted=False)
    outcome.counts                       # {Kind.AUCTION_PRINT: 3}: the minutes that differ, by kind
    outcome.causes                       # what explains a whole session at once, told once

`kinds` is the list of kinds, in words; `pairs` puts the minutes side by side; `causes` finds what explains a session or
the month at once, a shift or a factor, and `bells` labels that both sides have wrong alike; `prints` puts each other
minute in its kind by the evidence in it; `reconciling` joins them. How much may differ is a rule's
matter, not one of this room.
"""

from mohlcv_dagster.bars.reconciliation.causes import Cause
from mohlcv_dagster.bars.reconciliation.kinds import KINDS, Kind, Meaning
from mohlcv_dagster.bars.reconciliation.reconciling import Reconciliation, reconcile

__all__ = ["KINDS", "Cause", "Kind", "Meaning", "Reconciliation", "reconcile"]
