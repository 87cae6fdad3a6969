"""What the exchange refuses, through the whole door: a clear answer, and nothing has changed."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from sim.agents.base import Life, wait_for_prices
from sim.client import Desk
from sim.client.requests import Draft, Event, Requests, Signing
from sim.run import run
from sim.world.build import World
from system.model import keys, typed_data
from system.model.keys import Item
from system.model.order import BUY, SELL
from tests.simulation.scenes import ask, joined, played, small

PERP = "BTC-PERP"
LOT_E8, TICK_E6 = 10_000, 100_000
DOOR_TABLES = (keys.ORDERS, keys.BALANCES, keys.IDEMPOTENCY, keys.POSITIONS, keys.TRADES, keys.MARKETS)
Answer = tuple[int, dict[str, Any]]
Spoil = Callable[["Caller"], Event]


class Caller:
    """A trader with 10,000 USDC in a world where the others have just finished trading."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.desk = next(desk for desk in world.desks if desk.name == "caller-0")
        self.other = next(desk for desk in world.desks if desk.name == "market_maker-0")
        self.nonce = 0

    @property
    def mark_e6(self) -> int:
        row = next(row for row in self.rows(keys.MARKETS) if row["symbol"] == PERP)
        mark_e6: int = row["mark_e6"]
        return mark_e6 // TICK_E6 * TICK_E6

    def rows(self, table: str) -> list[Item]:
        assert self.world.backend is not None
        return self.world.backend.scan(table)

    def state(self) -> dict[str, str]:
        return {table: repr(self.rows(table)) for table in DOOR_TABLES}

    def order(
        self, symbol: str = PERP, side: Any = BUY, lots: int = 10, price_e6: int = 0, **how: Any
    ) -> Event:
        """A bid far from the market that would be accepted, unless told otherwise; signed as it is."""
        self.nonce += 1
        price_e6 = price_e6 or self.mark_e6 - 5_000 * TICK_E6
        draft = Draft(symbol, side, how.pop("qty_e8", lots * LOT_E8), price_e6, **how)
        return self.desk.requests.order(
            draft, self.nonce, f"caller-{self.nonce}", self.world.timeline.now_ns()
        )

    def unknown_market(self) -> Event:
        """Well signed for a market that nobody has listed."""
        specs = self.world.specs | {"ETH-PERP": self.world.specs[PERP]}
        signing = Signing("real", typed_data.domain_separator(self.world.chain.domain()))
        purse = self.world.purses["caller-0"]
        self.nonce += 1
        draft = Draft("ETH-PERP", BUY, LOT_E8, self.mark_e6)
        return Requests("caller-0", purse, specs, signing).order(draft, self.nonce, "", 0)

    def open_order_of_the_other(self) -> Item:
        return next(
            row
            for row in self.rows(keys.ORDERS)
            if row.get("account") == self.other.account and row["status"] == "OPEN"
        )

    def ask(self, event: Event) -> Answer:
        response = ask(self.world, event)
        return response["statusCode"], orjson.loads(response["body"])


def changed(event: Event, **fields: Any) -> Event:
    """Change the body behind its signature."""
    return event | {"body": orjson.dumps(orjson.loads(event["body"]) | fields).decode()}


def flipped(event: Event) -> Event:
    signature = orjson.loads(event["body"])["signature"]
    return changed(event, signature=signature[:-4] + f"{int(signature[-4:-2], 16) ^ 1:02x}" + signature[-2:])


def signed_by_another(caller: Caller) -> Event:
    mine, theirs = caller.order(), caller.other.requests
    draft = Draft(PERP, BUY, 10 * LOT_E8, caller.mark_e6)
    foreign = theirs.order(draft, caller.nonce, "x", 0)
    return changed(foreign, account=orjson.loads(mine["body"])["account"])


def without(event: Event, field: str) -> Event:
    body = orjson.loads(event["body"])
    del body[field]
    return event | {"body": orjson.dumps(body).decode()}


def cancel_of_anothers(caller: Caller) -> Event:
    order = caller.open_order_of_the_other()
    order_id = f"{order['symbol']}:{order['uuid']}"
    return caller.desk.requests.cancel(order_id, order["nonce"], caller.world.timeline.now_ns())


def cancel_of_nothing(caller: Caller) -> Event:
    return caller.desk.requests.cancel(f"{PERP}:nothing", 1, caller.world.timeline.now_ns())


# what is sent; the answer's status, reason and field; words of its detail
REFUSED: dict[str, tuple[Spoil, str, str]] = {
    "more than there is": (
        lambda caller: caller.order(lots=10_000),
        "422 INSUFFICIENT_FUNDS qty_e8",
        "of USDC available, was 10000000000",
    ),
    "an asset that is not there": (
        lambda caller: caller.order("sBTC-USDC", SELL, 100_000, caller.mark_e6),
        "422 INSUFFICIENT_FUNDS qty_e8",
        "of sBTC available, was",
    ),
    "a signature with a flipped bit": (
        lambda caller: flipped(caller.order()),
        "401 BAD_SIGNATURE signature",
        "over these very fields, was by",
    ),
    "a quantity changed behind its signature": (
        lambda caller: changed(caller.order(), qty_e8=20 * LOT_E8),
        "401 BAD_SIGNATURE signature",
        "over these very fields, was by 0x",
    ),
    "another's signature": (
        signed_by_another,
        "401 BAD_SIGNATURE signature",
        "expected a signature by 0x",
    ),
    "no signature": (
        lambda caller: changed(caller.order(), signature=""),
        "401 BAD_SIGNATURE signature",
        "was by nobody",
    ),
    "an unknown market": (Caller.unknown_market, "404 UNKNOWN_SYMBOL symbol", "no market 'ETH-PERP'"),
    "a price off its tick": (
        lambda caller: caller.order(price_e6=caller.mark_e6 - TICK_E6 // 2),
        "422 INCORRECT_TICK limit_price_e6",
        "expected multiple of 100000, was",
    ),
    "a quantity off its lot": (
        lambda caller: caller.order(qty_e8=10 * LOT_E8 + 1),
        "422 INCORRECT_QUANTITY qty_e8",
        "expected a multiple of 10000, was 100001",
    ),
    "a price outside the band": (
        lambda caller: caller.order(price_e6=caller.mark_e6 * 2),
        "422 PRICE_BAND limit_price_e6",
        "expected <=",
    ),
    "flags that exclude each other": (
        lambda caller: caller.order(tif="IOC", post_only=True),
        "422 INCOMPATIBLE_FLAGS post_only",
        "beside post_only",
    ),
    "a time that is over": (lambda caller: caller.order(tif="GTT", expire_s=1), "422 EXPIRED expire_s", ""),
    "no JSON": (lambda caller: caller.order() | {"body": "{"}, "400 BAD_REQUEST body", "expected JSON"),
    "no body": (lambda caller: caller.order() | {"body": ""}, "400 BAD_REQUEST body", "expected JSON"),
    "an unknown field": (
        lambda caller: changed(caller.order(), leverage=50),
        "400 BAD_REQUEST leverage",
        "unknown field",
    ),
    "a missing field": (
        lambda caller: without(caller.order(), "side"),
        "400 BAD_REQUEST side",
        "missing required field",
    ),
    "a fraction": (lambda caller: changed(caller.order(), qty_e8=0.5), "400 BAD_REQUEST qty_e8", "int"),
    "a negative nonce": (
        lambda caller: changed(caller.order(), nonce=-1),
        "400 BAD_REQUEST nonce",
        "expected 1 or more",
    ),
    "an account that is none": (
        lambda caller: changed(caller.order(), account="me"),
        "400 BAD_REQUEST account",
        "expected 0x and 40 hex digits, was 'me'",
    ),
    "another's order cancelled": (cancel_of_anothers, "403 NOT_OWNER account", "expected the account"),
    "an unknown order cancelled": (cancel_of_nothing, "404 UNKNOWN_ORDER id", "no order"),
}


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with played(joined(small(1), caller=lambda desk: iter(()))) as world:  # type: ignore[arg-type, return-value]
        yield Caller(world)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_why_and_changes_nothing(name: str, caller: Caller) -> None:
    spoil, expected, detail = REFUSED[name]
    event = spoil(caller)
    before, written = caller.state(), caller.world.history.counts["tx"]

    status, body = caller.ask(event)

    assert f"{status} {body['reason']} {body['field']}" == expected, body
    assert detail in body["detail"]
    assert body["status"] == status
    assert caller.state() == before
    assert caller.world.history.counts["tx"] == written


def test_what_is_right_is_accepted_and_only_once(caller: Caller) -> None:
    event = caller.order()

    status, body = caller.ask(event)
    again, said = caller.ask(event)

    assert (status, body["status"]) == (201, "PENDING")
    assert int(body["hold"]) == next(
        row["reserved"]
        for row in caller.rows(keys.BALANCES)
        if row["PK"] == f"TRADER#{caller.desk.trader}" and row["SK"] == "ASSET#USDC"
    )
    assert (again, said["reason"]) == (409, "DUPLICATE_ORDER")


# in a run


def vandal(desk: Desk) -> Life:
    """Send what is refused among the others' orders, then one order that is right."""
    yield from wait_for_prices(desk, (PERP,))
    view = desk.market(PERP)
    assert view.reference_e6 is not None
    price_e6 = view.tick_down(view.reference_e6 * 99 // 100)
    for _ in range(5):
        desk.buy(PERP, 10_000 * LOT_E8, price_e6)
        desk.buy(PERP, LOT_E8 + 1, price_e6)
        desk.buy(PERP, LOT_E8, price_e6 + 1)
        desk.buy(PERP, LOT_E8, price_e6 * 3)
        desk.door.request(
            flipped(desk.requests.order(Draft(PERP, BUY, LOT_E8, price_e6), 999, "", desk.now_ns)), None
        )
        yield desk.sleep(10**9)
    desk.buy(PERP, LOT_E8, price_e6)


def test_a_run_with_a_vandal_holds() -> None:
    record = run(joined(small(1), vandal=vandal)).record

    assert record.verdict == "held"
    assert record.counts["rejected"] >= 20
    assert record.counts["accepted"] == record.counts["orders"] - record.counts["rejected"]
