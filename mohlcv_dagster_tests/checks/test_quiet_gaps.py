"""Stretches without a bar in months of quiet symbols: found where bars were lost, seldom where chance left them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from mohlcv_dagster.bars.coverage import SessionCoverage
from mohlcv_dagster.checks.quiet_gaps import FEWEST, unlikely
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month

SESSIONS = exchange_calendar.sessions_in(Month(2024, 10))
AFTERNOON, MORNING = slice(210, 390), slice(0, 90)
DAY_SHAPE = 0.6 + 1.2 * np.linspace(-1, 1, 390) ** 2
MONTHS = 40


def made(chance, pace, clustered):
    """A month of a symbol that trades so often a minute, more at both ends of a day.

    The pace of each day and of each half hour varies by a gamma distribution of this relative variance.
    """

    def varying(size):
        return chance.gamma(1 / clustered, clustered, size) if clustered else np.ones(size)

    sessions = []
    for session in SESSIONS:
        trades = pace * varying(1) * np.repeat(varying(13), 30) * DAY_SHAPE
        minutes = chance.random(390) < -np.expm1(-trades)
        sessions.append(SessionCoverage(session, 0, minutes, datetime(2024, 10, 1, tzinfo=UTC), None, None, 0))
    return sessions


def without(sessions, stretch, *days):
    """The month with a stretch lost on these days, or on all."""
    edited = list(sessions)
    for day in days or range(len(sessions)):
        minutes = sessions[day].minutes.copy()
        minutes[stretch] = False
        edited[day] = replace(sessions[day], minutes=minutes)
    return edited


def share(found):
    return np.mean(list(found))


PACES = [(0.2, 0.0), (0.5, 0.0), (2.0, 0.0), (0.5, 0.2), (1.0, 0.5), (2.0, 0.5)]


@pytest.mark.parametrize(("pace", "clustered"), PACES)
@pytest.mark.parametrize("stretch", [AFTERNOON, MORNING], ids=["afternoon", "morning"])
def test_a_stretch_lost_on_one_day_is_found(pace, clustered, stretch):
    chance = np.random.default_rng(1)
    seeded = [without(made(chance, pace, clustered), stretch, 7) for _ in range(MONTHS)]

    assert share(SESSIONS[7] in {each.session for each in unlikely(month)} for month in seeded) >= 0.8


@pytest.mark.parametrize(("pace", "clustered"), [(0.02, 0.0), (0.05, 0.5), *PACES, (1.0, 1.0)])
@pytest.mark.parametrize("stretch", [AFTERNOON, MORNING], ids=["afternoon", "morning"])
def test_a_stretch_lost_on_every_day_is_found(pace, clustered, stretch):
    chance = np.random.default_rng(2)
    seeded = [unlikely(without(made(chance, pace, clustered), stretch)) for _ in range(MONTHS)]

    assert share(len(found) == len(SESSIONS) for found in seeded) >= 0.95


@pytest.mark.parametrize(
    ("pace", "clustered", "allowed"),
    [
        *((pace, 0.0, 0.0) for pace in (0.01, 0.05, 0.2, 0.5, 1.0, 2.0)),
        (0.05, 0.5, 0.1),
        (0.5, 0.5, 0.1),
        (1.0, 1.0, 0.2),
    ],
)
def test_what_chance_leaves_empty_is_seldom_told(pace, clustered, allowed):
    chance = np.random.default_rng(3)

    assert share(bool(unlikely(made(chance, pace, clustered))) for _ in range(MONTHS)) <= allowed


def test_few_sessions_are_not_judged():
    few = without(made(np.random.default_rng(4), 0.5, 0.0)[: FEWEST - 1], AFTERNOON, 0)

    assert unlikely(few) == []


def test_a_session_without_any_empty_minute_or_without_a_bar_is_no_trouble():
    sessions = made(np.random.default_rng(5), 0.5, 0.0)
    full, empty = (replace(sessions[0], minutes=np.full(390, value)) for value in (True, False))

    assert unlikely([full, *sessions[1:]]) == []
    assert unlikely([full] * 6) == []
    assert [each.session for each in unlikely([empty] * 6)] == []
