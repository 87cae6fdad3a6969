"""The exchange of a scenario, served in real time by a thread of this process."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from sim.scenario.schema import Scenario
from sim.world.testnet.exchange import Exchange
from sim.world.testnet.gateway import AWS_LIMITS, Gateway, SocketLimits
from tests.house import ROOT

TOKEN = "an-admin-of-these-tests"


def http(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Ask, and return status and body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, method=method, headers=headers, data=data)
    try:
        with urllib.request.urlopen(request, timeout=20) as said:
            return said.status, json.loads(said.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class Served:
    """Where it listens, and the exchange behind it."""

    def __init__(self, url: str, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.exchange = exchange
        self.loop = loop

    def call(self, function: str) -> None:
        """Run a function now, in the thread that the exchange lives in."""

        async def run() -> None:
            self.exchange.world.cloud.call(function, {})

        asyncio.run_coroutine_threadsafe(run(), self.loop).result(20)

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return http(self.url, method, path, body, **headers)


@contextmanager
def served(*settings: str, limits: SocketLimits = AWS_LIMITS) -> Iterator[Served]:
    """Serve the testnet's scenario on a free port until the block ends."""
    exchange = Exchange(Scenario.load(ROOT / "scenarios/testnet.yaml", ["chain=model", *settings]))
    loop, started = asyncio.new_event_loop(), threading.Event()
    runner = web.AppRunner(Gateway(exchange, TOKEN, limits).application(), access_log=None)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(20), "the server did not start"
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", exchange, loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
        exchange.close()
