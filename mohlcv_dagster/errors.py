"""Every error that this package raises on purpose. The type shows whether trying again helps.

::

    MohlcvError
    ├── InputError                  what was requested is invalid: change it
    │   ├── SymbolError
    │   ├── MonthError
    │   │   └── MonthInFutureError
    │   ├── TimeframeError
    │   ├── CalendarError
    │   └── SettingsError
    │       └── MissingKeyError
    ├── FileError                   a stored file is missing, invalid or not writable
    │   ├── FileMissingError
    │   ├── NotRegularFileError     a pipe, device, folder or loop of links is in the place of a file
    │   ├── CsvFormatError
    │   ├── ManifestEntryError      a manifest entry cannot be read
    │   ├── FileNameClashError
    │   ├── OverwrittenError        another process or host stored other bytes of the same partition meanwhile
    │   └── DiskFullError           the disk takes no more bytes, of any file
    ├── BarsError                   bars that cannot be processed exactly
    │   ├── UnsortedBarsError
    │   ├── VolumePrecisionError
    │   ├── FailedRulesError        a file fails rules that resampling it depends on
    │   ├── CannotRepairError       a file that cannot be rewritten without loss
    │   └── BarsLostError           a new answer lacks final bars that are stored
    ├── HomeError                   Dagster's home cannot be opened or written
    ├── AlertError                  an alert could not be delivered
    └── VendorError                 the vendor's answer; has its `request_id` where there was one
        ├── VendorRefusedError      final: trying again does not help
        │   ├── UnknownKeyError
        │   ├── PlanError
        │   ├── BadRequestError
        │   └── UntrustedCertificateError
        ├── VendorUnavailableError  trying again later helps
        │   ├── RateLimitError
        │   ├── ServerError
        │   ├── UnreachableError
        │   └── DeadlineError
        ├── IncompletePageError     a 200 that could not be verified, time after time
        ├── ConflictingBarsError    two answers that contradict each other
        └── NoTradesError           proven empty, and no such symbol is known

A message says what was wrong, with the value, and what cures it. It never holds the API key.
"""


class MohlcvError(Exception):
    """Any error this package raises on purpose."""


class InputError(MohlcvError, ValueError):
    """What was requested is invalid."""


class SymbolError(InputError):
    """Not a symbol that can be requested and stored."""


class MonthError(InputError):
    """Not a month, or one that cannot be requested."""


class MonthInFutureError(MonthError):
    """The month has not begun yet."""


class TimeframeError(InputError):
    """Not a timeframe that is offered."""


class CalendarError(InputError):
    """An override of the exchange calendar is invalid."""


class SettingsError(InputError):
    """A setting has an invalid value."""


class MissingKeyError(SettingsError):
    """No API key was given."""


class FileError(MohlcvError):
    """A stored file is missing, invalid or not writable."""


class FileMissingError(FileError):
    """The file does not exist."""


class NotRegularFileError(FileError):
    """Not a regular file: a pipe or a device would be waited for without end, and must not be replaced."""


class CsvFormatError(FileError):
    """The bytes are not a CSV file of bars."""


class ManifestEntryError(FileError):
    """The bytes are not a manifest entry."""


class FileNameClashError(FileError):
    """Two symbols would share one file on this disk."""


class OverwrittenError(FileError):
    """Another process or host stored other bytes of the same partition at the same moment, and they stay."""


class DiskFullError(FileError):
    """The disk takes no more bytes: it is full, a quota is used up, or it is read-only."""


class BarsError(MohlcvError, ValueError):
    """Bars that cannot be processed exactly."""


class UnsortedBarsError(BarsError):
    """Timestamps do not rise strictly."""


class VolumePrecisionError(BarsError):
    """A volume has more decimals than can be summed exactly."""


class FailedRulesError(BarsError):
    """A file fails rules that resampling it depends on."""


class CannotRepairError(BarsError):
    """A file cannot be brought into the contract's form without losing bars, or without choosing between two."""


class BarsLostError(BarsError):
    """The vendor's new answer lacks final bars that are stored."""


class HomeError(MohlcvError):
    """Dagster's home cannot be opened or written.

    Attributes:
        found: what is wrong with it, a clause with its path.
        cure: what to do, a clause.
    """

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(f"{found}: {cure}")
        self.found = found
        self.cure = cure


class AlertError(MohlcvError):
    """An alert could not be delivered."""


class VendorError(MohlcvError):
    """The vendor's answer was not bars.

    Attributes:
        request_id: the vendor's id of the answer, to quote to its support; `None` where there was none.
        status: the HTTP status; `None` where no answer came.
    """

    def __init__(self, message: str, *, request_id: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.status = status


class VendorRefusedError(VendorError):
    """Final: the same request will be refused again."""


class UnknownKeyError(VendorRefusedError):
    """The vendor does not know this API key."""


class PlanError(VendorRefusedError):
    """The subscription does not reach these bars."""


class BadRequestError(VendorRefusedError):
    """The vendor, or a gateway before it, calls the request wrong, or finds nothing under it."""


class UntrustedCertificateError(VendorRefusedError):
    """The certificate of the other side is not trusted: the vendor was not asked."""


class VendorUnavailableError(VendorError):
    """Transient: trying again later helps.

    Attributes:
        retry_after: seconds the vendor asked to wait; `None` where it named none.
    """

    def __init__(
        self,
        message: str,
        *,
        request_id: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id, status=status)
        self.retry_after = retry_after


class RateLimitError(VendorUnavailableError):
    """Too many requests for the plan, for now."""


class ServerError(VendorUnavailableError):
    """The vendor, or a gateway before it, failed."""


class UnreachableError(VendorUnavailableError):
    """No connection, or one that broke."""


class DeadlineError(VendorUnavailableError):
    """The time allowed for an answer ran out."""


class IncompletePageError(VendorError):
    """An answer of 200 that could not be verified to be complete."""


class ConflictingBarsError(VendorError):
    """Two answers that give different bars for the same second."""


class NoTradesError(VendorError):
    """The vendor has no bars, and knows no such symbol; or it had some and has none now.

    Attributes:
        pages: how many pages the span was requested in, each complete and empty.
    """

    def __init__(
        self, message: str, *, pages: int = 0, request_id: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, request_id=request_id, status=status)
        self.pages = pages
