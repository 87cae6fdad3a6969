"""What a market is: its symbol, its integers and its state."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

from system.model import keys
from system.model.symbols import MARGINED, PATTERNS, MarketKind, read_symbol
from system.model.units import FEE_PPM, NS, PPM, QTY_SCALE

Settlement = Literal["chain", "ledger"]
DEEP = ("BTC", "ETH")
"""Assets whose feeds are held to half of what others may, and whose bands are the narrowest."""
NETTING_RULES = ("gross", "pair", "max")
MARGIN_MODES = ("isolated", "cross")
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")


class MarketState(StrEnum):
    """Admin and clock move a market along these; every move is a sequenced command (MATC-060)."""

    ACTIVE = "ACTIVE"
    POST_ONLY = "POST_ONLY"
    CANCEL_ONLY = "CANCEL_ONLY"
    PAUSED = "PAUSED"
    SETTLING = "SETTLING"
    CLOSED = "CLOSED"

    @property
    def admits_makers(self) -> bool:
        return self in (MarketState.ACTIVE, MarketState.POST_ONLY)

    @property
    def funds(self) -> bool:
        """Tell whether funding accrues."""
        return self in (MarketState.ACTIVE, MarketState.POST_ONLY)

    @property
    def marks(self) -> bool:
        """Tell whether a mark takes effect; PAUSED only records it, SETTLING only samples its TWAP."""
        return self in (MarketState.ACTIVE, MarketState.POST_ONLY, MarketState.CANCEL_ONLY)

    @property
    def moves_margin(self) -> bool:
        return self not in (MarketState.SETTLING, MarketState.CLOSED)


LISTED = tuple(state for state in MarketState if state is not MarketState.CLOSED)
_STRICTNESS = {state: rank for rank, state in enumerate(MarketState)}


def usual_band_ppm(underlying: str) -> int:
    """Return how far from the mark a price may be where a market does not say it. Rule: BAND-002.

    >>> usual_band_ppm("BTC"), usual_band_ppm("SOL")
    (50000, 80000)
    """
    return 50_000 if underlying in DEEP else 80_000


def stricter(one: MarketState, other: MarketState) -> bool:
    """Tell whether one state admits less than another."""
    return _STRICTNESS[one] > _STRICTNESS[other]


def may_become(before: MarketState, after: MarketState) -> bool:
    """Tell whether a market may be moved so. Rule: MATC-061.

    It may be made stricter at once, as a circuit breaker must, and looser until it settles.
    """
    if before is MarketState.CLOSED or before is after:
        return False
    if before is MarketState.SETTLING:
        return after is MarketState.CLOSED
    return after is not MarketState.CLOSED or _STRICTNESS[before] < _STRICTNESS[after]


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The fixed terms of a market.

    Units: `*_e6` uUSDC per 1.0 base, `*_e8` 1e-8 base, `*_ppm` parts per million, `*_s` seconds
    (`expiry_s` Unix), `min_notional` and `insurance` uUSDC.
    """

    symbol: str
    kind: MarketKind
    base: str
    underlying: str
    tick_e6: int
    lot_e8: int
    settle_tick_e6: int = 0  # grid of settlement prices; 0: the tick
    min_notional: int = 1_000_000
    max_order_e8: int = 10**13
    oi_cap_e8: int = 0  # 0: none
    fee_ppm: int = FEE_PPM
    settlement_fee_ppm: int = 0
    im_ppm: int = PPM
    mm_ppm: int = 50_000
    liq_fee_ppm: int = 10_000
    slippage_ppm: int = 20_000  # what closing a position may cost beyond its fees
    band_ppm: int = 50_000
    mark_band_ppm: int = 50_000
    mark: str = "MEDIAN"
    funding: str = "none"
    funding_interval_s: int = 0  # 0: the model's own
    funding_sample_s: int = 0
    funding_cap_ppm: int = 0  # an hour; 0: none but the model's own
    liquidation: str = "standard"
    adl: str = "ranked"  # or pro_rata; "" for none
    event_cap_ppm: int = PPM  # of the insurance fund, for one event
    liq_retry_s: int = 1
    liq_max_rounds: int = 3
    min_liq_e8: int = 0  # up to this size all is closed at once
    im_target_ppm: int = 0  # what a partial close restores; 0: the initial margin
    haircut: bool = True  # whether winners share what nobody paid at expiry
    expiry_s: int = 0
    strike_e6: int = 0
    cap_e6: int = 0  # a call pays at most cap less strike
    option_type: str = ""
    max_price_e6: int = 0  # of a capped future or perpetual: both sides lock all they can lose; 0: none
    settle_window_s: int = 1_800
    cooldown_s: int = 60  # POST_ONLY lasts so long before a market is ACTIVE again
    calms: bool = True  # a taker that the band stops makes it POST_ONLY
    stp: str = "EXPIRE_TAKER"  # for orders that name no mode
    rebate_ppm: int = 0  # of the fees, paid back in CXPT
    margin: str = "isolated"  # or cross: a trader's positions in such markets answer for each other
    netting: str = "pair"  # of a trader's open orders, where positions have margin
    settlement: Settlement = "chain"

    @property
    def margined(self) -> bool:
        return self.kind in MARGINED

    @property
    def nets(self) -> bool:
        """Tell whether a trader's opposite orders stand for each other; elsewhere each pays for itself."""
        return self.margined and self.netting != "gross" and not self.max_price_e6

    @property
    def clears(self) -> bool:
        """Tell whether the clearing house moves positions: funding, liquidation, settlement."""
        return self.kind is not MarketKind.SPOT and (self.settlement == "ledger" or self.ends_on_chain)

    @property
    def ends_on_chain(self) -> bool:
        """Tell whether the price at expiry goes to the contracts, and claims with it."""
        return self.settlement == "chain" and self.kind is MarketKind.OPTION

    @property
    def liquidates(self) -> bool:
        """Tell whether positions are closed by force: not what is paid in full, nor what is on chain."""
        return self.margined and self.settlement == "ledger" and not self.max_price_e6

    @property
    def is_cross(self) -> bool:
        """Tell whether positions here answer for their trader's others. Rule: RISK-045."""
        return self.margin == "cross"

    @property
    def settle_step_e6(self) -> int:
        return self.settle_tick_e6 or self.tick_e6

    @property
    def payoff_type(self) -> Literal["CALL", "PUT"]:
        return "PUT" if self.option_type == "PUT" else "CALL"

    @property
    def max_payoff_e6(self) -> int:
        """The most that one option can pay, and so what its writer locks."""
        return self.cap_e6 - self.strike_e6 if self.option_type == "CALL" else self.strike_e6

    @property
    def expiry_ns(self) -> int:
        return self.expiry_s * NS

    def problem(self) -> str:
        """Return why these terms are illegal, "" when they are fine. Rules: MARK-001, MARK-003 to 005."""
        return (
            self._symbol_problem()
            or self._grid_problem()
            or self._margin_problem()
            or self._capped_problem()
            or self._word_problem()
            or self._settlement_problem()
        )

    def _symbol_problem(self) -> str:
        named = read_symbol(self.symbol)
        if named is None or named.kind is not self.kind:
            return f"symbol: expected {PATTERNS[self.kind].pattern} for {self.kind}, was {self.symbol!r}"
        for name, said, was in (
            ("expiry_s", named.expiry_s, self.expiry_s),
            ("strike_e6", named.strike_e6, self.strike_e6),
            ("option_type", named.option_type, self.option_type),
        ):
            if said != was:
                return f"{name}: expected {said!r}, as {self.symbol} says, was {was!r}"
        return ""

    def _grid_problem(self) -> str:
        if self.tick_e6 <= 0 or self.lot_e8 <= 0:
            return f"tick and lot: expected above 0, was {self.tick_e6} and {self.lot_e8}"
        for name, step_e6 in (("tick", self.tick_e6), ("settle tick", self.settle_step_e6)):
            if step_e6 <= 0 or step_e6 * self.lot_e8 % QTY_SCALE:
                return (
                    f"{name} times lot: expected a whole number of uUSDC, "
                    f"was {step_e6} * {self.lot_e8} / {QTY_SCALE}"
                )
        if self.kind is not MarketKind.OPTION:
            return "" if not self.cap_e6 else f"cap_e6: expected 0 for {self.kind}, was {self.cap_e6}"
        if self.strike_e6 % self.settle_step_e6 or self.cap_e6 % self.settle_step_e6:
            was = f"{self.strike_e6} and {self.cap_e6}"
            return f"strike and cap: expected multiples of {self.settle_step_e6}, was {was}"
        if self.option_type == "PUT" and self.cap_e6:
            return f"cap_e6: expected 0 for a put, was {self.cap_e6}"
        if self.option_type == "CALL" and self.cap_e6 <= self.strike_e6:
            return f"cap_e6: expected above the strike {self.strike_e6}, was {self.cap_e6}"
        return ""

    def _margin_problem(self) -> str:
        if not self.margined:
            return ""
        if self.im_ppm <= self.mm_ppm:
            return f"im_ppm: expected above mm_ppm {self.mm_ppm}, was {self.im_ppm}"
        closing_ppm = self.fee_ppm + self.liq_fee_ppm + self.slippage_ppm
        if self.mm_ppm < closing_ppm:
            return (
                f"mm_ppm: expected fee, liquidation fee and slippage {closing_ppm} or more, was {self.mm_ppm}"
            )
        return ""

    def _capped_problem(self) -> str:
        if not self.max_price_e6:
            return ""
        if not self.margined or self.funding != "none" or self.settlement == "chain":
            what = f"{self.kind} with funding {self.funding}, settled {self.settlement}"
            return f"max_price_e6: expected a future or perpetual in the ledger without funding, was {what}"
        if self.im_ppm != PPM or self.max_price_e6 < 0 or self.max_price_e6 % self.settle_step_e6:
            was = f"{self.max_price_e6} with im_ppm {self.im_ppm}"
            return f"max_price_e6: expected a multiple of {self.settle_step_e6} with im_ppm {PPM}, was {was}"
        return ""

    def _word_problem(self) -> str:
        if self.stp not in STP_MODES:
            return f"stp: expected one of {', '.join(STP_MODES)}, was {self.stp!r}"
        if self.netting not in NETTING_RULES:
            return f"netting: expected one of {', '.join(NETTING_RULES)}, was {self.netting!r}"
        if self.margin not in MARGIN_MODES:
            return f"margin: expected one of {', '.join(MARGIN_MODES)}, was {self.margin!r}"
        if self.margin == "cross" and not self.liquidates:
            return "margin: expected isolated where nothing is liquidated by force, was cross"
        if self.funding != "none" and self.kind is not MarketKind.PERP:
            return f"funding: expected none for {self.kind}, was {self.funding!r}"
        return ""

    def _settlement_problem(self) -> str:
        # what is liquidated or pays funding is not brought to the contracts
        unknown_on_chain = self.kind is MarketKind.FUTURE or self.funding != "none"
        if self.settlement == "chain" and unknown_on_chain:
            return f"settlement: expected ledger for {self.kind} with funding {self.funding}, was chain"
        if self.settlement == "chain" and self.base == "CXPT":
            return "settlement: expected ledger for CXPT, which the Vault mints to wallets alone, was chain"
        if not 0 <= self.rebate_ppm <= PPM or (self.rebate_ppm and self.settlement == "chain"):
            return f"rebate_ppm: expected 0 to {PPM}, and 0 on chain, was {self.rebate_ppm}"
        if self.settlement == "chain" and self.stp == "NONE":
            return "stp: expected another mode than NONE, the contracts let nobody trade with himself"
        return ""

    def to_item(self, state: MarketState, created_ns: int) -> dict[str, Any]:
        """Return the Markets row; oracle fields are added by the oracle job."""
        item: dict[str, Any] = {"PK": keys.market_pk(self.symbol), "SK": keys.META}
        item |= msgspec.structs.asdict(self)
        item["kind"] = self.kind.value
        item["status"] = state.value
        item["created_ns"] = created_ns
        return item


_FIELDS = MarketSpec.__struct_fields__


def spec_from_item(item: dict[str, Any]) -> MarketSpec:
    """Read the fixed terms back from a Markets row."""
    values = {name: item[name] for name in _FIELDS}
    values["kind"] = MarketKind(values["kind"])
    return MarketSpec(**values)


__all__ = [
    "DEEP",
    "LISTED",
    "MARGINED",
    "MarketKind",
    "MarketSpec",
    "MarketState",
    "Settlement",
    "may_become",
    "spec_from_item",
    "usual_band_ppm",
]
