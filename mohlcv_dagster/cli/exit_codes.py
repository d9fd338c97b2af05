"""The exit codes of `mohlcv`. The command, its help and docs/exit-codes.md are made from this table."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How a command ends.

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

    DONE = 0, "success"
    FAILED = (
        1,
        "something failed; the message has the reason",
        "The message also gives the cure. A month that failed left its stored file unchanged.",
    )
    UNUSABLE = (
        2,
        "the command line or a setting is invalid",
        "The message names the option or the variable. Nothing was started.",
    )
    INTERRUPTED = (
        130,
        "interrupted with Ctrl-C",
        "Finished work is kept; run the same command again to continue.",
    )
    UNREAD = (
        141,
        "the reader of the output closed it early, as `head` does",
        "Nothing to do where that was intended.",
    )


def epilog() -> str:
    """The table at the end of `mohlcv --help`."""
    # \b makes click keep the line breaks of a paragraph
    return "\b\nExit codes:\n" + "\n".join(f"  {code.value:<4} {code.meaning}" for code in ExitCode)
