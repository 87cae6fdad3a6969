"""Ask every invariant about a state, and keep what they said over the whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sim.invariants.aside import Aside
from sim.invariants.registry import INVARIANTS, Invariant
from sim.invariants.state import ChainView, State
from sim.invariants.verdict import Outcome, Verdict, Violation, worse
from sim.kernel.history import HistoryReader
from system.model.keys import Item
from system.model.market import MarketSpec
from system.ports.lake import Lake


def chosen(names: Iterable[str] | None) -> list[Invariant]:
    """Return the named invariants in the registry's order, all of them for None.

    Raises:
        KeyError: a name is unknown.
    """
    if names is None:
        return list(INVARIANTS.values())
    wanted = set(names)
    unknown = sorted(wanted - set(INVARIANTS))
    if unknown:
        raise KeyError(f"no invariant {', '.join(unknown)}; there are {', '.join(INVARIANTS)}")
    return [rule for rule in INVARIANTS.values() if rule.name in wanted]


def judge(state: State, names: Iterable[str] | None = None) -> dict[str, Verdict]:
    """Judge one state. Rules about the end are left out before it."""
    once = _Once(state)
    return {rule.name: _ask(rule, once) for rule in chosen(names) if state.final or not rule.at_end_only}


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Return the worst outcome; nothing judged is unknown."""
    outcome: Outcome | None = None
    for verdict in verdicts:
        outcome = verdict.outcome if outcome is None else worse(outcome, verdict.outcome)
    return outcome or "unknown"


class Judge:
    """Judges a run again and again; `verdicts` cover every look so far."""

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self.rules = chosen(names)
        self.verdicts: dict[str, Verdict] = {}
        self._aside: Aside | None = None  # the look before this one, if it may still be under way

    def look(self, state: State) -> bool:
        """Judge one instant; tell whether everything held."""
        self.catch_up()
        return self._add(self._judge(state))

    def look_aside(self, state: State) -> None:
        """Judge one instant in a child process; `verdicts` have it after the next look or `catch_up`.

        The state must be one that a fork sees whole: in this process's memory, no connection.
        """
        self.catch_up()
        self._aside = Aside(lambda: self._judge(state))

    def _judge(self, state: State) -> dict[str, Verdict]:
        return judge(state, [rule.name for rule in self.rules])

    def catch_up(self) -> None:
        """Wait for a look aside that is still under way. Raises RuntimeError: it failed."""
        aside, self._aside = self._aside, None
        if aside is not None:
            self._add(aside.result())

    def _add(self, verdicts: Mapping[str, Verdict]) -> bool:
        held = True
        for name, verdict in verdicts.items():
            earlier = self.verdicts.get(name)
            self.verdicts[name] = verdict if earlier is None else earlier.then(verdict)
            held = held and verdict.outcome == "held"
        return held


def _ask(rule: Invariant, state: State) -> Verdict:
    times = 0
    first = worst = last = None
    found = rule.check(state)
    try:
        while True:
            last = next(found)._replace(at_ns=state.now_ns)
            times += 1
            first = first or last
            worst = last if worst is None or last.size > worst.size else worst
    except StopIteration as end:
        outcome: Outcome = "broken" if times else "held"
        return Verdict(rule.name, outcome, end.value, times, first, worst, last)
    except Exception as error:  # a check that cannot be carried out is unknown, not held
        # What it found before it failed stays found.
        outcome = "broken" if times else "unknown"
        return Verdict(rule.name, outcome, 0, times, first, worst, last, f"{type(error).__name__}: {error}")


class _Once:
    """A state that scans each table once, however many rules ask."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._items: dict[str, list[Item]] = {}

    def items(self, table: str) -> list[Item]:
        found = self._items.get(table)
        if found is None:
            found = self._items[table] = self._state.items(table)
        return found

    def ask(self, route: str, **query: str) -> Any:
        return self._state.ask(route, **query)

    @property
    def final(self) -> bool:
        return self._state.final

    @property
    def now_ns(self) -> int:
        return self._state.now_ns

    @property
    def start_ns(self) -> int:
        return self._state.start_ns

    @property
    def specs(self) -> Mapping[str, MarketSpec]:
        return self._state.specs

    @property
    def accounts(self) -> Mapping[str, str]:
        return self._state.accounts

    @property
    def paid_in(self) -> Mapping[tuple[str, str], int]:
        return self._state.paid_in

    @property
    def abandoned(self) -> bool:
        return self._state.abandoned

    @property
    def deposited(self) -> Mapping[tuple[str, str], int]:
        return self._state.deposited

    @property
    def confirmations(self) -> int:
        return self._state.confirmations

    @property
    def lake(self) -> Lake:
        return self._state.lake

    @property
    def chain(self) -> ChainView:
        return self._state.chain

    @property
    def history(self) -> HistoryReader | None:
        return self._state.history


__all__ = ["Judge", "Violation", "chosen", "judge", "overall"]
