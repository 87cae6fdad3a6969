"""The chain at its worst, on the contracts themselves: the business of their model, and settled once."""

from collections import Counter
from pathlib import Path

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from sim.world.anvil_world import AnvilWorld
from system.model.errors import PortError
from tests.simulation.scenes import played, small

STORM = Path(__file__).parents[2] / "scenarios/reorg-storm.yaml"


def storm(*settings: str) -> Scenario:
    return Scenario.load(STORM, settings)


@pytest.mark.anvil
def test_the_storm_on_the_contracts_is_the_storm_on_their_model() -> None:
    """Every trade settles exactly once, and the Vault holds what the ledger says."""
    model, anvil = (run(storm(f"chain={chain}")).record for chain in ("model", "anvil"))

    assert anvil.failures == model.failures == []
    assert anvil.invariants["chain_against_ledger"] == "held"
    assert anvil.counts["trades_settled"] == anvil.counts["fills"]
    assert anvil.faults == model.faults
    assert anvil.business_digest == model.business_digest


def test_every_trouble_comes() -> None:
    """Chance may spare a run one of them, and not four runs."""
    strikes: Counter[str] = Counter()
    for seed in range(1, 5):
        record = run(storm(f"seed={seed}")).record
        assert record.failures == []
        strikes.update(record.faults)

    assert min(strikes.values()) > 0, strikes


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(5, 51))
def test_the_storm_holds_whatever_the_seed(seed: int) -> None:
    record = run(storm(f"seed={seed}")).record

    assert record.failures == []


def block_hashes(scenario: Scenario) -> list[str]:
    with played(scenario) as world:
        assert isinstance(world.chain, AnvilWorld)
        rpc = world.chain.anvil.rpc
        height = int(rpc.call("eth_blockNumber"), 16)
        blocks = rpc.batch([("eth_getBlockByNumber", (hex(number), False)) for number in range(height + 1)])
        return [block["hash"] for block in blocks]


@pytest.mark.anvil
def test_a_seed_has_one_chain() -> None:
    """The same seed twice makes the same blocks, hash by hash, and another seed others."""
    calm = "chain=anvil"
    faults = "faults=[{fault: reorg, every: 5 s}, {fault: operator_key_lost, at: 3 s, down: 2 s}]"

    once, twice = (block_hashes(small(3, calm, faults)) for _ in range(2))

    assert once == twice
    assert len(once) > 10
    assert block_hashes(small(4, calm, faults))[-1] != once[-1]


@pytest.mark.anvil
def test_replaced_blocks_do_not_know_how_slow_the_machine_is() -> None:
    """Anvil dates blocks of its own by the clock on the wall: a run that waited had another chain."""
    genesis_s = 1_746_315_000
    world = AnvilWorld(genesis_s)
    try:
        world.mine(genesis_s + 12)
        rpc = world.anvil.rpc
        rpc.call("anvil_setBlockTimestampInterval", 0)
        rpc.call("anvil_mine", hex(3_000))
        rpc.call("anvil_removeBlockTimestampInterval")
        world.reorg(3_000)  # takes more than a second of the wall's
        blocks = rpc.batch([("eth_getBlockByNumber", (hex(number), False)) for number in range(1, 3_002)])
    finally:
        world.close()
    assert {int(block["timestamp"], 16) for block in blocks} == {genesis_s + 12}


@pytest.mark.anvil
def test_many_chains_live_side_by_side() -> None:
    """Eight at once, each with its own process, and none is left when they are closed."""
    worlds = [AnvilWorld(1_746_315_000 + number) for number in range(8)]
    try:
        assert len({world.anvil.pid for world in worlds}) == 8
        for turn, world in enumerate(worlds):
            for _ in range(turn):
                world.mine_next()
        heights = [int(world.anvil.rpc.call("eth_blockNumber"), 16) for world in worlds]
        assert heights == list(range(8))
    finally:
        for world in worlds:
            world.close()
    for world in worlds:
        with pytest.raises(PortError):
            world.anvil.rpc.call("eth_blockNumber")
