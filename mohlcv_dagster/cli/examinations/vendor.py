"""The vendor by single questions: does it answer, is the key known, how far back reaches the plan, is our clock right.

At most three requests: a recent session; then, while the plan goes on, one beyond the years of each lesser plan.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from mohlcv_dagster.cli.examinations.finding import Finding, fine, warning, wrong
from mohlcv_dagster.errors import PlanError, RateLimitError, UnknownKeyError, VendorError
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.account import Probe, ProbeResult
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.settings import API_KEY, BASE_URL, REQUESTS_PER_MINUTE

SETTLED_FOR_SURE: Final = timedelta(days=7)
_BEYOND: Final = timedelta(days=31)
_UNEASY: Final = 5.0
_WRONG: Final = 60.0


def examine(api_key: str, base_url: str, clock: Clock | None = None) -> Iterator[Finding]:
    """What is found by asking.

    Args:
        api_key: as it is set.
        base_url: where to ask.
        clock: tells the time.
    """
    clock = clock or Clock()
    today = clock.now().date()
    with Probe(api_key, base_url, clock) as probe:
        recent = probe.ask(today - SETTLED_FOR_SURE)
        yield _answers(recent, base_url)
        yield from _key_and_plan(probe, recent, today)
        yield clocks(recent.ahead, clock.now())


def _answers(recent: ProbeResult, base_url: str) -> Finding:
    """Whether the vendor says anything: a refusal is an answer."""
    error, topic = recent.error, "vendor"
    if error is None or isinstance(error, (UnknownKeyError, PlanError)):
        return fine(topic, f"{base_url} answers in {recent.seconds:.2f} s")
    if isinstance(error, RateLimitError):
        cure = f"Wait a minute, and set {REQUESTS_PER_MINUTE.variable} to what your plan allows."
        return warning(topic, f"{base_url} answers that there were too many requests", cure)
    cure = f"Try again in a while. If it stays, check the network and {BASE_URL.variable}, which is {base_url}."
    return wrong(topic, str(error), cure)


def _key_and_plan(probe: Probe, recent: ProbeResult, today: date) -> Iterator[Finding]:
    if isinstance(recent.error, UnknownKeyError):
        cure = f"Copy the key again from https://massive.com/dashboard, section API Keys, into {API_KEY.variable}."
        yield wrong("key", f"the vendor does not know it ({_words(recent.error)})", cure)
    elif isinstance(recent.error, PlanError):
        cure = (
            "Second bars need Stocks Starter or higher. The vendor refuses a date in the future in the same words: see "
            "the line on the clock."
        )
        yield wrong("plan", f"it has no second bars of last week ({_words(recent.error)})", cure)
    elif recent.error is not None:
        yield warning("plan", "not known: the vendor gave no bars", "Run `mohlcv doctor` again.")
    else:
        bars = f"{recent.rows} bars in a minute of last week" if recent.rows else "no bars of last week, though"
        yield fine("key", f"known to the vendor, which gives {bars}")
        yield _reach(probe, today)


def _reach(probe: Probe, today: date) -> Finding:
    """How far back second bars are given: one request beyond the years of each plan, until one is refused."""
    bounded = [plan for plan in plans.PLANS if plan.seconds and plan.years is not None]
    for plan in bounded:
        asked = probe.ask(plan.since(today) - _BEYOND)
        if isinstance(asked.error, PlanError):
            return fine("plan", f"second bars from about {plan.since(today)} on, as {plan.name} has them")
        if asked.error is not None:
            return warning("plan", f"how far back it reaches is not known: {asked.error}", "Run `mohlcv doctor` again.")
    return fine("plan", f"second bars from before {bounded[-1].since(today)}, more than {bounded[-1].name} has")


def clocks(ahead: float | None, now: datetime) -> Finding:
    """Whether this machine's clock is the vendor's.

    Args:
        ahead: seconds that ours is ahead of theirs; `None` where theirs is not known.
        now: what ours says, UTC.
    """
    if ahead is None:
        return warning("clock", f"{now:%Y-%m-%d %H:%M:%S}Z, not compared: the vendor told no time")
    by = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's"
    found = f"{now:%Y-%m-%d %H:%M:%S}Z, {by}"
    cure = "Let the system keep its clock by NTP: which bars are complete, and which settled, is told by it."
    if abs(ahead) >= _WRONG:
        return wrong("clock", found, cure)
    if abs(ahead) >= _UNEASY:
        return warning("clock", found, cure)
    return fine("clock", f"{now:%Y-%m-%d %H:%M:%S}Z, as the vendor's")


def _words(error: VendorError) -> str:
    """The vendor's own words of an error, without the cure that ours adds."""
    return str(error).partition(". ")[0].removesuffix(".'")
