"""A market with a ledger beside it: every step is booked, and every step must balance.

The ledger knows nothing of the engine but its postings, so it is the auditor of conservation:
I1 sizes sum to zero, I2 clearing is minus the costs, I5 holds are what is left to pay at worst,
I6 nothing is negative, I9 every step sums to zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from system.matcher.matching import Engine
from system.matcher.steps import Command, Fill, Forced, Moved, Step, StpMode
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.order import LIVE, Order, Side
from system.risk.holds import hold_asset, hold_before_match, worst_price

E6, E8 = 10**6, 10**8

# one price step is 1 USDC and one lot is 1.0, so that stories can say "3 at 101"
TOY = MarketSpec(
    symbol="TOY-PERP",
    kind=MarketKind.PERP,
    base="TOY",
    underlying="TOY",
    tick_e6=E6,
    lot_e8=E8,
    band_ppm=900_000,
)
BTC = MarketSpec(
    symbol="BTC-PERP", kind=MarketKind.PERP, base="BTC", underlying="BTC", tick_e6=100_000, lot_e8=10_000
)
SPOT = MarketSpec(
    symbol="sTOY-USDC",
    kind=MarketKind.SPOT,
    base="sTOY",
    underlying="TOY",
    tick_e6=E6,
    lot_e8=E8,
    band_ppm=900_000,
)
FUNDS = 10**18


class Venue:
    """An engine, the accounts around it, and a counter for sequence numbers."""

    def __init__(
        self,
        spec: MarketSpec = TOY,
        stp: StpMode = StpMode.EXPIRE_TAKER,
        reference_price_e6: int = 100 * E6,
        funds: int = FUNDS,
    ) -> None:
        self.spec = spec
        self.engine = Engine(spec, {}, MarketState.ACTIVE, stp)
        self.reference_price_e6 = reference_price_e6
        self.funds = funds
        self.available: defaultdict[tuple[str, str], int] = defaultdict(lambda: funds)
        self.reserved: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.fees = 0
        self.clearing = 0
        self.insurance = 0
        self.bad_debt = 0
        self.issued = 0  # CXPT, in uUSDC set aside for it
        self.rebates = 0
        self.seq = 0
        self.now_ns = 1
        self.orders: dict[str, Order] = {}

    def order(self, trader: str, side: Side, qty: int, price: int, **terms: Any) -> Order:
        """Build an order in lots and ticks and take its hold, as the door does."""
        uuid = terms.pop("uuid", f"{trader}-{len(self.orders) + 1}")
        price_e6 = price * self.spec.tick_e6
        order = Order(
            symbol=self.spec.symbol,
            uuid=uuid,
            trader=trader,
            account="0x" + trader,
            subaccount=0,
            order_type=terms.pop("order_type", "LIMIT"),
            side=side,
            tif=terms.pop("tif", "GTC"),
            post_only=terms.pop("post_only", False),
            reduce_only=terms.pop("reduce_only", False),
            qty_e8=qty * self.spec.lot_e8,
            limit_price_e6=price_e6,
            expire_ns=terms.pop("expire_ns", 0),
            nonce=terms.pop("nonce", len(self.orders) + 1),
            max_fee_bps=50,
            signature="",
            worst_price_e6=worst_price(side, price_e6, self.reference_price_e6, self.spec),
            **terms,
        )
        order.hold_asset = hold_asset(order, self.spec)
        order.hold = hold_before_match(order, self.spec)
        self._post([(trader, order.hold_asset, -order.hold, order.hold)])
        self.orders[uuid] = order
        return order

    def send(self, trader: str, side: Side, qty: int, price: int, **terms: Any) -> list[Step]:
        """Place an order and carry it out."""
        return self.run(self.order(trader, side, qty, price, **terms))

    def run(self, command: Command) -> list[Step]:
        """Carry out a command; book and audit each step while the engine stands still at it."""
        self.seq += 1
        self.now_ns += 1
        steps: list[Step] = []
        for step in self.engine.run(command, self.now_ns, self.seq):
            self.book(step)
            steps.append(step)
            if isinstance(step, Fill | Forced):
                self.audit_positions()
        self.audit()
        return steps

    def book(self, step: Step) -> None:
        """Add a step to the ledger and see that it balances by itself (I9)."""
        sums: defaultdict[str, int] = defaultdict(int)
        for posting in step.postings:
            sums[posting.asset] += posting.available + posting.reserved
        if isinstance(step, Fill):
            sums["USDC"] += step.margin + step.fees + step.clearing + step.issued
            self.fees += step.fees
            self.clearing += step.clearing
            self._issue(step.issued, sums)
            self.rebates += step.issued
        elif isinstance(step, Moved | Forced):
            sums["USDC"] += step.margin + step.accounts.total
            self.fees += step.accounts.fees
            self.clearing += step.accounts.clearing
            self.insurance += step.accounts.insurance
            self.bad_debt += step.accounts.bad_debt
            self._issue(step.accounts.issued, sums)
            self.rebates += step.accounts.issued if isinstance(step, Forced) else 0
        assert not any(sums.values()), (step, dict(sums))
        self._post(step.postings)
        if isinstance(step, Moved) and step.to:  # the other market, which is not here, gives it back
            assert step.position is not None
            self._post([(step.position.trader, "USDC", step.passed, -step.passed)])

    def _issue(self, amount: int, sums: dict[str, int]) -> None:
        """A CXPT is a hundred millionths of itself for each uUSDC set aside."""
        self.issued += amount
        sums["CXPT"] -= 100 * amount

    def _post(self, postings: Iterable[tuple[str, str, int, int]]) -> None:
        for trader, asset, available, reserved in postings:
            self.available[trader, asset] += available
            self.reserved[trader, asset] += reserved
            assert self.available[trader, asset] >= 0, (trader, asset)
            assert self.reserved[trader, asset] >= 0, (trader, asset)

    def audit_positions(self) -> None:
        """See I1, I2 and the positions' part of I6."""
        positions = self.engine.positions.values()
        assert sum(at.size_e8 for at in positions) == 0
        assert sum(at.fees for at in positions) == self.fees + self.rebates
        assert all(at.margin >= 0 for at in positions)
        if self.spec.kind is MarketKind.OPTION:
            assert self.clearing == 0
            most = self.spec.max_payoff_e6
            assert all(at.margin == most * max(0, -at.size_e8) // E8 for at in positions)
        else:
            assert -sum(at.cost for at in positions) == self.clearing
        if self.spec.kind is not MarketKind.SPOT:
            assert sum(max(at.size_e8, 0) for at in positions) == self.engine.open_interest_e8
        assert (self.insurance, self.bad_debt) == (
            self.engine.house.fund.balance,
            self.engine.house.fund.bad_debt,
        )
        assert self.insurance >= 0 <= self.bad_debt

    def audit(self) -> None:
        """See I3 over all accounts, and I5: each hold is what its order may still have to pay."""
        self.audit_positions()
        self.audit_reduce_only()
        margin = sum(at.margin for at in self.engine.positions.values())
        for asset in dict.fromkeys(("USDC", self.spec.base, "CXPT")):
            accounts = [key for key in sorted({*self.available, *self.reserved}) if key[1] == asset]
            total = sum(self.available[key] - self.funds + self.reserved[key] for key in accounts)
            if asset == "USDC":
                total += margin + self.fees + self.clearing + self.insurance - self.bad_debt + self.issued
            elif asset == "CXPT":
                total -= 100 * self.issued
            assert total == 0, (asset, total)
        owed: defaultdict[tuple[str, str], int] = defaultdict(int)
        for order in self.orders.values():
            if not order.seq:  # pre-paid, not sequenced yet
                owed[order.trader, order.hold_asset] += order.hold
                continue
            resting = order.uuid in self.engine.book or self.engine.stops.get(order.uuid) is not None
            assert resting == (order.status in LIVE), order
            assert order.hold == (owed_by(order, self.spec) if resting else 0), order
            assert order.leaves_e8 if resting else not order.leaves_e8, order
            owed[order.trader, order.hold_asset] += order.hold
        for trader, at in self.engine.positions.items():
            assert at.relief == relief_by(self.engine, trader), at
            owed[trader, "USDC"] -= at.relief
        assert {key: hold for key, hold in owed.items() if hold} == {
            key: hold for key, hold in self.reserved.items() if hold
        }

    def audit_reduce_only(self) -> None:
        """See that resting reduce-only orders never close more than there is."""
        closing: defaultdict[tuple[str, str], int] = defaultdict(int)
        for order in self.engine.book.orders():
            if order.reduce_only:
                closing[order.trader, order.side] += order.leaves_e8
        for (trader, side), qty_e8 in closing.items():
            size_e8 = self.engine.positions[trader].size_e8
            assert qty_e8 <= (size_e8 if side == "SELL" else -size_e8), (trader, side)

    def fills(self, steps: Iterable[Step]) -> list[tuple[str, int, int]]:
        """Read the fills out of steps: (maker's trader, lots, ticks)."""
        lot, tick = self.spec.lot_e8, self.spec.tick_e6
        return [
            (step.maker.trader, step.qty_e8 // lot, step.price_e6 // tick)
            for step in steps
            if isinstance(step, Fill)
        ]

    def position(self, trader: str) -> int:
        """Return a trader's size in lots."""
        at = self.engine.positions.get(trader)
        return at.size_e8 // self.spec.lot_e8 if at else 0


def ended(order: Order) -> tuple[str, str]:
    """Return how an order stands and why."""
    return order.status, order.reason


def owed_by(order: Order, spec: MarketSpec) -> int:
    """Compute a resting order's obligation by the book, in fractions: not with the code under test."""
    notional = order.limit_price_e6 * order.leaves_e8 // E8
    if spec.kind is MarketKind.SPOT and order.side == "SELL":
        return order.leaves_e8
    if order.reduce_only:
        return 0
    if spec.kind is MarketKind.OPTION and order.side == "SELL":
        most = spec.cap_e6 - spec.strike_e6 if spec.option_type == "CALL" else spec.strike_e6
        return most * order.leaves_e8 // E8
    fee = up(spec.fee_ppm * (order.cum_notional + notional)) - order.fee_paid
    if spec.kind in (MarketKind.SPOT, MarketKind.OPTION):
        return notional + fee
    if spec.max_price_e6 and order.side == "SELL":
        return spec.max_price_e6 * order.leaves_e8 // E8 - notional + fee
    margin = up(spec.im_ppm * (order.cum_notional + notional)) - up(spec.im_ppm * order.cum_notional)
    return margin + fee


def relief_by(engine: Engine, trader: str) -> int:
    """Compute what netting sets free, lot by lot: the margin of what closes and of the cheaper halves."""
    spec = engine.spec
    if spec.netting == "gross" or spec.kind not in (MarketKind.PERP, MarketKind.FUTURE) or spec.max_price_e6:
        return 0
    mine = sorted(
        (o for o in engine.book.orders() if o.trader == trader and not o.reduce_only), key=lambda o: o.seq
    )
    sides = {
        side: [o.limit_price_e6 for o in mine if o.side == side for _ in range(o.leaves_e8 // spec.lot_e8)]
        for side in ("BUY", "SELL")
    }
    buys, sells = sorted(sides["BUY"], reverse=True), sorted(sides["SELL"])
    at = engine.positions.get(trader)
    lots = at.size_e8 // spec.lot_e8 if at else 0
    free = sum(sells[: max(0, lots)]) + sum(buys[: max(0, -lots)])
    sells, buys = sells[max(0, lots) :], buys[max(0, -lots) :]
    if spec.netting == "max":
        free += min(sum(buys), sum(sells))
    else:
        free += sum(min(pair) for pair in zip(buys, sells, strict=False))
    most = 0
    for o in mine:
        whole = o.cum_notional + o.limit_price_e6 * o.leaves_e8 // E8
        most += up(spec.im_ppm * whole) - up(spec.im_ppm * o.cum_notional)
    return min(free * spec.lot_e8 * spec.im_ppm // (E8 * E6), most)


def up(amount_ppm: int) -> int:
    """Round millionths up to a whole."""
    whole, rest = divmod(amount_ppm, E6)
    return whole + (1 if rest else 0)
