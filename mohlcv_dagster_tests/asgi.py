"""A request put to an ASGI middleware alone: no server, no socket."""

import asyncio


def exchange(middleware, scope):
    """The messages that come back for a request, and the scopes that reached the UI behind the middleware.

    `middleware` is called with the UI and gives the guarded app.
    """
    told, reached = [], []

    async def ui(scope, receive, send):
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the UI"})

    async def receive():
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    async def collect(message):
        told.append(message)

    asyncio.run(middleware(ui)(scope, receive, collect))
    return told, reached
