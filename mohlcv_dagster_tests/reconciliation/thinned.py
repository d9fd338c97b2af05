"""Seconds lost where no minute shows it, and what is not that although volumes differ. No test lives here."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster_tests.reconciliation.reconciled_months import Case

SHARES_A_TRADE = 175
LOST = 0.0049
"""The share of its volume that a minute may lose."""


@dataclass(frozen=True, eq=False)
class Counted:
    """A case with the number of trades in each of our seconds and in each of the vendor's minutes."""

    case: Case
    ours: np.ndarray
    vendors: np.ndarray

    @property
    def trades(self):
        """The trades in our minutes and in the vendor's."""
        starts = self.case.seconds.t - self.case.seconds.t % 60
        minutes = np.unique(starts)
        sums = np.bincount(np.searchsorted(minutes, starts), self.ours, len(minutes))
        return MinuteTrades(minutes, sums), MinuteTrades(self.case.vendor.t, self.vendors)


@cache
def spare_seconds(case: Case) -> np.ndarray:
    """Which seconds can go so that each minute keeps its four prices and all but a share of its volume."""
    own = case.seconds
    minute = own.t // 60
    chance = np.random.default_rng(20131007)
    spare = np.zeros(len(own.t), bool)
    first = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1))
    for begin, end in zip(first, [*first[1:], len(own.t)], strict=True):
        at = np.arange(begin, end)
        inside = at[1:-1]
        inside = inside[(own.h[inside] < own.h[at].max()) & (own.l[inside] > own.l[at].min())]
        left = LOST * own.v[at].sum()
        for second in chance.permutation(inside):
            if own.v[second] <= left:
                left -= own.v[second]
                spare[second] = True
    return spare


def thinned(case, *, keep=None):
    """A case without its spare seconds, those that `keep` says aside, and with the trades of all."""
    return without(case, spare_seconds(case) & (True if keep is None else ~keep))


def without(case, gone):
    """A case whose seconds lack those that are `gone`, with trades counted on both sides."""
    trades = 1.0 + case.seconds.v // SHARES_A_TRADE
    minutes = case.seconds.t - case.seconds.t % 60
    vendors = np.bincount(np.searchsorted(case.vendor.t, minutes), trades, len(case.vendor.t))
    return Counted(replace(case, seconds=case.seconds.take(~gone)), trades[~gone], vendors)
