"""What a suite file says: which scenarios, how many seeds, and who answers for an exception."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from sim.scenario.loader import read_file
from sim.scenario.part import Misfit, Part
from sim.scenario.schema import Scenario
from sim.scenario.troubles import troubles_of
from sim.scenario.units import DURATION, PositiveDuration

Profile = Literal["pr", "nightly", "release"]
Seeds = Annotated[int, Field(strict=True, ge=1, le=1_000)]


class Entry(Part):
    """One scenario of a suite."""

    scenario: str
    """Its name, a file beside the suite's folder."""
    lasts: PositiveDuration | None = None
    """How long it is played here; as long as it says when left out."""
    thresholds: tuple[str, ...] | None = None
    """What is expected here instead, of a scenario that is cut short."""
    seeds: Seeds | None = None
    """How many seeds; as many as the profile says when left out."""


class Quarantined(Part):
    """An exception: a scenario that may fail, who answers for it, and until when."""

    scenario: str
    """Which one."""
    owner: str
    """Who mends it."""
    until: date
    """The last day of the exception; from the next on it fails the gate again."""
    why: str
    """What is known."""


class ProfileRule(Part):
    """How thorough a profile is."""

    seeds: Seeds = 3
    """How many seeds of each scenario."""
    fresh: bool = False
    """Seeds that no earlier window used, instead of the committed ones; nothing is known of their digests."""
    performance: bool = False
    """Whether throughput is measured against benchmarks/baseline.json, too."""


class Suite(Part):
    """A suite of scenarios."""

    suite: str
    """Its name; its baseline is `baselines/<name>.json` beside it."""
    profile: Profile = "pr"
    """The profile in which it runs when none is given."""
    profiles: dict[Profile, ProfileRule] = Field(
        default={
            "pr": ProfileRule(),
            "nightly": ProfileRule(seeds=5, fresh=True),
            "release": ProfileRule(seeds=5, performance=True),
        }
    )
    """How thorough each profile is."""
    first_seed: Annotated[int, Field(strict=True, ge=0)] = 1_000
    """The first of the committed seeds."""
    scenarios: Annotated[tuple[Entry, ...], Field(min_length=1)]
    """What is played."""
    quarantine: tuple[Quarantined, ...] = ()
    """Who may fail, for a while."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Probability that an unchanged exchange is accused, over all metrics together (Holm)."""
    least_effect: Annotated[float, Field(ge=0)] = 0.02
    """Relative change of a metric that is too small to matter, however certain it is."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [entry.scenario for entry in self.scenarios]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Misfit(("scenarios", index, "scenario"), f"`{name}` is there twice", "keep one")
        for index, excused in enumerate(self.quarantine):
            if excused.scenario not in names:
                raise Misfit(("quarantine", index, "scenario"), "it is not in the suite", "remove the line")
        return self


class Cell(NamedTuple):
    """One run of the gate."""

    scenario: str
    seed: int
    path: str
    settings: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.scenario}-{self.seed}"

    @property
    def reproduce(self) -> str:
        """The command that runs it alone."""
        sets = "".join(f" --set '{setting}'" for setting in self.settings)
        return f"dexsim run {self.path} --seed {self.seed}{sets}"


def read_suite(path: Path) -> Suite:
    """Read a suite, and see that its scenarios are there and valid.

    Raises:
        ScenarioError: with everything that is wrong.
    """
    document = read_file(path, ())
    try:
        suite = Suite.model_validate(document.data)
    except ValidationError as error:
        raise document.error(troubles_of(error, document.data)) from None
    for entry in suite.scenarios:
        Scenario.load(scenario_file(path, entry.scenario))
    return suite


def scenario_file(suite: Path, name: str) -> Path:
    """Return the file of a scenario of a suite: in the folder above it."""
    return suite.parent.parent / f"{name}.yaml"


def baseline_file(path: Path, suite: Suite, folder: Path | None) -> Path:
    """Return where the committed digests and metrics of a suite are."""
    return (folder or path.parent / "baselines") / f"{suite.suite}.json"


def cells(path: Path, suite: Suite, rule: ProfileRule, window: int) -> list[Cell]:
    """Return every run, scenarios in the suite's order; fresh windows never overlap the committed seeds."""
    made = []
    for entry in suite.scenarios:
        count = entry.seeds or rule.seeds
        first = suite.first_seed + (1_000_000 + window * count if rule.fresh else 0)
        settings: tuple[str, ...] = (f"duration={DURATION.format(entry.lasts)}",) if entry.lasts else ()
        if entry.thresholds is not None:
            settings += (f"expect.thresholds=[{', '.join(entry.thresholds)}]",)
        file = str(scenario_file(path, entry.scenario))
        made += [Cell(entry.scenario, first + number, file, settings) for number in range(count)]
    return made
