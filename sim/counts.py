"""What a run is counted by, from the tables that it left."""

from __future__ import annotations

from sim.facts import courses, facts
from sim.scenario.units import SECOND_NS
from sim.world.build import World
from system.model import keys
from system.model.funding import FUNDING
from system.model.keys import Item
from system.model.market import MarketKind
from system.model.trade import LEDGER
from system.model.units import QTY_SCALE
from system.model.withdrawal import PAID
from system.risk.redemption import synth_coverage_ppm

RECEIVE_MOST = 10
HOUR_NS = 3600 * SECOND_NS


def count(world: World) -> dict[str, int]:
    """Count from the tables: the authority on what happened."""
    assert world.backend is not None
    commands = world.backend.scan(keys.ORDERS)
    orders = [row for row in commands if row["orderType"] in ("LIMIT", "MARKET")]
    rows = world.backend.scan(keys.TRADES)
    trades = [row for row in rows if row["tradeType"] != FUNDING]
    accounts = world.backend.scan(keys.BALANCES)
    settlements = world.backend.scan(keys.SETTLEMENTS)
    withdrawn = [row for row in settlements if row["PK"].startswith("TRADER#") and row["status"] == PAID]
    rejected = sum(desk.rejected for desk in world.desks)
    sent = sum(desk.sent for desk in world.desks)
    return {
        "orders": sent,
        "accepted": len(orders),
        "rejected": rejected,
        "cancels": sum(1 for row in commands if row["orderType"] == "CANCEL"),
        "fills": len(trades),
        "trades_settled": sum(1 for row in trades if row.get("settlementStatus") == "CONFIRMED"),
        "trades_in_ledger": sum(1 for row in trades if row["settlementStatus"] == LEDGER),
        "trades_unsettled": world.unsettled(),
        "settlement_skipped": sum(1 for row in trades if row.get("settlementStatus") == "SKIPPED"),
        "batches": sum(1 for row in settlements if row["PK"].startswith("BATCH#")),
        "blocks": world.blocks,
        "lake_objects": len(world.backend.lake.list("")),
        "events": world.history.count,
        "volume": sum(row["notional"] for row in trades),
        "fees": sum(row["maker_fee"] + row["taker_fee"] for row in trades),
        "reject_share": rejected * 1_000_000 // sent if sent else 0,
        "dead_letters": _dead_letters(world),
        "bad_debt": sum(row.get("bad_debt", 0) for row in accounts),
        "insurance": sum(row.get("insurance", 0) for row in accounts),
        "liquidations": sum(1 for row in trades if row["tradeType"] == "LIQUIDATION"),
        "deleveraged": sum(1 for row in trades if row["tradeType"] == "ADL"),
        "adl_taken": sum(row["taken"] for row in trades if row["tradeType"] == "ADL"),
        "adl_overshoot": sum(row["overshoot"] for row in trades if row["tradeType"] == "ADL"),
        "levelled": sum(1 for row in commands if row["orderType"] == "LEVEL" and row["status"] == "DONE"),
        "withdrawals": len(withdrawn),
        "withdrawn": sum(row["amount"] for row in withdrawn),
        "cxpt_minted": sum(
            row["amount"] for row in commands if row["orderType"] == "MINT" and row["status"] == "DONE"
        ),
        "cxpt_redeemed": -sum(
            row["amount"] for row in commands if row["orderType"] == "REDEEM" and row["status"] == "DONE"
        ),
        "funding_ticks": len(rows) - len(trades),
        "funding_paid": sum(row["paid"] for row in rows if row["tradeType"] == FUNDING),
        **_synths(world.backend.scan(keys.MARKETS), accounts),
    }


def _synths(markets: list[Item], accounts: list[Item]) -> dict[str, int]:
    """Count what all synths are worth, and how much of it the exchange's own funds could pay. RISK-084.

    Nothing is set aside for synths: what could pay are fees and insurance funds less bad debt.
    """
    owed: dict[str, int] = {}
    for row in markets:
        if (
            row["SK"] == keys.META
            and row["kind"] == MarketKind.SPOT.value
            and row["base"] != row["underlying"]
        ):
            held = [
                at for at in accounts if at["PK"] != keys.ISSUER_PK and at["SK"] == keys.asset_sk(row["base"])
            ]
            supply_e8 = sum(at["available"] + at["reserved"] for at in held)
            owed[row["base"]] = supply_e8 * row.get("index_e6", 0) // QTY_SCALE
    liability = sum(owed.values())
    own = sum(at.get("fees", 0) + at.get("insurance", 0) - at.get("bad_debt", 0) for at in accounts)
    covered = synth_coverage_ppm(own, liability, QTY_SCALE)
    share = {} if covered is None else {"synth_coverage_share": covered}
    return {"synth_liability": liability, **share}


def find(world: World) -> dict[str, int]:
    """Find how the world was: sim/facts.py."""
    assert world.backend is not None
    trades = [row for row in world.backend.scan(keys.TRADES) if row["tradeType"] != FUNDING]
    buckets = world.backend.scan(keys.STATS_INTRADAY)
    minutes = [row for row in buckets if not row["PK"].endswith(keys.FINE)]
    underlying = {symbol: spec.underlying for symbol, spec in world.specs.items()}
    return facts(courses(world.backend.scan(keys.PRICES), trades, minutes, underlying))


def _dead_letters(world: World) -> int:
    """Count what the queues gave up on; it is taken out, as nobody asks for it after the run."""
    backend = world.backend
    assert backend is not None
    count = 0
    for name in dict.fromkeys(queue.dead_letter for queue in world.template.queues() if queue.dead_letter):
        while records := backend.receive(name, RECEIVE_MOST, HOUR_NS):
            count += len(records)
            for record in records:
                backend.delete(name, record["receiptHandle"])
    return count
