"""How a command ends: exit codes, and what is printed when it failed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from system.model.errors import DexError, Divergence, PortError, ProvisionError, ScenarioError

if TYPE_CHECKING:
    from rich.console import Console


class Exit(IntEnum):
    """Exit codes, an interface for scripts and CI."""

    HELD = 0
    BROKEN = 1
    USAGE = 2
    LIVENESS = 3
    THRESHOLD = 4
    SCENARIO = 5
    UNAVAILABLE = 6
    DIFFERS = 7
    DEFECT = 70
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it

    @property
    def about(self) -> str:
        """Say what the code means."""
        return _ABOUT[self]


_ABOUT = {
    Exit.HELD: "everything held",
    Exit.BROKEN: "an invariant is broken, or could not be judged",
    Exit.USAGE: "the command was not understood, or a run's folder is missing or damaged",
    Exit.LIVENESS: "something was still on its way when the time for it was over",
    Exit.THRESHOLD: "a threshold of the scenario was missed, or the gate is closed",
    Exit.SCENARIO: "the scenario is not valid",
    Exit.UNAVAILABLE: "a backend or chain could not be reached or made",
    Exit.DIFFERS: "a replay or comparison differs",
    Exit.DEFECT: "a defect of the harness itself",
    Exit.INTERRUPTED: "stopped by Ctrl-C before the end",
}


class _Printer:
    """A rich console that is made when something is printed: rich alone costs a quarter of `--help`."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(stderr=self._stderr, highlight=False)

    def print(self, *what: Any, **how: Any) -> None:
        """Print with rich's markup."""
        self.console.print(*what, **how)


out = _Printer(stderr=False)
err = _Printer(stderr=True)


def escape(text: str) -> str:
    """Return text in which brackets are no markup."""
    from rich.markup import escape as escaped

    return escaped(text)


def fail(code: Exit, what: str, *lines: tuple[str, str], reproduce: str = "") -> typer.Exit:
    """Print a failure to stderr: what, then labelled lines, then how to see it again."""
    err.print(f"[bold red]✗ {escape(what)}[/]")
    labels = [*lines, ("reproduce", reproduce)] if reproduce else list(lines)
    width = max((len(label) for label, _ in labels), default=0)
    for label, text in labels:
        first, *more = text.splitlines() or [""]
        err.print(f"  [dim]{label:<{width}}[/]  {escape(first)}", soft_wrap=True)
        for line in more:
            err.print(f"  {'':<{width}}  {escape(line)}", soft_wrap=True)
    err.print(f"  [dim]{'exit':<{width}}  {code.value}: {code.about}[/]")
    return typer.Exit(code.value)


@contextmanager
def failures(reproduce: str = "") -> Iterator[None]:
    """Turn what a verb raises into a message and an exit code."""
    # imported here, as it brings zstandard and msgspec with it
    from sim.kernel.history import HistoryUnreadable
    from sim.report.record import RecordUnreadable

    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except ScenarioError as error:
        lines = [("problem", line) for line in str(error).splitlines()]
        raise fail(Exit.SCENARIO, "The scenario is not valid.", *lines) from None
    except (HistoryUnreadable, RecordUnreadable) as error:
        raise fail(Exit.USAGE, "The run cannot be read.", *_labelled(error, "where problem remedy")) from None
    except ProvisionError as error:
        lines = _labelled(error, "where type backend problem")
        raise fail(Exit.UNAVAILABLE, "The world could not be built.", *lines, reproduce=reproduce) from None
    except PortError as error:
        what = f"The outside failed: {type(error).__name__}."
        raise fail(Exit.UNAVAILABLE, what, ("problem", str(error)), reproduce=reproduce) from None
    except Divergence as error:
        lines = _labelled(error, "event expected was")
        raise fail(Exit.DIFFERS, "The runs differ.", *lines, reproduce=reproduce) from None
    except DexError as error:
        raise fail(Exit.USAGE, type(error).__name__, ("problem", str(error)), reproduce=reproduce) from None
    except KeyboardInterrupt:
        raise fail(Exit.INTERRUPTED, "Interrupted.", reproduce=reproduce) from None
    except Exception as error:  # whatever else comes is our own mistake, and is shown as one
        traceback.print_exception(error, file=sys.stderr)
        what = f"A defect of the harness: {type(error).__name__}."
        raise fail(Exit.DEFECT, what, ("was", str(error)), reproduce=reproduce) from None


def _labelled(error: DexError, labels: str) -> list[tuple[str, str]]:
    return list(zip(labels.split(), map(str, error.args), strict=False))
