"""Many small scenarios, each drawn from its seed: markets, traders, delays, chain, and what breaks.

A drawn scenario is decided by its seed alone, so the ledger of a swarm needs to keep no more than that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sim.attempt import Attempt, attempt
from sim.kernel.dice import Dice
from sim.scenario.schema import Scenario
from system.risk.funding import PRESETS as FUNDING_MODELS
from system.risk.liquidation.presets import PRESETS as LIQUIDATION_PRESETS

LEDGER = "ledger.jsonl"
LOOK_EVERY_NS = 20 * 10**9
MOST_FAULTS = 6
LONG_S = 760
LONG = frozenset({"dead_letter", "stuck_transaction"})
"""Kinds of faults that need minutes to do their worst; traders are then slow."""

FAULTS: Mapping[str, tuple[str, ...]] = {
    "clock_skew": ("by: {ms} ms, direction: {way}, target: {function}, {span}",),
    "clock_step": ("by: {ms} ms, direction: {way}, target: {function}, {span}",),
    "cold_start_storm": ("{span}",),
    "conflict": ("{share}, {span}", "overlapping: true"),
    "crash": (
        "target: '*', before: store.commit, {rare}",
        "target: '*', after: store.commit, {rare}",
        "target: {function}, after: store.commit, {at}, down: {few} s",
        "target: matcher, before: topic.publish, {at}",
        "target: {function}, {at}, down: {few} s",
        "target: settle, after: chain.send, {share}",
    ),
    "cron_late": ("target: '*', by: {few}0 s, {share}",),
    "cron_missed": ("target: market_minute", "target: oracle_fetch, {share}"),
    "cron_twice": ("target: '*', {share}", "target: settle_watch"),
    "dead_letter": ("during: [5 s, 640 s]",),
    "delay": ("target: {hop}, by: {ms}0 ms, {share}",),
    "drop": ("target: {acknowledged}, {share}", "target: {loose}, {rare}"),
    "duplicate": ("target: {acknowledged}, {share}", "target: {loose}, {share}"),
    "gas_spike": ("{span}, base_fee: {ms} gwei",),
    "operator_key_lost": ("{at}, down: {few}0 s",),
    "oracle_diverging": ("source: {source}, {span}",),
    "oracle_frozen": ("source: {source}, {span}",),
    "oracle_stale": ("source: {source}, {span}",),
    "oracle_unsure": ("source: {source}, confidence: {few} %, {span}",),
    "oracle_wrong": ("source: {source}, by: {few} %, {span}",),
    "outage": (
        "target: matcher, call: topic.publish, {share}",
        "target: matcher, call: topic.publish, {span}",
        "target: archive, call: lake.put, {share}",
        "target: {function}, call: store.read, {rare}",
        "target: '*', call: 'store.*', {at}",
    ),
    "partial_failure": ("{share}",),
    "reorder": ("target: commands -> matcher", "target: updates -> fan_out, {share}"),
    "reorg": ("every: 1{few} s, depth: [1, 2]",),
    "rpc_down": ("target: settle, {share}", "target: settle_watch, {span}"),
    "rpc_slow": ("target: settle, by: {few} s, {share}",),
    "socket_gone": ("{rare}, away: {few} s",),
    "stale_list": ("age: {few}0 s",),
    "stream_stall": ("target: {stream}, {span}",),
    "stuck_transaction": ("{span}", "during: [20 s, 700 s], first_wins: true"),
    "throttle": ("{rare}", "target: {function}, {share}"),
    "timeout": ("target: {function}, {share}", "target: matcher, call: topic.publish, {share}"),
    "visibility_expiry": ("{share}",),
}
"""What a swarm draws of each kind of fault; words in braces are drawn too."""

LEFT_OUT = ("operator_gone",)
"""The one that never heals; after it a run need not drain, and it takes more than a day."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "function": ("api", "matcher", "settle", "settle_watch", "archive", "market_minute", "fan_out"),
    "way": ("ahead", "behind"),
    "source": ("pyth", "chainlink", "'*'"),
    "stream": ("stream -> pipe", "stream -> archive", "stream -> settlement"),
    "acknowledged": (
        *("stream -> pipe", "pipe -> commands", "commands -> matcher", "stream -> archive"),
        "stream -> settlement",
    ),
    "loose": ("client -> api", "api -> client", "updates -> fan_out", "fan_out -> client"),
    "hop": (
        "stream -> pipe",
        "matcher -> store",
        "api -> store",
        "updates -> fan_out",
        "commands -> matcher",
    ),
}

Told = Callable[[int, int, "Outcome"], None]
"""Called after each run: number from 1, of how many, and what came of it."""


class Outcome(NamedTuple):
    """What came of one seed; `was` is empty where everything held."""

    seed: int
    verdict: str
    what: tuple[str, ...]
    was: str
    struck: dict[str, int]  # by kind
    reproduce: str

    @property
    def passed(self) -> bool:
        return not self.was


class Swarm(NamedTuple):
    """What came of all seeds; `struck` counts by kind of fault."""

    outcomes: list[Outcome]
    struck: Counter[str]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.passed]

    @property
    def never(self) -> list[str]:
        """Name the kinds of faults that struck in no run."""
        return sorted(kind for kind in FAULTS if not self.struck[kind])


def draw(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    dice = Dice(seed).named("swarm")
    kinds = dice.sample(sorted(FAULTS), dice.randrange(MOST_FAULTS + 1))
    long = bool(LONG & set(kinds))
    duration_s = LONG_S if long else dice.randrange(40, 100)
    lines = [
        f"start: {dice.choice(STARTS)}",
        f"prices: {{{_prices(dice)}}}",
        f"index: {{feeds: [{dice.choice(FEEDS)}]}}",
        f"ingress: {dice.choice(('pipe', 'pipe', 'direct'))}",
        f"lifetime: {dice.choice(('literal', 'sharded'))}",
        f"intraday: {dice.choice(('minute', 'both'))}",
        f"interleaving: {dice.choice(('ports', 'ports', 'atomic'))}",
        f"signatures: {dice.choice(('off', 'off', 'sampled', 'real'))}",
        f"confirmations: {dice.choice((3, 6))}",  # a reorg takes up to two blocks
        f"block_time: {dice.choice((1, 2, 5))} s",
        f"links: {dice.choice(LINKS)}",
        f"markets: [{', '.join(_markets(dice))}]",
        f"agents: [{', '.join(_agents(dice, slow=long))}]",
        f"events: [{', '.join(_events(dice, duration_s))}]",
        f"faults: [{', '.join(_faults(dice, kinds, duration_s))}]",
    ]
    text = HEAD.format(seed=seed, duration_s=duration_s) + "\n".join(lines) + "\n"
    return Scenario.parse(text, f"swarm {seed}")


HEAD = """\
scenario: swarm
about: Drawn from its seed by `dexsim run --swarm`.
seed: {seed}
duration: {duration_s} s
expect: {{invariants: all, settled_within: 30 min}}
"""
STARTS = ("2025-05-03T12:00:30Z", "2025-05-03T23:59:25Z", "2025-05-03T07:59:15Z")
"""In the middle of a day, before its end, before the hour at which contracts expire."""
VOLATILITIES = (90, 90, 3_000)
FEEDS = ("pyth, chainlink", "pyth, chainlink", "pyth, chainlink, exchanges")
# News slower than a reader's patience (five to ten seconds, FANO-005) is lost to it, and a delay has a long
# tail: so the slow way to fan-out ends well before.
LINKS = (
    "{}",
    "{}",
    "{'stream -> pipe': {median: 400 ms, p99: 3 s}}",
    "{'matcher -> store': {median: 60 ms, p99: 400 ms}}",
    "{'api -> store': {median: 40 ms, p99: 300 ms}, 'updates -> fan_out': {median: 90 ms, p99: 0.6 s}}",
)


EXPIRY = "3MAY25"  # at 08:00, within a run that starts before it
LATER = "27JUN25"


def _prices(dice: Random) -> str:
    bitcoin = f"BTC: {{process: gbm, start: 60_000 USDC, volatility: {dice.choice(VOLATILITIES)} %/y}}"
    return f"{bitcoin}, CXPT: {{process: gbm, start: 1 USDC, volatility: 10 %/y}}"


def _markets(dice: Random) -> Iterator[str]:
    """Draw one to three markets; every kind is among the choices."""
    makers = (_perp, _perp, _leveraged, _leveraged, _spot, _spot, _future, _call, _put, _token)
    drawn = dict.fromkeys(dice.sample(makers, dice.choice((1, 2, 2, 3))))
    if _perp in drawn and _leveraged in drawn:
        del drawn[_perp]  # both are BTC-PERP
    for make in drawn:
        yield make(dice)


def _common(dice: Random) -> str:
    fee, stp = dice.choice((50, 33, 5)), dice.choice(("EXPIRE_TAKER", "EXPIRE_MAKER", "DECREMENT", "NONE"))
    return f"fee: {fee} bps, stp: {stp}, cooldown: 5 s"


def _perp(dice: Random) -> str:
    common = _common(dice).replace("stp: NONE", "stp: EXPIRE_BOTH")  # no NONE on chain
    margin = dice.choice((100, 50, 10))
    band = dice.choice((5, 10))
    terms = f"band: {band} %, initial_margin: {margin} %, {_capped(dice)}"
    return f"{{symbol: BTC-PERP, {BTC}, {common}, {terms}}}"


def _capped(dice: Random) -> str:
    return f"open_interest_cap: {dice.choice((2, 1_000, 1_000))} BTC"


def _spot(dice: Random) -> str:
    common = _common(dice).replace("stp: NONE", "stp: EXPIRE_BOTH")
    return f"{{symbol: sBTC-USDC, tick: 0.1 USDC, lot: 0.0001 sBTC, {common}}}"


def _token(dice: Random) -> str:
    """Draw the market of CXPT, which is minted and redeemed, and gives a part of its fees back."""
    terms = f"tick: 0.0001 USDC, lot: 1 CXPT, {_common(dice)}, rebate: {dice.choice((0, 20))} %"
    return f"{{symbol: CXPT-USDC, {terms}}}"


def _leveraged(dice: Random) -> str:
    funding = dice.choice(sorted(FUNDING_MODELS))
    every = dice.choice(("", ", funding_interval: 1 min"))
    return f"{{symbol: BTC-PERP, {BTC}, {_margined(dice)}, funding: {funding}{every}}}"


def _future(dice: Random) -> str:
    expiry = dice.choice((EXPIRY, LATER))
    return f"{{symbol: BTC-{expiry}, {BTC}, {_margined(dice)}, settle_window: {dice.choice((0, 30))} s}}"


def _margined(dice: Random) -> str:
    preset, adl = dice.choice(sorted(LIQUIDATION_PRESETS)), dice.choice(("ranked", "pro_rata", "none"))
    fund, margin = dice.choice((100, 20_000)), dice.choice((8, 10, 20))
    terms = f"settlement: ledger, liquidation: {preset}, deleveraging: {adl}, haircut: {dice.choice(FLAGS)}"
    rules = (
        f"netting: {dice.choice(NETTINGS)}, mark: {dice.choice(MARKS)}, rebate: {dice.choice((0, 0, 15))} %"
    )
    rules += f", {_capped(dice)}"
    return f"{_common(dice)}, initial_margin: {margin} %, insurance: {fund} USDC, {terms}, {rules}"


def _call(dice: Random) -> str:
    expiry = dice.choice((EXPIRY, LATER))
    return f"{{symbol: BTC-{expiry}-55000-C, {OPTION}, {_settled(dice)}, cap: 110_000 USDC, band: 50 %}}"


def _put(dice: Random) -> str:
    expiry = dice.choice((EXPIRY, LATER))
    return f"{{symbol: BTC-{expiry}-65000-P, {OPTION}, {_settled(dice)}, band: 50 %}}"


def _settled(dice: Random) -> str:
    common, place = _common(dice), dice.choice(("chain", "chain", "ledger"))
    if place == "chain":
        common = common.replace("stp: NONE", "stp: EXPIRE_BOTH")
    return f"{common}, settlement: {place}, {_capped(dice)}"


BTC = "tick: 0.1 USDC, lot: 0.0001 BTC"
OPTION = "tick: 5 USDC, lot: 0.01 BTC, settle_window: 30 s"
FLAGS = ("true", "false")
NETTINGS = ("pair", "pair", "max", "gross")
MARKS = ("MEDIAN", "MEDIAN", "INDEX", "LAST_TRADE")


def _agents(dice: Random, *, slow: bool) -> Iterator[str]:
    per = "min" if slow else "s"
    refresh = 30 if slow else dice.choice((1, 2, 5))
    count, levels = dice.randrange(1, 4), dice.randrange(1, 4)
    makers = (
        f"count: {count}, levels: {levels}, refresh: {refresh} s, half_spread: {dice.choice((10, 60))} bps"
    )
    yield f"{{kind: market_maker, funds: 1_000_000 USDC, {makers}}}"
    yield f"{{kind: noise_taker, count: {dice.randrange(1, 6)}, funds: 200_000 USDC, rate: 0.5 /{per}}}"
    if dice.random() < 0.5:
        rate, share = dice.choice((1, 3, 8)), dice.choice((10, 40))
        yield (
            f"{{kind: zero_intelligence, count: 2, funds: 100_000 USDC, rate: {rate} /{per}, "
            f"cancel_share: {share} %}}"
        )
    if dice.random() < 0.8:
        funds = dice.choice((1_000, 20_000, 200_000))
        yield f"{{kind: explorer, count: 3, funds: {funds} USDC, rate: {dice.choice((1, 3))} /{per}}}"
    if dice.random() < 0.2:
        how = f"every: 2 s, as_cxpt: {dice.choice(FLAGS)}"
        yield f"{{kind: panic_withdrawer, count: 2, funds: 60_000 USDC, {how}}}"


def _events(dice: Random, duration_s: int) -> Iterator[str]:
    """Draw what happens to the world: prices that leap, markets that an administrator closes and opens."""
    begin = dice.randrange(5, duration_s - 15)
    if dice.random() < 0.3:
        move, over = dice.choice((-12, -7, 7, 12)), dice.choice((5, 20))
        yield f"{{at: {begin} s, oracle_shock: {{asset: BTC, move: {move} %, over: {over} s}}}}"
    if dice.random() < 0.3:
        state = dice.choice(("post_only", "cancel_only", "pause"))
        yield f"{{at: {begin} s, market: {{action: {state}}}}}"
        yield f"{{at: {begin + dice.randrange(2, 10)} s, market: {{action: resume}}}}"


def _faults(dice: Random, kinds: list[str], duration_s: int) -> Iterator[str]:
    for kind in kinds:
        template = dice.choice(FAULTS[kind])
        begin = dice.randrange(2, duration_s - 20)
        words = {word: dice.choice(choices) for word, choices in WORDS.items()}
        text = template.format(
            **words,
            at=f"at: {begin} s",
            span=f"during: [{begin} s, {dice.randrange(begin + 5, duration_s)} s]",
            share=f"probability: {dice.choice((2, 10, 30))} %",
            rare=f"probability: {dice.choice((3_000, 10_000))} ppm",
            ms=dice.choice((20, 80, 300)),
            few=dice.randrange(1, 8),
        )
        yield f"{{fault: {kind}, {text}}}"


def fly(seeds: range, folder: Path | None = None, told: Told | None = None, *, workers: int = 1) -> Swarm:
    """Run the scenarios of many seeds; what fails goes into the folder's ledger, a line each."""
    outcomes: list[Outcome] = []
    struck: Counter[str] = Counter()
    for number, outcome in enumerate(_outcomes(seeds, workers), start=1):
        struck.update(outcome.struck)
        outcomes.append(outcome)
        if folder is not None and not outcome.passed:
            _keep(folder, outcome, draw(outcome.seed))
        if told is not None:
            told(number, len(seeds), outcome)
    return Swarm(outcomes, struck)


def _outcomes(seeds: range, workers: int) -> Iterator[Outcome]:
    """Iterate what comes of each seed, in their order."""
    if workers == 1:
        yield from map(outcome_of, seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        yield from pool.map(outcome_of, seeds)


def outcome_of(seed: int) -> Outcome:
    """Run the scenario of one seed."""
    scenario = draw(seed)
    return _outcome(scenario, attempt(scenario, look_every_ns=LOOK_EVERY_NS))


def _outcome(scenario: Scenario, made: Attempt) -> Outcome:
    record, seed = made.record, scenario.seed
    struck: Counter[str] = Counter()
    if record is not None:
        kinds = {fault.label: fault.fault for fault in scenario.faults}
        for label, times in record.faults.items():
            struck[kinds[label]] += times
    line = f"dexsim run --swarm 1 --seed {seed}"
    verdict = record.verdict if record else "unknown"
    return Outcome(seed, verdict, made.broken, made.was, dict(+struck), line)


def _keep(folder: Path, outcome: Outcome, scenario: Scenario) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{outcome.seed}.yaml").write_text(scenario.resolved_yaml(), encoding="utf-8")
    line: dict[str, Any] = {**outcome._asdict(), "scenario": f"seed-{outcome.seed}.yaml"}
    with (folder / LEDGER).open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(line) + "\n")
