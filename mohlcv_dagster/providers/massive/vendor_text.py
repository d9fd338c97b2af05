"""What the vendor says, made safe to show and to store: the API key masked, the rest escaped and cut.

Every string of a body, a header or an error goes through `Secret.printable` where it is read, so that what comes after
(messages, logs, the manifest, Dagster's databases) cannot hold the key, control a terminal, or be of any length.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from mohlcv_dagster.errors import MissingKeyError, SettingsError, VendorError
from mohlcv_dagster.formatting import escaped, printable

ToPrintable: TypeAlias = Callable[[str], str]
"""Makes a text of the vendor safe: `Secret.printable`, or `formatting.printable` where no key is known."""

MASK: Final = "***"
SHORTEST_MASKED: Final = 12
"""Characters; the vendor's keys have 32. A shorter one is a word such as `sandbox`, and masking it mangles messages."""
_MOST_SEARCHED: Final = 20_000
"""Characters of a text that are searched for the key: more than are shown, also where each key in them is masked."""
_BITS_OF_A_BYTE, _BITS_OF_A_DIGIT = 8, 6


class Secret:
    """An API key that is never shown.

    Args:
        value: the key; blanks around it are dropped.

    Raises:
        MissingKeyError: it is empty.
        SettingsError: it cannot be sent in a header.
    """

    def __init__(self, value: str) -> None:
        key = value.strip()
        if not key:
            raise MissingKeyError(
                "no API key: write MASSIVE_API_KEY=your-key into the file `.env` of the project, "
                "or set the variable MASSIVE_API_KEY in the environment"
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise SettingsError(
                "MASSIVE_API_KEY holds a blank, a control character or one outside ASCII: copy the key again"
            )
        self._value = key
        self._spellings = _spellings(key) if len(key) >= SHORTEST_MASKED else None

    def reveal(self) -> str:
        """The key itself, for the client alone."""
        return self._value

    def redact(self, text: str) -> str:
        """`text` with the key masked in all its spellings, if it has at least `SHORTEST_MASKED` characters."""
        return text if self._spellings is None else self._spellings.sub(MASK, text)

    def printable(self, text: str) -> str:
        """A text of the vendor with the key masked, escaped and cut; see `formatting.printable`."""
        return printable(self.redact(text[:_MOST_SEARCHED]))

    def redact_error(self, error: VendorError) -> None:
        """Mask the key in an error and escape it; drop its causes where one could not be shown as it is."""
        error.args = (escaped(self.redact(str(error))),)
        error.request_id = self.printable(error.request_id) if error.request_id else error.request_id
        cause: BaseException | None = error.__cause__ or error.__context__
        while cause is not None:
            if any(self.printable(text) != text for text in (str(cause), repr(cause))):
                error.__cause__ = error.__context__ = None
                return
            cause = cause.__cause__ or cause.__context__

    def __repr__(self) -> str:
        return f"Secret({MASK})"


def _spellings(key: str) -> re.Pattern[str]:
    """The key as it is, with any characters escaped as in a URL, in JSON or in HTML; in base64; in hexadecimal."""
    each_way = "".join(
        rf"(?:{re.escape(each)}|(?i:%{ord(each):02x}|\\u{ord(each):04x}|&\#(?:{ord(each)}|x{ord(each):x});))"
        for each in key
    )
    return re.compile("|".join([each_way, f"(?i:{key.encode().hex()})", *map(re.escape, set(_in_base64(key)))]))


def _in_base64(key: str) -> Iterator[str]:
    """What is the same in base64 of any text with the key inside, which begins at one of three places in a group."""
    for shift in range(3):
        bits = shift * _BITS_OF_A_BYTE, (shift + len(key)) * _BITS_OF_A_BYTE
        own = slice(-(-bits[0] // _BITS_OF_A_DIGIT), bits[1] // _BITS_OF_A_DIGIT)
        yield base64.b64encode(b"\0" * shift + key.encode()).decode()[own]
        yield base64.urlsafe_b64encode(b"\0" * shift + key.encode()).decode()[own]


def all_printable(value: Any, to_printable: ToPrintable) -> Any:  # noqa: ANN401  # whatever JSON may hold
    """A JSON value with each text in it made printable, names of members too.

    Raises:
        RecursionError: it is nested deeper than Python goes.
    """
    if isinstance(value, str):
        return to_printable(value)
    if isinstance(value, list):
        return [all_printable(each, to_printable) for each in value]
    if isinstance(value, dict):
        return {to_printable(name): all_printable(each, to_printable) for name, each in value.items()}
    return value


@dataclass(frozen=True)
class VendorWords:
    """What an answer other than bars says, made printable.

    Attributes:
        words: in quotes; `no words` where there are none.
        status: such as `NOT_AUTHORIZED`; `None` where the answer is not the vendor's JSON, but a gateway's.
        request_id: the vendor's; `None` where it gave none.
    """

    words: str
    status: str | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, body: bytes, to_printable: ToPrintable) -> Self:
        """Read a body, whatever it is."""
        text = body.decode("utf-8", "replace").strip()
        try:
            document = all_printable(json.loads(text), to_printable)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            return cls(repr(to_printable(text)) if text else "no words")
        words = document.get("error") or document.get("message") or document.get("status") or "no words"
        status, request_id = document.get("status"), document.get("request_id")
        return cls(
            repr(printable(str(words))),
            status if isinstance(status, str) else None,
            printable(str(request_id)) if request_id else None,
        )
