"""ASGI middleware that answers only a server's own pages, and programs other than browsers.

Any web page that is open in the same browser can send requests to the Dagster UI and to the sandbox. Dagster's
webserver checks neither the host nor the origin of a request, and executes a GraphQL mutation sent by GET or by a form.
"""

import ipaddress
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRAPHQL: Final = "/graphql"
JSON: Final = "application/json"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_PORTS: Final = {"http": 80, "https": 443}
_CURE: Final = (
    "open one of these, or name the host that it is to listen on with `mohlcv up --host`, or set MOHLCV_UI_URL to the "
    "address that a proxy gives it"
)
ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with
"""What a server listens on that listens on all addresses of the machine."""


def authority(host: str, port: int | None, scheme: str = "http") -> str:
    """A host and port as a browser writes them in the header `Host`: `[::1]:3000`, without the scheme's own port."""
    name = f"[{host}]" if ":" in host else host.lower()
    return name if port in {None, _PORTS[scheme]} else f"{name}:{port}"


class SameOrigin:
    """ASGI middleware that answers 403, with one sentence, to what another web page may have sent.

    Args:
        app: the protected application.
        host: the address or name that the server listens on. One that other computers reach has the machine's own name
            too, and one for all addresses answers to every address: no attacker's name can be one.
        port: its port.
        address: another by which a proxy makes it known, such as `https://bars.example.com`.
        name: what it is, for the messages.
        cure: what to do about a host that is refused.
    """

    def __init__(  # noqa: PLR0913 - all but three are named
        self,
        app: "ASGIApp",
        host: str,
        port: int,
        *,
        address: str | None = None,
        name: str = "The Dagster UI",
        cure: str = _CURE,
    ) -> None:
        self._app = app
        self._port = port
        self._name = name
        self._cure = cure
        names = (host, *_LOOPBACK) if host.lower() in _LOOPBACK else (host, *_LOOPBACK, socket.gethostname())
        self._origins = {authority(each, port): f"http://{authority(each, port)}" for each in names}
        if address is not None:
            url = urlsplit(address)
            known = authority(url.hostname or "", url.port, url.scheme)
            self._origins[known] = f"{url.scheme}://{known}"
        self._takes_addresses = host in ANY_ADDRESS

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif reason := self._refusal(scope):
            await _refuse(reason, scope, receive, send)
        else:
            await self._app(_without_query(scope), receive, _not_framed(send))

    def _refusal(self, scope: "Scope") -> str | None:
        """Why a request is refused, with the cure; `None` for one that is answered."""
        headers = Headers(scope=scope)
        hosts = [each.lower() for each in headers.getlist("host")]
        own = self._own_origin(hosts[0]) if len(hosts) == 1 else None
        if own is None:
            return (
                f"{self._name} does not answer to the host {', '.join(hosts)!r}, only to {', '.join(self._origins)}: "
                f"{self._cure}"
            )
        if reason := _foreign_page(headers, own):
            return f"{self._name} does not answer to {reason}, only to its own: open {own}"
        reason = _not_json(scope["method"], headers, scope["path"]) if scope["type"] == "http" else None
        return reason and f"{self._name} {reason}"

    def _own_origin(self, host: str) -> str | None:
        """The origin of the server's pages under this host, `None` for an attacker's name.

        A name of his that resolves to this machine (DNS rebinding) would make his page one of the same origin.
        """
        if self._takes_addresses and _is_address(host, self._port):
            return f"http://{host}"
        return self._origins.get(host)


def _is_address(host: str, port: int) -> bool:
    """Whether a host is an IP address with this port."""
    name = host.removesuffix(f":{port}").strip("[]")
    try:
        return authority(str(ipaddress.ip_address(name)), port) == host
    except ValueError:
        return False


def _foreign_page(headers: Headers, own: str) -> str | None:
    """What page has sent this that is none of `own`, if one has.

    By `Origin`, and by `Sec-Fetch-Site` where there is none, as for an image.
    """
    for origin in headers.getlist("origin"):
        if origin.lower() != own:
            return f"pages of the origin {origin!r}"
    site = headers.get("sec-fetch-site", "none")
    return None if site in _OWN_SITES or _is_link(headers) else f"other pages (the request is {site!r})"


def _is_link(headers: Headers) -> bool:
    """Whether the browser opens this page from a link: in a tab, not in a frame."""
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")


def _not_json(method: str, headers: Headers, path: str) -> str | None:
    """Refuse what a page may send to any origin without a preflight request: forms, and GraphQL by GET."""
    content = headers.get("content-type", "")
    if method not in _SAFE_METHODS and content.partition(";")[0].strip().lower() != JSON:
        return f"takes only JSON, and this {method} has the content type {content!r}: send it as {JSON}"
    if method in _SAFE_METHODS and _is_graphql(path) and not _wants_page(headers):
        return f"executes no GraphQL by {method}: send it by POST, with the content type {JSON}"
    return None


def _is_graphql(path: str) -> bool:
    return path.rstrip("/") == GRAPHQL


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _without_query(scope: "Scope") -> "Scope":
    """The request without a GraphQL query in its URL: the GraphQL editor reads that in the browser."""
    return {**scope, "query_string": b""} if _is_graphql(scope["path"]) else scope


def _not_framed(send: "Send") -> "Send":
    """Answers that no other page can show in a frame, to have the user click in it unawares.

    Over plain HTTP from another computer a browser does not say that a page is for a frame.
    """

    async def send_with_header(message: "Message") -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"x-frame-options", b"SAMEORIGIN")]}
        await send(message)

    return send_with_header


async def _refuse(reason: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Answer 403; the server does so for a WebSocket that is closed before it is accepted."""
    if scope["type"] == "http":
        response = PlainTextResponse(f"{reason}.\n", 403, {"X-Content-Type-Options": "nosniff"})
        await response(scope, receive, send)
    else:
        await WebSocket(scope, receive, send).close()
