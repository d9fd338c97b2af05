"""The exit codes of `mohlcv`, once: the command, its help and docs/exit-codes.md are made of this table."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How the command leaves.

    Attributes:
        meaning: what happened, a clause.
        cure: what to do, a sentence; empty where there is nothing to do.
    """

    meaning: str
    cure: str

    def __new__(cls, code: int, meaning: str, cure: str = "") -> Self:
        """A code with its words."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        made.cure = cure
        return made

    DONE = 0, "all is well"
    FAILED = (
        1,
        "something failed, and was said",
        "The message names what, and the cure. A month that failed left its former file as it was.",
    )
    UNUSABLE = (
        2,
        "the command line or a setting cannot be meant",
        "The message names the option or the variable. Nothing was begun.",
    )
    INTERRUPTED = (
        130,
        "interrupted with Ctrl-C",
        "What was finished is kept; the same command goes on from there.",
    )
    UNREAD = (
        141,
        "whoever read the output left first, as `head` does",
        "Nothing to do where that was meant.",
    )


def epilog() -> str:
    """The table as the end of `mohlcv --help` has it."""
    # \b is click's mark for a paragraph kept as it is
    return "\b\nExit codes:\n" + "\n".join(f"  {code.value:<4} {code.meaning}" for code in ExitCode)
