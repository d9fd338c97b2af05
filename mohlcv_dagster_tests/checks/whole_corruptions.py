"""What can be lost from a whole month or put into it, and exactly which rules must fail then. No test lives here.

Each is made on clean synthetic months; what is not about a certain day is seeded.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE_RULES
from mohlcv_dagster_tests.checks.silent_edits import (
    DAY,
    HOUR,
    every_other_lost,
    exchanged,
    filled,
    half_lost,
    other_symbol,
    outside_lost,
    volume_in_hundreds,
    volume_times,
    volumes_permuted,
)
from mohlcv_dagster_tests.checks.whole_months import (
    Edit,
    Seeded,
    add,
    check_month,
    days_lost,
    drop,
    drop_all,
    drop_days,
    every_day,
    failing,
    full_days,
    month_of,
    of_seconds,
    once,
    repeated,
    shift,
    single_minutes,
    somewhere,
    strays,
    whole_month,
)

BUSY = "AAC"
"""About 26 bars in a regular minute."""

QUIET = ("ABC", "LMN", "WXY")
"""Less than one, one and two bars in a regular minute: 56, 67 and 88 % of the minutes have some."""

_SEEDED_MONTHS = ("2024-01", "2024-02", "2024-06")

E, W = "error", "warn"
SHORT = {"minute_occupancy": E, "session_edges": W, "largest_gap": E}


@dataclass(frozen=True)
class WholeCorruption:
    """A fault in a whole month, the rule made to see it, and all that must fail, with severities."""

    rule: str
    what: str
    due: Mapping[str, str]
    seeded: Seeded | None = None
    month: str = ""
    edit: Edit | None = None
    symbol: str = BUSY
    through: datetime | None = None
    neighbours: tuple[float, ...] = ()

    @property
    def seeds(self) -> int | None:
        """How many seeds differ; `None` for as many as one likes."""
        return None if self.seeded else 1

    def failing(self, seed: int = 0) -> dict[str, str]:
        """The rules that fail, each with its severity."""
        month = self.month or _SEEDED_MONTHS[seed % len(_SEEDED_MONTHS)]
        edit = self.edit or self.seeded(full_days(month), np.random.default_rng([seed, len(self.what)]))
        bars = edit(whole_month(self.symbol, month))
        more = self.rule if self.rule in PLAUSIBLE_RULES else ""
        results = check_month(bars, self.symbol, month, through=self.through, neighbours=self.neighbours, more=more)
        return failing(results)

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def _closed(day: date) -> WholeCorruption:
    return WholeCorruption(
        "trading_hours",
        f"bars on {day}, when the exchange was closed",
        {"trading_hours": W},
        month=f"{day:%Y-%m}",
        edit=add(day, "10:00", "10:05"),
    )


def _as_full_day(day: date) -> WholeCorruption:
    return WholeCorruption(
        "trading_hours",
        f"bars to 20:00 on {day}, which closed early",
        {"trading_hours": W},
        month=f"{day:%Y-%m}",
        edit=add(day, "13:00", "20:00"),
    )


def _an_hour_off(first: date, seconds: int, **also: str) -> WholeCorruption:
    return WholeCorruption(
        "trading_hours",
        f"labels an hour too {'late' if seconds > 0 else 'early'} from {first} on, after a change of clocks",
        {"trading_hours": W, **also},
        month=f"{first:%Y-%m}",
        edit=shift(first, seconds),
    )


WHOLE_CORRUPTIONS = (
    WholeCorruption("sessions_present", "a session lost", {"sessions_present": E}, days_lost(1)),
    WholeCorruption("sessions_present", "five sessions in a row lost", {"sessions_present": E}, days_lost(5)),
    WholeCorruption(
        "sessions_present", "regular hours of a session lost", {"sessions_present": E}, once("09:30", "16:00")
    ),
    WholeCorruption(
        "sessions_present", "a session of a quiet symbol lost", {"sessions_present": W}, days_lost(1), symbol="ABC"
    ),
    WholeCorruption(
        "sessions_present",
        "an early close lost",
        {"sessions_present": E},
        month="2024-11",
        edit=drop(date(2024, 11, 29), "00:00", "24:00"),
    ),
    WholeCorruption(
        "sessions_present",
        "February 29 lost",
        {"sessions_present": E},
        month="2024-02",
        edit=drop(date(2024, 2, 29), "00:00", "24:00"),
    ),
    WholeCorruption(
        "sessions_present",
        "the last session lost, its evening in the next UTC month",
        {"sessions_present": E},
        month="2024-01",
        edit=drop(date(2024, 1, 31), "00:00", "24:00"),
    ),
    WholeCorruption(
        "sessions_present",
        "yesterday lost, in a month in progress",
        {"sessions_present": E},
        month="2024-01",
        edit=drop_all(
            [(date(2024, 1, day), "00:00", "24:00") for day in (9, *range(11, 32))]
            + [(date(2024, 1, 10), "10:15", "24:00")]
        ),
        through=datetime(2024, 1, 10, 15, 15, tzinfo=UTC),
    ),
    WholeCorruption(
        "sessions_present",
        "all but the first week lost",
        {"sessions_present": E},
        lambda days, _: drop_days(month_of(days)[5:]),
    ),
    WholeCorruption(
        "minute_occupancy",
        "every minute of an hour lost, on each day",
        {"minute_occupancy": E, "largest_gap": E},
        every_day("11:00", "12:00"),
    ),
    WholeCorruption("minute_occupancy", "ten single minutes lost", {"minute_occupancy": W}, single_minutes(10)),
    WholeCorruption("minute_occupancy", "thirty single minutes lost", {"minute_occupancy": E}, single_minutes(30)),
    WholeCorruption(
        "minute_occupancy",
        "four single minutes lost on each day",
        {"minute_occupancy": W},
        single_minutes(4, each_day=True),
    ),
    WholeCorruption("minute_occupancy", "an afternoon lost", SHORT, once("13:00", "16:00")),
    WholeCorruption("minute_occupancy", "a whole day cut as if it closed early", SHORT, once("13:00", "24:00")),
    WholeCorruption("minute_occupancy", "the afternoon of every day lost", SHORT, every_day("13:00", "16:00")),
    WholeCorruption(
        "largest_gap",
        "an hour of an early close lost",
        {"largest_gap": W},
        month="2024-12",
        edit=drop(date(2024, 12, 24), "11:00", "12:00"),
    ),
    WholeCorruption(
        "minute_occupancy",
        "the afternoon of every day lost, of a symbol with 4 bars a minute, its neighbours stored",
        SHORT,
        every_day("13:00", "16:00"),
        symbol="ASC",
        neighbours=(0.988, 0.989),
    ),
    WholeCorruption("session_edges", "the first minute lost", {"session_edges": W}, once("09:30", "09:31")),
    WholeCorruption("session_edges", "the last minute lost", {"session_edges": W}, once("15:59", "16:00")),
    WholeCorruption(
        "session_edges", "the first minute of every day lost", {"session_edges": W}, every_day("09:30", "09:31")
    ),
    WholeCorruption(
        "session_edges",
        "the last minute of an early close lost",
        {"session_edges": W},
        month="2024-11",
        edit=drop(date(2024, 11, 29), "12:59", "13:00"),
    ),
    WholeCorruption("largest_gap", "ten minutes lost", {"largest_gap": W}, somewhere(10)),
    WholeCorruption("largest_gap", "sixteen minutes lost", {"largest_gap": W}, somewhere(16)),
    WholeCorruption("largest_gap", "an hour lost", {"largest_gap": W}, somewhere(60)),
    WholeCorruption("largest_gap", "the last half hour lost", SHORT, once("15:30", "16:00")),
    WholeCorruption(
        "largest_gap",
        "the first ten minutes lost",
        {"largest_gap": W, "minute_occupancy": W, "session_edges": W},
        once("09:30", "09:40"),
    ),
    *(
        WholeCorruption("largest_gap", f"{what}, of a quiet symbol", {"largest_gap": W}, seeded, symbol=symbol)
        for symbol in QUIET
        for what, seeded in (
            (f"an afternoon lost ({symbol})", once("13:00", "16:00")),
            (f"the afternoon of every day lost ({symbol})", every_day("13:00", "16:00")),
            (f"a day cut as if it closed early ({symbol})", once("13:00", "24:00")),
            (f"the first hour of every day lost ({symbol})", every_day("09:30", "10:30")),
            (f"two hours lost ({symbol})", somewhere(120)),
        )
    ),
    *(
        WholeCorruption(rule, f"{what} ({symbol})", {rule: severity}, seeded, symbol=symbol)
        for symbol in (BUSY, "ABC")
        for rule, severity, what, seeded in (
            ("session_coverage", W, "extended hours lost on every day", outside_lost),
            ("session_coverage", W, "the pre-market of one session lost", once("04:00", "09:30")),
            ("volume_level", W, "the month's volumes times 100", volume_times(100)),
            ("volume_level", W, "the month's volumes divided by 100", volume_times(0.01)),
            ("volume_level", W, "a day's volumes times 100", volume_times(100, DAY)),
            ("volume_level", W, "a day's volumes in hundreds", volume_in_hundreds(DAY)),
            ("volume_level", W, "an hour's volumes times 100", volume_times(100, HOUR)),
            ("stale_prices", W, "an hour's seconds filled in with a volume of 1", filled(HOUR, 1)),
            ("stale_prices", W, "an hour's seconds filled in with other volumes", filled(HOUR, None)),
        )
    ),
    WholeCorruption(
        "session_coverage", "every second bar of an hour lost", {"session_coverage": W}, every_other_lost(HOUR)
    ),
    WholeCorruption("session_coverage", "half of an hour's bars lost", {"session_coverage": W}, half_lost(HOUR)),
    WholeCorruption("volume_level", "an hour's volumes divided by 100", {"volume_level": W}, volume_times(0.01, HOUR)),
    WholeCorruption("fields_together", "volumes among other bars", {"fields_together": W}, volumes_permuted()),
    WholeCorruption(
        "fields_together", "a day's volumes among other bars", {"fields_together": W}, volumes_permuted(DAY)
    ),
    *(
        WholeCorruption(
            "fields_together",
            f"open and close exchanged in every bar ({symbol})",
            {"fields_together": E},
            exchanged(),
            symbol=symbol,
        )
        for symbol in (BUSY, "ASC")
    ),
    WholeCorruption("fields_together", "open and close exchanged on one day", {"fields_together": E}, exchanged(DAY)),
    *(
        WholeCorruption(
            "level_shifts",
            f"an hour of another symbol {off:+.0%} off",
            {"level_shifts": W},
            other_symbol(HOUR, "AKC", off),
            symbol="ASC",
        )
        for off in (0.02, -0.02)
    ),
    WholeCorruption("repeated_session", "a session in place of the next", {"repeated_session": E}, repeated(1)),
    WholeCorruption("repeated_session", "a session in place of one a week later", {"repeated_session": E}, repeated(5)),
    WholeCorruption(
        "repeated_session", "a quiet session in place of the next", {"repeated_session": E}, repeated(1), symbol="ABC"
    ),
    WholeCorruption(
        "second_bars", "minutes under the name of seconds", {"second_bars": E}, month="2024-01", edit=of_seconds(60)
    ),
    WholeCorruption(
        "second_bars",
        "bars of five seconds under the name of seconds",
        {"second_bars": E, "session_coverage": W},
        month="2024-06",
        edit=of_seconds(5),
    ),
    WholeCorruption(
        "second_bars",
        "minutes of a quiet symbol",
        {"second_bars": E},
        month="2024-01",
        edit=of_seconds(60),
        symbol="LMN",
    ),
    WholeCorruption("trading_hours", "bars at 03:30 Eastern", {"trading_hours": W}, strays("03:30", "03:31")),
    WholeCorruption("trading_hours", "bars at 20:15 Eastern", {"trading_hours": W}, strays("20:15", "20:16")),
    WholeCorruption(
        "trading_hours",
        "bars on a Saturday",
        {"trading_hours": W},
        month="2024-06",
        edit=add(date(2024, 6, 8), "10:00", "10:05"),
    ),
    WholeCorruption(
        "trading_hours",
        "bars after the evening of the month before",
        {"trading_hours": W},
        month="2024-02",
        edit=add(date(2024, 1, 31), "20:00", "20:01"),
    ),
    *map(
        _closed,
        (
            date(2024, 1, 15),
            date(2012, 10, 29),
            date(2012, 10, 30),
            date(2018, 12, 5),
            date(2025, 1, 9),
            date(2024, 11, 28),
        ),
    ),
    *map(_as_full_day, (date(2024, 11, 29), date(2024, 12, 24))),
    _an_hour_off(date(2024, 3, 11), 3600, session_coverage=W),
    _an_hour_off(date(2024, 3, 11), -3600),
    _an_hour_off(date(2024, 11, 4), 3600),
    _an_hour_off(date(2024, 11, 4), -3600),
)

CLEAN_MONTHS = (
    "2024-01",  # its last evening lies in the next month
    "2024-02",  # the evening of January 31st lies in it; February 29
    "2024-03",  # clocks go forward
    "2024-11",  # and back; an early close
    "2024-12",  # an early close
    "2012-10",  # two days closed for a hurricane
    "2018-12",  # a day of mourning, an early close
    "2025-01",  # a day of mourning
)
CLEAN = tuple((symbol, month) for month in CLEAN_MONTHS for symbol in (BUSY, "ABC")) + tuple(
    (symbol, month) for symbol in ("AKC", "ASC") for month in ("2024-01", "2024-11")
)
"""Symbol and month: a busy and a quiet one in each, and two just on the liquid side, of 3 and 4 bars in a minute."""


SEEDS = 3


def found(
    seeds: int = SEEDS, corruptions: Iterable[WholeCorruption] = WHOLE_CORRUPTIONS
) -> Iterator[tuple[str, str, str, str]]:
    """A row for each corruption: rule, corruption, found of seeded, severity. Found is what failed as was due."""
    for corruption in corruptions:
        tried = range(corruption.seeds or seeds)
        severities = [corruption.failing(seed).get(corruption.rule) for seed in tried]
        due = corruption.due[corruption.rule]
        yield corruption.rule, corruption.what, f"{severities.count(due)} of {len(tried)}", due


def false_alarms(months: Iterable[tuple[str, str]]) -> tuple[Counter[str], int]:
    """How often each rule failed on clean months, given as symbol and month, and how many months there were."""
    alarms: Counter[str] = Counter()
    checked = 0
    for symbol, month in months:
        alarms.update(failing(check_month(whole_month(symbol, month), symbol, month)).keys())
        checked += 1
    return alarms, checked
