"""Who gets what: a request in, bars or a refusal out, with the fault it met. Neither HTTP nor how bytes travel."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.sandbox import answers, reference
from mohlcv_dagster.sandbox import query as queries
from mohlcv_dagster.sandbox.answers import Answer, Refusal
from mohlcv_dagster.sandbox.faults import Fault, Faults
from mohlcv_dagster.sandbox.ledger import Ledger
from mohlcv_dagster.sandbox.query import Query


@dataclass(frozen=True)
class Reply:
    """What one request is told.

    Attributes:
        told: bars, or why there are none.
        fault: the fault met; `None` where all went well.
        key: equal for answers of equal rows; `None` where the rows are not the market's own.
    """

    told: Answer | Refusal
    fault: Fault | None = None
    key: tuple[object, ...] | None = None


class Desk:
    """Decides what each request is told; safe to share between threads.

    Args:
        ledger: where pages come from.
        faults: the faults in force.
        keys: the API keys that are known; none means that any will do.
        clock: Unix seconds, now: what lies ahead does not exist.
    """

    def __init__(self, ledger: Ledger, faults: Faults, keys: Collection[str], clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._faults = faults
        self._keys = frozenset(keys)
        self._clock = clock

    def reply(self, key: str, path: Mapping[str, str], parameters: Mapping[str, str]) -> Reply:
        """The reply to a request for bars.

        Args:
            key: the API key given, empty for none.
            path: the parts of the path, see `query.parse`.
            parameters: those of the query string.
        """
        refused = self._key_refused(key)
        if refused is not None:
            return Reply(refused)
        now = int(self._clock() * 1000)
        try:
            query = queries.parse(path, parameters)
            return Reply(answers.not_entitled()) if query.begins > now else self._bars(query, path["to"], now)
        except InputError as error:
            return Reply(answers.error(400, str(error)))

    def reference(self, document: str, key: str, path: Mapping[str, str], parameters: Mapping[str, str]) -> Reply:
        """The reply to a request for a document of the reference.

        Args:
            document: one of `reference.ROUTES`.
            key: the API key given, empty for none.
            path: the parts of the path.
            parameters: those of the query string.
        """
        refused = self._key_refused(key)
        if refused is not None:
            return Reply(refused)
        fault = self._faults.strike_reference(document, path.get("ticker") or parameters.get("ticker", ""))
        if fault is not None and fault.kind.refuse is not None:
            return Reply(fault.kind.refuse(fault.seconds), fault)
        try:
            return Reply(reference.answer(self._ledger.market, document, path, parameters, self._clock()), fault)
        except ValueError as error:
            return Reply(answers.error(400, f"Could not parse a parameter: {error}"))

    def _key_refused(self, key: str) -> Refusal | None:
        if not key:
            return answers.error(401, "API Key was not provided")
        return answers.error(401, "Unknown API Key") if self._keys and key not in self._keys else None

    def _bars(self, query: Query, to: str, now: int) -> Reply:
        page = self._ledger.page(query, now)
        fault = self._faults.strike(query, page.count)
        key = (query, to, page.count, page.final)
        if fault is None:
            return Reply(answers.of_page(query, to, page), key=key)
        kind = fault.kind
        if kind.refuse is not None:
            return Reply(kind.refuse(fault.seconds), fault)
        if kind.ask is not None:
            query = kind.ask(query)
            return Reply(answers.of_page(query, to, self._ledger.page(query, now)), fault)
        answer = answers.of_page(query, to, page)
        return Reply(kind.retell(answer) if kind.retell is not None else answer, fault)
