"""When rates and crons fire."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.template.schedule_expression import next_fire
from system.model.errors import ProvisionError
from system.model.units import NS


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


CASES = [
    ("rate(1 minute)", "2025-05-03 23:30:00", "2025-05-03 23:31:00"),
    ("rate(5 minutes)", "2025-05-03 23:31:00", "2025-05-03 23:35:00"),
    ("rate(1 hour)", "2025-05-03 23:59:59", "2025-05-04 00:00:00"),
    ("rate(1 day)", "2025-05-03 00:00:00", "2025-05-04 00:00:00"),
    ("cron(0 0 * * ? *)", "2025-05-03 23:30:00", "2025-05-04 00:00:00"),
    ("cron(15 12 * * ? *)", "2025-05-03 12:15:00", "2025-05-04 12:15:00"),
    ("cron(0/20 8-9 * * ? *)", "2025-05-03 09:39:59", "2025-05-03 09:40:00"),
    ("cron(0/20 8-9 * * ? *)", "2025-05-03 09:40:00", "2025-05-04 08:00:00"),
    ("cron(0 8 ? * MON-FRI *)", "2025-05-02 08:00:00", "2025-05-05 08:00:00"),
    ("cron(0 8 ? * 1,7 *)", "2025-05-02 08:00:00", "2025-05-03 08:00:00"),
    ("cron(30 6 1 JAN,JUL ? *)", "2025-05-03 00:00:00", "2025-07-01 06:30:00"),
    ("cron(0 0 29 2 ? *)", "2025-05-03 00:00:00", "2028-02-29 00:00:00"),
]


@pytest.mark.parametrize(("expression", "after", "expected"), CASES)
def test_next_fire(expression: str, after: str, expected: str) -> None:
    assert next_fire(expression)(ns(after)) == ns(expected)


WRONG = [
    "rate(30 seconds)",
    "rate(0 minutes)",
    "rate(1 minutes)",
    "rate(2 minute)",
    "every minute",
    "cron(0 0 * * *)",
    "cron(0 0 * * * *)",
    "cron(60 0 * * ? *)",
    "cron(0 0 L * ? *)",
    "cron(0/0 0 * * ? *)",
]


@pytest.mark.parametrize("expression", WRONG)
def test_what_eventbridge_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ProvisionError):
        next_fire(expression)


def test_what_never_fires_again_is_refused() -> None:
    with pytest.raises(ProvisionError, match="none in eight years"):
        next_fire("cron(0 0 * * ? 1999)")(ns("2025-05-03 00:00:00"))


@given(st.integers(0, 4_000_000_000 * NS), st.sampled_from([case[0] for case in CASES[:-1]]))
def test_fires_later_and_on_the_minute(after_ns: int, expression: str) -> None:
    fire_ns = next_fire(expression)(after_ns)

    assert fire_ns > after_ns
    assert fire_ns % (60 * NS) == 0
    assert next_fire(expression)(fire_ns - 1) == fire_ns
