"""The exchange in real time: a wallet's order, its fill and its news, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from system.model import typed_data
from system.model.units import NS
from tests.e2e.served import TOKEN, Served, http, served

E6, E8 = 10**6, 10**8
DEXSIM = Path(sys.executable).with_name("dexsim")


def order(purse: dict[str, Any], domain: typed_data.Domain, nonce: int) -> dict[str, Any]:
    """Return a signed order of 0.001 BTC that takes what is there, a little above the market."""
    body = {
        "type": "limit",
        "symbol": "BTC-PERP",
        "side": "BUY",
        "tif": "IOC",
        "qty_e8": E8 // 1000,
        "limit_price_e6": 61_500 * E6,
        "account": purse["account"],
        "nonce": nonce,
    }
    digest = typed_data.order_digest(
        typed_data.domain_separator(domain),
        purse["account"],
        0,
        typed_data.instrument_hash(typed_data.KIND_PERP, "BTC-PERP"),
        typed_data.SIDE_BUY,
        typed_data.tif_bits("IOC", False, False, False),
        body["qty_e8"],
        body["limit_price_e6"],
        0,
        nonce,
        50,
    )
    key = bytes.fromhex(purse["private_key"][2:])
    return {**body, "signature": "0x" + typed_data.sign(digest, key).hex()}


def until(true: Any, what: str, seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: nothing in {seconds} s")


async def news_of(here: Served, channels: list[str], act: Any, kinds: set[str]) -> list[dict[str, Any]]:
    """Listen, act, and return what was said until every kind has come."""
    heard: list[dict[str, Any]] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(here.url + "/live") as socket:
        await socket.send_str("no JSON")  # is refused, and the connection lives on
        await socket.send_json({"action": "subscribe", "channels": channels})
        await asyncio.sleep(1.2)  # no list of subscribers is older than a second
        await asyncio.to_thread(act)
        async with asyncio.timeout(20):
            while not kinds <= {message["kind"] for message in heard}:
                heard.append(await socket.receive_json())
    assert [message["kind"] for message in heard if "channel" not in message] == ["refused", "subscribed"]
    return [message for message in heard if "channel" in message]


def test_from_a_wallet_to_a_fill_and_its_news() -> None:
    with served("block_time=1 s") as here:
        status, purse = here.http("POST", "/testnet/purses", {"name": "ann", "usdc": 5_000})
        assert status == 201
        # deposits are seen by the minute's watch; here nobody waits for the minute
        world = here.exchange.world

        def credited() -> bool:
            here.call("settle_watch")
            said = here.http("GET", f"/positions?account={purse['account']}")[1]["balances"]
            return bool(said)

        until(credited, "the deposit of ann")
        until(lambda: here.http("GET", "/markets/BTC-PERP/ticker")[1]["best_ask"], "an offer")
        body = order(purse, world.chain.domain(), 1)

        def act() -> None:
            assert here.http("POST", "/orders", body)[0] == 201
            fills = until(
                lambda: here.http("GET", f"/trades?account={purse['account']}")[1]["fills"], "a fill"
            )
            assert fills[0]["role"] == "taker"

        channels = ["market.BTC-PERP", f"trader.{purse['trader']}"]
        heard = asyncio.run(news_of(here, channels, act, {"trade", "depth", "orderUpdate", "positionUpdate"}))

        mine = [each for each in heard if each["channel"] == channels[1] and each["kind"] == "orderUpdate"]
        assert mine[-1]["data"]["status"] == "FILLED"
        seqs = [each["seq"] for each in heard if each["kind"] in ("depth", "trade")]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        until(lambda: here.http("GET", "/testnet/status")[1]["trades"] >= 1, "a trade")
        now_ns = here.http("GET", "/testnet/status")[1]["now_ns"]
        assert abs(now_ns - time.time_ns()) < 2 * NS


def test_an_admin_pauses_a_market() -> None:
    with served() as here:
        pause = {"action": "pause", "symbol": "CXPT-USDC"}
        assert here.http("POST", "/admin/markets", pause, authorization="Bearer wrong")[0] == 401
        assert here.http("POST", "/admin/markets", pause, authorization=f"Bearer {TOKEN}")[0] == 202
        until(lambda: here.http("GET", "/markets/CXPT-USDC/ticker")[1]["status"] == "PAUSED", "the pause")


@contextmanager
def command_up(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `dexsim up` on a free port; give the process and its URL."""
    process = subprocess.Popen(
        [str(DEXSIM), "up", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        [url] = re.findall(r"^  http +(\S+)$", said, re.MULTILINE)
        yield process, url
    finally:
        process.kill()
        process.wait()


@pytest.mark.anvil
def test_the_command_serves_until_it_is_interrupted() -> None:
    with command_up() as (process, url):
        assert http(url, "GET", "/testnet/status")[1]["chain"] == "anvil"
        assert "BTC-PERP" in {each["symbol"] for each in http(url, "GET", "/markets")[1]["markets"]}
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        assert process.returncode in (0, 130), rest


def test_status_fund_and_down() -> None:
    def dexsim(*words: str) -> tuple[int, str]:
        found = subprocess.run([str(DEXSIM), *words], capture_output=True, text=True, check=False, timeout=60)
        return found.returncode, found.stdout + found.stderr

    with command_up("--chain", "model") as (process, url):
        port = ("--port", url.rpartition(":")[2])
        code, said = dexsim("status", "--json", *port)
        status = json.loads(said)
        assert (code, status["pid"], status["chain"]) == (0, process.pid, "model")
        assert "BTC-PERP, CXPT-USDC, sBTC-USDC" in dexsim("status", *port)[1]

        code, said = dexsim("fund", "ann", "1000", *port)
        purse = dict(line.split(maxsplit=1) for line in said.splitlines())
        assert (code, purse["name"]) == (0, "ann")
        # the indexer credits it with the next minute, as the test above has it
        assert dexsim("fund", "ann", "5", *port)[1] == said
        refused, why = dexsim("fund", "a" * 41, "1", *port)
        assert (refused, "expected 1 to 40 characters" in why) == (6, True)

        assert dexsim("down", *port) == (0, "stopped\n")
        assert process.wait(5) in (0, 130)
        gone, why = dexsim("status", *port)
        assert gone == 6
        assert "start one with `dexsim up --port" in why
