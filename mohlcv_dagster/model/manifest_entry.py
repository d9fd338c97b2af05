"""A manifest entry: JSON for each stored file that records what is known of it, to verify a copy without Dagster.

Where entries are stored, and how a tree is verified against them, is in `manifest`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any, Final, Protocol, Self

from mohlcv_dagster.errors import ManifestEntryError
from mohlcv_dagster.formatting import printable, quoted
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.listings import ListedDays
from mohlcv_dagster.model.provenance import Provenance

FOLDER: Final = "manifest"
"""The folder of the entries, under the data folder."""
SCHEMA: Final = 1
"""The version of the JSON; raised when a reader of the earlier version would misread the new one."""
CHECKSUM: Final = "checksum"
"""The field with the SHA-256 of the entry's bytes, computed with this field empty; entries written before lack it."""
ERROR: Final = "error"
_SEVERITIES: Final = (ERROR, "warn")
_DIGESTS: Final = ("sha256", "raw_sha256")
_MOMENTS: Final = ("first_bar", "last_bar", "fetched_at", "complete_through")
_TEXT: Final = (str, type(None))
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "sha256": (str,),
    "rows": (int,),
    "size": (int,),
    "software": (str,),
    "vendor": _TEXT,
    "state": _TEXT,
    "raw_sha256": _TEXT,
    "adjusted": (bool, type(None)),
    **dict.fromkeys(_MOMENTS, _TEXT),
}
_LISTED: Final = ("listed_from", "listed_until")
"""The days of `listed`, in an entry of a month in which the symbol was listed or delisted only."""
_FIELDS: Final = frozenset({"file", "schema", "request_ids", "checks", *_TYPES})
"""Those of an entry without a checksum; another name there is one that was damaged."""
_RESULT_TYPES: Final = {"name": (str,), "passed": (bool,), "severity": (str,), "message": (str,)}
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class _Rule(Protocol):
    @property
    def name(self) -> str: ...


class _RuleResult(Protocol):
    @property
    def rule(self) -> _Rule: ...
    @property
    def passed(self) -> bool: ...
    @property
    def severity(self) -> object: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, order=True)
class RecordedResult:
    """The last result of a rule on a file.

    Attributes:
        name: of the rule, such as `rising_time`.
        passed: whether it passed.
        severity: `error` or `warn`.
        message: what it found, in a sentence.
    """

    name: str
    passed: bool
    severity: str
    message: str

    @classmethod
    def of(cls, result: _RuleResult) -> Self:
        """What to record of a rule's result."""
        return cls(result.rule.name, result.passed, str(result.severity), result.message)

    @property
    def is_error(self) -> bool:
        """Whether it failed as an error."""
        return not self.passed and self.severity == ERROR


@dataclass(frozen=True, kw_only=True)
class ManifestEntry(Provenance):
    """What was recorded of a file and is in its JSON: of `Provenance`, what `_TYPES` has and two more.

    Attributes (besides those of `Provenance`):
        file: its path in the layout, such as `raw_1s/SPY/SPY_2024_01.csv`.
        software: what wrote the entry, such as `mohlcv-dagster 0.1.0`.
        checks: the last result of each rule that was checked on this file, by name.
    """

    size: int
    file: str
    software: str
    checks: tuple[RecordedResult, ...] = ()

    @classmethod
    def of(cls, file: BarFile, recorded: Provenance, software: str) -> Self:
        """The entry of a file that no check has looked at yet."""
        facts = {name: getattr(recorded, name) for name in _TYPES if name != "software"}
        facts |= {"size": recorded.size or 0, "listed": recorded.listed, "company": recorded.company}
        return cls(file=str(file.path), software=software, request_ids=recorded.request_ids or None, **facts)

    @property
    def failed_errors(self) -> tuple[RecordedResult, ...]:
        """The rules that failed as errors."""
        return tuple(check for check in self.checks if check.is_error)

    def with_results(self, results: Iterable[RecordedResult], not_checked: Iterable[str] = ()) -> Self:
        """The entry with these results replacing earlier ones of the same rules.

        Args:
            results: of the rules checked now.
            not_checked: names of rules that could not be checked now; an earlier result of theirs no longer applies.
        """
        latest = {check.name: check for check in self.checks}
        for name in not_checked:
            latest.pop(name, None)
        latest |= {check.name: check for check in results}
        return replace(self, checks=tuple(sorted(latest.values())))

    def without_passed_messages(self) -> Self:
        """The entry without what rules that passed said, which is most of its text."""
        return replace(self, checks=tuple(replace(each, message="") if each.passed else each for each in self.checks))

    def encode(self) -> bytes:
        """The entry as JSON with sorted keys, the same for the same facts."""
        facts = {name: getattr(self, name) for name in ("file", *_TYPES)}
        facts |= {name: _to_text(facts[name]) for name in _MOMENTS}
        days = (self.listed.first, self.listed.end) if self.listed else (None, None)
        facts |= {name: str(day) for name, day in zip(_LISTED, days, strict=True) if day}
        facts |= {"company": self.company.to_fields()} if self.company else {}
        facts |= {"request_ids": self.request_ids or (), "checks": [vars(check) for check in self.checks]}
        facts |= {"schema": SCHEMA, CHECKSUM: ""}
        content = (json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
        return content.replace(_checksum_field(""), _checksum_field(hashlib.sha256(content).hexdigest()))

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The entry in a file's bytes.

        Raises:
            ManifestEntryError: they are not an entry, or of a version that this software does not know.
        """
        try:
            facts = json.loads(content.decode(), parse_constant=_no_number)
            if facts["schema"] != SCHEMA or isinstance(facts["schema"], (bool, float)):
                raise ManifestEntryError(
                    f"it is a manifest entry of form {printable(repr(facts['schema']))}, this version of mohlcv reads "
                    f"form {SCHEMA}: use the version that wrote it, or a later one"
                )
            _require_checksum(content, facts)
            return cls._of(facts)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise ManifestEntryError(
                f"it is not a manifest entry ({type(error).__name__}: {printable(str(error))})"
            ) from error

    @classmethod
    def _of(cls, facts: Mapping[str, Any]) -> Self:
        _require_types(facts, {**_TYPES, "file": (str,), "request_ids": (list,), "checks": (list,)})
        _require(all(_DIGEST.fullmatch(facts[name] or "0" * 64) for name in _DIGESTS), "a digest that is none")
        _require(min(facts["rows"], facts["size"]) >= 0, "a count below zero")
        _require(all(type(each) is str for each in facts["request_ids"]), "a request id that is no text")
        json.dumps(facts, ensure_ascii=False).encode()  # half of a surrogate pair could not be written again
        moments: dict[str, Any] = {name: _to_moment(facts[name]) for name in _MOMENTS}
        return cls(
            **{name: facts[name] for name in ("file", *_TYPES) if name not in moments},
            **moments,
            listed=_to_listed(facts),
            request_ids=tuple(facts["request_ids"]) or None,
            company=Company.of_fields(facts["company"]) if "company" in facts else None,
            checks=tuple(_to_result(check) for check in facts["checks"]),
        )


def _to_listed(facts: Mapping[str, Any]) -> ListedDays | None:
    first, end = (date.fromisoformat(facts[name]) if name in facts else None for name in _LISTED)
    for name, day in zip(_LISTED, (first, end), strict=True):
        _require(facts.get(name) in {None, str(day)}, "a day that is none")
    return ListedDays(first, end) if first or end else None


def _checksum_field(digest: str) -> bytes:
    # in a text of the entry, its quotes would be escaped
    return f'"{CHECKSUM}": "{digest}"'.encode()


def _require_checksum(content: bytes, facts: Mapping[str, Any]) -> None:
    if CHECKSUM in facts:
        blank = content.replace(_checksum_field(facts[CHECKSUM]), _checksum_field(""))
        if hashlib.sha256(blank).hexdigest() != facts[CHECKSUM]:
            raise ManifestEntryError("its bytes do not match its checksum: they changed after it was written")
    elif unknown := facts.keys() - _FIELDS:
        raise ManifestEntryError(f"it has no checksum, and the unknown field {quoted(min(unknown))}")


def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - as of an assertion
    if not condition:
        raise ValueError(otherwise)


def _require_types(facts: Mapping[str, Any], types: Mapping[str, tuple[type, ...]]) -> None:
    for name, kinds in types.items():
        if type(facts[name]) not in kinds:  # a bool is an int to isinstance
            raise TypeError(f"{name} is {facts[name]!r}")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} where a number belongs")


def _to_result(check: Mapping[str, Any]) -> RecordedResult:
    _require_types(check, _RESULT_TYPES)
    _require(check["severity"] in _SEVERITIES, f"severity {check['severity']!r}")
    return RecordedResult(**check)


def path_of(file: BarFile) -> PurePosixPath:
    """The path of the entry of `file`, relative to the data folder."""
    return PurePosixPath(FOLDER, f"{file.path}.json")


def _to_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _to_moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    _require(_MOMENT.fullmatch(text) is not None, f"the moment {text!r}, expected one such as 2024-02-01T00:00:00Z")
    moment = datetime.fromisoformat(text)
    moment.astimezone(UTC)  # of the years 1 and 9999 not every moment has a time in UTC
    return moment
