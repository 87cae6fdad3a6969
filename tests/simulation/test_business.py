"""The same business on every backend and chain, and the chain agrees with the ledger to the unit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.report.folder import Run
from sim.run import run
from sim.scenario.schema import Scenario
from sim.world.anvil_world import AnvilWorld
from sim.world.build import World
from sim.world.business import TABLES, business_digest, business_line
from sim.world.deploy import call
from system.metrics.buckets import MinuteBucket
from system.model import keys
from system.model.market import MarketKind
from tests.parity import FILES, on_memory, told_apart
from tests.parity import played as played_on
from tests.simulation.scenes import played, small

WORLDS = {
    "memory, model": ("backend=memory", "chain=model"),
    "memory, anvil": ("backend=memory", "chain=anvil"),
    "moto, model": ("backend=moto", "chain=model"),
    "moto, anvil": ("backend=moto", "chain=anvil"),
}
Ran = Callable[[str], Run]


def brief(*settings: str) -> Scenario:
    """Six seconds: moto needs 80 ms for an order."""
    return small(1, "duration=6 s", *settings)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The brief scenario on one of WORLDS, run once."""
    kept: dict[str, Run] = {}

    def play(world: str) -> Run:
        if world not in kept:
            folder = tmp_path_factory.mktemp("business") / "run"
            result = run(brief(*WORLDS[world]), out=folder)
            assert result.exit_code == 0, result.record.failures
            kept[world] = Run(folder)
        return kept[world]

    return play


@pytest.mark.anvil
@pytest.mark.parametrize("world", [world for world in WORLDS if world != "memory, model"])
def test_every_world_does_the_same_business(world: str, ran: Ran) -> None:
    reference = ran("memory, model")

    assert told_apart(reference, ran(world), business=True) == ""
    assert reference.record.counts["fills"] > 10
    assert reference.record.counts["cancels"] > 0


@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_backends_agree_on_the_whole_history(chain: str, ran: Ran) -> None:
    assert told_apart(ran(f"memory, {chain}"), ran(f"moto, {chain}"), business=False) == ""


@pytest.mark.deep
@pytest.mark.parametrize("file", FILES)
def test_scenarios_do_the_same_business_on_moto(file: str, tmp_path: Path) -> None:
    assert told_apart(on_memory(file), played_on("moto", file, tmp_path)) == ""


def test_a_difference_is_named(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first differing row, by event and attribute, when one backend counts one unit too many."""
    right = MinuteBucket._lifetime_sums

    def too_many(bucket: MinuteBucket, add: dict[str, int]) -> dict[str, int]:
        sums = right(bucket, add)
        return sums | {"trades": sums["trades"] + 1} if "trades" in sums else sums

    reference = ran("memory, model")
    first = next(number for number, event in reference.history.of_kind("tx") if trades_in(event))
    monkeypatch.setattr(MinuteBucket, "_lifetime_sums", too_many)
    run(brief(), out=tmp_path / "run")

    said = told_apart(reference, Run(tmp_path / "run"), business=True)

    assert said.startswith(f"event {first} and {first}: [('w.")
    assert ".trades'" in said


def trades_in(event: dict[str, Any]) -> bool:
    return any(write[:2] == ["put", keys.TRADES] for write in event["w"])


@pytest.mark.parametrize("table", [keys.ORDERS, keys.TRADES, keys.BALANCES, keys.STATS_LIFETIME])
def test_one_unit_more_is_another_digest(table: str) -> None:
    with played(brief()) as world:
        assert world.backend is not None
        before = business_digest(world.backend)
        row = world.backend.scan(table)[-1]
        amount = next(name for name, value in row.items() if type(value) is int and value)
        row[amount] += 1

        assert business_digest(world.backend) != before
        row[amount] -= 1
        assert business_digest(world.backend) == before
        assert business_line(table, row).endswith(b"\n")
        assert table in TABLES


class Deposits:
    """A backend with two deposits in one block; the block's hash decides which row comes first."""

    def __init__(self, first: str, second: str) -> None:
        self.rows = [
            {"PK": f"DEPOSIT#{name}:{place}", "SK": "META", "trader": f"trader {place}", "amount": place}
            for place, name in enumerate((first, second))
        ]

    def scan(self, table: str) -> list[dict[str, Any]]:
        return sorted(self.rows, key=lambda row: row["PK"]) if table == keys.SETTLEMENTS else []


def test_where_a_deposit_was_mined_is_not_business() -> None:
    here, there = Deposits("0xaa", "0xbb"), Deposits("0xdd", "0xcc")

    assert business_digest(here) == business_digest(there)  # type: ignore[arg-type]  # only `scan` is asked


# the chain and the ledger


@pytest.fixture(scope="module", params=["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def settled(request: pytest.FixtureRequest) -> Iterator[World]:
    with played(brief(f"chain={request.param}")) as world:
        yield world


def rows(world: World, table: str) -> list[dict[str, Any]]:
    assert world.backend is not None
    return world.backend.scan(table)


def test_the_vault_holds_what_the_ledger_says_to_the_unit(settled: World) -> None:
    balances = rows(settled, keys.BALANCES)
    traders = sum(
        row["available"] + row["reserved"]
        for row in balances
        if row["SK"] == "ASSET#USDC" and "available" in row
    )
    markets = [row for row in balances if row["PK"].startswith("MARKET#")]
    fees = sum(row.get("fees", 0) for row in markets)
    clearing = sum(row.get("clearing", 0) for row in markets)
    perps = {symbol for symbol, spec in settled.specs.items() if spec.kind is MarketKind.PERP}
    margins = sum(row["margin"] for row in rows(settled, keys.POSITIONS) if row["symbol"] in perps)

    assert fees > 0
    assert margins > 0
    assert usdc_in_the_vault(settled) == traders + margins + fees + clearing
    deposited = sum(amount for (_, asset), amount in settled.deposited.items() if asset == "USDC")
    assert usdc_in_the_vault(settled) == deposited
    assert settled.chain.treasury_usdc() == fees
    assert settled.chain.clearing_usdc() == margins + clearing


def usdc_in_the_vault(world: World) -> int:
    """Ask the token itself on Anvil; the model's Vault is its own token."""
    chain = world.chain
    if not isinstance(chain, AnvilWorld):
        return chain.vault_usdc()
    request = {"to": chain._where.usdc, "data": "0x" + call("balanceOf(address)", chain._where.vault).hex()}
    return int(chain.anvil.rpc.call("eth_call", request, "latest"), 16)


def test_every_account_has_on_chain_what_it_has_in_the_ledger(settled: World) -> None:
    accounts = {purse.trader: purse.account for purse in settled.purses.values()}
    compared = 0
    for row in rows(settled, keys.BALANCES):
        owner, _, trader = row["PK"].partition("#")
        if owner != "TRADER":
            continue
        asset, account = row["SK"].partition("#")[2], accounts[trader]
        chain = settled.chain
        on_chain = chain.usdc_of(account) if asset == "USDC" else chain.asset_of(account, asset)
        assert on_chain == row["available"] + row["reserved"], (account, asset)
        compared += 1

    assert compared == 2 * len(accounts)


@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_leverage_agrees_to_the_unit(chain: str) -> None:
    """Margin is rounded once for each order here and fill by fill there: one bit a side tells how."""
    leveraged = ("markets.0.initial_margin=13.7 %", "duration=40 s", f"chain={chain}")

    with played(small(5, *leveraged)) as world:
        assert world.backend is not None
        floors = {row.get("margin_floors", 0) for row in world.backend.scan(keys.TRADES)}
    record = run(small(5, *leveraged)).record

    assert floors == {0, 1, 2, 3}
    assert record.failures == []
    assert record.invariants["chain_against_ledger"] == "held"
