"""What the door shows is held against the tables, answer by answer."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.invariants import judge
from tests.rules import rule
from tests.unit.sim.fixtures.sabotage import shown
from tests.unit.sim.fixtures.small import small_exchange

ANSWERS: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("GET /orders", "orders", lambda rows: rows[1:]),
    ("GET /orders", "orders", lambda rows: rows[::-1]),
    ("GET /trades", "fills", lambda rows: [*rows, *rows]),
    ("GET /trades", "fills", lambda rows: [one | {"fee": "1"} for one in rows]),
    ("GET /positions", "positions", lambda _rows: []),
    ("GET /positions", "positions", lambda rows: [one | {"cost": "1"} for one in rows]),
    ("GET /positions", "balances", lambda rows: rows[1:]),
    ("GET /markets/{symbol}/trades", "trades", lambda rows: rows[1:]),
    ("GET /stats/{symbol}", "intraday", lambda rows: rows[1:]),
    ("GET /stats/{symbol}", "lifetime", lambda row: row | {"trades": "9"}),
    ("GET /stats/{symbol}", "lifetime", lambda row: row | {"latency_p95_us": "9"}),
    ("GET /markets/{symbol}/ticker", "day", lambda day: day | {"volume": "1"}),
]


@rule("CONS-041")
@pytest.mark.parametrize(("route", "name", "changed"), ANSWERS)
def test_an_answer_that_is_not_what_the_tables_have(
    route: str, name: str, changed: Callable[[Any], Any]
) -> None:
    exchange = small_exchange().finish()
    assert judge(exchange)["door_tells_the_rows"].outcome == "held"
    shown(route, name, changed)(exchange)

    verdict = judge(exchange)["door_tells_the_rows"]

    assert verdict.outcome == "broken", verdict.error
