"""What the log of writes need not tell, and what it must."""

from sim.invariants import judge
from system.model import keys
from system.model.units import NS
from tests.rules import rule
from tests.unit.sim.fixtures.exchange import START_NS
from tests.unit.sim.fixtures.sabotage import PERP
from tests.unit.sim.fixtures.small import small_exchange


@rule("CONS-039")
def test_the_log_tells_what_was_removed_and_rows_may_expire() -> None:
    exchange = small_exchange()
    spec = ["upd", keys.MARKETS, PERP, "META", {"note": "x", "b": b"ab", "l": [(1, b"c")]}, {"n": 2}]
    exchange.write("setup", [spec])
    exchange.write("setup", [["upd", keys.MARKETS, PERP, "META", {}, {"n": 3}, ["note", "never"]]])
    del exchange.row(keys.MARKETS, PERP, "META")["note"]
    soon = {"PK": "old", "SK": "row", "ttl": START_NS // NS}
    exchange.write("setup", [["put", keys.IDEMPOTENCY, soon]])
    del exchange.tables[keys.IDEMPOTENCY]["old", "row"]

    verdict = judge(exchange.finish(), ["I10_log_makes_the_state"])["I10_log_makes_the_state"]

    assert verdict.outcome == "held"
    assert exchange.row(keys.MARKETS, PERP, "META")["n"] == 5
