"""Samples of how long things took, gathered while they happen. Units: virtual ns."""

from __future__ import annotations

from array import array


class Meter:
    """One growing array per measure (names as in sim/scenario/thresholds.py)."""

    __slots__ = ("samples",)

    def __init__(self) -> None:
        self.samples: dict[str, array[int]] = {}

    def note(self, measure: str, value_ns: int) -> None:
        """Add one sample."""
        samples = self.samples.get(measure)
        if samples is None:
            samples = self.samples[measure] = array("q")
        samples.append(value_ns)

    def note_all(self, measure: str, values_ns: list[int]) -> None:
        """Add many samples."""
        self.samples.setdefault(measure, array("q")).extend(values_ns)


def statistic(values: array[int] | list[int], name: str) -> float:
    """Return a quantile (`p95`, nearest rank), `max` or `mean` of samples that are not empty.

    >>> statistic([30, 10, 20], "p50"), statistic([30, 10, 20], "max")
    (20.0, 30.0)
    """
    if name == "mean":
        return sum(values) / len(values)
    ordered = sorted(values)
    if name == "max":
        return float(ordered[-1])
    rank = -(-len(ordered) * int(name[1:]) // 100)
    return float(ordered[max(0, rank - 1)])
