"""A trader leaves while the others trade: the ledger follows the Vault, and every rule holds."""

import pytest

from sim.agents.base import Life
from sim.client import Desk
from sim.client.vault import withdraw_all
from sim.invariants import Judge
from sim.kernel.history import HistoryWriter
from sim.run import LOOK_EVERY_NS, Timings, _play
from sim.world.build import Snapshot, World
from sim.world.deploy import EXIT_DELAY_S
from system.model import keys
from system.model.units import NS
from system.model.withdrawal import PAID
from tests.rules import rule
from tests.simulation.scenes import Script, joined, small

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


def runs(*, as_cxpt: bool) -> Script:
    """Buy, sell again, and withdraw what is free: at once, and what came back later."""

    def script(desk: Desk) -> Life:
        desk.listen("BTC-PERP")
        yield desk.sleep(3 * NS)
        view = desk.market("BTC-PERP")
        desk.buy("BTC-PERP", 2 * view.spec.lot_e8, view.tick_up(view.mark_e6 * 102 // 100), tif="IOC")
        withdraw_all(desk, as_cxpt=as_cxpt)
        yield desk.sleep(3 * NS)
        held = desk.inventory_e8("BTC-PERP")
        if held:
            desk.sell("BTC-PERP", held, view.tick_down(view.mark_e6 * 98 // 100), tif="IOC", reduce_only=True)
        yield desk.sleep(2 * NS)
        withdraw_all(desk, as_cxpt=not as_cxpt)

    return script


@rule("WDRW-010")
@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_traders_withdraw_by_the_door_while_they_trade(chain: str) -> None:
    scripts = {"inusdc": runs(as_cxpt=False), "incxpt": runs(as_cxpt=True)}
    scenario = joined(small(3, f"chain={chain}", "signatures=real"), **scripts)
    history, judge = HistoryWriter(keep=True), Judge()
    with history:
        world = World(scenario, history)
        try:
            _play(world, judge, None, LOOK_EVERY_NS, Timings())
            history.close()
            judge.look(Snapshot(world, final=True, history=history.reader()))
            assert world.backend is not None
            rows = [row for row in world.backend.scan(keys.SETTLEMENTS) if row["PK"].startswith("TRADER#")]
            reserve = world.chain.cxpt_reserve()
        finally:
            world.close()

    assert {row["status"] for row in rows} == {PAID}, [row.get("reason") for row in rows]
    assert len(rows) > len(scripts), "somebody bought, sold, and withdrew again"
    assert reserve == sum(row["amount"] for row in rows if row["as_cxpt"]) > 0
    broken = {name: verdict.first for name, verdict in judge.verdicts.items() if verdict.outcome != "held"}
    assert broken == {}
