"""Has a metric moved? Relative changes, paired by scenario and seed, with Holm's correction over the metrics.

Where a seed was in the baseline, a run is paired with itself (common random numbers); fresh seeds are
compared scenario by scenario, mean with mean. Ranks decide, so that one wild run does not.
Source: Holm (1979); Efron (1987) for the interval; domain practice is one p-value a metric, not one a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Metrics by scenario and seed."""

_SEED = 20_250_503
_RESAMPLES = 2_000
_LEAST_PAIRS = 3


class Change(NamedTuple):
    """How one metric moved between baseline and now."""

    metric: str
    pairs: int
    mean: float  # relative: 0.05 is 5 % more
    low: float
    high: float  # 95 % interval of the mean, BCa bootstrap
    effect: float  # mean over the standard deviation of the differences
    p: float  # two-sided
    adjusted: float  # Holm, over all metrics

    def matters(self, alpha: float, least_effect: float) -> bool:
        """Tell whether the change is certain and large enough."""
        return self.adjusted < alpha and abs(self.mean) >= least_effect


def changes(before: Values, now: Values, metrics: Sequence[str]) -> list[Change]:
    """Return the change of each metric that differs at all, most certain first."""
    found = []
    for metric in metrics:
        differences = _differences(before, now, metric)
        if len(differences) >= _LEAST_PAIRS:
            found.append(_judge(metric, differences))
    adjusted = holm([change.p for change in found])
    held = [change._replace(adjusted=p) for change, p in zip(found, adjusted, strict=True)]
    return sorted(held, key=lambda change: (change.adjusted, -abs(change.mean), change.metric))


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false alarm is that of one test.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    adjusted, most = [1.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        most = max(most, min(1.0, ps[index] * (len(ps) - rank)))
        adjusted[index] = most
    return adjusted


def _differences(before: Values, now: Values, metric: str) -> list[float]:
    """Return relative differences: one a seed where the seeds are the same, else one a scenario."""
    found: list[float] = []
    for scenario in sorted(set(before) & set(now)):
        old = {seed: values[metric] for seed, values in before[scenario].items() if metric in values}
        new = {seed: values[metric] for seed, values in now[scenario].items() if metric in values}
        if not old or not new or not (any(old.values()) or any(new.values())):
            continue
        if set(new) <= set(old):
            found += [_relative(old[seed], new[seed]) for seed in sorted(new)]
        else:
            found.append(_relative(fmean(old.values()), fmean(new.values())))
    return found


def _relative(old: float, new: float) -> float:
    """Return a change on a symmetric scale: 0.1 is 10 % more, -0.1 is 10 % less, 2 is from nothing."""
    return 2 * (new - old) / (abs(new) + abs(old)) if new != old else 0.0


def _judge(metric: str, differences: Sequence[float]) -> Change:
    from scipy import stats

    mean, count = fmean(differences), len(differences)
    spread = stdev(differences)
    if spread == 0:
        p = 1.0 if mean == 0 else 0.0
        return Change(metric, count, mean, mean, mean, 0.0 if mean == 0 else math.inf, p, p)
    # ranks, not values: a metric from nothing to something must not drown the others
    p = float(stats.wilcoxon(differences, zero_method="zsplit", correction=True, method="auto").pvalue)
    low, high = _interval(differences)
    return Change(metric, count, mean, low, high, mean / spread, p, p)


def _interval(differences: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean by the bias-corrected bootstrap."""
    import numpy as np
    from scipy import stats

    interval = stats.bootstrap(
        (np.asarray(differences),), np.mean, n_resamples=_RESAMPLES, random_state=np.random.default_rng(_SEED)
    ).confidence_interval
    return float(interval.low), float(interval.high)
