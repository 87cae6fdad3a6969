"""API Gateway on 127.0.0.1: HTTP and WebSocket of the template's routes, as events of the same shapes.

What API Gateway does itself is done here: routes, the shape of an event, tokens of routes that ask
for one. Beside them are routes of the testnet's own: `/openapi.json`, `/asyncapi.json`, and below `/testnet`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from sim.kernel.template.stack import load_template
from sim.kernel.template.views import HttpRouteView
from sim.world.testnet.exchange import Exchange
from system.api import asyncapi, openapi
from system.model import keys

MAX_BODY_BYTES = 10 * 1024 * 1024  # API Gateway's own limit
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SocketLimits(NamedTuple):
    """How long a connection may say nothing, how long it may last, how many messages may wait to be read."""

    idle_s: float
    life_s: float
    backlog: int


AWS_LIMITS = SocketLimits(600, 7_200, 10_000)
"""Ten minutes and two hours are API Gateway's own. Source: its quotas for WebSocket APIs."""


def new_token() -> str:
    """Return a token for the administrator, which nobody can guess."""
    return secrets.token_urlsafe(24)


class Gateway:
    """Serves one exchange; `admin_token` opens the routes that ask for a Cognito token."""

    def __init__(self, exchange: Exchange, admin_token: str, limits: SocketLimits = AWS_LIMITS) -> None:
        self.exchange = exchange
        self.admin_token = admin_token
        self.limits = limits
        self._number = count(1)

    def application(self) -> web.Application:
        """Return the server's application; its clock runs while it is served."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_not_found])
        for route in load_template().http_routes():
            method, _, path = route.key.partition(" ")
            app.router.add_route(method, path, self._route(route))
        app.router.add_get("/live", self._socket)
        app.router.add_get("/openapi.json", _document(openapi.document()))
        app.router.add_get("/asyncapi.json", _document(asyncapi.document()))
        app.router.add_get("/testnet/status", self._status)
        app.router.add_post("/testnet/purses", self._purse)
        app.cleanup_ctx.append(self._clock)
        return app

    async def _clock(self, _app: web.Application) -> Any:
        beat = asyncio.create_task(self.exchange.beat())
        yield
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)

    def _route(self, route: HttpRouteView) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            claims = self._claims(request)
            if route.jwt and claims is None:
                return web.json_response({"message": "Unauthorized"}, status=401)
            said = await self.exchange.ask(self._event(route, request, await request.read(), claims))
            return web.Response(status=said["statusCode"], headers=said["headers"], text=said["body"])

        return serve

    def _claims(self, request: web.Request) -> dict[str, str] | None:
        told = request.headers.get("authorization", "").encode(errors="replace")
        right = hmac.compare_digest(told, f"Bearer {self.admin_token}".encode())
        return {"cognito:groups": "[admin]"} if right else None

    def _event(
        self, route: HttpRouteView, request: web.Request, body: bytes, claims: dict[str, str] | None
    ) -> dict[str, Any]:
        """Return what API Gateway would hand over, payload format 2.0."""
        context: dict[str, Any] = {
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote or "",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": f"testnet-{next(self._number)}",
            "routeKey": route.key,
            "stage": "$default",
            "timeEpoch": time.time_ns() // 1_000_000,
        }
        if claims is not None:
            context["authorizer"] = {"jwt": {"claims": claims}}
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": request.path,
            "rawQueryString": request.query_string,
            "headers": {
                name.lower(): ",".join(request.headers.getall(name)) for name in dict(request.headers)
            },
            "requestContext": context,
            "isBase64Encoded": False,
        }
        if request.query:
            event["queryStringParameters"] = {
                name: ",".join(request.query.getall(name)) for name in dict(request.query)
            }
        if request.match_info:
            event["pathParameters"] = dict(request.match_info)
        if body:
            try:
                event["body"] = body.decode()
            except UnicodeDecodeError:
                event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        return event

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """One connection: frames in are routes, news goes out in its order. Rule: SOCK-005."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        connection, door, limits = f"testnet-{next(self._number)}", self.exchange.world.door, self.limits
        news: asyncio.Queue[bytes] = asyncio.Queue(limits.backlog)

        def hear(data: bytes) -> None:
            if not news.full():
                news.put_nowait(data)
            elif request.transport is not None:  # whoever does not read cannot be told why
                request.transport.abort()

        door.connect(connection, hear)
        sender = asyncio.create_task(_send(socket, news))
        now = asyncio.get_running_loop().time
        ends = now() + limits.life_s
        try:
            async with asyncio.timeout_at(min(now() + limits.idle_s, ends)) as patience:
                async for frame in socket:
                    if frame.type is WSMsgType.TEXT:
                        door.say(connection, frame.data)
                        patience.reschedule(min(now() + limits.idle_s, ends))
        except TimeoutError:
            await socket.close(code=WSCloseCode.GOING_AWAY)
        finally:
            sender.cancel()
            door.disconnect(connection)
        return socket

    async def _status(self, _request: web.Request) -> web.Response:
        world = self.exchange.world
        assert world.backend is not None
        trades = world.backend.scan(keys.TRADES)
        said = {
            "pid": os.getpid(),
            "now_ns": world.timeline.now_ns(),
            "backend": world.scenario.backend,
            "chain": world.scenario.chain,
            "markets": sorted(world.specs),
            "blocks": world.blocks,
            "trades": len(trades),
            "unsettled": world.unsettled(),
            "busy": world.unfinished(),
        }
        return web.json_response(said, dumps=_dumps)

    async def _purse(self, request: web.Request) -> web.Response:
        """A wallet by name, with money: {"name": ..., "usdc": whole USDC}. Its key is a test key."""
        try:
            body = orjson.loads(await request.read())
            name, usdc = str(body["name"]), int(body["usdc"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            detail = 'expected {"name": "ann", "usdc": 1000}'
            return web.json_response({"detail": detail}, status=400)
        if not (0 < len(name) <= 40 and 0 < usdc <= 10**9):
            detail = "name: expected 1 to 40 characters; usdc: expected 1 to 1000000000"
            return web.json_response({"detail": detail}, status=400)
        purse = self.exchange.purse(name, usdc * 10**6)
        said = {
            "name": name,
            "account": purse.account,
            "trader": purse.trader,
            "private_key": "0x" + purse.private_key.hex(),
        }
        return web.json_response(said, status=201)


def _document(document: dict[str, Any]) -> Handler:
    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.json_response(document, dumps=_dumps)

    return serve


async def _send(socket: web.WebSocketResponse, news: asyncio.Queue[bytes]) -> None:
    while True:
        await socket.send_str((await news.get()).decode())


@web.middleware
async def _not_found(request: web.Request, handler: Handler) -> web.StreamResponse:
    """API Gateway knows no 405: what is no route is not found."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return web.json_response({"message": "Not Found"}, status=404)
    except web.HTTPRequestEntityTooLarge:
        return web.json_response({"message": "Request Too Long"}, status=413)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
