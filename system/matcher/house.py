"""The market's clearing house: mark, insurance fund, funding clock, liquidation index, settlement average.

What lives between two commands is one row, `MARKET#symbol / RISK` in Markets, written in the
transaction of the command that changed it. Rules: CLRH-001 to CLRH-006.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from system.matcher.steps import Accounts, Mark
from system.model.market import MarketKind, MarketSpec
from system.model.units import NS, PPM, to_tick
from system.risk.expiry import blended_mark_e6
from system.risk.funding import funding_model
from system.risk.funding.clock import FundingClock, open_clock
from system.risk.funding.model import FundingModel, FundingResult, FundingTerms, Sample
from system.risk.funding.premium import impact
from system.risk.holds import band
from system.risk.insurance import Fund
from system.risk.liquidation.case import LiquidationTerms
from system.risk.liquidation.index import LiquidationIndex
from system.risk.liquidation.presets import preset
from system.risk.mark import SLOW_TAU_NS, MarkRule, MarkState, MarkTerms, Top, next_mark, option_mark
from system.risk.options import payoff_e6
from system.risk.twap import Twap

CARRY_NS = 90 * NS
"""How long an index stands in for the next one."""

Depth = list[tuple[int, int]]
INVENTORY = "inventory"
"""Whose positions are those that the exchange has taken over: what they earn or lose is the fund's."""


class PlannedMove(msgspec.Struct, frozen=True, array_like=True):
    """What is to be added to a position and to its trader's account. Units: size_e8, else uUSDC."""

    trader: str
    size_e8: int = 0
    cost: int = 0
    margin: int = 0
    available: int = 0
    fee: int = 0
    realised: int = 0
    adjusted: int = 0


class Progress(msgspec.Struct, frozen=True):
    """How far the liquidation of a position has come."""

    rounds: int = 0
    last_round_ns: int = 0
    widened: bool = False
    deleveraged: bool = False


class Plan(msgspec.Struct, frozen=True):
    """Moves that were decided together and are carried out one by one, so that a crash changes none.

    `number` is written into each position that has moved; `fund` is the fund in the end.
    """

    number: int
    moves: tuple[PlannedMove, ...]
    fund: Fund
    closes: bool = False  # the market is CLOSED afterwards


class HouseState(msgspec.Struct, kw_only=True):
    """What is stored of a clearing house."""

    index_e6: int = 0
    index_ns: int = 0
    valid: bool = False
    stalled: bool = False  # the market's state was made stricter because there was no index
    mark: MarkState = MarkState()
    prev_mark_e6: int = 0
    clock: FundingClock | None = None
    rate_e12: int = 0  # of the last interval
    last_e6: int = 0
    settle: Twap | None = None
    settle_end_s: int = 0
    needs_price: bool = False
    settle_e6: int = 0  # what it was settled at
    due: tuple[FundingResult, ...] = ()  # intervals that are closed and not paid yet
    plan: Plan | None = None
    plans: int = 0  # how many there were
    progress: dict[str, Progress] = {}


class House:
    """Everything about a market's risk that is not its book."""

    def __init__(self, spec: MarketSpec, state: HouseState | None = None, fund: Fund | None = None) -> None:
        self.spec = spec
        self.state = state or HouseState()
        self.fund = fund or Fund()
        self.index = LiquidationIndex()
        self.changed = False  # since the last commit
        self.band = (0, 0)  # where trades may print, lowest and highest price; 0: no bound
        self.told_ns = self.state.mark.mark_ns  # of the mark that was published last
        self.stale: dict[str, None] = {}  # traders whose place in the index must be found anew
        self.model: FundingModel | None = None
        if spec.funding != "none":
            self.model = funding_model(spec.funding, funding_terms(spec))
        self.preset = preset(spec.liquidation)
        self.terms = liquidation_terms(spec)
        rule = MarkRule(spec.mark)
        self._mark_terms = MarkTerms(
            tick_e6=spec.tick_e6,
            rule=rule,
            band_ppm=spec.mark_band_ppm,
            slow_tau_ns=SLOW_TAU_NS if spec.kind is MarketKind.FUTURE else 0,
            max_price_e6=spec.max_price_e6,
        )
        if self.state.settle is None and spec.expiry_s:
            self.state.settle = Twap(since=(spec.expiry_s - spec.settle_window_s) * NS)
            self.state.settle_end_s = spec.expiry_s
        self._set_band()

    @property
    def mark_e6(self) -> int:
        return self.state.mark.mark_e6

    def take(self, mark: Mark, bids: Depth, asks: Depth, *, marks: bool, funds: bool) -> bool:
        """Take an index: record it, sample what is sampled, and say whether the mark is new. CLRH-001."""
        state = self.state
        if mark.ts_ns <= state.index_ns:
            return False
        self.changed = True
        state.valid, state.index_ns = mark.valid, mark.ts_ns
        if mark.valid:
            state.index_e6 = mark.index_e6
        if state.settle is not None:
            state.settle = state.settle.observe(mark.ts_ns, mark.index_e6 if mark.valid else 0, CARRY_NS)
        fresh = mark.valid and marks
        if fresh:
            state.prev_mark_e6 = self.mark_e6
            state.mark = self._next_mark(mark, bids, asks)
            self._set_band()
        if self.model is not None:
            self._sample(mark, bids, asks, counts=fresh and funds)
        return fresh

    def _set_band(self) -> None:
        """Bound what may print by the mark (MATC-033); an option's payoff alone bounds its price."""
        spec = self.spec
        if self.mark_e6 and spec.kind is not MarketKind.OPTION:
            self.band = band(self.mark_e6, spec.band_ppm, spec.tick_e6)

    def _next_mark(self, mark: Mark, bids: Depth, asks: Depth) -> MarkState:
        spec, state = self.spec, self.state
        top = Top(
            bid_e6=bids[0][0] if bids else 0, ask_e6=asks[0][0] if asks else 0, last_e6=self.state.last_e6
        )
        if spec.kind is MarketKind.OPTION:
            return self._option_mark(mark, top)
        terms = self._mark_terms
        if spec.kind is MarketKind.SPOT:
            terms = MarkTerms(tick_e6=spec.tick_e6, rule=MarkRule.INDEX, band_ppm=PPM)
        left_ppm = 0
        if self.model is not None:
            interval_ns = self.model.interval_s * NS
            left_ppm = (interval_ns - mark.ts_ns % interval_ns) * PPM // interval_ns
        found = next_mark(state.mark, terms, mark.ts_ns, mark.index_e6, top, state.rate_e12, left_ppm)
        return self._blended(found, mark.ts_ns) if spec.kind is MarketKind.FUTURE else found

    def _blended(self, found: MarkState, ts_ns: int) -> MarkState:
        """Let the average so far count in a future's mark as it does in its settlement. Rule: EXPI-004."""
        spec, settle = self.spec, self.state.settle
        since_s = ts_ns // NS - (spec.expiry_s - spec.settle_window_s)
        if settle is None or since_s <= 0 or not spec.settle_window_s:
            return found
        seen = settle.at(ts_ns, CARRY_NS)
        if not seen.den:
            return found
        mark_e6 = blended_mark_e6(seen.num // seen.den, found.mark_e6, since_s, spec.settle_window_s)
        return replace(found, mark_e6=to_tick(mark_e6, spec.tick_e6))

    def _option_mark(self, mark: Mark, top: Top) -> MarkState:
        """An option's mark is its smoothed mid within its bounds, for display alone."""
        spec, basis = self.spec, self.state.mark.basis
        intrinsic_e6 = payoff_e6(spec.payoff_type, spec.strike_e6, mark.index_e6, spec.cap_e6)
        if top.bid_e6 and top.ask_e6:
            basis = basis.observe(mark.ts_ns, (top.bid_e6 + top.ask_e6) // 2)
        mid_e6 = basis.price_e6(0) if basis.known(mark.ts_ns) else intrinsic_e6
        mark_e6 = option_mark(mid_e6, intrinsic_e6, spec.max_payoff_e6) // spec.tick_e6 * spec.tick_e6
        return MarkState(mark_e6=mark_e6, mark_ns=mark.ts_ns, basis=basis)

    def _sample(self, mark: Mark, bids: Depth, asks: Depth, *, counts: bool) -> None:
        model = self.model
        assert model is not None
        bid, ask = impact(bids), impact(asks)
        seen = Sample(
            ts_ns=mark.ts_ns,
            index_e6=mark.index_e6,
            mark_e6=self.mark_e6,
            impact_bid_e6=bid.price_e6,
            impact_ask_e6=ask.price_e6,
            valid=counts,
            thin=bid.thin or ask.thin,
        )
        clock = self.state.clock or open_clock(mark.ts_ns)
        self.state.clock = clock.observe(model, seen)

    @property
    def unfinished(self) -> bool:
        """Tell whether something that was decided is not carried out yet."""
        return self.state.plan is not None or bool(self.state.due)

    def decide(self, moves: Iterable[PlannedMove], fund: Fund, *, closes: bool = False) -> None:
        """Take a plan up; `plans.carry_out` does the rest. Rule: CLRH-003."""
        self.state.plans += 1
        self.state.plan = Plan(self.state.plans, tuple(moves), fund, closes)
        self.changed = True

    def book_fund(self, after: Fund) -> Accounts:
        """Make the fund what it is after an event; return what that adds to the accounts."""
        before, self.fund = self.fund, after
        return Accounts(insurance=after.balance - before.balance, bad_debt=after.bad_debt - before.bad_debt)

    def to_row(self) -> dict[str, Any]:
        """Return the attributes of the RISK row."""
        row: dict[str, Any] = _listed(msgspec.to_builtins(self.state))
        return row


def _listed(value: Any) -> Any:
    """Return a value in which tuples are lists, as a table keeps them."""
    if isinstance(value, dict):
        return {name: _listed(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(inner) for inner in value]
    return value


def house_from(spec: MarketSpec, row: dict[str, Any] | None, account: dict[str, Any] | None) -> House:
    """Read a clearing house back: its RISK row, and the market's account for the fund."""
    state = None
    if row is not None:
        state = msgspec.convert({name: row[name] for name in row if name not in ("PK", "SK")}, HouseState)
    account = account or {}
    return House(spec, state, Fund(account.get("insurance", 0), account.get("bad_debt", 0)))


def funding_terms(spec: MarketSpec) -> FundingTerms:
    """Return a market's terms of funding."""
    return FundingTerms(
        interval_s=spec.funding_interval_s,
        sample_s=spec.funding_sample_s,
        cap_ppm_per_hour=spec.funding_cap_ppm,
        im_ppm=spec.im_ppm,
        mm_ppm=spec.mm_ppm,
    )


def liquidation_terms(spec: MarketSpec) -> LiquidationTerms:
    """Return a market's terms of liquidation."""
    return LiquidationTerms(
        im_ppm=spec.im_ppm,
        mm_ppm=spec.mm_ppm,
        fee_ppm=spec.fee_ppm,
        liq_fee_ppm=spec.liq_fee_ppm,
        tick_e6=spec.tick_e6,
        lot_e8=spec.lot_e8,
        min_liq_qty_e8=spec.min_liq_e8,
        im_target_ppm=spec.im_target_ppm,
        retry_ns=spec.liq_retry_s * NS,
        max_rounds=spec.liq_max_rounds,
        event_cap_ppm=spec.event_cap_ppm,
        adl=bool(spec.adl),
    )
