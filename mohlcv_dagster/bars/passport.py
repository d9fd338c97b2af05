"""A passport: what is known of a stored file, beside it as JSON, so that a copy can be proven without Dagster.

What is in one and its text. Where passports stand and how a tree is held against them is in `manifest`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Self

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.errors import PassportError

if TYPE_CHECKING:
    from mohlcv_dagster.bars.rules import Finding

FOLDER: Final = "manifest"
"""The folder of the passports, under the data folder."""
SCHEMA: Final = 1
"""The form of a passport; raised when a reader of the former form would misread the new one."""
ERROR: Final = "error"
_MOMENTS: Final = ("first_bar", "last_bar", "fetched_at", "complete_through")
_TEXT: Final = (str, type(None))
_KINDS: Final[Mapping[str, Any]] = {
    "sha256": str,
    "rows": int,
    "size": int,
    "software": str,
    "vendor": _TEXT,
    "state": _TEXT,
    "raw_sha256": _TEXT,
    "adjusted": (bool, type(None)),
    **dict.fromkeys(_MOMENTS, _TEXT),
}


@dataclass(frozen=True, order=True)
class Verdict:
    """What a rule said of a file when it was last judged.

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
    def of(cls, finding: "Finding") -> Self:
        """The verdict that a rule's finding is."""
        return cls(finding.rule.name, finding.passed, str(finding.severity), finding.message)

    @property
    def is_red(self) -> bool:
        """Whether it failed as an error."""
        return not self.passed and self.severity == ERROR


@dataclass(frozen=True, kw_only=True)
class Passport:
    """What was recorded of a file; `None` says that it is not known.

    Attributes:
        file: where it stands in the layout, such as `raw_1s/SPY/SPY_2024_01.csv`.
        sha256: of its bytes, 64 lower-case hexadecimal digits.
        rows: its number of bars.
        size: bytes.
        software: what wrote the passport, such as `mohlcv-dagster 0.1.0`.
        first_bar: the start of its first bar, UTC; `None` where it has none.
        last_bar: the start of its last bar, UTC; `None` where it has none.
        vendor: who gave the bars (for an aggregate, here and below: those of its raw month).
        adjusted: whether they are adjusted for later splits.
        fetched_at: when they were asked for, UTC.
        complete_through: the moment (exclusive) up to which they were asked for, UTC.
        state: `provisional` or `settled`.
        request_ids: the vendor's marks of the answers that they came in; none of an aggregate.
        raw_sha256: of an aggregate, the digest of the raw file that it was folded from.
        checks: what each rule said when this file was last judged by it, by name; one that was not judged is not there.
    """

    file: str
    sha256: str
    rows: int
    size: int
    software: str
    first_bar: datetime | None = None
    last_bar: datetime | None = None
    vendor: str | None = None
    adjusted: bool | None = None
    fetched_at: datetime | None = None
    complete_through: datetime | None = None
    state: str | None = None
    request_ids: tuple[str, ...] = ()
    raw_sha256: str | None = None
    checks: tuple[Verdict, ...] = field(default=())

    @property
    def red(self) -> tuple[Verdict, ...]:
        """The rules that failed as errors."""
        return tuple(check for check in self.checks if check.is_red)

    def judged(self, verdicts: Iterable[Verdict], not_judged: Iterable[str] = ()) -> Self:
        """The entry with these verdicts in the place of former ones of the same rules.

        Args:
            verdicts: what rules said of the file now.
            not_judged: names of rules that were not judged now; a former verdict of theirs is no longer true.
        """
        latest = {check.name: check for check in self.checks}
        for name in not_judged:
            latest.pop(name, None)
        latest |= {check.name: check for check in verdicts}
        return replace(self, checks=tuple(sorted(latest.values())))

    def encode(self) -> bytes:
        """The text of the passport: JSON with sorted keys, the same for the same facts."""
        facts = vars(self) | {"schema": SCHEMA, "checks": [vars(check) for check in self.checks]}
        facts |= {name: _written(getattr(self, name)) for name in _MOMENTS}
        return (json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The passport in a file's bytes.

        Raises:
            PassportError: they are none, or of a form that this version does not know.
        """
        try:
            facts = json.loads(content)
            if facts["schema"] != SCHEMA:
                raise PassportError(
                    f"it is a passport of form {facts['schema']!r}, this version of mohlcv reads form {SCHEMA}: "
                    "use the version that wrote it, or a later one"
                )
            return cls._of(facts)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PassportError(f"it is no passport ({type(error).__name__}: {error})") from error

    @classmethod
    def _of(cls, facts: Mapping[str, Any]) -> Self:
        for name, kind in _KINDS.items():
            if not isinstance(facts[name], kind):
                raise TypeError(f"{name} is {facts[name]!r}")
        moments: dict[str, Any] = {name: _read(facts[name]) for name in _MOMENTS}
        return cls(
            **{name: facts[name] for name in ("file", *_KINDS) if name not in moments},
            **moments,
            request_ids=tuple(map(str, facts["request_ids"])),
            checks=tuple(Verdict(**check) for check in facts["checks"]),
        )


def path_of(file: BarFile) -> PurePosixPath:
    """Where the passport of `file` stands, relative to the data folder."""
    return PurePosixPath(FOLDER, f"{file.path}.json")


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
