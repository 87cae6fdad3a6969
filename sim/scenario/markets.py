"""What a scenario file may say of a market."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from sim.scenario.part import Misfit, Part
from sim.scenario.units import (
    SECOND_NS,
    Amount,
    AssetAmount,
    Duration,
    PositiveShare,
    Price,
    Share,
    Usdc,
    format_amount,
)
from sim.scenario.words import choice
from system.model.market import MARGIN_MODES, NETTING_RULES, STP_MODES, MarketKind, MarketSpec, usual_band_ppm
from system.model.symbols import Terms, read_symbol
from system.model.units import PPM
from system.risk.funding import PRESETS as FUNDING_MODELS
from system.risk.liquidation.presets import PRESETS as LIQUIDATION_PRESETS
from system.risk.mark import MarkRule
from system.risk.options import listing_cap_e6
from system.risk.redemption import CXPT

MARK_RULES = tuple(rule.value for rule in MarkRule)


class Market(Part):
    """The terms of one market."""

    symbol: str
    """`BTC-PERP`, `sBTC-USDC`, the future `BTC-27JUN25`, or the option `BTC-27JUN25-60000-C`."""
    tick: Price
    """Smallest step of a price."""
    lot: AssetAmount
    """Smallest step of a quantity, in the market's base."""
    initial_margin: PositiveShare = PPM
    """Margin paid for a new position; 100 % means fully pre-paid."""
    maintenance_margin: PositiveShare = 50_000
    """Margin below which a position is liquidated."""
    fee: Share = 5_000
    """Fee of each side."""
    rebate: Share = 0
    """Part of the fees that comes back in CXPT, backed by that part itself; needs `settlement: ledger`."""
    band: PositiveShare | None = None
    """How far from the mark an order may trade; by itself 5 % for BTC and ETH, 8 % for others."""
    mark_band: PositiveShare = 50_000
    """How far from the index a mark may be."""
    liquidation_fee: Share = 10_000
    """Fee of a liquidation, paid to the insurance fund."""
    slippage: Share = 20_000
    """What closing a position may cost beyond its fees; maintenance margin covers all three."""
    settle_tick: Price | None = None
    """Grid of settlement prices; the tick when left out."""
    settle_window: Duration = 1_800 * SECOND_NS
    """A contract is settled at the mean index of this time before its expiry; 0 s: at the last index."""
    cap: Price | None = None
    """Price of the underlying above which a call pays no more; by itself 2 or 3 times its strike or index."""
    max_price: Price | None = None
    """Highest price of a capped future or perpetual: both sides lock all they can lose."""
    open_interest_cap: AssetAmount | None = None
    """The most contracts that may be open."""
    cooldown: Duration = 60 * SECOND_NS
    """How long a market that was closed to takers stays post-only before it is active again."""
    calms: bool = True
    """Whether a taker that the band stops makes the market post-only for the cooldown."""
    stp: Annotated[str, choice("self-trade prevention mode", *STP_MODES)] = "EXPIRE_TAKER"
    """Who gives way when a trader would meet himself, where an order does not say it."""
    settlement: Literal["chain", "ledger"] | None = None
    """Whether its trades go to the chain. Left out: chain where the contracts know such markets."""
    mark: Annotated[str, choice("mark rule", *MARK_RULES)] = "MEDIAN"
    """How the mark is found: the median of index, book and their distance, or INDEX, or LAST_TRADE."""
    funding: Annotated[str, choice("funding model", *FUNDING_MODELS)] = "none"
    """Which funding model a perpetual has."""
    funding_interval: Duration = 0
    """Time between two payments; the model's own when left out."""
    funding_cap: Share = 0
    """The most that funding costs an hour, of the index; 0 %: no bound but the model's own."""
    margin: Annotated[str, choice("margin mode", *MARGIN_MODES)] = "isolated"
    """Whether a position answers for itself, or (an experiment) together with its trader's others."""
    netting: Annotated[str, choice("netting rule", *NETTING_RULES)] = "pair"
    """What a trader's opposite orders hold: the dearer of each pair, the dearer side, or all (`gross`)."""
    insurance: Usdc = 0
    """What the insurance fund begins with, deposited by the exchange."""
    event_cap: PositiveShare = PPM
    """The most of its fund that one event may take."""
    liquidation: Annotated[str, choice("liquidation preset", *LIQUIDATION_PRESETS)] = "standard"
    """Which way through the waterfall a position takes that is below its maintenance margin."""
    liquidation_retry: Duration = SECOND_NS
    """Time between two rounds of close orders."""
    deleveraging: Annotated[str, choice("deleveraging policy", "ranked", "pro_rata", "none")] = "ranked"
    """Who is closed on the other side when neither orders nor the fund suffice."""
    haircut: bool = True
    """Whether those who gained share a loss that nobody's margin and no fund covers."""

    @property
    def base(self) -> str:
        """The asset that is traded: BTC of BTC-PERP and of BTC-27JUN25-60000-C, sBTC of sBTC-USDC."""
        return self.symbol.partition("-")[0]

    @property
    def underlying(self) -> str:
        """The asset whose outside price counts: BTC for BTC-PERP and for sBTC-USDC."""
        base = self.base
        synth = base[:1] == "s" and base[1:].isupper()
        return base[1:] if synth else base

    def usual_cap_e6(self, index_e6: int, now_ns: int) -> int:
        """Return the cap of a call that states none and is listed at an index; 0 for all else. OPTN-002."""
        named = read_symbol(self.symbol)
        if named is None or named.option_type != "CALL" or self.cap:
            return 0
        try:
            return listing_cap_e6(
                named.strike_e6, index_e6, named.expiry_s - now_ns // SECOND_NS, self.settle_tick or self.tick
            )
        except ValueError as error:
            remedy = "state a `cap`, or list a nearer expiry"
            raise Misfit(("symbol",), f"calls without a cap: {error}", remedy) from None

    def spec(self, usual_cap_e6: int = 0) -> MarketSpec:
        """Return the exchange's own form of these terms; `usual_cap_e6` is for a call that states no cap."""
        named = read_symbol(self.symbol) or Terms(MarketKind.SPOT, self.base)
        known_on_chain = (
            named.kind is not MarketKind.FUTURE
            and self.funding == "none"
            and not self.rebate
            and not self.max_price
            and self.base != CXPT
        )
        return MarketSpec(
            symbol=self.symbol,
            kind=named.kind,
            expiry_s=named.expiry_s,
            strike_e6=named.strike_e6,
            option_type=named.option_type,
            cap_e6=self.cap or usual_cap_e6,
            max_price_e6=self.max_price or 0,
            settle_tick_e6=self.settle_tick or 0,
            settle_window_s=self.settle_window // SECOND_NS,
            oi_cap_e8=self.open_interest_cap.units if self.open_interest_cap else 0,
            mark_band_ppm=self.mark_band,
            liq_fee_ppm=self.liquidation_fee,
            slippage_ppm=self.slippage,
            cooldown_s=self.cooldown // SECOND_NS,
            calms=self.calms,
            stp=self.stp,
            settlement=self.settlement or ("chain" if known_on_chain else "ledger"),
            base=self.base,
            underlying=self.underlying,
            tick_e6=self.tick,
            lot_e8=self.lot.units,
            fee_ppm=self.fee,
            im_ppm=self.initial_margin,
            mm_ppm=self.maintenance_margin,
            band_ppm=self.band or usual_band_ppm(self.underlying),
            mark=self.mark,
            funding=self.funding,
            funding_interval_s=self.funding_interval // SECOND_NS,
            funding_cap_ppm=self.funding_cap,
            margin=self.margin,
            netting=self.netting,
            rebate_ppm=self.rebate,
            event_cap_ppm=self.event_cap,
            liquidation=self.liquidation,
            liq_retry_s=self.liquidation_retry // SECOND_NS,
            adl="" if self.deleveraging == "none" else self.deleveraging,
            haircut=self.haircut,
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lot.asset != self.base:
            was = format_amount(self.lot)
            right = format_amount(Amount(self.base, self.lot.units)) if self.lot.asset != "USDC" else "..."
            raise Misfit(
                ("lot",), f"expected an amount of {self.base}, was `{was}`", f"write it like `{right}`"
            )
        named = read_symbol(self.symbol)
        lacks_cap = named is not None and named.option_type == "CALL" and self.cap is None
        spec = self.spec(2 * named.strike_e6 if named is not None and lacks_cap else 0)
        if self.insurance and not spec.liquidates:
            remedy = "set `settlement: ledger` on a perpetual or a future, or leave it out"
            raise Misfit(("insurance",), "no position is liquidated in this market", remedy)
        problem = spec.problem()
        if problem:
            raise Misfit((), f"not a legal market: {problem}", "see docs/scenario-files.md#markets")
        return self
