"""A finding: what was looked at, how it is, what was found and what cures it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How something is."""

    FINE = "fine"
    """As it should be."""
    WARNING = "warning"
    """It may be meant, or does not keep anything from working now."""
    WRONG = "wrong"
    """Something will not work."""


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        topic: what was looked at, a word or two.
        verdict: how it is.
        found: what was found, a clause with the value.
        cure: what to do, a sentence; empty where there is nothing to do.
    """

    topic: str
    verdict: Verdict
    found: str
    cure: str = ""


def fine(topic: str, found: str) -> Finding:
    """A finding that is as it should be."""
    return Finding(topic, Verdict.FINE, found)


def warning(topic: str, found: str, cure: str = "") -> Finding:
    """A finding that may be meant."""
    return Finding(topic, Verdict.WARNING, found, cure)


def wrong(topic: str, found: str, cure: str) -> Finding:
    """A finding that keeps something from working."""
    return Finding(topic, Verdict.WRONG, found, cure)
