"""What the one who launches a run may order by its tags; in the UI under *Tags* of the launch dialog.

``mohlcv/force = true``
    download whole months, also where a part would do.
``mohlcv/accept_loss = true``
    replace a stored month even where the vendor's new answer lacks settled bars of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from mohlcv_dagster.errors import InputError

FORCE: Final = "mohlcv/force"
ACCEPT_LOSS: Final = "mohlcv/accept_loss"

_TRUTH: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class Orders:
    """What was ordered.

    Attributes:
        force: download whole months.
        accept_loss: let settled bars be lost.
    """

    force: bool = False
    accept_loss: bool = False

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Self:
        """The orders in the tags of a run.

        Raises:
            InputError: one of them is neither `true` nor `false`.
        """
        return cls(_told(tags, FORCE), _told(tags, ACCEPT_LOSS))

    def tags(self) -> dict[str, str]:
        """The tags that give these orders to a run."""
        given = {FORCE: self.force, ACCEPT_LOSS: self.accept_loss}
        return {name: "true" for name, ordered in given.items() if ordered}


NO_ORDERS: Final = Orders()


def _told(tags: Mapping[str, str], name: str) -> bool:
    text = tags.get(name, "false")
    if text.lower() not in _TRUTH:
        raise InputError(f"the run's tag {name} is {text!r}; write true or false, or leave it away")
    return _TRUTH[text.lower()]
