"""What is to be done about a raw month, and why: the one place where that is decided.

`fetch`, `plan`, automation, the schedule, the incremental refresh and materializing in the UI all call `decide`. It
reads no clock, file or database: what is known of the month is passed in as a `MonthState`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Final, Self

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model import basis, finality
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Origin

NOT_STORED: Final = "it is not stored"
FILE_MISSING: Final = "it was recorded, and its file is missing"
FORCED: Final = "a full download was requested"
FORCE: Final = "mohlcv/force"
ACCEPT_LOSS: Final = "mohlcv/accept_loss"
_BOOLEANS: Final = {"true": True, "false": False}
UNKNOWN_AGE: Final = "when the stored file was fetched is not recorded"


class Action(StrEnum):
    """What is to be done about a month."""

    FETCH = "fetch"
    """The complete month is requested; a stored one is replaced."""
    COMPLETE = "complete"
    """Only what was not final when it was fetched is requested."""
    CHECK = "check"
    """The stored file is checked; nothing is requested."""
    RECORD = "check and record"
    """The stored file is recorded and checked; nothing is requested unless a check fails."""
    SKIP = "skip"
    """Nothing is done."""

    @property
    def done(self) -> str:
        """The past participle, such as `downloaded`."""
        return _DONE[self]


_DONE: Final = {
    Action.FETCH: "downloaded",
    Action.COMPLETE: "completed",
    Action.CHECK: "checked",
    Action.RECORD: "checked",
    Action.SKIP: "skipped",
}
_DOING: Final = {
    Action.FETCH: "downloading again",
    Action.COMPLETE: "completing",
    Action.CHECK: "checking",
    Action.RECORD: "checking and recording",
    Action.SKIP: "skipped",
}


class FileState(Enum):
    """How the file of a month compares with what was recorded when it was written."""

    ABSENT = auto()
    """There is no file."""
    AS_RECORDED = auto()
    """It is the file that was recorded."""
    DIFFERENT = auto()
    """Another file was recorded."""
    UNRECORDED = auto()
    """No file was recorded."""


@dataclass(frozen=True)
class MonthState:
    """What is known of a raw month.

    Attributes:
        month: UTC.
        file: how its file compares with the record.
        recorded: whether a file of the month was ever recorded.
        difference: of a different file, how it differs from the one recorded, a clause.
        written_at: when the stored file was written, UTC; `None` where that was not looked up.
        fetched_at: when the bars were requested, UTC, as recorded (of an unrecorded file: as its manifest entry says);
            `None` where unknown.
        vendor: who gave the bars, as recorded; `None` where unknown.
        adjusted: whether they are adjusted for later splits, as recorded; `None` where unknown.
        splits: of adjusted bars, the splits known when they were fetched; `None` where that is not recorded.
        splits_now: of adjusted bars, the splits of the symbol known to be executed by now.
        matches_manifest: of an unrecorded file, whether its manifest entry has its digest; `None` without an entry.
        interrupted: of an unrecorded file, whether a run that was to write the month began before the file was written.
        errors: the blocking rules that fail on the file as recorded.
        unchecked: whether a check has no result on the file as recorded.
    """

    month: Month
    file: FileState
    recorded: bool = False
    difference: str = ""
    written_at: datetime | None = None
    fetched_at: datetime | None = None
    vendor: str | None = None
    adjusted: bool | None = None
    splits: tuple[Split, ...] | None = None
    splits_now: tuple[Split, ...] = ()
    matches_manifest: bool | None = None
    interrupted: bool = False
    errors: tuple[str, ...] = ()
    unchecked: bool = False


@dataclass(frozen=True)
class Decision:
    """What is to be done about a month.

    Attributes:
        action: what to do.
        reason: why, a clause.
        since: with `COMPLETE`, the first moment requested (inclusive), UTC; else `None`.
        not_compared: why the stored bars cannot be compared with those fetched now, such as another basis of splits, a
            clause; empty where they can, or where nothing is stored.
    """

    action: Action
    reason: str
    since: datetime | None = None
    not_compared: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the month is fetched since it is not stored and never was."""
        return self.action is Action.FETCH and self.reason == NOT_STORED

    @property
    def adds_file(self) -> bool:
        """Whether a file is fetched where there is none now."""
        return self.action is Action.FETCH and self.reason in {NOT_STORED, FILE_MISSING}

    @property
    def sentence(self) -> str:
        """What is done and why, such as `skipped: stored`."""
        return f"{'downloading' if self.is_new else _DOING[self.action]}: {self.reason}"


UNREADABLE: Final = Decision(Action.FETCH, "the stored file cannot be read, so that it cannot be recorded")
"""What is to be done about a file that should have been recorded, but could not be."""
NOTHING_RECORDED: Final = Decision(Action.CHECK, "stored, and nothing is recorded of this folder")
"""What is to be done about an unrecorded file in a data folder that Dagster has no records of."""


def decide(  # noqa: PLR0913 - what is known, when, from whom, and what was requested
    known: MonthState,
    *,
    now: datetime,
    vendor: str | None = None,
    adjusted: bool | None = None,
    force: bool = False,
    requested: bool = False,
) -> Decision:
    """What is to be done about a month.

    Args:
        known: what is known of it.
        now: the time, aware.
        vendor: who would give the bars; `None` where the stored bars may be from any vendor.
        adjusted: whether bars adjusted for later splits would be requested; `None` where it does not matter.
        force: whether the complete month is to be fetched even if it is stored.
        requested: whether a user requested this month in particular: then it is never skipped or only checked. A final
            month is fetched completely and compared, a provisional one is completed.

    Raises:
        MonthError: the month or a moment is beyond the exchange calendar.
    """
    if known.file is FileState.ABSENT:
        return Decision(Action.FETCH, FILE_MISSING if known.recorded else NOT_STORED)
    doubt = _doubt(known)
    other = doubt or _other_kind(known, vendor, adjusted=adjusted)
    if force:
        return Decision(Action.FETCH, FORCED, not_compared=other)
    if known.file is FileState.DIFFERENT or (requested and doubt):
        return Decision(Action.FETCH, doubt, not_compared=doubt)
    if known.file is FileState.UNRECORDED:
        return _unrecorded(known)
    if known.fetched_at is None:
        return _of_unknown_age(known)
    return _recorded(known, known.fetched_at, now, other, requested=requested)


def failing(errors: tuple[str, ...]) -> Decision:
    """What is to be done about a stored file that fails blocking checks, or rules, of these names."""
    return Decision(Action.FETCH, f"the stored file fails {', '.join(errors)}")


def _doubt(known: MonthState) -> str:
    """Why the stored bars cannot be compared with fetched ones; empty where they can."""
    if known.file is FileState.DIFFERENT:
        return f"the stored file is not the one that was recorded: {known.difference}"
    if known.file is FileState.UNRECORDED or known.fetched_at is None:
        return UNKNOWN_AGE
    return ""


def _other_kind(known: MonthState, vendor: str | None, *, adjusted: bool | None) -> str:
    """Why the stored bars differ in vendor or adjustment from what would be fetched; empty where they do not."""
    if vendor is not None and known.vendor != vendor:
        return f"the stored file is from {known.vendor or 'an unknown vendor'}, not {vendor}"
    if adjusted is not None and known.adjusted is None:
        return "whether the stored file is adjusted for splits is not recorded"
    stored = Origin(adjusted=known.adjusted, fetched_at=known.fetched_at, splits=known.splits)
    other = basis.difference(known.month, stored, known.splits_now, asked=adjusted)
    return f"the stored file is {other}" if other else ""


def _unrecorded(known: MonthState) -> Decision:
    """A file without a record: of a run that was killed, of another home, or copied there by hand."""
    if known.interrupted:
        return Decision(Action.FETCH, "the run that was to write it ended without recording it")
    if known.matches_manifest is False:
        return Decision(Action.FETCH, "no run recorded it, and its manifest entry is of another file")
    moment = known.fetched_at or known.written_at
    if moment is None or _is_provisional(known.month, moment):
        return Decision(Action.FETCH, _until_final(known, moment))
    return Decision(Action.RECORD, "stored, and not recorded here yet")


def _of_unknown_age(known: MonthState) -> Decision:
    """A recorded file without a time of fetching, which was not after it was written."""
    if known.written_at is None or _is_provisional(known.month, known.written_at):
        return Decision(Action.FETCH, _until_final(known, known.written_at))
    return _by_checks(known, "stored", "when it was fetched is not known")


def _recorded(known: MonthState, fetched_at: datetime, now: datetime, other: str, *, requested: bool) -> Decision:
    """A file as recorded; `other` is why its bars are not comparable, or empty."""
    if _is_provisional(known.month, fetched_at):
        return _provisional(known, fetched_at, now, other, requested=requested)
    if requested:
        return Decision(Action.FETCH, "it is stored and final, and was requested", not_compared=other)
    return _by_checks(known, "stored", other)


def _provisional(known: MonthState, fetched_at: datetime, now: datetime, other: str, *, requested: bool) -> Decision:
    if known.errors:
        return _by_checks(known, "")
    if other:
        return Decision(Action.FETCH, other, not_compared=other)
    if not requested and not finality.needs_refresh(known.month, fetched_at, now):
        return _by_checks(known, f"stored and provisional, and there is nothing new since {_minute(fetched_at)}")
    span = finality.refresh_span(known.month, fetched_at)
    return Decision(Action.COMPLETE, _until_final(known, fetched_at), since=span.since if span else None)


def _by_checks(known: MonthState, otherwise: str, other: str = "") -> Decision:
    """Skip a stored file for the reason `otherwise`, unless its checks failed or are missing; `other` is told."""
    if known.errors:
        return failing(known.errors)
    told = f", though {other}; --force fetches it again" if other else ""
    if known.unchecked:
        return Decision(Action.CHECK, f"stored, and not every check of it has a result{told}", not_compared=other)
    return Decision(Action.SKIP, f"{otherwise}{told}", not_compared=other)


def _is_provisional(month: Month, moment: datetime) -> bool:
    return finality.state(month, moment) is finality.Finality.PROVISIONAL


def _until_final(known: MonthState, moment: datetime | None) -> str:
    """`fetched at …, provisional until …`."""
    if moment is None:
        return "when it was written is not known"
    what = "fetched" if moment == known.fetched_at else "written"
    return f"{what} at {_minute(moment)}, provisional until {_minute(finality.final_at(known.month))}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


@dataclass(frozen=True)
class RunOptions:
    """The options of a run, set by its tags; in the UI under *Tags* of the launch dialog.

    Attributes:
        force: `mohlcv/force = true`: download complete months, also where a part would do.
        accept_loss: `mohlcv/accept_loss = true`: replace a stored month even where the vendor's new answer lacks final
            bars of it.
    """

    force: bool = False
    accept_loss: bool = False

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Self:
        """The options in the tags of a run.

        Raises:
            InputError: one of them is neither `true` nor `false`.
        """
        return cls(_is_true(tags, FORCE), _is_true(tags, ACCEPT_LOSS))

    def tags(self) -> dict[str, str]:
        """The tags that set these options."""
        options = {FORCE: self.force, ACCEPT_LOSS: self.accept_loss}
        return {name: "true" for name, is_set in options.items() if is_set}


NO_OPTIONS: Final = RunOptions()


def _is_true(tags: Mapping[str, str], name: str) -> bool:
    text = tags.get(name, "false")
    if text.lower() not in _BOOLEANS:
        raise InputError(f"the run's tag {name} is {text!r}; write true or false, or leave it out")
    return _BOOLEANS[text.lower()]
