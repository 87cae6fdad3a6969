"""`dexsim check`, `list` and `explain`: looking without running."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel
from rich.table import Table

from sim.agents import KINDS
from sim.cli.exits import Exit, err, escape, fail, out
from sim.cli.scenarios import load, shipped
from sim.faults import FAULTS
from sim.invariants import INVARIANTS
from sim.report.funding import funding_table, funding_text
from sim.report.hops import HOPS
from sim.scenario.links import LINKS
from sim.scenario.thresholds import MEASURES
from sim.scenario.units import DURATION
from sim.world.prices import PROCESSES
from system.model.errors import ScenarioError
from system.risk.funding import PRESETS as FUNDING_MODELS
from system.risk.liquidation.presets import PRESETS as LIQUIDATION_PRESETS

_IDENTITY = re.compile(r"[A-Z]\d{1,2}")
"""How identities are called: R3 of the metrics, I7 of the clearing house."""

Texts = dict[str, str]
"""What there is of a kind: name, and what is to be said of it."""


def check_command(path: Path) -> None:
    """Load each file; exit 5 when one is not valid."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise fail(Exit.USAGE, "There is no scenario file here.", ("where", str(path)))
    wrong = 0
    for file in files:
        try:
            scenario = load(file)
        except ScenarioError as error:
            wrong += 1
            err.print(f"[bold red]✗[/] {escape(str(file))}")
            for line in str(error).splitlines():
                err.print(f"    {escape(line)}", soft_wrap=True)
            continue
        traders = sum(agent.count for agent in scenario.agents)
        length = DURATION.format(scenario.duration)
        said = f"{len(scenario.markets)} markets, {traders} traders, {length}, seed {scenario.seed}"
        out.print(f"[green]✓[/] {escape(str(file))}  [dim]{said}[/]")
    if wrong:
        raise fail(Exit.SCENARIO, f"{wrong} of {len(files)} scenario files are not valid.")


def list_command(kind: str) -> None:
    """Print the names of a kind, each with one line."""
    known = KIND_TEXTS.get(kind)
    if known is None:
        raise fail(Exit.USAGE, f"There is no kind `{kind}`.", ("known", ", ".join(KIND_TEXTS)))
    texts = known()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, text in texts.items():
        table.add_row(f"[bold]{escape(name)}[/]", escape(text.partition("\n")[0]))
    if texts:
        out.print(table)
    else:
        out.print(f"There are no {kind} yet.")


def explain_command(name: str) -> None:
    """Print all that is to be said of one name."""
    if name == "exit-codes":
        for code in Exit:
            out.print(f"{code.value:>3}  {code.about}")
        return
    if name == "funding":
        out.print("What longs pay in an hour, in % of the index, while the premium stands still.\n")
        out.print(funding_text(funding_table()), highlight=False)
        out.print(
            "\nBreak even: how long one holds the other side of 0.5 % until it and its"
            "\nconvergence have paid for 2 % of fees on two legs."
        )
        return
    everything = {
        known: (kind, text) for kind, texts in KIND_TEXTS.items() for known, text in texts().items()
    }
    begins = [known for known in everything if known.startswith(name + "_")]
    begins = begins or [known for known in everything if known.startswith(name)]
    if name not in everything and len(begins) == 1:
        name = begins[0]
    within = [
        known for known in INVARIANTS if _IDENTITY.fullmatch(name) and _says(everything[known][1], name)
    ]
    if name not in everything and within:
        out.print(f"[bold]{name}[/] is held by {', '.join(within)}:\n")
        name = within[0]
    if name not in everything:
        close = get_close_matches(name, everything, n=3, cutoff=0.4)
        remedy = f"did you mean {' or '.join(close)}?" if close else "see `dexsim list invariants`"
        raise fail(Exit.USAGE, f"Nothing is called `{name}`.", ("remedy", remedy))
    kind, text = everything[name]
    out.print(f"[bold]{escape(name)}[/]  [dim]{kind}[/]\n")
    out.print(escape(text), soft_wrap=True)


def _says(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None


def _scenarios() -> Texts:
    texts = {}
    for name, path in shipped().items():
        try:
            texts[name] = load(path).about or str(path)
        except ScenarioError as error:
            texts[name] = f"not valid: {error}"
    return texts


def _classes(classes: Sequence[type[BaseModel]], tag: str) -> Texts:
    """Return classes that are scenario syntax, with their fields below what they are."""
    texts = {}
    for each in classes:
        fields = each.model_json_schema(mode="serialization")["properties"]
        lines = [inspect.getdoc(each) or "", "", "Fields:"]
        for name, field in fields.items():
            if name != tag:
                default = f" (usually {field['default']})" if field.get("default") else ""
                lines.append(f"  {name}{default}: {field.get('description', '')}".rstrip(": "))
        texts[fields[tag]["const"]] = "\n".join(lines)
    return texts


def _links() -> Texts:
    return {
        name: f"median {DURATION.format(delay.median_ns)}, 99 % within {DURATION.format(delay.p99_ns)}"
        for name, delay in LINKS.items()
    }


def _measures() -> Texts:
    units = {"ns": "time", "uUSDC": "USDC", "count": "count", "ppm": "share"}
    return {
        name: f"{units[measure.unit]}; {HOPS[name]}" if name in HOPS else units[measure.unit]
        for name, measure in MEASURES.items()
    }


def _backends() -> Texts:
    return {
        "memory": "everything in this process; the default, and by far the fastest",
        "moto": "AWS's own API in this process, through boto3",
        "localstack": "any endpoint that speaks AWS's API: LocalStack, MiniStack, moto server",
        "aws": "Amazon Web Services",
    }


def _chains() -> Texts:
    return {
        "model": "the contracts' rules in Python; the default, and the fastest",
        "anvil": "the contracts themselves on a chain of our own",
    }


def _presets() -> Texts:
    """Two names are both a way to fund and a way to liquidate; both are said."""
    texts: Texts = {}
    for name, model in FUNDING_MODELS.items():
        # of a funding model the module says what it pays, and where that is from
        texts[name] = f"funding: {inspect.getdoc(inspect.getmodule(model))}"
    for name, way in LIQUIDATION_PRESETS.items():
        first, *_ = (inspect.getdoc(type(way)) or "").splitlines()
        before = texts.get(name, "").partition("\n")[0]
        texts[name] = f"{before} liquidation: {first}".strip()
    return texts


KIND_TEXTS: dict[str, Callable[[], Texts]] = {
    "scenarios": _scenarios,
    "agents": lambda: _classes(KINDS, "kind"),
    "prices": lambda: _classes(PROCESSES, "process"),
    "links": _links,
    "invariants": lambda: {name: rule.about for name, rule in INVARIANTS.items()},
    "measures": _measures,
    "faults": lambda: _classes(FAULTS, "fault"),
    "backends": _backends,
    "chains": _chains,
    "presets": _presets,
}
