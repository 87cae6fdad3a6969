"""What each kind of trader is for: a scene in which it must act, and how."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.agents import Agent
from sim.agents.avellaneda_stoikov import AvellanedaStoikov
from sim.agents.glft import Glft
from sim.agents.option_maker import OptionMaker
from sim.client import Desk, Requests
from sim.scenario.schema import AnyAgent
from sim.world.purse import purse_of
from system.model.market import MarketKind, MarketSpec
from tests.unit.sim.exchange import FUNDS, MARK_E6, OFF, PERP, START_NS, TinyExchange

SECOND_NS = 10**9
FLOW = Path(__file__).with_name("flow.csv")
RICH = {"USDC": 2_000_000_000_000, "sBTC": 30 * 10**8}


def of(kind: str, **how: Any) -> Agent:
    read: TypeAdapter[Agent] = TypeAdapter(AnyAgent)
    return read.validate_python({"kind": kind, "funds": "1 USDC", "markets": ["BTC-PERP"], **how})


class Scene:
    """One agent at the tiny exchange; prices are moved by hand."""

    def __init__(self, agent: Agent, funds: dict[str, int] = RICH, name: str = "ann-0") -> None:
        self.exchange = TinyExchange()
        self.desk: Desk = self.exchange.desk(name, funds)
        self.exchange.env.process(agent.live(self.desk))

    def run(self, seconds: int) -> "Scene":
        self.exchange.env.run(until=int(self.exchange.env.now) + seconds * SECOND_NS)
        return self

    def outside(self, price_e6: int) -> "Scene":
        """Other venues say this, and the exchange does not know it."""
        self.desk.outside = lambda _asset, _ago_ns: price_e6
        return self

    def mark(self, price_e6: int) -> "Scene":
        self.desk.market("BTC-PERP").hear_mark(price_e6, self.desk.now_ns)
        return self

    def book(self, bid_e6: int, ask_e6: int) -> "Scene":
        data = {"bids": [(str(bid_e6), "100000000")], "asks": [(str(ask_e6), "100000000")]}
        self.desk.market("BTC-PERP").hear({"kind": "depth", "seq": self.desk.now_ns, "data": data})
        return self

    @property
    def sides(self) -> set[str]:
        return {body["side"] for body in self.exchange.orders()}


# makers


def quotes(scene: Scene) -> dict[str, int]:
    return {order.side: order.price_e6 for order in scene.desk.open_orders.values()}


@pytest.mark.parametrize("kind", ["avellaneda_stoikov", "glft"])
def test_a_maker_quotes_both_sides_beyond_the_fee_and_leans_against_what_it_holds(kind: str) -> None:
    scene = Scene(of(kind, refresh="1 s")).run(10)
    flat = quotes(scene)

    assert flat["BUY"] < MARK_E6 * 995 // 1_000 < MARK_E6 * 1_005 // 1_000 < flat["SELL"]
    for _ in range(9):
        (bid,) = (order for order in scene.desk.open_orders.values() if order.side == "BUY")
        scene.exchange.fill(bid.order_id)
        scene.run(5)
    # quotes within their tolerance are left where they are, so a few fills may be too few
    assert quotes(scene)["BUY"] < flat["BUY"]
    assert scene.desk.inventory_e8("BTC-PERP") > 0
    assert scene.desk.rejected == 0


def test_avellaneda_stoikovs_formulas() -> None:
    maker = of("avellaneda_stoikov", risk_aversion=10, decay=1_000, volatility="60 %/y", horizon="1 h")
    assert isinstance(maker, AvellanedaStoikov)

    skew, half = maker.lean(3.0, 0)

    risk = 10 * 0.36 / 8_760
    assert skew == pytest.approx(3 * risk)
    assert half == pytest.approx(risk / 2 + 0.1 * 0.00995033)
    assert maker.lean(3.0, 3_600 * SECOND_NS - 1)[0] == pytest.approx(0)


def test_glfts_formulas() -> None:
    maker = of("glft", risk_aversion=10, decay=1_000, volatility="60 %/y", arrivals="0.1 /s")
    assert isinstance(maker, Glft)

    skew, half = maker.lean(2.0, 0)

    # C1 = ln(1.01) / 10, C2 = sqrt(10 / 200 * 1.01^101), sigma = 0.6 / sqrt(31,536,000)
    assert skew == pytest.approx(2 * 1.0684e-4 * 0.36960, rel=1e-3)
    assert half == pytest.approx(0.000995033 + 1.0684e-4 * 0.36960 / 2, rel=1e-3)


CALL = MarketSpec(
    symbol="BTC-1MAY25-60000-C",
    kind=MarketKind.OPTION,
    base="BTC",
    underlying="BTC",
    tick_e6=5_000_000,
    lot_e8=1_000_000,
    strike_e6=60_000_000_000,
    cap_e6=120_000_000_000,
    option_type="CALL",
    expiry_s=START_NS // SECOND_NS + 86_400,
)


def option_maker() -> OptionMaker:
    maker = of("option_maker", markets=[], volatility="60 %/y", skew="0 %")
    assert isinstance(maker, OptionMaker)
    return maker


def test_an_option_is_worth_blacks_value() -> None:
    worth = option_maker().worth(CALL, 60_000_000_000, START_NS)

    # at the money: forward * (2 N(s/2) - 1) with s = 0.6 / sqrt(365); the cap is out of reach
    assert worth.value == pytest.approx(60_000e6 * 0.0125282, rel=1e-3)
    assert worth.delta == pytest.approx(0.506264, rel=1e-3)
    assert worth.vega == pytest.approx(60_000e6 * 0.398894 / 365**0.5, rel=1e-3)


@pytest.mark.parametrize(("sold_e8", "side"), [(-100_000_000, "BUY"), (100_000_000, "SELL")])
def test_an_option_maker_hedges_its_delta_with_the_perpetual(sold_e8: int, side: str) -> None:
    exchange = TinyExchange()
    specs = {PERP.symbol: PERP, CALL.symbol: CALL}
    purse = purse_of(1, "ann-0")
    requests = Requests("ann-0", purse, specs, OFF)
    desk = Desk(purse, specs, RICH, Random("ann"), exchange, requests)
    desk.outside = lambda _asset, _ago_ns: 60_000_000_000
    desk.market(CALL.symbol).hear_mark(750_000_000, START_NS)
    desk.position(CALL.symbol).size_e8 = sold_e8
    exchange.env.process(option_maker().live(desk))

    exchange.env.run(until=14 * SECOND_NS)

    hedges = [body for body in exchange.orders() if body["symbol"] == PERP.symbol]
    assert {body["side"] for body in hedges} == {side}
    assert sum(body["qty_e8"] for body in hedges) == pytest.approx(50_600_000, rel=0.02)


# who trades on a difference


@pytest.mark.parametrize(
    ("kind", "how"),
    [("sniper", {}), ("value", {"rate": "1 /s", "error": "1 bps"}), ("basis_trader", {"carry": "0 %/y"})],
)
@pytest.mark.parametrize(("outside", "sides"), [(61_500, {"BUY"}), (58_500, {"SELL"}), (60_050, set())])
def test_who_knows_the_outside_price_trades_towards_it(
    kind: str, how: dict[str, Any], outside: int, sides: set[str]
) -> None:
    scene = Scene(of(kind, **how)).outside(outside * 10**6).run(4).book(59_700_000_000, 60_300_000_000)

    scene.run(10)

    assert scene.sides == sides
    assert scene.desk.rejected == 0


def test_a_funding_arbitrageur_sells_the_premium_and_leaves_when_it_is_gone() -> None:
    scene = Scene(of("funding_arbitrageur")).outside(58_000_000_000).run(4)
    scene.book(59_900_000_000, 60_100_000_000).run(30)
    assert scene.sides == {"SELL"}
    entered = len(scene.exchange.orders())

    scene.outside(60_000_000_000).run(30)

    assert {body["side"] for body in scene.exchange.orders()[entered:]} == {"BUY"}
    assert scene.desk.inventory_e8("BTC-PERP") == 0


def test_funding_that_is_paid_makes_a_small_premium_worth_it() -> None:
    def sides(funding_e12: int) -> set[str]:
        scene = Scene(of("funding_arbitrageur")).outside(59_800_000_000).run(4)
        scene.desk.market("BTC-PERP").funding_e12 = funding_e12
        return scene.book(59_900_000_000, 60_100_000_000).run(20).sides

    assert sides(0) == set()
    assert sides(2 * 10**9) == {"SELL"}


@pytest.mark.parametrize(("bid", "ask", "sides"), [("1.02", "1.03", {"SELL"}), ("0.9", "0.95", {"BUY"})])
def test_a_cxpt_arbitrageur_trades_towards_the_peg(bid: str, ask: str, sides: set[str]) -> None:
    scene = Scene(of("cxpt_arbitrageur", peg="60_000 USDC")).run(4)

    scene.book(int(float(bid) * MARK_E6), int(float(ask) * MARK_E6)).run(10)

    assert scene.sides == sides


# who follows, fears and pushes


@pytest.mark.parametrize(("step", "sides"), [(20_000_000, {"BUY"}), (-20_000_000, {"SELL"})])
def test_momentum_follows(step: int, sides: set[str]) -> None:
    scene = Scene(of("momentum", every="1 s")).run(5)
    for number in range(80):
        scene.mark(MARK_E6 + number * step).run(1)

    assert scene.sides == sides


def test_a_chaser_adds_on_the_way_up_only() -> None:
    scene = Scene(of("leverage_chaser", rate="1 /s", longs="100 %", trigger="1 bps"), FUNDS).run(60)
    assert len(scene.exchange.orders()) == 1

    for number in range(30):
        scene.mark(MARK_E6 + number * 10_000_000).run(2)

    assert len(scene.exchange.orders()) > 2
    assert scene.sides == {"BUY"}
    assert scene.desk.inventory_e8("BTC-PERP") * MARK_E6 // 10**8 < FUNDS["USDC"] * 5 // 4


def test_fear_grows_with_the_fall_and_who_has_run_stays_away() -> None:
    scene = Scene(of("panic_withdrawer", fear="1 /min")).run(300)
    assert scene.desk.inventory_e8("BTC-PERP") > 0
    assert len(scene.desk.open_orders) == 1

    scene.mark(MARK_E6 * 80 // 100).run(60)

    assert scene.desk.inventory_e8("BTC-PERP") == 0
    assert not scene.desk.open_orders
    assert scene.exchange.orders()[-1]["side"] == "SELL"
    assert scene.exchange.free == 0, "withdrawn"


def test_a_whale_builds_its_position_and_then_throws_it_away() -> None:
    scene = Scene(of("whale", target="100_000 USDC", unwind="5 min")).run(200)
    assert scene.desk.inventory_e8("BTC-PERP") * MARK_E6 // 10**8 >= 99_000_000_000

    scene.run(200)

    assert scene.desk.inventory_e8("BTC-PERP") == 0


def test_a_manipulator_pushes_in_its_window_and_closes_after_it() -> None:
    scene = Scene(of("manipulator", during=["1 min", "2 min"], budget="100_000 USDC"))
    assert scene.run(59).exchange.orders() == []

    scene.run(60)
    assert scene.sides == {"BUY"}
    assert scene.desk.inventory_e8("BTC-PERP") * MARK_E6 // 10**8 >= 90_000_000_000

    assert scene.run(60).desk.inventory_e8("BTC-PERP") == 0


def test_a_liquidator_waits_at_a_discount_and_sells_above_its_cost() -> None:
    scene = Scene(of("external_liquidator", discount="3 %")).run(15)
    (bid,) = (order for order in scene.desk.open_orders.values() if order.side == "BUY")
    assert bid.price_e6 == MARK_E6 * 97 // 100

    scene.exchange.fill(bid.order_id)
    scene.run(20)

    (ask,) = (order for order in scene.desk.open_orders.values() if order.side == "SELL")
    assert ask.price_e6 >= MARK_E6
    assert ask.qty_e8 == scene.desk.inventory_e8("BTC-PERP")


# flows


def test_an_event_of_a_hawkes_flow_brings_others() -> None:
    def orders(branching: str) -> int:
        return len(Scene(of("hawkes_flow", rate="0.5 /s", branching=branching)).run(2_000).exchange.sent)

    # with 80 % each event is five in the end; the open flow of the first has 1,000 events
    assert orders("80 %") > 3 * orders("0 %")


def test_a_recorded_flow_is_sent_at_its_times_around_todays_price() -> None:
    scene = Scene(of("flow_replay", file=str(FLOW))).run(60)

    sent = scene.exchange.orders()
    assert [(body["side"], body.get("tif", "IOC")) for body in sent] == [
        ("BUY", "GTC"),
        ("SELL", "IOC"),
        ("BUY", "IOC"),
        ("SELL", "GTC"),
    ]
    prices = [body["limit_price_e6"] * 10_000 // MARK_E6 for body in sent]
    assert prices == [9_950, 9_900, 10_100, 10_080]


@pytest.mark.parametrize("text", ["at_s,side\n1,BUY\n", "at_s,side,worth,away_bps,tif\n1,LONG,1,1,GTC\n"])
def test_a_file_that_is_not_one_of_orders_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "flow.csv"
    file.write_text(text)

    with pytest.raises(ValidationError, match="expected recorded orders"):
        of("flow_replay", file=str(file))


@pytest.mark.parametrize("kind", ["sniper", "whale", "glft", "external_liquidator", "panic_withdrawer"])
def test_nobody_trades_before_there_is_a_price(kind: str) -> None:
    scene = Scene(of(kind, target="1_000 USDC") if kind == "whale" else of(kind))
    scene.exchange.mark_e6 = 0

    assert scene.run(30).exchange.orders() == []
