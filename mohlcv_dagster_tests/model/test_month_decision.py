"""What is to be done about a raw month, over every state that it may be in."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from mohlcv_dagster.model.month_decision import Action, FileState, MonthState, decide
from mohlcv_dagster.model.months import Month

# January 2024 is final from 11:00 Eastern on Thursday, February 1st: 16:00 UTC
JANUARY = Month(2024, 1)
EARLY = datetime(2024, 1, 16, 16, 15, tzinfo=UTC)
FINAL = datetime(2024, 2, 1, 16, tzinfo=UTC)
LATER = datetime(2024, 3, 5, tzinfo=UTC)
VENDOR = "massive.com"

RECORDED = MonthState(
    JANUARY, FileState.AS_RECORDED, recorded=True, fetched_at=FINAL, vendor=VENDOR, adjusted=False, written_at=FINAL
)
PROVISIONAL = replace(RECORDED, fetched_at=EARLY)
AGELESS = replace(RECORDED, fetched_at=None, vendor=None, adjusted=None)
UNRECORDED = MonthState(JANUARY, FileState.UNRECORDED, written_at=FINAL)
DIFFERENT = replace(RECORDED, file=FileState.DIFFERENT, difference="it has 1 byte, 2 were written")
ABSENT = MonthState(JANUARY, FileState.ABSENT)


def decided(state, **asked):
    return decide(state, **{"now": LATER, "vendor": VENDOR, "adjusted": False, **asked})


@pytest.mark.parametrize(
    ("state", "action", "reason"),
    [
        (ABSENT, Action.FETCH, "it is not stored"),
        (replace(ABSENT, recorded=True, fetched_at=FINAL), Action.FETCH, "it was recorded, and its file is missing"),
        (RECORDED, Action.SKIP, "stored"),
        (replace(RECORDED, unchecked=True), Action.CHECK, "stored, and not every check of it has a result"),
        (replace(RECORDED, errors=("a", "b")), Action.FETCH, "the stored file fails a, b"),
        (replace(RECORDED, errors=("a",), unchecked=True), Action.FETCH, "the stored file fails a"),
        (
            replace(RECORDED, vendor="stand-in at http://127.0.0.1:1"),
            Action.SKIP,
            "stored, though the stored file is from stand-in at http://127.0.0.1:1, not massive.com; --force fetches",
        ),
        (
            DIFFERENT,
            Action.FETCH,
            "the stored file is not the one that was recorded: it has 1 byte, 2 were written",
        ),
        (PROVISIONAL, Action.COMPLETE, "fetched at 2024-01-16 16:15Z, provisional until 2024-02-01 16:00Z"),
        (replace(PROVISIONAL, unchecked=True), Action.COMPLETE, "fetched at 2024-01-16 16:15Z, provisional until"),
        (replace(PROVISIONAL, errors=("a",)), Action.FETCH, "the stored file fails a"),
        (replace(PROVISIONAL, vendor=None), Action.FETCH, "the stored file is from an unknown vendor, not massive.com"),
        (replace(PROVISIONAL, adjusted=True), Action.FETCH, "is adjusted as of 2024-01-16, and unadjusted prices"),
        (replace(PROVISIONAL, adjusted=None), Action.FETCH, "whether the stored file is adjusted for splits is not"),
        (AGELESS, Action.SKIP, "stored, though when it was fetched is not known"),
        (replace(AGELESS, unchecked=True), Action.CHECK, "not every check of it has a result"),
        (replace(AGELESS, errors=("a",)), Action.FETCH, "the stored file fails a"),
        (replace(AGELESS, written_at=EARLY), Action.FETCH, "written at 2024-01-16 16:15Z, provisional until"),
        (UNRECORDED, Action.RECORD, "stored, and not recorded here yet"),
        (replace(UNRECORDED, matches_manifest=True), Action.RECORD, "stored, and not recorded here yet"),
        (replace(UNRECORDED, matches_manifest=True, fetched_at=FINAL), Action.RECORD, "stored, and not recorded here"),
        (replace(UNRECORDED, matches_manifest=False), Action.FETCH, "its manifest entry is of another file"),
        (replace(UNRECORDED, written_at=EARLY), Action.FETCH, "written at 2024-01-16 16:15Z, provisional until"),
        # copied later than fetched
        (replace(UNRECORDED, matches_manifest=True, fetched_at=EARLY), Action.FETCH, "fetched at 2024-01-16 16:15Z"),
        (replace(UNRECORDED, interrupted=True), Action.FETCH, "the run that was to write it ended without recording"),
    ],
)
def test_what_a_fetch_does_about_a_month_and_why(state, action, reason):
    found = decided(state)

    assert found.action is action
    assert reason in found.reason


@pytest.mark.parametrize(
    ("state", "action", "not_compared"),
    [
        (ABSENT, Action.FETCH, ""),
        (RECORDED, Action.FETCH, ""),
        (replace(RECORDED, errors=("a",), unchecked=True), Action.FETCH, ""),
        (PROVISIONAL, Action.COMPLETE, ""),
        (replace(RECORDED, vendor="another"), Action.FETCH, "the stored file is from another, not massive.com"),
        (replace(PROVISIONAL, vendor="another"), Action.FETCH, "the stored file is from another, not massive.com"),
        (DIFFERENT, Action.FETCH, "the stored file is not the one that was recorded: it has 1 byte, 2 were written"),
        (UNRECORDED, Action.FETCH, "when the stored file was fetched is not recorded"),
        (AGELESS, Action.FETCH, "when the stored file was fetched is not recorded"),
    ],
)
def test_a_month_that_somebody_asks_for_is_completed_or_fetched_whole(state, action, not_compared):
    found = decided(state, requested=True)
    forced = decided(state, requested=True, force=True)

    assert (found.action, found.not_compared) == (action, not_compared)
    assert (forced.action, forced.not_compared) == (Action.FETCH, not_compared)


FACTS = {
    "errors": ((), ("a",)),
    "unchecked": (False, True),
    "interrupted": (False, True),
    "matches_manifest": (None, False, True),
    "written_at": (EARLY, LATER, None),
}
ALL = [
    replace(base, **dict(zip(FACTS, values, strict=True)))
    for base in (ABSENT, RECORDED, PROVISIONAL, AGELESS, UNRECORDED, DIFFERENT)
    for values in product(*FACTS.values())
]


def test_over_all_states_what_must_hold_holds():
    for state, now in product(ALL, (EARLY, FINAL, LATER)):
        plain = decided(state, now=now)
        assert plain.reason, state
        assert (plain.since is not None) == (plain.action is Action.COMPLETE), state
        # nothing is skipped that nobody recorded, that is not the file recorded, or that fails or lacks a check
        if plain.action is Action.SKIP:
            assert (state.file, state.errors, state.unchecked) == (FileState.AS_RECORDED, (), False), state
        if plain.action in {Action.CHECK, Action.COMPLETE}:
            assert state.file is FileState.AS_RECORDED, state
        assert (plain.action is Action.RECORD) <= (state.file is FileState.UNRECORDED), state
        assert decided(state, now=now, force=True).action is Action.FETCH, state
        assert decided(state, now=now, requested=True).action in {Action.FETCH, Action.COMPLETE}, state


def test_a_provisional_month_is_skipped_while_there_is_nothing_new_and_completed_where_it_is_asked_for():
    saturday, sunday = (datetime(2024, 1, day, 16, 15, tzinfo=UTC) for day in (13, 14))
    state = replace(RECORDED, fetched_at=saturday)

    found = decided(state, now=sunday)
    assert (found.action, found.reason) == (
        Action.SKIP,
        "stored and provisional, and there is nothing new since 2024-01-13 16:15Z",
    )
    assert decided(replace(state, unchecked=True), now=sunday).action is Action.CHECK
    assert decided(state, now=sunday, requested=True).action is Action.COMPLETE


def test_a_month_is_completed_from_an_hour_before_the_close_of_its_last_final_session():
    # fetched on Tuesday the 16th after 11:00 Eastern: Friday the 12th is final, which closed at 21:00 UTC
    assert decided(PROVISIONAL).since == datetime(2024, 1, 12, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (ABSENT, "downloading: it is not stored"),
        (replace(ABSENT, recorded=True), "downloading again: it was recorded, and its file is missing"),
        (RECORDED, "skipped: stored"),
        (replace(RECORDED, unchecked=True), "checking: stored, and not every check of it has a result"),
        (UNRECORDED, "checking and recording: stored, and not recorded here yet"),
        (PROVISIONAL, "completing: fetched at 2024-01-16 16:15Z, provisional until 2024-02-01 16:00Z"),
    ],
)
def test_a_decision_says_in_a_sentence_what_is_done_and_why(state, sentence):
    assert decided(state).sentence == sentence
