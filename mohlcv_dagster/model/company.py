"""Which company a symbol belonged to in a month: a symbol is a name, and it may go from one company to another."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from mohlcv_dagster.model.listings import Listing, why_not_listed
from mohlcv_dagster.model.months import Month


@dataclass(frozen=True)
class Company:
    """The company that a symbol belonged to on a day, by the vendor's reference data.

    Attributes:
        as_of: the Eastern day.
        name: empty where it is not given. A company may change it, so it proves nothing.
        figi: the composite FIGI, which stays when a company changes its name or symbol; empty where it is not given.
        cik: the number at the SEC; empty where it is not given. All securities of a company have the same.
        conflict: why, by the reference data, bars of that day under the symbol are another company's than the one that
            has it now, a clause; empty where they say nothing of the kind.
    """

    as_of: date
    name: str = ""
    figi: str = ""
    cik: str = ""
    conflict: str = ""

    def is_same_as(self, other: "Company") -> bool | None:
        """Whether both are one security: by FIGI, else by CIK; `None` where neither is given of both."""
        if self.figi and other.figi:
            return self.figi == other.figi
        return self.cik == other.cik if self.cik and other.cik else None

    def to_fields(self) -> dict[str, str]:
        """What is stored of it; empty texts are left out."""
        return {name: str(value) for name, value in vars(self).items() if value}

    @classmethod
    def of_fields(cls, fields: object) -> Self:
        """What `to_fields` gave; other fields, of a later version, are left out.

        Raises:
            TypeError: it is not a mapping of texts.
            KeyError: it has no day.
            ValueError: the day is none.
        """
        if not isinstance(fields, dict) or any(type(value) is not str for value in fields.values()):
            raise TypeError(f"company is {fields!r}")
        texts = {name: fields[name] for name in ("name", "figi", "cik", "conflict") if name in fields}
        return cls(date.fromisoformat(fields["as_of"]), **texts)

    def __str__(self) -> str:
        number = self.figi or (f"CIK {self.cik}" if self.cik else "no FIGI or CIK given")
        return f"{self.name or 'a company without a name'} ({number})"


@dataclass(frozen=True)
class KnownCompany:
    """What the vendor says of the company that has, or had, a symbol.

    Attributes:
        company: `None` where it said nothing.
        why_unknown: why it did not, a clause without its full stop; empty where it did.
        requests: how many were made for it.
    """

    company: Company | None
    why_unknown: str = ""
    requests: int = 0


def conflict(asked: Company | None, now: Company | None, listing: Listing, month: Month) -> str:
    """Why bars of `month` under a symbol are another company's than the one that has the symbol now; empty if not so.

    Args:
        asked: the company as of the month; `None` where it is not known.
        now: the company that has the symbol now; `None` where that is not known.
        listing: what is known of the symbol: the former symbols are those of `now`.
        month: of the bars.
    """
    if asked is not None and now is not None and asked.is_same_as(now) is False:
        return f"{listing.symbol} was {asked} on {asked.as_of} and is {now} now"
    return why_not_listed(listing, month) or ""
