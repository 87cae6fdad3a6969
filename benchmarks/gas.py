"""Gas per fill on Anvil: `python benchmarks/gas.py`, with `--write` into gas.json, with `--check` against it.

Gas is deterministic, so the committed figures are exact: a difference is a change of the contracts.
A figure is the gas of the whole transaction, its 21,000 and calldata included, divided by its fills.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from eth_abi.abi import encode

from sim.world import deploy
from sim.world.anvil_world import AnvilWorld, Sending
from sim.world.deploy import Step
from sim.world.purse import purse_of
from system.adapters.evm import abi
from system.model import typed_data
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument_id
from system.model.typed_data import address_bytes, keccak
from system.ports.chain import ChainFill, SignedOrder

START_S = 1_746_315_000
USDC, COIN = 10**6, 10**8
PRICE = 60_000 * USDC
QTY = COIN // 1000
FUNDS = {"USDC": 1_000_000 * USDC, "sBTC": 100 * COIN}
GAS = (
    100_000_000  # Anvil has no cap for a transaction; what a batch may use elsewhere is in settlement/gas.py
)
TERMS = {"underlying": "BTC", "tick_e6": 100_000, "lot_e8": 10_000}
SPOT = MarketSpec(symbol="sBTC-USDC", kind=MarketKind.SPOT, base="sBTC", **TERMS)  # type: ignore[arg-type]
PERP = MarketSpec(symbol="BTC-PERP", kind=MarketKind.PERP, base="BTC", im_ppm=200_000, **TERMS)  # type: ignore[arg-type]
LANES = 1 << 63
SIZES = (10, 50, 200)
FILE = Path(__file__).parent / "gas.json"
BOUNDS = {
    "spot, steady, lanes": {50: 30_000, 200: 22_000},
    "spot, steady": {50: 30_000, 200: 22_000},
    "net lines": {200: 4_000},
}
"""Gas per fill that is not to be exceeded, by the number of fills."""

Table = dict[str, dict[str, int]]


class Bench:
    """A chain on which some accounts trade in batches, each new batch as dear as the one before."""

    def __init__(self, accounts: int) -> None:
        self.world = AnvilWorld(START_S)
        self.where = self.world.deploy([SPOT, PERP])
        self.purses = [purse_of(3, f"gas-{number}") for number in range(accounts)]
        self.world.fund([(one.private_key, one.account, FUNDS) for one in self.purses])
        self.separator = typed_data.domain_separator(self.world.domain())
        self.counts = [0] * accounts
        self.batch_id, self.head = 0, bytes(32)

    def sign(self, who: int, nonce: int, market: MarketSpec, side: int, qty: int) -> SignedOrder:
        purse = self.purses[who]
        terms = (purse.account, 0, instrument_id(market), side, 0, qty, PRICE, 0, nonce, 50)
        digest = typed_data.order_digest(self.separator, *terms)
        return SignedOrder(*terms, typed_data.sign(digest, purse.private_key))

    def next_nonce(self, who: int, lanes: int) -> int:
        """The account's next one; with `lanes` it goes round in so many of them."""
        self.counts[who] += 1
        if not lanes:
            return self.counts[who]
        generation, lane = divmod(self.counts[who] - 1, lanes)
        return LANES + ((generation + 1) << 8) + lane

    def steady(self, fills: int, market: MarketSpec, *, in_lanes: bool = False) -> int:
        """Every order is filled twice, by two others; sides change between batches. Returns the gas used."""
        half, traders = max(1, fills // 2), len(self.purses) // 2
        lanes = -(-half // traders) if in_lanes else 0
        # the first batch leaves positions that the others make smaller and larger, never zero
        side, qty = self.batch_id % 2, QTY if self.batch_id else 4 * QTY
        makers = [self._order(n % traders, side, market, 2 * qty, lanes) for n in range(half)]
        takers = [self._order(traders + n % traders, 1 - side, market, 2 * qty, lanes) for n in range(half)]
        fee = PRICE * qty // COIN // 200
        rows = [ChainFill(n // 2, half + (n + 1) // 2 % half, qty, fee, fee) for n in range(fills)]
        return self.settle(makers + takers, rows)

    def _order(self, who: int, side: int, market: MarketSpec, qty: int, lanes: int) -> SignedOrder:
        return self.sign(who, self.next_nonce(who, lanes), market, side, qty)

    def settle(self, orders: list[SignedOrder], fills: list[ChainFill]) -> int:
        self.batch_id += 1
        return self._send(abi.encode_batch(self.batch_id, self.head, orders, fills))

    def net(self, fills: int) -> int:
        """What so many fills come to for all accounts, each line signed. Returns the gas used."""
        self.batch_id += 1
        root = keccak(fills.to_bytes(32))
        synth = self.where.synths["sBTC"]
        lines = []
        for number, purse in enumerate(self.purses):
            sign = 1 if number % 2 else -1
            deltas = (sign * fills * 10**9, -sign * fills * 1000)
            floor = self.batch_id
            message = encode(
                ["bytes32", "uint64", "address", "address", "int256", "int256", "uint64", "bytes32"],
                [NET_RECEIPT, self.batch_id, synth, purse.account, *deltas, floor, root],
            )
            digest = keccak(b"\x19\x01" + self.separator + keccak(message))
            raw = typed_data.sign(digest, purse.private_key)
            signature = raw[:32] + bytes((raw[32] | (raw[64] - 27) << 7,)) + raw[33:64]
            packed = b"".join(delta.to_bytes(16, signed=True) for delta in deltas)
            lines.append(address_bytes(purse.account) + packed + floor.to_bytes(8) + signature)
        signature = "settleNet(uint64,bytes32,address,bytes32,bytes)"
        return self._send(deploy.call(signature, self.batch_id, self.head, synth, root, b"".join(lines)))

    def _send(self, data: bytes) -> int:
        world = self.world
        step = Step("batch", self.where.settlement, data, GAS)
        (tx_hash,) = world.send([Sending(deploy.OPERATOR_KEY, step)])
        world.mine_next()
        receipt = world.anvil.rpc.call("eth_getTransactionReceipt", tx_hash)
        assert receipt["status"] == "0x1", "the batch reverted"
        skipped = [log for log in receipt["logs"] if log["topics"][0] == abi.FILL_SKIPPED]
        assert not skipped, f"{len(skipped)} fills were skipped: {skipped[0]['data']}"
        self.head = abi.head_after(self.head, self.batch_id, data)
        return int(receipt["gasUsed"], 16)

    def close(self) -> None:
        self.world.close()


NET_RECEIPT = keccak(
    b"NetReceipt(uint64 batchId,address asset,address account,int256 shareDelta,int256 assetDelta,"
    b"uint64 minNonce,bytes32 root)"
)


def measured() -> Table:
    """Measure everything. Each figure is the last of a few batches, so that no slot is new by chance."""
    table: Table = {}
    rows: Iterable[tuple[str, int, Callable[[Bench, int], int], int]] = (
        ("spot, steady, lanes", 20, lambda b, n: b.steady(n, SPOT, in_lanes=True), 3),
        ("spot, steady", 20, lambda b, n: b.steady(n, SPOT), 3),
        ("perp, steady, lanes", 20, lambda b, n: b.steady(n, PERP, in_lanes=True), 3),
        ("perp, steady", 20, lambda b, n: b.steady(n, PERP), 3),
        ("net lines", 20, lambda b, n: b.net(n), 2),
        ("spot, all new", 2 * max(SIZES), lambda b, n: b.steady(n, SPOT), 1),
        ("perp, all new", 2 * max(SIZES), lambda b, n: b.steady(n, PERP), 1),
    )
    for name, accounts, run, laps in rows:
        table[name] = {}
        for size in SIZES:
            bench = Bench(accounts)
            try:
                gas = [run(bench, size) for _ in range(laps)][-1]
            finally:
                bench.close()
            table[name][str(size)] = gas // size
    return table


def shown(table: Table) -> str:
    lines = [f"{'gas per fill':24}" + "".join(f"{f'N={size}':>10}" for size in SIZES)]
    for name, row in table.items():
        lines.append(f"{name:24}" + "".join(f"{row.get(str(size), ''):>10}" for size in SIZES))
    return "\n".join(lines)


def broken(table: Table) -> list[str]:
    """Return what is above its bound."""
    return [
        f"{name}, {size} fills: expected at most {bound} gas a fill, was {table[name][str(size)]}"
        for name, bounds in BOUNDS.items()
        for size, bound in bounds.items()
        if table[name][str(size)] > bound
    ]


def main(arguments: list[str]) -> int:
    """Measure, show, and write or check."""
    table = measured()
    print(shown(table))
    problems = broken(table)
    if "--write" in arguments:
        FILE.write_text(json.dumps(table, indent=1) + "\n")
    elif "--check" in arguments and table != json.loads(FILE.read_text()):
        problems.append(
            f"the figures are not those of {FILE.name}; when that is meant: benchmarks/gas.py --write"
        )
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
