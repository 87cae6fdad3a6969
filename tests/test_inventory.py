"""The README's table of the design document is what was seen: no line without code, test and a backend.

`pytest tests/test_inventory.py --golden-write` writes it again. What was seen on MiniStack is kept by
`make test-localstack` in tests/emulator/seen.txt.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.kernel.template.stack import load_template
from sim.scenario.schema import Scenario
from sim.world.build import World
from system.model import keys
from tests import marks
from tests.house import ROOT
from tests.inventory import EMULATOR, LINES, Line, inventory
from tests.simulation.scenes import ask, played

MIDNIGHT = """\
scenario: midnight
about: Eighty seconds over midnight on a perpetual, an option and CXPT, for the tier of days.
start: 2025-05-03T23:58:50Z
duration: 80 s
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC, funding: seed_literal}
  - {symbol: BTC-4MAY25-55000-C, tick: 5 USDC, lot: 0.01 BTC, cap: 110_000 USDC, band: 50 %}
  - {symbol: CXPT-USDC, tick: 0.0001 USDC, lot: 1 CXPT}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 60 %/y}
  CXPT: {process: gbm, start: 1 USDC, volatility: 20 %/y}
agents:
  - {kind: market_maker, count: 2, funds: 2_000_000 USDC, levels: 2, refresh: 10 s, start_within: 100 ms}
  - {kind: noise_taker, count: 3, funds: 200_000 USDC, rate: 0.1 /s, size: 600 USDC, reach: 10 %}
  - {kind: explorer, count: 4, funds: 100_000 USDC, rate: 0.4 /s}
"""
COLUMNS = ("", "where", "test", "runs on")
BLOCK = re.compile(r"(<!-- made: inventory -->\n).*?(<!-- made -->\n)", re.DOTALL)


def seen_on(backend: str) -> set[str]:
    """Play both scenarios on a backend, ask every route that reads, and collect what was left."""
    eight = Scenario.load(ROOT / "scenarios/eight-o-clock.yaml", [f"backend={backend}"])
    found: set[str] = set()
    for scenario in (eight, Scenario.parse(MIDNIGHT, "midnight.yaml", [f"backend={backend}"])):
        with played(scenario) as world:
            assert world.backend is not None
            found |= read_everything(world)
            for table in keys.TABLES:
                found |= marks.of_rows(table, world.backend.scan(table))
        reader = world.history.reader()
        found |= marks.of_history(reader) | marks.of_requests(reader)
    return found


def read_everything(world: World) -> set[str]:
    """Ask every GET route for a market and a trader of the run; all of them answer 200."""
    symbol, account = next(iter(world.specs)), next(iter(world.purses.values())).account
    asked = set()
    for route in load_template().http_routes():
        method, _, path = route.key.partition(" ")
        if method == "GET":
            event = {
                "routeKey": route.key,
                "headers": {},
                "pathParameters": {"symbol": symbol},
                "queryStringParameters": {"account": account},
                "requestContext": {
                    "requestId": "reader",
                    "http": {"method": method, "path": path.replace("{symbol}", symbol)},
                },
            }
            said = ask(world, event)
            assert said["statusCode"] == 200, (route.key, said["body"])
            asked.add(route.key)
    return asked


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """What each backend has shown."""
    emulator = set(EMULATOR.read_text(encoding="utf-8").splitlines()) if EMULATOR.exists() else set()
    return {"memory": seen_on("memory"), "moto": seen_on("moto"), "MiniStack": emulator}


def told(line: Line, seen: dict[str, set[str]]) -> str:
    return ", ".join(backend for backend, marks in seen.items() if marks.issuperset(line.needs))


def link(target: str) -> str:
    path, _, name = target.partition(":")
    shown = name if name.startswith("test_") else "/".join(Path(path).parts[-2:])
    return f"[`{shown}`]({path})"


def table(seen: dict[str, set[str]]) -> str:
    """Write the whole inventory in Markdown."""
    rows = []
    for title, lines in inventory().items():
        rows += ["", "| " + " | ".join((title, *COLUMNS[1:])) + " |", "| --- | --- | --- | --- |"]
        rows += [
            f"| {line.name} | {link(line.code)} | {link(line.test)} | {told(line, seen)} |" for line in lines
        ]
    return "\n".join(rows[1:]) + "\n"


def test_the_readme_has_the_table(seen: dict[str, set[str]], request: pytest.FixtureRequest) -> None:
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    fresh, blocks = BLOCK.subn(lambda found: found[1] + table(seen) + found[2], text)

    if request.config.getoption("--golden-write"):
        page.write_text(fresh, encoding="utf-8")
        return
    assert blocks == 1
    assert fresh == text, "if meant: pytest tests/test_inventory.py --golden-write"


@pytest.mark.parametrize("backend", ["memory", "moto"])
def test_every_line_runs_here(backend: str, seen: dict[str, set[str]]) -> None:
    missing = {line.name: sorted(set(line.needs) - seen[backend]) for line in LINES}

    assert not {name: lacking for name, lacking in missing.items() if lacking}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_line_has_code_and_a_test(line: Line) -> None:
    for target in (line.code, line.test):
        path, _, name = target.partition(":")
        assert name in names_in(path), f"{path} has no {name}"
    assert line.needs


def names_in(path: str) -> set[str]:
    return set(re.findall(r"(?m)^(?:class |def )?(\w+)", (ROOT / path).read_text(encoding="utf-8")))


def test_nothing_is_left_out() -> None:
    """Every table, route, kind of news and scheduled function of the template and the code has a line."""
    template = load_template()
    names = {line.name for line in LINES}
    named = {word for line in LINES for word in (*re.findall(r"[\w{}/. ]+", line.name), *line.needs)}
    scheduled = {schedule.function for schedule in template.schedules() if schedule.function}
    jobs = {function.name + "()" for function in template.functions() if function.logical_id in scheduled}
    kinds = set(
        re.findall(r'"kind": "(\w+)"', (ROOT / "system/model/messages.py").read_text(encoding="utf-8"))
    )

    assert {each.name for each in template.tables()} <= {name.removesuffix(" (ours)") for name in names}
    assert {route.key for route in template.http_routes()} <= named
    assert jobs <= named
    assert kinds <= {need.partition(".")[2] for line in LINES for need in line.needs}
