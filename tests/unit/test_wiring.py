"""The functions as AWS starts them: from the template's environment, on moto and Anvil, through lambdas."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from moto.apigatewaymanagementapi.models import apigatewaymanagementapi_backends

from sim.client.requests import Draft, Requests, Signing
from sim.kernel.plumbing import INSERT
from sim.kernel.template.stack import Template, load_template
from sim.world.anvil_world import AnvilWorld
from sim.world.deploy import OPERATOR_KEY, predict, synths_of
from sim.world.moto_backend import MotoBackend
from system import lambdas
from system.adapters.aws.clock import WallClock
from system.model import keys
from system.model.errors import ConfigError, PortError
from system.model.keys import META, Item, Key, asset_sk, market_pk, trader_pk
from system.model.order import BUY, SELL, Side
from system.model.typed_data import domain_separator
from system.model.units import NS
from system.wiring import system
from tests.contracts.traders import BTC_PRICE, COIN, FUNDS, PERP, SPOT, TRADERS, open_funded
from tests.unit.adapters.evm.aggregator import (
    FEED,
    PYTH,
    PYTH_FEED,
    aggregator_code,
    put_feed,
    pyth_code,
    round_of,
)

SECRET = "dex/operator-key"
KEEPERS_SECRET = "dex/keeper-key"
SOCKETS_URL = "https://abc123.execute-api.us-east-1.amazonaws.com/live"
ACCOUNT = "123456789012"  # moto's
SYMBOL = PERP.symbol
QTY_E8 = COIN // 100
CONFIRMATIONS = 3
HAVE_DEFAULTS = (
    "DEX_PREFIX",
    "DEX_CONFIRMATIONS",
    "DEX_INGRESS",
    "DEX_LIFETIME",
    "DEX_INTRADAY",
    "DEX_SIGNATURES",
    "DEX_DEPTH_LEVELS",
    "DEX_EDGE_RATE_PER_S",
)
WHERE = predict(synths_of([PERP, SPOT]))
ENVIRONMENT = {
    "DEX_PREFIX": "",
    "DEX_COMMANDS_URL": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/dex-commands.fifo",
    "DEX_MARKET_UPDATES_ARN": f"arn:aws:sns:us-east-1:{ACCOUNT}:MarketUpdates",
    "DEX_LAKE_BUCKET": "dex-data-lake-000000000000",
    "DEX_SOCKETS_URL": SOCKETS_URL,
    "DEX_CHAIN_ID": str(WHERE.chain_id),
    "DEX_CHAIN_RPC_URL": "http://127.0.0.1:9",
    "DEX_SETTLEMENT_ADDRESS": WHERE.settlement.upper().replace("X", "x"),
    "DEX_VAULT_ADDRESS": WHERE.vault.upper().replace("X", "x"),
    "DEX_CLEARING_ADDRESS": WHERE.clearing.upper().replace("X", "x"),
    "DEX_ASSETS": json.dumps({token.upper().replace("X", "x"): name for token, name in WHERE.assets.items()}),
    "DEX_CHAINLINK_FEEDS": json.dumps({"BTC": FEED.upper().replace("X", "x")}),
    "DEX_PYTH_ADDRESS": PYTH,
    "DEX_PYTH_FEEDS": json.dumps({"BTC": PYTH_FEED.upper().replace("X", "x")}),
    "DEX_OPERATOR_KEY_SECRET": SECRET,
    "DEX_KEEPER_KEY_SECRET": KEEPERS_SECRET,
    "DEX_CONFIRMATIONS": str(CONFIRMATIONS),
    "DEX_INGRESS": "pipe",
    "DEX_LIFETIME": "literal",
    "DEX_INTRADAY": "minute",
    "DEX_SIGNATURES": "real",
    "DEX_DEPTH_LEVELS": "10",
    "DEX_EDGE_RATE_PER_S": "50",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A complete environment, and a fresh instance."""
    for name, text in ENVIRONMENT.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("DEX_OF_SOMEBODY_ELSE", "ignored")
    system.cache_clear()
    yield monkeypatch
    system.cache_clear()


class Exchange(NamedTuple):
    """What lies around the functions."""

    world: AnvilWorld
    backend: MotoBackend
    template: Template

    def row(self, table: str, pk: str, sk: str) -> Item:
        found = self.backend.store.get(table, Key(pk, sk))
        assert found is not None, f"{table}: no {pk} {sk}"
        return found

    def new(self, table: str, consumer: str) -> dict[str, Any]:
        """The event of everything that was put into a table since this consumer last looked."""
        records = self.backend.read_stream(table, consumer, 100, INSERT)
        self.backend.advance_stream(table, consumer, len(records))
        return {"Records": records}

    def received(self) -> dict[str, Any]:
        """The event of what waits in the commands queue."""
        return {"Records": self.backend.receive(self.template.commands_queue, 10, 60 * NS)}

    def pipe(self) -> dict[str, Any]:
        """Carry new orders into the commands queue, and return the event that the matcher gets."""
        for record in self.new(keys.ORDERS, "OrdersPipe")["Records"]:
            image = record["dynamodb"]["NewImage"]
            self.backend.queue.send(json.dumps(record), image["symbol"]["S"], image["uuid"]["S"])
        return self.received()

    def keep_secret(self, text: str = "0x" + OPERATOR_KEY.hex()) -> None:
        self.backend.clients.secretsmanager.create_secret(Name=SECRET, SecretString=text)


@pytest.fixture
def exchange(environ: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """A chain with contracts, feed and deposits, and the template's resources."""
    world = open_funded("anvil")
    assert isinstance(world, AnvilWorld)
    try:
        for _ in range(CONFIRMATIONS):
            world.mine_next()
        now_s = WallClock().now_ns() // NS
        put_feed(world.anvil.rpc, aggregator_code(round_of(BTC_PRICE * 100, updated_s=now_s)))
        put_feed(world.anvil.rpc, pyth_code(BTC_PRICE * 100, BTC_PRICE // 10, -8, now_s), PYTH)
        template = load_template()
        backend = MotoBackend(template, WallClock())
        try:
            environ.setenv("DEX_CHAIN_RPC_URL", world.anvil.url)
            yield Exchange(world, backend, template)
        finally:
            backend.close()
    finally:
        world.close()


# ---- the walk


def create_market() -> dict[str, Any]:
    terms = msgspec.to_builtins(PERP)
    wanted = ("symbol", "kind", "base", "underlying", "tick_e6", "lot_e8", "im_ppm")
    body = {"action": "create", **{name: terms[name] for name in wanted}}
    event = {
        "version": "2.0",
        "routeKey": "POST /admin/markets",
        "headers": {},
        "requestContext": {
            "requestId": "admin-1",
            "http": {"method": "POST", "path": "/admin/markets", "sourceIp": "127.0.0.1"},
            "authorizer": {"jwt": {"claims": {"cognito:groups": "[admin]"}}},
        },
        "body": json.dumps(body),
    }
    said: dict[str, Any] = lambdas.api(event, None)
    return said


def post_order(place: int, side: Side, account_of: int | None = None) -> dict[str, Any]:
    """Trader `place` orders; signed by another one when `account_of` says whose account it is."""
    signing = Signing("real", domain_separator(WHERE.domain))
    purse = TRADERS[place]
    if account_of is not None:
        purse = purse._replace(account=TRADERS[account_of].account)
    event = Requests(purse.name, purse, {SYMBOL: PERP}, signing).order(
        Draft(SYMBOL, side, QTY_E8, BTC_PRICE), 1, "mine", WallClock().now_ns()
    )
    said: dict[str, Any] = lambdas.api(event, None)
    return said


def open_market(exchange: Exchange) -> None:
    """Steps 0 to 4: market, price, collateral, two orders."""
    assert create_market()["statusCode"] == 201
    lambdas.oracle_fetch({}, None)
    market = exchange.row(keys.MARKETS, market_pk(SYMBOL), META)
    assert (market["mark_e6"], market["index_e6"]) == (BTC_PRICE, BTC_PRICE)
    [price] = exchange.backend.scan(keys.PRICES)
    assert [source["source"] for source in price["sources"]] == ["pyth", "chainlink"]

    lambdas.settle_watch({}, None)
    for trader in TRADERS:
        for asset, amount in FUNDS.items():
            balance = exchange.row(keys.BALANCES, trader_pk(trader.trader), asset_sk(asset))
            assert (balance["available"], balance["reserved"]) == (amount, 0)

    assert post_order(2, BUY, account_of=0)["statusCode"] == 401
    assert [post_order(place, side)["statusCode"] for place, side in ((0, SELL), (1, BUY))] == [201, 201]


def listen() -> None:
    for route, body in (("$connect", None), ("subscribe", {"channels": [f"market.{SYMBOL}"]})):
        event = {"requestContext": {"routeKey": route, "connectionId": "c-1"}, "body": json.dumps(body)}
        assert lambdas.websocket(event, None)["statusCode"] == 200


def check_settlement(exchange: Exchange) -> None:
    """Steps 9 and 10: the batch is sent, mined, and final after its confirmations."""
    exchange.keep_secret()
    lambdas.settle(exchange.new(keys.TRADES, "SettleMapping"), None)
    batch = exchange.row(keys.SETTLEMENTS, "BATCH#000000000001", META)
    [trade] = exchange.backend.scan(keys.TRADES)
    assert (batch["status"], trade["settlementStatus"], trade["batch"]) == ("SUBMITTED", "SUBMITTED", 1)

    assert exchange.world.mine_next() == 1
    for _ in range(CONFIRMATIONS):
        exchange.world.mine_next()
    lambdas.settle_watch({}, None)
    batch = exchange.row(keys.SETTLEMENTS, "BATCH#000000000001", META)
    [trade] = exchange.backend.scan(keys.TRADES)
    assert (batch["status"], trade["settlementStatus"]) == ("CONFIRMED", "CONFIRMED")
    assert exchange.world.position_of(TRADERS[1].account, SYMBOL).size_e8 == QTY_E8


@pytest.mark.anvil
def test_the_walk(exchange: Exchange) -> None:
    open_market(exchange)
    listen()

    assert lambdas.matcher(exchange.pipe(), None) == {"batchItemFailures": []}
    orders = exchange.backend.scan(keys.ORDERS)
    assert [(row["side"], row["status"], row["cum_qty_e8"]) for row in orders] == [
        (SELL, "FILLED", QTY_E8),
        (BUY, "FILLED", QTY_E8),
    ]
    position = exchange.row(keys.POSITIONS, trader_pk(TRADERS[1].trader), market_pk(SYMBOL))
    assert position["size_e8"] == QTY_E8

    for text in exchange.backend.published():
        lambdas.fan_out({"Records": [{"Sns": {"Message": text}}]}, None)
    heard = apigatewaymanagementapi_backends[ACCOUNT]["us-east-1"].get_connection("c-1").data.decode()
    assert f'"market.{SYMBOL}"' in heard
    assert '"kind":"trade"' in heard

    lambdas.archive(exchange.new(keys.TRADES, "ArchiveMapping"), None)
    [key] = exchange.backend.lake.list("trades/")
    assert key.endswith(f"/{SYMBOL}/000000000001-000000000001.jsonl")
    line = json.loads(exchange.backend.lake.get(key) or b"")
    assert (line["price_e6"], line["qty_e8"]) == (str(BTC_PRICE), str(QTY_E8))

    check_settlement(exchange)

    lambdas.market_minute({}, None)
    assert lambdas.matcher(exchange.received(), None) == {"batchItemFailures": []}
    lambdas.daily_rollup({}, None)
    assert exchange.backend.lake.list("daily/") == []  # nothing was traded yesterday


@pytest.mark.anvil
def test_only_who_signs_reads_the_key(exchange: Exchange) -> None:
    chain = system().ports.chain
    assert chain.settled_head()[0] == 0
    with pytest.raises(PortError, match=f"secret {SECRET}: ResourceNotFoundException"):
        chain.next_nonce()

    exchange.keep_secret("hunter2")
    with pytest.raises(ConfigError, match="DEX_OPERATOR_KEY_SECRET") as caught:
        chain.next_nonce()
    assert "hunter2" not in str(caught.value)

    exchange.backend.clients.secretsmanager.put_secret_value(SecretId=SECRET, SecretString=OPERATOR_KEY.hex())
    assert chain.next_nonce() == 0


# ---- the environment


def test_the_template_gives_what_is_read() -> None:
    for function in load_template().functions():
        assert sorted(function.environment) == sorted(ENVIRONMENT)


def test_the_template_s_own_values_are_taken(environ: pytest.MonkeyPatch) -> None:
    given = load_template().functions()[0].environment
    for name in (
        "DEX_ASSETS",
        "DEX_CHAINLINK_FEEDS",
        "DEX_PYTH_FEEDS",
        "DEX_SIGNATURES",
        "DEX_CHAIN_ID",
        "DEX_DEPTH_LEVELS",
    ):
        environ.setenv(name, str(given[name]))

    assert (system().config.signatures, system().config.chain_id) == ("real", 31337)
    assert system().config.settlement_address.lower() == WHERE.settlement


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name not in HAVE_DEFAULTS])
def test_a_missing_variable_is_named(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.delenv(name)
    with pytest.raises(ConfigError) as caught:
        lambdas.api({}, None)
    assert caught.value.args[0] == name
    assert "missing" in caught.value.args[1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEX_CHAIN_RPC_URL", "127.0.0.1:8545"),
        ("DEX_CHAIN_ID", "mainnet"),
        ("DEX_VAULT_ADDRESS", "vault"),
        ("DEX_SETTLEMENT_ADDRESS", "0x12"),
        ("DEX_ASSETS", "USDC"),
        ("DEX_ASSETS", '["USDC"]'),
        ("DEX_ASSETS", '{"0x12": "USDC"}'),
        ("DEX_ASSETS", json.dumps({WHERE.usdc: "sBTC"})),
        ("DEX_CHAINLINK_FEEDS", '{"BTC": 5}'),
        ("DEX_CHAINLINK_FEEDS", '{"BTC": "0x12"}'),
        ("DEX_PYTH_ADDRESS", "pyth"),
        ("DEX_PYTH_FEEDS", "BTC"),
        ("DEX_PYTH_FEEDS", '{"BTC": "0x12"}'),
        ("DEX_SIGNATURES", "true"),
        ("DEX_CONFIRMATIONS", "many"),
        ("DEX_RATE_PER_S", "0"),
        ("DEX_RATE_BURST", "-1"),
        ("DEX_INDEX_GUARD_PPM", "-1"),
        ("DEX_INDEX_JUMP_PPM", "0"),
    ],
)
def test_a_wrong_variable_is_named(environ: pytest.MonkeyPatch, name: str, text: str) -> None:
    environ.setenv(name, text)
    with pytest.raises(ConfigError) as caught:
        system()
    assert caught.value.args[0] == name


def test_one_system_an_instance(environ: pytest.MonkeyPatch) -> None:
    assert system() is system()


def test_the_endpoint_of_everything_but_sockets_can_be_another(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    ports: Any = system().ports

    clients = [ports.store._client, ports.queue._client, ports.topic._client, ports.lake._client]
    assert [client.meta.endpoint_url for client in clients] == ["http://127.0.0.1:4566"] * 4
    url = ports.lake._client.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "k"})
    assert url.startswith("http://127.0.0.1:4566/lake/k?")  # emulators have no host name for each bucket
    assert ports.sockets._client.meta.endpoint_url == SOCKETS_URL


def test_a_simulation_loads_no_boto3() -> None:
    program = "import sys, system.wiring, system.lambdas\nassert 'boto3' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
