"""How counts and durations are written in messages."""

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


def quantity(count: int, noun: str) -> str:
    """A count with its noun: `1 file`, `2,100 files`. The plural of `noun` must end in `s`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration in the unit that fits: `1 s` (at the least), `75 s`, `10 min`, `2.5 h`, `3.5 days`."""
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"
