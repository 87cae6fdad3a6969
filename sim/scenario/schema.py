"""What a scenario file may say. The classes here are the syntax; docs/scenario-files.md shows it in use.

A `Scenario` holds exact integers. `load` reads a file, `resolved_yaml` writes every setting out,
and loading that text gives an equal scenario: that is what a run's folder keeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self, Union

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator
from ruamel.yaml import YAML

from sim.agents import KINDS, Agent
from sim.events import Event
from sim.faults import FAULTS, Fault
from sim.kernel.dice import Delay
from sim.scenario.index import IndexRule
from sim.scenario.links import LINKS
from sim.scenario.loader import Document, read_file, read_text
from sim.scenario.markets import Market
from sim.scenario.part import Misfit, Part, suggest
from sim.scenario.thresholds import ThresholdField
from sim.scenario.troubles import troubles_of
from sim.scenario.units import (
    DURATION,
    SECOND_NS,
    Duration,
    Instant,
    PositiveDuration,
    UnitError,
    parse_instant,
)
from sim.scenario.words import choice
from sim.world.prices import PROCESSES, Correlation, PriceProcess, SteppedProcess
from system.model.market import MarketKind, MarketSpec
from system.model.units import QTY_SCALE

if TYPE_CHECKING:
    AnyAgent = Agent
    AnyFault = Fault
    AnyProcess = PriceProcess
else:

    def _one_of(classes, tag):
        """Make the registered classes the syntax: the field `tag` says which one is meant."""
        return Annotated[Union[classes], Field(discriminator=tag)] if len(classes) > 1 else classes[0]  # noqa: UP007

    AnyAgent = _one_of(KINDS, "kind")
    AnyFault = _one_of(FAULTS, "fault")
    AnyProcess = _one_of(PROCESSES, "process")

SIGNATURES = ("real", "sampled", "off")


def _like(pattern: str, what: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """Accept text of a pattern; `what` says in words which."""

    def read(text: object) -> object:
        if not isinstance(text, str) or not re.fullmatch(pattern, text):
            raise UnitError(f"expected {what}, was `{text}`", "change it")
        return text

    return BeforeValidator(read), WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


_NAME = _like(r"[a-z0-9]+(-[a-z0-9]+)*", "small letters, digits and hyphens")
_CHAIN = _like(r"model|anvil|https?://\S+", "`model`, `anvil` or an http address")


class Link(Part):
    """The delay of one hop: lognormal, by its median and 99 % quantile."""

    median: Duration
    """Half of all deliveries take no longer."""
    p99: Duration
    """99 of 100 deliveries take no longer."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.p99 < self.median:
            raise Misfit(("p99",), "expected at least the median, was less", "swap median and p99")
        return self


def _all_links(value: object) -> object:
    """Lay the file's links over the defaults, so that a resolved scenario names every one."""
    if not isinstance(value, dict):
        return value
    for name in value:
        if name not in LINKS:
            raise Misfit((name,), f"no link `{name}`", suggest(str(name), LINKS))
    return {name: value.get(name) or _default_link(usual) for name, usual in LINKS.items()}


def _default_link(usual: Delay) -> Link:
    return Link.model_construct(median=usual.median_ns, p99=usual.p99_ns)


class Expect(Part):
    """What must hold for the run to pass."""

    invariants: Literal["all"] | tuple[str, ...] = "all"
    """Which invariants are judged."""
    settled_within: PositiveDuration | None = None
    """After the end, every trade must be settled on chain within this time."""
    thresholds: tuple[ThresholdField, ...] = ()
    """Comparisons of measures with limits, for example `p95(order_to_fill) < 1 s`."""


class Wallet(NamedTuple):
    """One agent of the roster: its name, its group's settings, and its opening funds by asset."""

    name: str
    agent: Agent
    funds: dict[str, int]


class Scenario(Part):
    """One run, described: the world, the exchange, who trades, and what must hold."""

    scenario: Annotated[str, *_NAME]
    """Name, in small letters and hyphens."""
    about: str = ""
    """What happens here, and what must be true afterwards."""
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    """Everything random follows from it."""
    start: Instant = parse_instant("2025-05-03T12:00:00Z")
    """The instant in UTC at which virtual time begins."""
    duration: PositiveDuration
    """How long agents trade; what they began is carried to its end afterwards."""
    backend: Annotated[
        Literal["memory", "moto", "localstack", "aws"],
        choice("backend", "memory", "moto", "localstack", "aws"),
    ] = "memory"
    """What stands in for AWS."""
    chain: Annotated[str, *_CHAIN] = "model"
    """What stands in for the chain: `model`, `anvil`, or the address of a node."""
    ingress: Annotated[Literal["pipe", "direct"], choice("ingress", "pipe", "direct")] = "pipe"
    """How orders reach the matcher: `pipe` is Orders stream, pipe, queue; `direct` is door, queue."""
    lifetime: Annotated[Literal["literal", "sharded"], choice("lifetime", "literal", "sharded")] = "literal"
    """All-time totals: `literal` is one row in every transaction, `sharded` one for each market."""
    intraday: Annotated[Literal["minute", "both"], choice("intraday", "minute", "both")] = "minute"
    """Buckets of a minute, or of five seconds beside them."""
    interleaving: Annotated[Literal["atomic", "ports"], choice("interleaving", "atomic", "ports")] = "atomic"
    """`atomic`: an invocation happens at one instant; `ports`: they overlap, and wait at port calls."""
    signatures: Annotated[Literal["real", "sampled", "off"], choice("signatures", *SIGNATURES)] = "real"
    """Whether orders are signed and checked: all, one in sixteen, or none (for bulk runs)."""
    confirmations: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 3
    """Blocks on top of a settlement before it counts."""
    cxpt_redemption: bool = True
    """Whether the exchange takes CXPT back for USDC, one to one; it always mints."""
    block_time: PositiveDuration = 2 * SECOND_NS
    """Time between blocks of the chain."""
    markets: Annotated[tuple[Market, ...], Field(min_length=1)]
    """The markets that are open from the start."""
    prices: dict[str, AnyProcess]
    """Outside price of each underlying asset."""
    correlation: Correlation = Correlation()
    """Which of these prices move together."""
    index: IndexRule = IndexRule()
    """How an index is made of several feeds."""
    links: Annotated[dict[str, Link], BeforeValidator(_all_links)] = Field(default={}, validate_default=True)
    """Delays that differ from the usual ones, by hop: `api -> store`."""
    agents: tuple[AnyAgent, ...] = ()
    """Groups of traders."""
    events: tuple[Event, ...] = ()
    """What happens to the world at a given time."""
    faults: tuple[AnyFault, ...] = ()
    """What breaks, when and how often."""
    expect: Expect = Expect()
    """What must hold for the run to pass."""

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Read a file and lay `path=value` overrides over it.

        Raises:
            ScenarioError: with everything that is wrong, each by file, line and dotted path.
        """
        return cls._of(read_file(path, overrides))

    @classmethod
    def parse(cls, text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> Self:
        """Read scenario text that stands alone. Raises ScenarioError as `load` does."""
        return cls._of(read_text(text, name, overrides))

    @classmethod
    def _of(cls, document: Document) -> Self:
        try:
            return cls.model_validate(document.data)
        except ValidationError as error:
            raise document.error(troubles_of(error, document.data)) from None

    def resolved_yaml(self) -> str:
        """Write every setting out, defaults too; the text loads to an equal scenario."""
        out = StringIO()
        yaml = YAML()
        yaml.width = 10_000
        yaml.dump(self.model_dump(mode="json", exclude_none=True), out)
        return out.getvalue()

    def specs(self) -> dict[str, MarketSpec]:
        """Return the markets by symbol, in the file's order."""
        return {market.symbol: self._spec(market) for market in self.markets}

    def _spec(self, market: Market) -> MarketSpec:
        index_e6 = self.prices[market.underlying].first_price_e6
        return market.spec(market.usual_cap_e6(index_e6, self.start))

    def insurance(self) -> dict[str, int]:
        """Return what each market's insurance fund begins with, in uUSDC; markets without are left out."""
        return {market.symbol: market.insurance for market in self.markets if market.insurance}

    def delays(self) -> dict[str, Delay]:
        """Return every hop's delay by name."""
        return {name: Delay(link.median, link.p99) for name, link in self.links.items()}

    def wallets(self) -> list[Wallet]:
        """Return the roster, in the file's order: every agent by name, with what it begins with."""
        return [
            Wallet(f"{agent.group}-{number}", agent, dict(funds))
            for agent in self.agents
            for funds in [self._endowment(agent)]
            for number in range(agent.count)
        ]

    def _endowment(self, agent: Agent) -> dict[str, int]:
        """Give a spot trader base to sell if its funds name none: a quarter of its worth."""
        funds = dict(agent.funds)
        for market in self.markets:
            spec = self._spec(market)
            wanted = not agent.markets or market.symbol in agent.markets
            if spec.kind is MarketKind.SPOT and wanted and spec.base not in funds:
                price_e6 = self.prices[spec.underlying].first_price_e6
                lots = funds.get("USDC", 0) // 4 * QTY_SCALE // price_e6 // spec.lot_e8
                funds[spec.base] = lots * spec.lot_e8
        return funds

    @model_validator(mode="after")
    def _check_events(self) -> Self:
        symbols = [market.symbol for market in self.markets]
        for index, event in enumerate(self.events):
            if event.at >= self.duration:
                was = f"expected an instant before the end, {DURATION.format(self.duration)}"
                problem = f"{was}, was `{DURATION.format(event.at)}`"
                raise Misfit(("events", index, "at"), problem, "let it be earlier")
            shock, action = event.oracle_shock, event.market
            if shock is not None and shock.asset not in self.prices:
                where = ("events", index, "oracle_shock", "asset")
                raise Misfit(where, f"no price of `{shock.asset}`", suggest(shock.asset, list(self.prices)))
            if action is not None and action.symbol and action.symbol not in symbols:
                where = ("events", index, "market", "symbol")
                raise Misfit(where, f"no market `{action.symbol}`", suggest(action.symbol, symbols))
        return self

    @model_validator(mode="after")
    def _check_correlation(self) -> Self:
        steps_ns = {
            asset: process.step if isinstance(process, SteppedProcess) else None
            for asset, process in self.prices.items()
        }
        if problem := self.correlation.problem(steps_ns):
            raise Misfit(("correlation", "pairs"), problem, "write `pairs: {BTC-ETH: 80 %}`")
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        symbols = [market.symbol for market in self.markets]
        self._check_markets(symbols)
        for index, fault in enumerate(self.faults):
            begin = fault.during[0] if fault.during is not None else fault.at or 0
            if begin >= self.duration:
                where = ("faults", index, "at" if fault.at is not None else "during")
                was = f"expected an instant before the end, {DURATION.format(self.duration)}"
                raise Misfit(where, f"{was}, was `{DURATION.format(begin)}`", "let it begin earlier")
        self._check_agents(symbols)
        return self

    def _check_markets(self, symbols: list[str]) -> None:
        for index, market in enumerate(self.markets):
            if market.symbol in symbols[:index]:
                raise Misfit(("markets", index, "symbol"), f"`{market.symbol}` is there twice", "keep one")
            if market.underlying not in self.prices:
                remedy = f"add `prices: {{{market.underlying}: {{process: gbm, start: 60_000 USDC}}}}`"
                raise Misfit(("prices",), f"`{market.symbol}` needs the price of {market.underlying}", remedy)
            try:
                self._spec(market)
            except Misfit as error:
                where, problem, remedy = error.args
                raise Misfit(("markets", index, *where), problem, remedy) from None

    def _check_agents(self, symbols: list[str]) -> None:
        groups: dict[str, int] = {}
        for index, agent in enumerate(self.agents):
            if agent.group in groups:
                problem = f"group {groups[agent.group]} is called `{agent.group}` too"
                raise Misfit(("agents", index, "name"), problem, "give one of them a `name`")
            groups[agent.group] = index
            held = {"USDC", *(market.base for market in self.markets if market.symbol.endswith("-USDC"))}
            for asset in agent.funds:
                if asset not in held:
                    remedy = f"fund in {' or '.join(sorted(held))}"
                    raise Misfit(("agents", index, "funds"), f"no market deals in {asset} itself", remedy)
            for symbol in agent.markets:
                if symbol not in symbols:
                    raise Misfit(
                        ("agents", index, "markets"), f"no market `{symbol}`", suggest(symbol, symbols)
                    )


def json_schema() -> str:
    """Return the JSON schema of scenario files, as committed in scenarios/schema.json."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario file, which this one changes; that one cannot extend a third.",
    }
    # a file that extends another need not repeat what the other says
    schema["anyOf"] = [{"required": ["extends"]}, {"required": schema.pop("required")}]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
