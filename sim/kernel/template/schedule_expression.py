"""When a schedule of EventBridge fires next: `rate(n unit)` and `cron(m h dom mon dow year)`, in UTC.

A rate counts from the rule's creation on AWS; here it counts from the epoch, so that a run does
not depend on when its rules were made: `rate(1 minute)` fires at second 0.
Source: EventBridge Scheduler user guide, "Schedule types"; EventBridge user guide, "Cron expressions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from system.model.errors import ProvisionError
from system.model.units import NS

_UNIT_S = {"minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"^rate\(([1-9]\d*) (minute|hour|day)(s?)\)$")
_CRON = re.compile(r"^cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)$")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_HORIZON_DAYS = 3_000  # further than from one 29 February to the next but one

NextFire = Callable[[int], int]


@lru_cache(maxsize=64)
def next_fire(expression: str) -> NextFire:
    """Return the function from an instant to the first firing strictly after it, in UTC ns.

    >>> minute = next_fire("rate(1 minute)")
    >>> minute(0), minute(59_999_999_999), minute(60_000_000_000)
    (60000000000, 60000000000, 120000000000)

    Raises:
        ProvisionError: EventBridge would refuse the expression, or it uses L, W or #.
    """
    if found := _RATE.match(expression):
        count = int(found.group(1))
        if (count == 1) == bool(found.group(3)):
            raise _wrong(expression, "expected a plural unit exactly when the number is above 1")
        period_ns = count * _UNIT_S[found.group(2)] * NS
        return lambda after_ns: (after_ns // period_ns + 1) * period_ns
    if found := _CRON.match(expression):
        return _Cron(expression, *found.groups()).next_fire_ns
    raise _wrong(expression, "expected rate(n unit) or cron(minutes hours day month weekday year)")


class _Cron:
    def __init__(
        self, expression: str, minutes: str, hours: str, days: str, months: str, weekdays: str, years: str
    ) -> None:
        if (days == "?") == (weekdays == "?"):
            raise _wrong(expression, "expected ? in exactly one of day of month and day of week")
        self._expression = expression
        self._minutes = self._field(minutes, 0, 59)
        self._hours = self._field(hours, 0, 23)
        self._days = self._field(days, 1, 31)
        self._months = self._field(months, 1, 12, _MONTHS)
        self._weekdays = self._field(weekdays, 1, 7, _WEEKDAYS)
        self._years = self._field(years, 1970, 2199)

    def next_fire_ns(self, after_ns: int) -> int:
        start = datetime.fromtimestamp(after_ns // NS // 60 * 60 + 60, UTC)
        day = start.date()
        for _ in range(_HORIZON_DAYS):
            if self._fires_on(day):
                first = (start.hour, start.minute) if day == start.date() else (0, 0)
                for hour in self._hours:
                    for minute in self._minutes:
                        if (hour, minute) >= first:
                            fire = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                            return int(fire.timestamp()) * NS
            day += timedelta(days=1)
        raise _wrong(self._expression, "expected a schedule that fires again, was none in eight years")

    def _fires_on(self, day: date) -> bool:
        return (
            day.day in self._days
            and day.month in self._months
            and day.isoweekday() % 7 + 1 in self._weekdays
            and day.year in self._years
        )

    def _field(self, text: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
        if text in ("*", "?"):
            return tuple(range(low, high + 1))
        values: list[int] = []
        for part in text.split(","):
            span, slash, step = part.partition("/")
            first, dash, last = ("*", "", "") if span == "*" else span.partition("-")
            start = low if first == "*" else self._number(first, low, names)
            end = self._number(last, low, names) if dash else (high if slash or first == "*" else start)
            every = self._number(step, 1, ()) if slash else 1
            if not low <= start <= end <= high or every < 1:
                raise _wrong(self._expression, f"expected values from {low} to {high}, was {part}")
            values += range(start, end + 1, every)
        return tuple(sorted(dict.fromkeys(values)))

    def _number(self, text: str, low: int, names: tuple[str, ...]) -> int:
        if text in names:
            return names.index(text) + low
        if not text.isdecimal():
            raise _wrong(self._expression, f"expected a number, was {text!r}")
        return int(text)


def _wrong(expression: str, problem: str) -> ProvisionError:
    return ProvisionError(expression, "schedule", "template", problem)
