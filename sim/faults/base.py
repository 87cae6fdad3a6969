"""What every fault is: settings in the scenario, and a place in the world where it strikes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from sim.kernel.interference import EVERY, SINGLE, TOGETHER, calls_named
from sim.kernel.template.stack import load_template
from sim.scenario.links import LINKS
from sim.scenario.part import Misfit, Part, suggest
from sim.scenario.units import Duration, PositiveShare, UnitError
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.faults.site import Site


def _function(name: str) -> str:
    known = [EVERY, *(function.name for function in load_template().functions())]
    if name not in known:
        raise UnitError(f"no function `{name}`", suggest(name, known))
    return name


def _hop(name: str) -> str:
    if name not in LINKS:
        raise UnitError(f"no hop `{name}`", suggest(name, LINKS))
    return name


def _call(name: str) -> str:
    if not calls_named(name):
        raise UnitError(f"no port call `{name}`", suggest(name, [*TOGETHER, *SINGLE]))
    return name


FunctionName = Annotated[str, AfterValidator(_function)]
"""A function of the template by its handler's name; `*` for all."""
HopName = Annotated[str, AfterValidator(_hop)]
"""A hop, as `dexsim list links` names it."""
CallName = Annotated[str, AfterValidator(_call)]
"""A port call, `chain.send`; `store.commit`, `store.read` and `store.*` stand for several."""


ACKNOWLEDGED = (
    "stream -> pipe",
    "pipe -> commands",
    "commands -> matcher",
    "stream -> archive",
    "stream -> settlement",
)
"""Hops whose sender waits for the receiver: what is not acknowledged comes again."""


class Fault(Part):
    """Something that breaks; its fields are its syntax in a scenario file.

    It happens once, at the first occasion from `at` on; or during a span, at each occasion with a
    probability; or, with neither, during the whole run. Every fault is over when agents stop.
    """

    fault: str
    """Which kind of fault this is."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] | None = None
    """What run.json calls it; the kind when left out."""
    at: Duration | None = None
    """Since the start: it happens once, at the first occasion from then on."""
    during: tuple[Duration, Duration] | None = None
    """Since the start, from and to: it happens at each occasion in between."""
    probability: PositiveShare = PPM
    """How likely it is at each occasion."""

    @property
    def label(self) -> str:
        """What run.json calls it."""
        return self.name or self.fault

    @abstractmethod
    def install(self, site: Site) -> None:
        """Take hold of the world, before time begins; from then on it asks `site.strikes()`."""

    def trouble(self) -> Misfit | None:
        """Return what does not fit in these settings, beyond each field alone."""
        return None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at is not None and self.during is not None:
            raise Misfit(("at",), "expected `at` or `during`, was both", "keep one of them")
        if self.during is not None and self.during[0] >= self.during[1]:
            raise Misfit(("during",), "expected an end after the beginning", "write it like `[20 min, 1 h]`")
        if self.probability > PPM:
            raise Misfit(("probability",), "expected at most 100 %, was more", "write it like `5 %`")
        if misfit := self.trouble():
            raise misfit
        return self
