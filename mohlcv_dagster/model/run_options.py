"""The options of a run, set by its tags; in the UI under *Tags* of the launch dialog.

``mohlcv/force = true``
    download complete months, also where a part would do.
``mohlcv/accept_loss = true``
    replace a stored month even where the vendor's new answer lacks final bars of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from mohlcv_dagster.errors import InputError

FORCE: Final = "mohlcv/force"
ACCEPT_LOSS: Final = "mohlcv/accept_loss"
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class RunOptions:
    """The options of a run.

    Attributes:
        force: download whole months.
        accept_loss: let final bars be lost.
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
