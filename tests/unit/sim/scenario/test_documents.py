"""What the documents show works as shown."""

import re
from pathlib import Path
from typing import Any

from sim import agents
from sim.agents import KINDS
from sim.client import Desk
from sim.scenario.links import LINKS
from sim.scenario.schema import Scenario
from sim.world.prices import PROCESSES
from tests.unit.sim.exchange import FUNDS, TinyExchange

DOCS = Path(__file__).parents[4] / "docs"
SECOND_NS = 10**9


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_scenario_loads() -> None:
    text, events, faults = blocks("scenario-files.md", "yaml")

    scenario = Scenario.parse(text + events + faults)

    assert len(scenario.wallets()) == 12
    assert [fault.label for fault in scenario.faults] == ["crash", "duplicate"]


def test_every_field_kind_and_process_is_documented() -> None:
    text = (DOCS / "scenario-files.md").read_text(encoding="utf-8")
    words = set(re.findall(r"`([\w]+)`", text))

    assert set(Scenario.model_fields) <= words
    for kind in KINDS:
        own = set(kind.model_fields) - set(agents.Agent.model_fields)
        missing = (own | {kind.__module__.rpartition(".")[2]}) - words
        assert not missing, f"{kind.__name__}: {missing}"
    assert {process.__module__.rpartition(".")[2] for process in PROCESSES} <= words


def test_the_example_agent_trades() -> None:
    (source,) = blocks("adding-an-agent.md", "python")
    code = [line for line in source.splitlines() if line]
    assert len(code) < 40, "a new agent is a matter of less than 40 lines"
    # annotations are read at once here, so Desk must be there although it is imported for types only
    module: dict[str, Any] = {"__name__": "contrarian_of_the_document", "Desk": Desk}
    exec(source.replace("from __future__ import annotations\n", ""), module)
    agent = module["Contrarian"].model_validate({"kind": "contrarian", "funds": "1 USDC"})
    exchange = TinyExchange()
    desk = exchange.desk("ann", FUNDS)
    exchange.env.process(agent.live(desk))
    exchange.env.run(until=5 * SECOND_NS)
    for symbol in desk.symbols:
        desk.market(symbol).hear_mark(60_100_000_000, desk.now_ns)

    exchange.env.run(until=20 * SECOND_NS)

    assert {body["side"] for body in exchange.orders()} == {"SELL"}
    assert desk.rejected == 0


def test_links_are_hops() -> None:
    assert all(re.fullmatch(r"[a-z_]+ -> [a-z_]+", name) for name in LINKS)
