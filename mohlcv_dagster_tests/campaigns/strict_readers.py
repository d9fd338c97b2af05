"""Readers of what the project reads, each written a second time from the documentation, strictly and without its code.

Each gives the values or raises `Refused`. They are slow, use the standard library alone, and share nothing with
`mohlcv_dagster` but the words of its docs.
"""

import csv
import json
import math
import re
from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit


class Refused(Exception):  # noqa: N818 - a verdict, not a fault of the reader
    """A strict reader does not accept it; the text says why."""


def require(condition: object, why: str) -> None:
    if not condition:
        raise Refused(why)


# ---- JSON


def json_document(body: bytes, unique: frozenset[str] = frozenset()) -> Any:
    """One JSON document of RFC 8259: UTF-8, no NaN, none of the keys `unique` twice in an object."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs if name in unique]
        require(len(set(names)) == len(names), "a key twice")
        return dict(pairs)

    def constant(name: str) -> None:
        raise Refused(name)

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error


PAGE_KEYS = frozenset({"ticker", "status", "resultsCount", "count", "adjusted", "request_id", "next_url", "results"})
ROW_KEYS = ("t", "o", "h", "l", "c", "v")
OPTIONAL_KEYS = ("n", "vw")
INT64 = range(-(2**63), 2**63)


def _optional(document: dict[str, Any], key: str, kind: type) -> Any:
    value = document.get(key)
    require(value is None or type(value) is kind, f"{key} {value!r}")
    require(kind is not int or value is None or value in INT64, f"{key} does not fit")
    return value


def page(body: bytes, ticker: str, first: int, last: int) -> list[tuple[float, ...]]:
    """The rows of a page of second bars, unadjusted, as the request demands them.

    Each is its time and five numbers, then its number of trades and their average price, NaN where there is none.
    """
    document = json_document(body, PAGE_KEYS | {*ROW_KEYS, *OPTIONAL_KEYS})
    require(isinstance(document, dict), "no object")
    rows = [_row(each) for each in _optional(document, "results", list) or []]
    count = _optional(document, "count", int)
    require(_optional(document, "resultsCount", int) == len(rows) and count in {None, len(rows)}, "counts")
    require(_optional(document, "status", str) in {"OK", "DELAYED"}, "status")
    require(_optional(document, "adjusted", bool) is False, "adjusted")
    named = _optional(document, "ticker", str)
    require(named == ticker or (named is None and not rows), "ticker")
    require(rows or _optional(document, "next_url", str) is None, "nothing to go on from")
    _optional(document, "request_id", str)
    times = [each[0] for each in rows]
    require(all(first <= each <= last and each % 1000 == 0 for each in times), "a time outside")
    require(all(earlier < later for earlier, later in pairwise(times)), "times do not rise")
    return rows


def _row(row: object) -> tuple[float, ...]:
    require(isinstance(row, dict), "a row is no object")
    assert isinstance(row, dict)
    values = [row.get(key) for key in ROW_KEYS]
    require(type(values[0]) is int and values[0] in INT64, "a time that is no integer")
    require(all(type(value) in {int, float} for value in values), "a value that is no number")
    try:
        numbers = [float(value) for value in values[1:]]  # type: ignore[arg-type]
    except OverflowError as error:
        raise Refused("too large") from error
    require(all(map(math.isfinite, numbers)), "a number that is not finite")
    figures = [_optional_number(row.get(key)) for key in OPTIONAL_KEYS]
    return (values[0], *numbers, *figures)  # type: ignore[return-value]


def _optional_number(value: object) -> float:
    if value is None:
        return math.nan
    require(type(value) in {int, float}, "a figure that is no number")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def manifest_entry(content: bytes) -> dict[str, Any]:
    """The fields of a manifest entry, moments as Unix seconds."""
    facts = json_document(content)
    require(isinstance(facts, dict) and type(facts.get("schema")) is int and facts["schema"] == 1, "schema")
    for name, kinds in ENTRY_FIELDS.items():
        require(name in facts and type(facts[name]) in kinds, name)
    require(facts["rows"] >= 0 and facts["size"] >= 0, "a count below zero")
    require(re.fullmatch(r"[0-9a-f]{64}", facts["sha256"]), "sha256")
    require(facts["raw_sha256"] is None or re.fullmatch(r"[0-9a-f]{64}", facts["raw_sha256"]), "raw_sha256")
    require(all(type(each) is str for each in facts["request_ids"]), "request_ids")
    for check in facts["checks"]:
        require(isinstance(check, dict) and {k: type(v) for k, v in check.items()} == CHECK_FIELDS, "checks")
        require(check["severity"] in {"error", "warn"}, "severity")
    return {name: _unix(facts[name]) if name in MOMENTS else facts[name] for name in (*ENTRY_FIELDS, *MOMENTS)}


CHECK_FIELDS = {"name": str, "passed": bool, "severity": str, "message": str}
MOMENTS = ("first_bar", "last_bar", "fetched_at", "complete_through")
_TEXT = (str, type(None))
ENTRY_FIELDS: dict[str, tuple[type, ...]] = {
    "file": (str,),
    "sha256": (str,),
    "rows": (int,),
    "size": (int,),
    "software": (str,),
    "vendor": _TEXT,
    "state": _TEXT,
    "raw_sha256": _TEXT,
    "adjusted": (bool, type(None)),
    "request_ids": (list,),
    "checks": (list,),
    **dict.fromkeys(MOMENTS, _TEXT),
}
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def _unix(text: str | None) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 moment with its offset from UTC."""
    if text is None:
        return None
    match = _MOMENT.fullmatch(text)
    require(match, f"the moment {text!r}")
    assert match is not None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    try:
        days = (date(year, month, day) - date(1970, 1, 1)).days
        time(hour, minute, second)
    except ValueError as error:
        raise Refused(str(error)) from error
    offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1) if sign else 0
    require(abs(offset) < 24 * 60 and (not sign or int(minutes) < 60), "the offset")
    whole = days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
    return whole + Decimal(f"0.{fraction}" if fraction else 0)


# ---- CSV

COLUMNS = ("ts_event", "open", "high", "low", "close", "volume")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d(?::\d\d){0,2})(Z|[+-]\d\d(?::?\d\d)?)", re.ASCII)
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:inf|infinity)|(?P<nan>[+-]?nan(?:\(\w*\))?)",
    re.ASCII | re.IGNORECASE,
)
_INTEGER = re.compile(r"-?\d+", re.ASCII)


def csv_bars(content: bytes) -> list[tuple[Any, ...]]:
    """The rows of a CSV file of bars: Unix seconds, four prices, the volume; `None` for an empty field."""
    try:
        text = content.decode("utf-8-sig", "surrogateescape")  # other columns may hold anything
        rows = [row for row in csv.reader(re.split(r"\r\n|\n|\r", text)) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(str(error)) from error
    require(rows, "no header")
    header, *rows = rows
    require(all(header.count(name) == 1 for name in COLUMNS), "the header")
    require(all(len(row) == len(header) for row in rows), "the number of fields")
    places = [header.index(name) for name in COLUMNS]
    cells = [[row[places[0]], *(_cell(row[place]) for place in places[1:])] for row in rows]
    whole = all(not row[5] or (_INTEGER.fullmatch(row[5]) and int(row[5]) in INT64) for row in cells)
    return [(_csv_time(row[0]), *map(_number, row[1:5]), _volume(row[5], whole=whole)) for row in cells]


def _cell(text: str) -> str:
    """The text of a number without the blanks around it."""
    require(not text or text.strip(" \t"), "nothing but blanks")
    return text.strip(" \t")


def _volume(text: str, *, whole: bool) -> float | None:
    return (int(text) if text else None) if whole else _number(text)


def _number(text: str) -> float | None:
    if not text:
        return None
    match = _NUMBER.fullmatch(text)
    require(match, f"the number {text!r}")
    return math.nan if match and match["nan"] else float(text)


def _csv_time(text: str) -> int | None:
    if not text:
        return None
    match = _TIME.fullmatch(text)
    require(match, f"the time {text!r}")
    assert match is not None
    day, clock, zone = match.groups()
    try:
        days = (date.fromisoformat(f"{int(day[:4]) % 400 + 2000}{day[4:]}") - date(1970, 1, 1)).days
        at = time.fromisoformat(clock)
    except ValueError as error:
        raise Refused(str(error)) from error
    hours, minutes = (0, 0) if zone == "Z" else (int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0)
    require(hours < 24 and minutes < 60, "the offset")
    offset = (hours * 60 + minutes) * (-60 if zone[0] == "-" else 60)
    days += 146_097 * (int(day[:4]) // 400 - 5)  # the year 0 is one, too: 400 years are as many days everywhere
    return days * 86_400 + at.hour * 3600 + at.minute * 60 + at.second - offset


# ---- text that a user writes

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)


def calendar(text: str) -> dict[date, tuple[time, time] | None]:
    """The days of a calendar file, each with its hours; `None` where the exchange is closed."""
    days: dict[date, tuple[time, time] | None] = {}
    for line in re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")):
        words = line.partition("#")[0].split()
        if not words:
            continue
        require(len(words) == 2 and _DAY.fullmatch(words[0]), f"the line {line!r}")
        try:
            day = date.fromisoformat(words[0])
        except ValueError as error:
            raise Refused(str(error)) from error
        require(1971 <= day.year <= 2199 and day not in days, f"the day {day}")
        days[day] = None if words[1].lower() == "closed" else _hours(words[1])
    return days


def _hours(text: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(text)
    require(match, f"the hours {text!r}")
    assert match is not None
    opens, closes, *_ = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
    require(all(int(match[at]) < 60 for at in (2, 4)), "the minutes")
    require(4 * 60 <= opens < closes <= 20 * 60, "the order of hours")
    return time(opens // 60, opens % 60), time(closes // 60, closes % 60)


_PLAIN_LINE = re.compile(r"(?:export )?([A-Za-z_][A-Za-z0-9_]*)=([A-Za-z0-9_./:,-]*)")


def env_file(text: str) -> dict[str, str] | None:
    """The variables of an `.env` file of plain lines, `NAME=value`; `None` where a line is anything else."""
    if not text.isascii() or not text.replace("\n", "").isprintable():
        return None
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    matches = [_PLAIN_LINE.fullmatch(line) for line in lines]
    return {match[1]: match[2] for match in matches if match} if all(matches) else None


LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
DIGITS = frozenset("0123456789")


def symbol(text: str) -> str:
    """A symbol: up to 24 letters and digits, with single dots or hyphens inside."""
    require(0 < len(text) <= 24 and set(text) <= LETTERS | DIGITS | {".", "-"}, "characters")
    require(all(part for part in text.replace("-", ".").split(".")), "a dot or hyphen that is not inside")
    return text


TIMEFRAMES = {"15s", "30s", "45s", "1min", "2min", "5min", "15min", "30min", "1h"}


def path(text: str) -> tuple[str, str, str]:
    """The symbol, month and timeframe of a path of the archive."""
    parts = text.split("/")
    require(len(parts) == 3 and parts[2].endswith(".csv"), "parts")
    words = parts[2].removesuffix(".csv").split("_")
    raw = parts[0] == "raw_1s"
    require(raw or parts[0] == "aggregated", "the folder")
    require(len(words) == (3 if raw else 4), "words")
    require(parts[1] == (words[0] if raw else words[3]) and (raw or words[3] in TIMEFRAMES), "the inner folder")
    return symbol(words[0]), month(f"{words[1]}-{words[2]}"), "1s" if raw else words[3]


def month(text: str) -> str:
    """A month from 1970-01 to 9998-12."""
    require(len(text) == 7 and text[4] == "-" and set(text[:4] + text[5:]) <= DIGITS, "form")
    require(1970 <= int(text[:4]) <= 9998 and 1 <= int(text[5:]) <= 12, "no such month")
    return text


def whole_number(text: str, least: int, most: int | None = None) -> int:
    """A whole number in ASCII digits, blanks around it ignored."""
    text = text.strip()
    require(text and set(text) <= DIGITS, "digits")
    require(least <= int(text) and (most is None or int(text) <= most), "bounds")
    return int(text)


def address(text: str) -> str:
    """An address of a server: scheme, host, perhaps a port and a path, in printable ASCII, nothing else."""
    text = text.strip()
    require(text.isascii() and text.isprintable() and " " not in text, "characters")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise Refused(str(error)) from error
    require(url.scheme in {"http", "https"} and url.hostname and port != 0, "scheme, host, port")
    require("@" not in url.netloc and not url.query and not url.fragment, "more than an address")
    return text.rstrip("/")
