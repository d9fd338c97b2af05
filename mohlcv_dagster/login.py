"""ASGI middleware that asks for a password (HTTP Basic) before every page, file, query and WebSocket."""

import asyncio
import base64
import binascii
import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

WAIT: Final = 1.0
"""Seconds before a wrong password is answered, so that few can be tried."""
_ASKED: Final = "The Dagster UI asks for the password in MOHLCV_UI_PASSWORD: give it with any user name.\n"
_HEADERS: Final = {"WWW-Authenticate": 'Basic realm="mohlcv", charset="UTF-8"'}


class Login:
    """ASGI middleware that answers 401 to a request without the password, and refuses such a WebSocket.

    Args:
        app: the protected application.
        password: in any characters; the user name is not looked at.
    """

    def __init__(self, app: "ASGIApp", password: str) -> None:
        self._app = app
        self._expected = sha256(password.encode()).digest()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or ask for the password."""
        given = [] if scope["type"] == "lifespan" else Headers(scope=scope).getlist("authorization")
        if scope["type"] == "lifespan" or (len(given) == 1 and self._is_right(given[0])):
            await self._app(scope, receive, send)
            return
        if given:
            await asyncio.sleep(WAIT)
        if scope["type"] == "http":
            await PlainTextResponse(_ASKED, 401, _HEADERS)(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close()

    def _is_right(self, given: str) -> bool:
        """Whether a header `Authorization` has the password; to find that out takes equally long for any."""
        scheme, _, encoded = given.partition(" ")
        try:
            text = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            return False
        _, colon, password = text.partition(b":")
        return hmac.compare_digest(sha256(password).digest(), self._expected) and bool(colon)
