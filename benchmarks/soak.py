"""Random commands on many markets of all kinds, with the identities checked after each: `make soak`.

Every step must add up to zero (I9), and every position that it touched must leave the sums of sizes and of
costs as they should be (I1, I2) and nothing below zero (I6). Every so many commands all of I1 to I8 are
counted anew from the engines. At the end the log of each market is run again and must give the same state.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict, deque
from copy import deepcopy
from random import Random
from typing import Any

from msgspec.structs import replace

from system.matcher.matching import Engine
from system.matcher.steps import (
    Cancel,
    Command,
    Expire,
    Fill,
    Forced,
    Funding,
    FundingPaid,
    Insure,
    Liquidate,
    Mark,
    Moved,
    MoveMargin,
    SetState,
    StateChanged,
    Step,
)
from system.model.market import NETTING_RULES, MarketKind, MarketSpec, MarketState
from system.model.order import LIVE, Order, Side
from system.model.position import Position
from system.model.units import NS, QTY_SCALE
from system.risk.funding import PRESETS as FUNDING
from system.risk.holds import hold_asset, hold_before_match, hold_resting, worst_price
from system.risk.liquidation.presets import PRESETS as LIQUIDATION

E6, E8 = 10**6, 10**8
START_S = 1_750_000_000
TRADERS = tuple(f"t{n:02d}" for n in range(24))
FUNDS = 5_000_000 * E6
REPLAYED = 20_000  # commands of a market whose log is kept


def specs(rng: Random) -> list[MarketSpec]:
    """Return markets of every kind: each funding model, each liquidation preset, futures, options, spot."""
    perp = MarketSpec(
        symbol="AAA-PERP",
        kind=MarketKind.PERP,
        base="AAA",
        underlying="AAA",
        tick_e6=E6,
        lot_e8=E8 // 100,
        im_ppm=100_000,
        band_ppm=200_000,
        settlement="ledger",
        funding_interval_s=600,
        cooldown_s=20,
    )
    found = []
    for n, model in enumerate(FUNDING):
        preset = list(LIQUIDATION)[n % len(LIQUIDATION)]
        policy = ("ranked", "pro_rata", "")[n % 3]
        netting = NETTING_RULES[n % 3]
        terms = {"funding": model, "liquidation": preset, "adl": policy, "netting": netting}
        found.append(replace(perp, symbol=f"P{n:02d}-PERP", **terms))
    found += [
        replace(perp, symbol=f"F{n}-27JUN25", kind=MarketKind.FUTURE, liquidation=list(LIQUIDATION)[n % 5])
        for n in range(6)
    ]
    for n in range(4):
        base = replace(perp, kind=MarketKind.OPTION, strike_e6=(90 + 5 * n) * E6)
        strike = 90 + 5 * n
        found.append(
            replace(base, symbol=f"O{n}-27JUN25-{strike}-C", cap_e6=2 * strike * E6, option_type="CALL")
        )
        found.append(replace(base, symbol=f"O{n}-27JUN25-{strike}-P", option_type="PUT"))
    for n in range(6):
        spot = replace(perp, kind=MarketKind.SPOT, symbol=f"sS{n}-USDC", base=f"sS{n}", im_ppm=10**6)
        found.append(spot)
    return found


class Ledger:
    """The accounts of all traders; a command that nobody can pay for is not sent."""

    def __init__(self) -> None:
        self.free: dict[tuple[str, str], int] = defaultdict(int)
        self.held: dict[tuple[str, str], int] = defaultdict(int)
        for trader in TRADERS:
            self.free[trader, "USDC"] = FUNDS

    def reserve(self, trader: str, asset: str, amount: int) -> bool:
        if self.free[trader, asset] < amount:
            return False
        self.free[trader, asset] -= amount
        self.held[trader, asset] += amount
        return True


class Market:
    """One engine, its sums as the steps left them, and its log."""

    def __init__(self, spec: MarketSpec, ledger: Ledger, rng: Random, start_s: int) -> None:
        self.ledger = ledger
        self.rng = rng
        self.now_ns = start_s * NS
        self.listing(spec)

    def listing(self, spec: MarketSpec) -> None:
        """List the market; a contract ends within the hour."""
        if spec.expiry_s or spec.kind in (MarketKind.FUTURE, MarketKind.OPTION):
            spec = replace(
                spec, expiry_s=self.now_ns // NS + self.rng.randrange(1_200, 3_600), settle_window_s=300
            )
        self.spec = spec
        self.engine = Engine(spec, {}, MarketState.ACTIVE)
        self.seq = 0
        self.price = 100 * E6
        self.recent: deque[Order] = deque(maxlen=40)
        self.known: dict[str, tuple[int, int, int]] = {}
        self.size = self.cost = self.margin = 0
        self.fees = self.clearing = self.insurance = self.bad_debt = 0
        self.log: list[tuple[Command, int, int]] = []
        if spec.kind is MarketKind.SPOT:
            for trader in TRADERS:
                self.ledger.free[trader, spec.base] += 1_000 * E8

    # what is sent

    def act(self) -> Command | None:
        """Think of a command, and reserve what it needs; None when it cannot be paid."""
        rng = self.rng
        self.now_ns += rng.randrange(1, 2 * NS)
        if self.spec.expiry_s and self.now_ns >= self.spec.expiry_ns:
            return Expire(self.price if rng.random() < 0.2 else 0)
        draw = rng.random()
        if draw < 0.62:
            return self.order()
        if draw < 0.82:
            live = [order for order in self.recent if order.status in LIVE]
            return Cancel(live[0].uuid, live[0].trader) if live else None
        if draw < 0.92:
            self.price = max(20 * E6, min(400 * E6, int(self.price * rng.gauss(1, 0.01))))
            if rng.random() < 0.03:
                return Mark(0, self.now_ns, valid=False, standing=rng.choice(("", "CANCEL_ONLY", "PAUSED")))
            return Mark(self.price, self.now_ns)
        if draw < 0.94:
            return Funding(self.now_ns)
        if draw < 0.96:
            return Liquidate()
        if draw < 0.98:
            trader, amount = rng.choice(TRADERS), rng.randrange(-50, 50) * E6
            return (
                MoveMargin(trader, amount)
                if amount and self.ledger.reserve(trader, "USDC", max(0, amount))
                else None
            )
        if draw < 0.99:
            trader, amount = rng.choice(TRADERS), rng.randrange(1, 200) * E6
            return Insure(trader, amount) if self.ledger.reserve(trader, "USDC", amount) else None
        return SetState(rng.choice((MarketState.ACTIVE, MarketState.ACTIVE, *list(MarketState)[:4])))

    def order(self) -> Order | None:
        rng, spec = self.rng, self.spec
        side: Side = "BUY" if rng.random() < 0.5 else "SELL"
        about = self.price
        if spec.kind is MarketKind.OPTION:
            about = max(2 * E6, min(spec.max_payoff_e6 - 2 * E6, 15 * E6))
        away = int(about * rng.uniform(-0.03, 0.03))
        limit_e6 = max(1, (about + away) // spec.tick_e6) * spec.tick_e6
        reduce_only = spec.kind is not MarketKind.SPOT and rng.random() < 0.1
        stop = reduce_only and rng.random() < 0.4
        trader = rng.choice(TRADERS)
        order = Order(
            symbol=spec.symbol,
            uuid=f"{self.seq + 1}",
            trader=trader,
            account=trader,
            order_type="LIMIT",
            side=side,
            tif="IOC" if stop or rng.random() < 0.25 else "GTC",
            qty_e8=rng.randrange(1, 400) * spec.lot_e8,
            limit_price_e6=limit_e6,
            nonce=self.seq + 1,
            max_fee_bps=50,
            reduce_only=reduce_only,
            trigger_e6=limit_e6 if stop else 0,
            stp=rng.choice(("", "", "", "NONE", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")),
            worst_price_e6=worst_price(side, limit_e6, self.engine.house.mark_e6 or self.price, spec),
        )
        order.hold_asset = hold_asset(order, spec)
        order.hold = hold_before_match(order, spec)
        if not self.ledger.reserve(trader, order.hold_asset, order.hold):
            return None
        self.recent.append(order)
        return order

    # what is checked

    def run(self, command: Command) -> bool:
        """Carry a command out and check each step; False when the market has closed."""
        self.seq += 1
        if self.seq <= REPLAYED:
            self.log.append((deepcopy(command), self.now_ns, self.seq))
        closed = False
        for step in self.engine.run(command, self.now_ns, self.seq):
            self.book(step)
            closed = closed or (isinstance(step, StateChanged) and step.state is MarketState.CLOSED)
        self.check_sums()
        return not closed

    def book(self, step: Step) -> None:
        usdc = base = 0
        free, held = self.ledger.free, self.ledger.held
        for trader, asset, available, reserved in step.postings:
            key = (trader, asset)
            free[key] += available
            held[key] += reserved
            assert free[key] >= 0 <= held[key], (key, step)
            if asset == "USDC":
                usdc += available + reserved
            else:
                base += available + reserved
        if isinstance(step, Fill):
            usdc += step.margin + step.fees + step.clearing
            self.fees += step.fees
            self.clearing += step.clearing
            self.touch(step.maker_position)
            self.touch(step.taker_position)
        elif isinstance(step, Moved | Forced):
            usdc += step.margin + step.accounts.total
            self.fees += step.accounts.fees
            self.clearing += step.accounts.clearing
            self.insurance += step.accounts.insurance
            self.bad_debt += step.accounts.bad_debt
            for at in step.positions if isinstance(step, Forced) else (step.position,):
                if at is not None:
                    self.touch(at)
        elif isinstance(step, FundingPaid) and not step.unpaid:
            assert step.paid - step.received == step.dust, step
            assert 0 <= step.dust < max(1, step.positions), step
        assert usdc == 0 == base, (self.spec.symbol, usdc, base, step)

    def touch(self, at: Position) -> None:
        size, cost, margin = self.known.get(at.trader, (0, 0, 0))
        self.size += at.size_e8 - size
        self.cost += at.cost - cost
        self.margin += at.margin - margin
        self.known[at.trader] = (at.size_e8, at.cost, at.margin)
        assert at.margin >= 0, at
        if self.spec.kind is MarketKind.OPTION:
            assert at.margin == self.spec.max_payoff_e6 * max(0, -at.size_e8) // QTY_SCALE, at

    def check_sums(self) -> None:
        """I1, I2, I6 from the sums that the steps left."""
        fund = self.engine.house.fund
        assert self.size == 0, self.spec.symbol
        assert (fund.balance, fund.bad_debt) == (self.insurance, self.bad_debt), self.spec.symbol
        assert self.insurance >= 0 <= self.bad_debt, self.spec.symbol
        if self.spec.margined:
            assert self.clearing == -self.cost, (self.spec.symbol, self.clearing, self.cost)
        elif self.spec.kind is MarketKind.OPTION:
            assert self.clearing == 0, self.spec.symbol

    def check_all(self) -> dict[tuple[str, str], int]:
        """Count everything anew; return what this market's live orders hold."""
        positions = self.engine.positions.values()
        assert sum(at.size_e8 for at in positions) == 0
        if self.spec.kind is not MarketKind.SPOT:
            assert sum(max(0, at.size_e8) for at in positions) == self.engine.open_interest_e8
        assert sum(at.margin for at in positions) == self.margin
        assert sum(at.fees for at in positions) <= self.fees
        holds: dict[tuple[str, str], int] = defaultdict(int)
        for order in [*self.engine.book.orders(), *self.engine.stops]:
            assert order.hold >= hold_resting(order, self.spec), order
            holds[order.trader, order.hold_asset] += order.hold
        for at in positions:
            holds[at.trader, "USDC"] -= at.relief
        return holds

    def check_replay(self) -> None:
        """I10: the log gives the same state again."""
        if self.seq <= REPLAYED:
            again = Engine(self.spec, {}, MarketState.ACTIVE)
            for command, now_ns, seq in self.log:
                for _ in again.run(deepcopy(command), now_ns, seq):
                    pass
            assert again.state_hash() == self.engine.state_hash(), self.spec.symbol


def soak(commands: int, seed: int, sample: int) -> dict[str, Any]:
    """Run the soak and return its figures; an AssertionError names the identity that broke."""
    rng = Random(seed)
    ledger = Ledger()
    markets = [Market(spec, ledger, rng, START_S) for spec in specs(rng)]
    minted: dict[str, int] = defaultdict(int)
    for (_, asset), amount in ledger.free.items():
        minted[asset] += amount
    gone = settled = replays = 0
    began = time.perf_counter()
    done = checks = 0
    while done < commands:
        market = markets[rng.randrange(len(markets))]
        command = market.act()
        if command is None:
            continue
        open_still = market.run(command)
        done += 1
        if not open_still:
            market.check_all()
            market.check_replay()
            gone += market.fees + market.insurance - market.bad_debt + market.margin + market.clearing
            settled += 1
            replays += 1
            market.listing(replace(market.spec, expiry_s=1) if market.spec.expiry_s else market.spec)
        if done % sample == 0:
            checks += 1
            full_check(markets, ledger, minted, gone)
            if done % (sample * 10) == 0:
                rate = done / (time.perf_counter() - began)
                print(f"  {done:>9,} commands, {rate:,.0f} a second, {settled} contracts settled", flush=True)
    took = time.perf_counter() - began
    for market in markets:
        market.check_replay()
        replays += market.seq <= REPLAYED
    return {
        "commands": done,
        "markets": len(markets),
        "settled": settled,
        "full_checks": checks,
        "replays": replays,
        "per_second": round(done / took),
        "bad_debt": sum(market.bad_debt for market in markets),
    }


def full_check(markets: list[Market], ledger: Ledger, minted: dict[str, int], gone: int) -> None:
    """I3, I4, I5 over all accounts, and each market's own sums counted anew."""
    holds: dict[tuple[str, str], int] = defaultdict(int)
    for market in markets:
        for key, amount in market.check_all().items():
            holds[key] += amount
    assert {key: held for key, held in ledger.held.items() if held} == {
        k: v for k, v in holds.items() if v
    }, "I5"
    totals: dict[str, int] = defaultdict(int)
    for accounts in (ledger.free, ledger.held):
        for (_, asset), amount in accounts.items():
            totals[asset] += amount
    totals["USDC"] += gone + sum(m.fees + m.clearing + m.insurance - m.bad_debt + m.margin for m in markets)
    for asset, amount in minted.items():
        assert totals[asset] == amount, (asset, totals[asset], amount)


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=10_000, help="a full check every so many commands")
    said = parser.parse_args()
    try:
        figures = soak(said.commands, said.seed, said.sample)
    except AssertionError as broken:
        print(f"violated: {broken}; run again with --seed {said.seed}")
        raise
    print(
        f"{figures['commands']:,} commands on {figures['markets']} markets of all kinds, "
        f"{figures['settled']} contracts settled, {figures['full_checks']} full checks, "
        f"{figures['replays']} logs replayed: 0 violations, {figures['per_second']:,} commands a second"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
