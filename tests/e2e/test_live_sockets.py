"""How long a real WebSocket lives: as long as it says something, not for ever, and while it is read."""

from __future__ import annotations

import asyncio

import aiohttp

from sim.world.testnet.gateway import SocketLimits
from system.model import keys
from tests.e2e.served import Served, served
from tests.rules import rule

PING = '{"action":"ping"}'
HEARD_S = 20


def connections(here: Served) -> int:
    assert here.exchange.world.backend is not None
    rows = here.exchange.world.backend.scan(keys.WS_CONNECTIONS)
    return sum(row["PK"].startswith("WS#testnet-") for row in rows)  # others are traders of the testnet


async def closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read until the other side hangs up; return the code that it gives."""
    async with asyncio.timeout(HEARD_S):
        async for _ in socket:
            pass
    return socket.close_code


@rule("SOCK-003", "SOCK-005")
def test_who_says_nothing_is_hung_up_on_and_who_pings_is_not() -> None:
    async def talk(here: Served) -> None:
        async with aiohttp.ClientSession() as session:
            silent = await session.ws_connect(here.url + "/live")
            lively = await session.ws_connect(here.url + "/live")
            hung_up = asyncio.create_task(closed(silent))
            while not hung_up.done():
                await lively.send_str(PING)
                assert await lively.receive_json(timeout=HEARD_S) == {"kind": "pong", "channels": {}}
                await asyncio.sleep(0.1)
            assert await hung_up == aiohttp.WSCloseCode.GOING_AWAY
            await lively.send_str(PING)
            assert (await lively.receive_json(timeout=HEARD_S))["kind"] == "pong"
            assert connections(here) == 1
            await lively.close()

    with served(limits=SocketLimits(idle_s=2, life_s=600, backlog=100)) as here:
        asyncio.run(talk(here))


@rule("SOCK-005")
def test_nobody_stays_for_ever() -> None:
    async def talk(here: Served) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(here.url + "/live") as socket:
            await socket.send_str(PING)
            assert await closed(socket) == aiohttp.WSCloseCode.GOING_AWAY

    with served(limits=SocketLimits(idle_s=600, life_s=1, backlog=100)) as here:
        asyncio.run(talk(here))


@rule("SOCK-005")
def test_who_does_not_read_is_hung_up_on() -> None:
    async def talk(here: Served) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(here.url + "/live") as socket:
            await socket.send_str(PING)
            assert (await socket.receive_json(timeout=HEARD_S))["kind"] == "pong"
            (hear,) = [each for name, each in here.exchange.world.cloud.sockets.items() if "testnet" in name]

            def too_much() -> None:
                for _ in range(4):  # at one instant: the sender has no time in between
                    hear(b"{}")

            here.loop.call_soon_threadsafe(too_much)
            assert await closed(socket) == aiohttp.WSCloseCode.ABNORMAL_CLOSURE

    with served(limits=SocketLimits(idle_s=600, life_s=600, backlog=3)) as here:
        asyncio.run(talk(here))
