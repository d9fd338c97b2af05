"""ASGI middleware that answers only the Dagster UI's own pages, and programs other than browsers.

The UI has no login, and any web page that is open in the same browser can send requests to it. Dagster's webserver
checks neither the host nor the origin of a request, and executes a GraphQL mutation sent by GET or by a form.
"""

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

GRAPHQL: Final = "/graphql"
JSON: Final = "application/json"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_HTTP_PORT: Final = 80


def authority(host: str, port: int) -> str:
    """A host and port as a browser writes them in the header `Host`: `[::1]:3000`; port 80 is left out."""
    name = f"[{host}]" if ":" in host else host.lower()
    return name if port == _HTTP_PORT else f"{name}:{port}"


class SameOrigin:
    """ASGI middleware that answers 403, with one sentence, to what another web page may have sent.

    Args:
        app: the protected application.
        host: the address or name that the server listens on.
        port: its port.
    """

    def __init__(self, app: "ASGIApp", host: str, port: int) -> None:
        self._app = app
        self._hosts = tuple(dict.fromkeys(authority(each, port) for each in (host, *_LOOPBACK)))

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif reason := self._refusal(scope):
            await _refuse(reason, scope, receive, send)
        else:
            await self._app(_without_query(scope), receive, send)

    def _refusal(self, scope: "Scope") -> str | None:
        """Why a request is refused, with the cure; `None` for one that is answered."""
        headers = Headers(scope=scope)
        if reason := self._foreign_host(headers) or _foreign_page(headers):
            return reason
        return _not_json(scope["method"], headers, scope["path"]) if scope["type"] == "http" else None

    def _foreign_host(self, headers: Headers) -> str | None:
        """An attacker's host name that resolves to this machine (DNS rebinding) would make its page same-origin."""
        hosts = [each.lower() for each in headers.getlist("host")]
        if len(hosts) == 1 and hosts[0] in self._hosts:
            return None
        return (
            f"The Dagster UI does not answer to the host {', '.join(hosts)!r}, only to {', '.join(self._hosts)}: "
            "open one of these, or name the host that it is to listen on with `mohlcv up --host`"
        )


def _foreign_page(headers: Headers) -> str | None:
    """Refuse what another page sent, by `Origin`, and by `Sec-Fetch-Site` where there is none, as for an image."""
    own = f"http://{headers['host'].lower()}"
    for origin in headers.getlist("origin"):
        if origin.lower() != own:
            return f"The Dagster UI does not answer to pages of the origin {origin!r}, only to its own: open {own}"
    site = headers.get("sec-fetch-site", "none")
    if site in _OWN_SITES or _is_link(headers):
        return None
    return f"The Dagster UI does not answer to other pages (the request is {site!r}), only to its own: open {own}"


def _is_link(headers: Headers) -> bool:
    """Whether the browser opens this page from a link: in a tab, not in a frame."""
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")


def _not_json(method: str, headers: Headers, path: str) -> str | None:
    """Refuse what a page may send to any origin without a preflight request: forms, and GraphQL by GET."""
    content = headers.get("content-type", "")
    if method not in _SAFE_METHODS and content.partition(";")[0].strip().lower() != JSON:
        return f"The Dagster UI takes only JSON, and this {method} has the content type {content!r}: send it as {JSON}"
    if method in _SAFE_METHODS and _is_graphql(path) and not _wants_page(headers):
        return f"The Dagster UI executes no GraphQL by {method}: send it by POST, with the content type {JSON}"
    return None


def _is_graphql(path: str) -> bool:
    return path.rstrip("/") == GRAPHQL


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _without_query(scope: "Scope") -> "Scope":
    """The request without a GraphQL query in its URL: the GraphQL editor reads that in the browser."""
    return {**scope, "query_string": b""} if _is_graphql(scope["path"]) else scope


async def _refuse(reason: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Answer 403; the server does so for a WebSocket that is closed before it is accepted."""
    if scope["type"] == "http":
        response = PlainTextResponse(f"{reason}.\n", 403, {"X-Content-Type-Options": "nosniff"})
        await response(scope, receive, send)
    else:
        await WebSocket(scope, receive, send).close()
