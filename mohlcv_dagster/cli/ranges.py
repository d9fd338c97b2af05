"""The months that a command is for: `--start` and `--end`, each a day or a month, or `--last 3months`."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from mohlcv_dagster.errors import MonthError, MonthInFutureError
from mohlcv_dagster.model.months import Month

F = TypeVar("F", bound=Callable[..., object])

_MONTHS: Final = {"month": 1, "year": 12}
_SPAN: Final = re.compile(r"(\d{1,4}) ?(month|year)s?", re.IGNORECASE | re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d(-\d\d)?", re.ASCII)
_HINT: Final = "name the range: --start 2024-01 --end 2024-03, or --last 3months"


class _Bound(click.DateTime):
    """A day as 2024-01-31, or a month as 2024-01: its first day, or its last one."""

    def __init__(self, *, last: bool) -> None:
        super().__init__(["%Y-%m-%d", "%Y-%m"])
        self._last = last

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - the signature is click's
        try:
            # DateTime alone takes 2024-1 too, which might be a day that was cut off
            day = super().convert(value if _DATE.fullmatch(str(value)) else "", param, ctx)
            month = Month.of(day) if len(str(value)) == len("2024-01") else None
        except (click.BadParameter, MonthError):
            self.fail(f"{str(value)!r} is not a date; write a day as 2024-01-31, or a month as 2024-01", param, ctx)
        return month.end.replace(tzinfo=None) - timedelta(days=1) if month and self._last else day


class _Span(click.types.StringParamType):
    """A number of months, from `3months` or `2years`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as above
        if isinstance(value, int):
            return value
        match = _SPAN.fullmatch(value.strip())
        if match is None or not int(match[1]):
            self.fail(f"{value!r} is not a span of months; write one as 3months or 2years", param, ctx)
        return int(match[1]) * _MONTHS[match[2].lower()]


def range_options(what: str) -> Callable[[F], F]:
    """The options of a range, whose arguments are `start`, `end` and `last`; `what` is done to each complete month."""
    options = (
        click.option(
            "--start",
            type=_Bound(last=False),
            metavar="DAY|MONTH",
            help=f"First day, or month such as 2024-01 (inclusive); complete months are {what}.",
        ),
        click.option("--end", type=_Bound(last=True), metavar="DAY|MONTH", help="Last day, or month (inclusive)."),
        click.option(
            "--last",
            type=_Span(),
            metavar="SPAN",
            help="Such as 3months or 2years: up to the month in progress, which counts. In place of --start and --end.",
        ),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def chosen_months(start: datetime | None, end: datetime | None, last: int | None, now: datetime) -> list[Month]:
    """The months that the options name, less those that have not begun at `now`.

    Raises:
        MonthError: the range is not complete, is named twice, or ends before it starts.
        MonthInFutureError: no month of it has begun.
    """
    if last is not None:
        return list(latest(start, end, last, now).until(Month.of(now)))
    if start is None or end is None:
        given = "--start" if start else "--end" if end else "no range"
        raise MonthError(f"{given} alone was given; {_HINT}" if start or end else f"no range was given; {_HINT}")
    return months_touched(start, end, now)


def latest(start: datetime | None, end: datetime | None, last: int, now: datetime) -> Month:
    """The first of the `last` months up to that of `now`.

    Raises:
        MonthError: `start` or `end` was given too, or it would be before 1970.
    """
    if start or end:
        raise MonthError("--last names the range already: leave out --start and --end, or --last")
    month = Month.of(now)
    ordinal = month.year * 12 + month.month - last
    try:
        return Month(ordinal // 12, ordinal % 12 + 1)
    except MonthError as error:
        raise MonthError(f"--last of {last:,} months begins before 1970; name fewer") from error


def require_order(start: datetime, end: datetime) -> None:
    """Refuse a range that ends before it starts.

    Raises:
        MonthError: it does.
    """
    if end < start:
        raise MonthError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; swap them")


def months_touched(start: datetime, end: datetime, now: datetime) -> list[Month]:
    """The months from that of `start` to that of `end`, both inclusive, less those that have not begun at `now`.

    Raises:
        MonthError: `end` is before `start`.
        MonthInFutureError: none of them has begun.
    """
    require_order(start, end)
    months = [month for month in Month.of(start).until(Month.of(end)) if month.start <= now]
    if not months:
        raise MonthInFutureError(f"--start {start:%Y-%m-%d} is in the future: it is {now:%Y-%m-%d} (UTC)")
    return months
