"""A market whose premium is what a test says, as samples of a whole interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from system.model.units import NS
from system.risk.funding import FundingModel, FundingResult, FundingTerms, Sample, Window, funding_model
from system.risk.funding.model import E6, open_window

DAY_NS = 86_400 * NS
START_NS = 20_000 * DAY_NS  # a boundary of every interval
INDEX_E6 = 60_000 * E6
Premium = Callable[[int], int]
"""From seconds since the start to a premium in parts per million."""


def sample(at_s: int, premium_ppm: int, index_e6: int = INDEX_E6, *, valid: bool = True) -> Sample:
    """A market whose mark and impact prices are all this far from the index."""
    mark_e6 = index_e6 + index_e6 * premium_ppm // 10**6
    return Sample(
        ts_ns=START_NS + at_s * NS,
        index_e6=index_e6,
        mark_e6=mark_e6,
        impact_bid_e6=mark_e6,
        impact_ask_e6=mark_e6,
        valid=valid,
    )


def model_of(name: str, **terms: int) -> FundingModel:
    return funding_model(name, FundingTerms(**terms))


def sampled(model: FundingModel, window: Window, samples: Iterable[Sample]) -> Window:
    for one in samples:
        window = model.sample(window, one)
    return window


def intervals(
    model: FundingModel, premium: Premium, count: int = 2, every_s: int = 30
) -> list[FundingResult]:
    """Play so many intervals in a row and return what each costs."""
    window, results = open_window(START_NS), []
    for number in range(count):
        start_s = number * model.interval_s
        seconds = range(start_s, start_s + model.interval_s, every_s)
        window = sampled(model, window, (sample(second, premium(second)) for second in seconds))
        boundary_ns = START_NS + (start_s + model.interval_s) * NS
        results.append(model.close(window, boundary_ns))
        window = model.renew(window, boundary_ns)
    return results


def last(model: FundingModel, premium: Premium) -> FundingResult:
    """Return the second interval's result: one model pays what the interval before was like."""
    return intervals(model, premium)[-1]
