"""The API key: what may be one, and how it is kept out of everything that is shown. No request is made here."""

from typing import Final

from mohlcv_dagster.errors import MissingKeyError, SettingsError, VendorError

MASK: Final = "***"
SHORTEST_MASKED: Final = 12
"""Characters; the vendor's keys have 32. A shorter one is a word such as `sandbox`, and masking it mangles messages."""


class Secret:
    """An API key that shows itself to nobody.

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
        self._hidden = len(key) >= SHORTEST_MASKED

    def reveal(self) -> str:
        """The key itself, for the client alone."""
        return self._value

    def redact(self, text: str) -> str:
        """`text` with the key masked, if it has at least `SHORTEST_MASKED` characters."""
        return text.replace(self._value, MASK) if self._hidden else text

    def redact_body(self, body: bytes) -> bytes:
        """`body` with the key masked, as `redact` does."""
        return body.replace(self._value.encode(), MASK.encode()) if self._hidden else body

    def redact_error(self, error: VendorError) -> None:
        """Mask the key in an error; drop its causes where one of them holds the key, as tracebacks print them."""
        error.args = (self.redact(str(error)),)
        error.request_id = self.redact(error.request_id) if error.request_id else error.request_id
        cause: BaseException | None = error.__cause__ or error.__context__
        while cause is not None:
            if self._hidden and self._value in f"{cause}{cause!r}":
                error.__cause__ = error.__context__ = None
                return
            cause = cause.__cause__ or cause.__context__

    def __repr__(self) -> str:
        return f"Secret({MASK})"
