"""A trader leaves while the others trade: the ledger follows the Vault, and every rule holds."""

import pytest

from sim.invariants import Judge
from sim.kernel.history import HistoryWriter
from sim.run import LOOK_EVERY_NS, Timings, _play
from sim.world.build import Snapshot, World
from sim.world.deploy import EXIT_DELAY_S
from system.model.units import NS
from tests.rules import rule
from tests.simulation.scenes import joined, small

SLOW = ("duration=64 min", "agents.0.refresh=5 min", "agents.1.rate=0.01 /s", "agents.2.rate=0.01 /s")


@rule("SETL-018")
@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_a_trader_leaves(chain: str) -> None:
    scenario = joined(small(2, f"chain={chain}", "block_time=20 s", *SLOW), leaver=lambda _desk: iter(()))
    history, judge = HistoryWriter(keep=True), Judge()
    with history:
        world = World(scenario, history)
        try:
            (leaver,) = [purse for name, purse in world.purses.items() if "leaver" in name]
            for minute in (1, 2 + EXIT_DELAY_S // 60):
                world.timeline.after(minute * 60 * NS, world.chain.exit, leaver.private_key)
            _play(world, judge, None, LOOK_EVERY_NS, Timings())
            history.close()
            judge.look(Snapshot(world, final=True, history=history.reader()))
            got = world.chain.wallet_of(leaver.account, "USDC")
        finally:
            world.close()

    assert got == 10_000 * 10**6
    broken = {name: verdict.first for name, verdict in judge.verdicts.items() if verdict.outcome != "held"}
    assert broken == {}
