"""The vendor of a life: bars that are late, revised and split; what each answer and each file must be, byte for byte.

Plain Python, without the codec, the resampling and the arrays of the project: what it gives at a moment is a vintage.
The days of trading are the project's own, which a test compares with a library of exchange calendars.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import EASTERN

HEADER = "ts_event,open,high,low,close,volume"
FINAL_CLOCK = time(11)
"""The Eastern time of day, on the next trading day, from which the bars of a day no longer change by themselves."""


class Bar(NamedTuple):
    """A bar: its start, Unix seconds; four prices, US dollars; the volume, shares."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Split:
    """A split two for one: `executed` is the first day on the new basis."""

    executed: date


@dataclass
class Company:
    """What trades under a symbol.

    Attributes:
        listed, delisted: the first day of trading, and the first without; `None` where there is none.
        silent: months, `YYYY-MM`, without a trade.
        fractional: whether a volume may have a fraction.
        split: its split, if any.
        corrections: for each day, the moments from which on a bar of it is another, and by how many shares.
    """

    symbol: str
    listed: date
    delisted: date | None = None
    silent: frozenset[str] = frozenset()
    fractional: bool = False
    split: Split | None = None
    corrections: dict[date, list[tuple[datetime, int]]] = field(default_factory=dict)


@dataclass
class Vendor:
    """Gives the bars of its companies as they are at a moment.

    Attributes:
        seed: of every bar.
        companies: by symbol.
    """

    seed: int
    companies: dict[str, Company]
    _days: dict[tuple[str, date], tuple[Bar, ...]] = field(default_factory=dict)

    def bars(self, symbol: str, start: datetime, end: datetime, now: datetime, *, adjusted: bool) -> list[Bar]:
        """The bars that start in `[start, end)` and are complete at `now`, as they are then."""
        company = self.companies[symbol]
        first, last = (moment.astimezone(EASTERN).date() for moment in (start, end))
        found = [bar for day in _days(first, last) for bar in self._on(company, day, now)]
        if adjusted and company.split is not None and company.split.executed <= now.astimezone(EASTERN).date():
            found = [_restated(bar) if _day_of(bar) < company.split.executed else bar for bar in found]
        least, most = int(start.timestamp()), min(int(end.timestamp()), int(now.timestamp()))
        return [bar for bar in found if least <= bar.start < most]

    def corrected(self, symbol: str, moment: datetime) -> bool:
        """Whether the day of a moment was corrected after it was final."""
        return moment.astimezone(EASTERN).date() in self.companies[symbol].corrections

    def _on(self, company: Company, day: date, now: datetime) -> list[Bar]:
        bars = list(self._final(company, day))
        if bars and now < final_from(day):  # the last print is late, and the first is corrected
            return [bars[0]._replace(volume=bars[0].volume + 7), *bars[1:-1]] if len(bars) > 1 else bars
        for moment, shares in company.corrections.get(day, ()):
            if bars and now >= moment:
                at = shares % len(bars)
                bars[at] = bars[at]._replace(volume=bars[at].volume + shares)
        return bars

    def _final(self, company: Company, day: date) -> tuple[Bar, ...]:
        key = company.symbol, day
        if key not in self._days:
            self._days[key] = tuple(self._made(company, day))
        return self._days[key]

    def _made(self, company: Company, day: date) -> Iterator[Bar]:
        session = exchange_calendar.session_on(day)
        over = company.delisted is not None and day >= company.delisted
        if session is None or day < company.listed or over or f"{day:%Y-%m}" in company.silent:
            return
        draw = Random(f"{self.seed} {company.symbol} {day}")  # noqa: S311 - a life is repeated by its seed
        opens, closes = int(session.extended_open.timestamp()), int(session.extended_close.timestamp())
        for start in sorted(draw.sample(range(opens, closes), draw.randint(1, 4))):
            low = 5000 + 2 * draw.randrange(40)
            high = low + 2 * draw.randrange(8)
            first, last = (draw.randrange(low, high + 1, 2) for _ in "oc")
            volume = draw.randrange(1, 900) * 2 + (0.5 if company.fractional and draw.random() < 0.1 else 0)
            yield Bar(start, first / 100, high / 100, low / 100, last / 100, volume)


def _restated(bar: Bar) -> Bar:
    """A bar on the basis after the split: half the price, which stays a whole number of cents, and twice the volume."""
    halved = (round(price * 100) // 2 / 100 for price in bar[1:5])
    return Bar(bar.start, *halved, bar.volume * 2)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _day_of(bar: Bar) -> date:
    return datetime.fromtimestamp(bar.start, EASTERN).date()


_FINAL: dict[date, datetime] = {}


def final_from(day: date) -> datetime:
    """When the bars of a day are final: at 11:00 Eastern on the next trading day."""
    if day not in _FINAL:
        following = next(each for each in _days(day + timedelta(days=1), day + timedelta(days=20)) if _trades(each))
        _FINAL[day] = datetime.combine(following, FINAL_CLOCK, EASTERN).astimezone(UTC)
    return _FINAL[day]


def _trades(day: date) -> bool:
    return exchange_calendar.session_on(day) is not None


# ---- answers


def answer(vendor: Vendor, path: str, fields: dict[str, str], now: datetime) -> tuple[int, bytes]:
    """The status and the body of the answer to a request."""
    parts = urlsplit(path).path.strip("/").split("/")
    if parts[1:3] == ["aggs", "ticker"]:
        return 200, _page(vendor, parts, fields, now)
    symbol = fields.get("ticker", parts[-1])
    company = vendor.companies.get(symbol)
    if parts[-1] == "splits":
        split = company.split if company else None
        rows = (
            [{"ticker": symbol, "execution_date": f"{split.executed}", "split_from": 1, "split_to": 2}] if split else []
        )
        return 200, _json({"status": "OK", "request_id": "s", "results": rows})
    if company is None or parts[0] != "v3":
        return 404, _json({"status": "NOT_FOUND", "message": "Data not found."})
    details: dict[str, object] = {"ticker": symbol, "name": symbol, "list_date": f"{company.listed}"}
    if len(parts) == 3:
        return 200, _json({"status": "OK", "results": [details | {"delisted_utc": f"{company.delisted}T00:00:00Z"}]})
    asked = date.fromisoformat(fields["date"]) if fields.get("date") else now.astimezone(EASTERN).date()
    if company.delisted is not None and asked >= company.delisted:
        return 404, _json({"status": "NOT_FOUND", "message": "Data not found."})
    return 200, _json({"status": "OK", "request_id": "d", "results": details})


def _page(vendor: Vendor, parts: list[str], fields: dict[str, str], now: datetime) -> bytes:
    symbol, timespan, start, last = parts[3], parts[6], int(parts[7]), int(parts[8])
    span = (datetime.fromtimestamp(each / 1000, UTC) for each in (start, last + 1))
    adjusted = str(fields.get("adjusted", "true")).lower() == "true"
    bars = vendor.bars(symbol, *span, now, adjusted=adjusted) if symbol in vendor.companies else []
    if timespan == "minute":
        bars = resampled(bars, 60)
    keys = {"v": "volume", "o": "open", "c": "close", "h": "high", "l": "low"}
    rows = [{key: getattr(bar, name) for key, name in keys.items()} | {"t": bar.start * 1000, "n": 1} for bar in bars]
    head = {"ticker": symbol, "queryCount": len(rows), "resultsCount": len(rows), "adjusted": adjusted}
    more = {"results": rows, "count": len(rows)} if rows else {}
    return _json(head | more | {"status": "OK", "request_id": f"{symbol}-{start}"})


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


# ---- files


def resampled(bars: list[Bar], seconds: int) -> list[Bar]:
    """The bars of so many seconds that these make; one where there is no bar is left out."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(bar.start // seconds * seconds, []).append(bar)
    return [
        Bar(
            start,
            group[0].open,
            max(bar.high for bar in group),
            min(bar.low for bar in group),
            group[-1].close,
            float(sum(Decimal(str(bar.volume)) for bar in group)),
        )
        for start, group in groups.items()
    ]


def csv_of(bars: list[Bar], *, whole: bool | None = None) -> bytes:
    """The file that holds these bars.

    Args:
        bars: in order of time.
        whole: whether volumes are written as integers, as they are in the raw file; `None` for where all are whole.
    """
    if whole is None:
        whole = all(bar.volume == int(bar.volume) for bar in bars)
    lines = [HEADER]
    for bar in bars:
        moment = datetime.fromtimestamp(bar.start, UTC)
        volume = str(int(bar.volume)) if whole else repr(float(bar.volume))
        lines.append(",".join([f"{moment:%Y-%m-%d %H:%M:%S}+00:00", *(repr(price) for price in bar[1:5]), volume]))
    return ("\n".join(lines) + "\n").encode()


def bars_of(content: bytes) -> tuple[list[Bar], bool]:
    """The bars of a file, and whether its volumes are written as integers; an error where it is not a whole file."""
    lines = content.decode("ascii").split("\n")
    assert lines[0] == HEADER, f"the header {lines[0]!r}"
    assert lines[-1] == "", "the file does not end with a line end"
    rows = [line.split(",") for line in lines[1:-1]]
    bars = [Bar(int(datetime.fromisoformat(row[0]).timestamp()), *map(float, row[1:])) for row in rows]
    whole = all("." not in row[5] for row in rows)
    assert csv_of(bars, whole=whole) == content, "the file is not in exact form"
    return bars, whole


def made_up(seed: int, first: date, last: date) -> Vendor:
    """A vendor of two companies that trade from `first` to `last`, as a seed has it."""
    draw = Random(f"vendor {seed}")  # noqa: S311 - as above
    span = (last - first).days
    companies = {}
    for symbol in ("QA", "QB.C"):
        company = Company(symbol, first, fractional=draw.random() < 0.2)
        if draw.random() < 0.3:
            company = replace(company, listed=first + timedelta(days=draw.randrange(span // 3)))
        if draw.random() < 0.3:
            company = replace(company, delisted=last - timedelta(days=draw.randrange(span // 3)))
        if draw.random() < 0.7:
            company = replace(company, split=Split(first + timedelta(days=draw.randrange(span // 3, span))))
        if draw.random() < 0.5:
            company = replace(company, silent=frozenset({f"{first + timedelta(days=draw.randrange(span)):%Y-%m}"}))
        companies[symbol] = company
    return Vendor(seed, companies)
