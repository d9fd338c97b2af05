"""Which company had a symbol in a month, asked for with few requests; what is known is kept for the process.

The overview of a symbol takes a date, so that it tells of the company that had it then. The list of symbol changes
tells of the company that has it now. Where both, or two dates, have the same FIGI or CIK, so have the days between: a
year of months takes two requests, not twelve. A vendor that does not answer is not asked again for a while.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Final

from mohlcv_dagster.errors import PlanError, VendorError
from mohlcv_dagster.model.company import Company, KnownCompany, conflict
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.listings import Listing
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.reference import Chain, Details, Reference

_REFUSED_SECONDS: Final = 3600.0
_AWAY_SECONDS: Final = 120.0
_NO_CHAIN: Final = Chain((), "", "", "")


_NOBODY: Final = 2
"""On so many days no company had a symbol before it is taken to be unknown to the reference."""


@dataclass
class _Symbol:
    """What is known of a symbol.

    Attributes:
        companies: by day, rising: each as of that day.
        listed: when the company as of a day was first listed, by FIGI.
        chain: the company that has the symbol now and its former symbols; `None` before it was asked for.
        now_asked: whether the overview of today was asked for.
    """

    companies: list[Company] = field(default_factory=list)
    listed: dict[str, date | None] = field(default_factory=dict)
    chain: Chain | None = None
    now_asked: bool = False
    nobody: int = 0

    def is_unknown(self) -> bool:
        """Whether no company had it on two days, nor today if that was asked: the reference does not know it."""
        return self.nobody >= _NOBODY and not self.companies

    def add(self, company: Company) -> None:
        if (company.figi or company.cik) and all(each.as_of != company.as_of for each in self.companies):
            bisect.insort(self.companies, company, key=lambda each: each.as_of)

    def between(self, day: date) -> Company | None:
        """The company as of a day, where the nearest known days before and after have the same FIGI."""
        at = bisect.bisect_left(self.companies, day, key=lambda each: each.as_of)
        if at < len(self.companies) and self.companies[at].as_of == day:
            return self.companies[at]
        around = self.companies[max(at - 1, 0) : at + 1]
        is_same = 0 < at < len(self.companies) and around[0].is_same_as(around[1])
        return Company(day, around[0].name, around[0].figi, around[0].cik) if is_same else None


@dataclass
class CompanyMemory:
    """What is known of the symbols of a vendor, and until when it is not asked again, monotonic seconds."""

    symbols: dict[str, _Symbol] = field(default_factory=dict)
    silent_until: float = 0.0
    why_silent: str = ""


_memories: dict[str, CompanyMemory] = {}


def memory_of(base_url: str) -> CompanyMemory:
    """The process's memory for a base URL, for all providers made for it."""
    return _memories.setdefault(base_url, CompanyMemory())


def forget() -> None:
    """Forget what is known, of every base URL."""
    _memories.clear()


@dataclass(frozen=True)
class Companies:
    """Says which company had a symbol.

    Attributes:
        reference: is asked.
        memory: what is known already.
    """

    reference: Reference
    memory: CompanyMemory

    def company(self, symbol: str, day: date, known: Iterable[Company]) -> KnownCompany:
        """The company that had `symbol` on an Eastern day; never an error.

        Args:
            symbol: case kept.
            day: that of a month's last bar.
            known: what was recorded of it with other months.
        """
        clock = self.reference.retrying.clock
        if clock.monotonic() < self.memory.silent_until:
            return KnownCompany(None, self.memory.why_silent)
        of = self.memory.symbols.setdefault(symbol, _Symbol())
        for each in known:
            of.add(each)
        try:
            company = self._found(symbol, of, day)
        except VendorError as error:
            self.memory.why_silent = self.reference.why(error)
            wait = _REFUSED_SECONDS if isinstance(error, PlanError) else _AWAY_SECONDS
            self.memory.silent_until = clock.monotonic() + wait
            return KnownCompany(None, self.memory.why_silent, self.reference.stats.attempts)
        why = "" if company else f"the vendor's reference knows no company of {symbol} on {day}"
        return KnownCompany(company, why, self.reference.stats.attempts)

    def _found(self, symbol: str, of: _Symbol, day: date) -> Company | None:
        chain, today = self._chain(symbol, of), self._today()
        has_it_now = bool(chain.symbols) and chain.symbols[-1][1] == symbol
        now = Company(today, chain.name, chain.figi, chain.cik) if has_it_now else None
        if now is not None and day < today:
            of.add(now)
        asked = of.between(day) or self._as_of(symbol, of, day, today)
        same = asked is not None and (now is None or asked.is_same_as(now) is not False)
        listing = Listing(
            symbol,
            known=True,
            exists=True,
            name=(now or asked or Company(day)).name,
            listed=of.listed.get(asked.figi) if asked and same else None,
            renames=chain.symbols if has_it_now else None,
        )
        told = conflict(asked, now, listing, Month(day.year, day.month))
        if asked is None and not told:
            return None
        found = asked or Company(day)
        return Company(day, found.name, found.figi, found.cik, told)

    def _as_of(self, symbol: str, of: _Symbol, day: date, today: date) -> Company | None:
        """As the overview of that day says; where another day is known already, that of today may tell both."""
        if of.companies and of.companies[-1].as_of < today and not of.now_asked:
            of.now_asked = True
            of.add(self._overview(symbol, of, today, None) or Company(today))
            if found := of.between(day):
                return found
        if of.is_unknown() and not of.now_asked:
            of.now_asked = True
            of.add(self._overview(symbol, of, today, None) or Company(today))
        if of.is_unknown():
            return None
        found = self._overview(symbol, of, day, day)
        if found is None:
            of.nobody += 1
        else:
            of.add(found)
        return found

    def _overview(self, symbol: str, of: _Symbol, as_of: date, day: date | None) -> Company | None:
        details: Details | None = self.reference.details(symbol, day)
        if details is None:
            return None
        of.listed[details.figi] = details.listed
        return Company(as_of, details.name or "", details.figi, details.cik)

    def _chain(self, symbol: str, of: _Symbol) -> Chain:
        if of.chain is None:
            try:
                of.chain = self.reference.chain(symbol)
            except VendorError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                of.chain = _NO_CHAIN  # as of many symbols: the endpoint is experimental
        return of.chain

    def _today(self) -> date:
        return self.reference.retrying.clock.now().astimezone(EASTERN).date()
