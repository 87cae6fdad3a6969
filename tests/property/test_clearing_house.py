"""Any commands on any market: the identities hold after each step, and the log replays to the same state.

The venue books every step (I9) and audits after every command: I1, I2, I3, I4, I5, I6, I8; the
funding rows are checked here (I7), and a second engine is run over the same commands (I10).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from system.matcher.matching import Engine
from system.matcher.steps import (
    Cancel,
    Convert,
    Expire,
    Funding,
    FundingPaid,
    Insure,
    Level,
    Liquidate,
    Mark,
    MoveMargin,
    SetState,
    StpMode,
)
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.units import NS
from system.risk.funding import PRESETS as FUNDING
from system.risk.liquidation.presets import PRESETS as LIQUIDATION
from tests.rules import rule
from tests.unit.matcher.venue import E6, SPOT, TOY, Venue

JUNE = 1_751_011_200
NAMES = ("ann", "bob", "cat", "dan")
LEVERAGED = replace(
    TOY,
    im_ppm=100_000,
    band_ppm=300_000,
    mark_band_ppm=100_000,
    settlement="ledger",
    liq_retry_s=5,
    funding_interval_s=60,
    cooldown_s=5,
)
FUTURE = replace(LEVERAGED, symbol="TOY-27JUN25", kind=MarketKind.FUTURE, expiry_s=JUNE, settle_window_s=60)
CALL = replace(
    FUTURE,
    symbol="TOY-27JUN25-100-C",
    kind=MarketKind.OPTION,
    strike_e6=100 * E6,
    cap_e6=180 * E6,
    option_type="CALL",
)
PUT = replace(CALL, symbol="TOY-27JUN25-100-P", cap_e6=0, option_type="PUT")

CAPPED = replace(FUTURE, im_ppm=10**6, max_price_e6=110 * E6, settlement_fee_ppm=0)

who = st.sampled_from(NAMES)
price = st.integers(85, 115)
FLAGS = (
    {},
    {},
    {},
    {"tif": "IOC"},
    {"post_only": True},
    {"reduce_only": True},
    {"reduce_only": True, "tif": "IOC"},
)
ORDER = st.tuples(
    *(
        st.just("order"),
        who,
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 5),
        price,
        st.sampled_from(FLAGS),
    )
)
ACTIONS = st.one_of(
    ORDER,
    ORDER,
    ORDER,
    ORDER,
    st.tuples(st.just("stop"), who, st.sampled_from(["BUY", "SELL"]), st.integers(1, 5), price),
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("mark"), st.integers(70, 140), st.integers(1, 40)),
    st.tuples(st.just("mark"), st.integers(90, 110), st.integers(1, 40)),
    st.tuples(st.just("blind"), st.sampled_from(["", "CANCEL_ONLY", "PAUSED"]), st.integers(1, 40)),
    st.tuples(st.just("fund")),
    st.tuples(st.just("scan"), st.integers(1, 10)),
    st.tuples(st.just("margin"), who, st.integers(-30, 30)),
    st.tuples(st.just("level"), who, st.integers(1, 60), st.sampled_from([0, 400_000, 10**6, 2 * 10**6])),
    st.tuples(st.just("insure"), who, st.integers(1, 50)),
    st.tuples(st.just("convert"), who, st.integers(-30, 30)),
    st.tuples(st.just("state"), st.sampled_from(list(MarketState)[:4])),
)


class Business:
    """Carries out what Hypothesis thinks of, and keeps the log."""

    def __init__(self, spec: MarketSpec) -> None:
        self.venue = Venue(spec, StpMode(spec.stp))
        self.venue.now_ns = (JUNE - 600) * NS
        self.log: list[tuple[Any, int, int]] = []
        self.funding: list[FundingPaid] = []

    def do(self, action: tuple[Any, ...]) -> None:
        verb, *how = action
        getattr(self, verb)(*how)

    def run(self, command: Any) -> None:
        venue = self.venue
        self.log.append((deepcopy(command), venue.now_ns + 1, venue.seq + 1))
        self.funding += [step for step in venue.run(command) if isinstance(step, FundingPaid)]

    def order(self, name: str, side: Any, qty: int, ticks: int, flags: dict[str, Any]) -> None:
        spec = self.venue.spec
        if spec.max_price_e6:
            ticks = min(ticks, spec.max_price_e6 // E6)  # the door refuses what is above
        if spec.kind is MarketKind.SPOT and flags.get("reduce_only"):
            return
        if spec.kind is MarketKind.OPTION:
            ticks -= 80
        self.run(self.venue.order(name, side, qty, ticks, **flags))

    def stop(self, name: str, side: Any, qty: int, ticks: int) -> None:
        if self.venue.spec.kind is not MarketKind.SPOT:
            terms = {"reduce_only": True, "tif": "IOC", "trigger_e6": ticks * E6}
            self.run(self.venue.order(name, side, qty, min(ticks, 80), **terms))

    def cancel(self, place: int) -> None:
        orders = list(self.venue.orders.values())
        if orders:
            order = orders[place % len(orders)]
            self.run(Cancel(order.uuid, order.trader))

    def mark(self, ticks: int, seconds: int) -> None:
        self.venue.now_ns += seconds * NS
        self.run(Mark(ticks * E6, self.venue.now_ns))

    def blind(self, standing: str, seconds: int) -> None:
        self.venue.now_ns += seconds * NS
        self.run(Mark(0, self.venue.now_ns, valid=False, standing=standing))

    def fund(self) -> None:
        self.run(Funding(self.venue.now_ns))

    def scan(self, seconds: int) -> None:
        self.venue.now_ns += seconds * NS
        self.run(Liquidate(NAMES[:2]))

    def margin(self, name: str, amount: int) -> None:
        if amount:
            self._reserve(name, max(0, amount) * E6)
            self.run(MoveMargin(name, amount * E6))

    def level(self, name: str, amount: int, keeps_ppm: int) -> None:
        self.run(Level(name, "OTHER-PERP", amount * E6, keeps_ppm))

    def insure(self, name: str, amount: int) -> None:
        self._reserve(name, amount * E6)
        self.run(Insure(name, amount * E6))

    def convert(self, name: str, amount: int) -> None:
        if self.venue.spec.base == "CXPT" and amount:
            self._reserve(name, max(0, amount) * E6)
            self._reserve(name, max(0, -amount) * 100 * E6, "CXPT")
            self.run(Convert(name, amount * E6))

    def _reserve(self, name: str, amount: int, asset: str = "USDC") -> None:
        self.venue.available[name, asset] -= amount
        self.venue.reserved[name, asset] += amount

    def state(self, state: MarketState) -> None:
        self.run(SetState(state))

    def end(self) -> None:
        """Bring a contract to its expiry, and settle it."""
        venue = self.venue
        if venue.spec.expiry_s:
            venue.now_ns = venue.spec.expiry_ns - 70 * NS
            for ticks in (95, 130, 104):
                self.mark(ticks, 30)
        else:
            self.run(SetState(MarketState.SETTLING))
        self.run(Expire())
        if venue.engine.state is not MarketState.CLOSED:
            self.run(Expire(100 * E6))


def replayed(business: Business) -> Engine:
    """Run the log again on a new engine."""
    engine = Engine(business.venue.spec, {}, MarketState.ACTIVE)
    for command, now_ns, seq in business.log:
        for _ in engine.run(deepcopy(command), now_ns, seq):
            pass
    return engine


def check(spec: MarketSpec, actions: list[tuple[Any, ...]], *, ends: bool) -> None:
    business = Business(spec)
    for action in actions:
        business.do(action)
    if ends:
        business.end()
        venue = business.venue
        assert venue.engine.state is MarketState.CLOSED
        assert not any(at.size_e8 or at.margin or at.cost for at in venue.engine.positions.values())
        assert venue.clearing == 0
    for tick in business.funding:
        if not tick.unpaid:
            assert tick.paid - tick.received == tick.dust
        assert 0 <= tick.dust <= tick.positions
    assert replayed(business).state_hash() == business.venue.engine.state_hash()


@rule("CONS-007", "CLRH-004", "CLRH-010")
@pytest.mark.parametrize("preset", list(LIQUIDATION))
@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_a_leveraged_perp_keeps_the_identities(preset, actions):
    terms = {"liquidation": preset, "funding": "seed_literal", "rebate_ppm": 123_457}
    check(replace(LEVERAGED, **terms), actions, ends=False)


@rule("RISK-045", "RISK-046")
@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(ACTIONS, min_size=20, max_size=60), st.sampled_from(list(LIQUIDATION)))
def test_cross_margin_keeps_the_identities(actions, preset):
    """What is levelled leaves by realised profit too; only those who are called are closed."""
    terms = {"margin": "cross", "liquidation": preset, "funding": "seed_literal"}
    check(replace(LEVERAGED, **terms), actions, ends=True)


@pytest.mark.parametrize("model", list(FUNDING))
@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_every_funding_model_keeps_the_identities(model, actions):
    check(replace(LEVERAGED, funding=model, adl="pro_rata"), actions, ends=True)


@rule("MATC-080", "MATC-082")
@pytest.mark.parametrize("stp", ["NONE", "EXPIRE_TAKER", "DECREMENT"])
@pytest.mark.parametrize("netting", ["pair", "max"])
@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60), st.sampled_from([10**6, 333_333, 100_000]))
def test_netting_is_exact_and_never_short(netting, stp, actions, im_ppm):
    terms = {"netting": netting, "stp": stp, "im_ppm": im_ppm, "funding": "seed_literal"}
    check(replace(LEVERAGED, **terms), actions, ends=True)


@rule("RISK-070", "RISK-071", "RISK-072", "EXPI-009")
@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_a_capped_future_is_paid_in_full_by_both_sides(actions):
    """The index goes far beyond the highest price, and nobody is liquidated or owes anything."""
    check(CAPPED, actions, ends=True)


@pytest.mark.parametrize("spec", [FUTURE, CALL, PUT], ids=lambda spec: spec.symbol)
@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_contracts_are_settled_exactly(spec, actions):
    check(spec, actions, ends=True)


@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_spot_keeps_the_identities(actions):
    check(SPOT, actions, ends=False)


@rule("MATC-073", "FEES-006")
@settings(max_examples=settings.default.max_examples // 4)
@given(st.lists(ACTIONS, min_size=20, max_size=60), st.sampled_from([0, 1, 123_457, 10**6]))
def test_cxpt_is_backed_after_every_command(actions, rebate_ppm):
    cxpt = replace(SPOT, symbol="CXPT-USDC", base="CXPT", settlement="ledger", rebate_ppm=rebate_ppm)
    check(cxpt, actions, ends=False)
