"""Quantities as a person writes them, and the exact integers they stand for.

`2 h`, `0.1 USDC`, `60 bps`, `60 %/y`: a number and its unit. This is the only place where the
harness reads a decimal fraction; what leaves it is an integer in the smallest unit, or an error
that says what was expected. `format` writes an integer back as the shortest text that reads the
same, so a resolved scenario loads to itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

_NUMBER = r"[+-]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?"
_QUANTITY = re.compile(rf"^\s*({_NUMBER})\s*(\S.*?)?\s*$")

SECOND_NS = 10**9
YEAR_S = 365 * 86_400


class UnitError(ValueError):
    """A quantity that cannot be read: (problem, remedy)."""


class Dimension(NamedTuple):
    """What can be measured: its units, each as a multiple of the smallest one.

    `smallest` names what one unit of the integer is, for messages. `example` is shown in errors
    and in the JSON schema.
    """

    name: str
    units: Mapping[str, Fraction | int]
    smallest: str
    example: str

    def parse(self, text: object) -> int:
        """Read `number unit` into whole smallest units.

        >>> DURATION.parse("1.5 s"), SHARE.parse("60 bps"), USDC.parse("2_000_000 USDC")
        (1500000000, 6000, 2000000000000)
        """
        number, unit = _split(text, self)
        factor = self.units.get(unit)
        if factor is None:
            known = ", ".join(self.units)
            raise UnitError(
                f"expected {_article(self.name)} in {known}, was `{text}`", f"write it like `{self.example}`"
            )
        value = number * factor
        if value.denominator != 1:
            raise UnitError(
                f"expected a whole number of {self.smallest}, was `{text}`",
                f"round it to a multiple of {self.smallest}",
            )
        return value.numerator

    def format(self, value: int) -> str:
        """Write smallest units in the unit that needs the fewest digits; the text reads back exactly.

        >>> DURATION.format(7_200 * 10**9), SHARE.format(6_000), RATE.format(6_307_200 * 10**6)
        ('2 h', '60 bps', '12 /min')
        """
        texts: list[tuple[str, str]] = [
            (number, unit)
            for unit, factor in self.units.items()
            if (number := _decimal(Fraction(value) / factor)) is not None
        ]
        number, unit = min(texts, key=lambda text: len(text[0]))
        return f"{number} {unit}"


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _split(text: object, dimension: Dimension) -> tuple[Fraction, str]:
    """Take a quantity apart, or say what is missing."""
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise UnitError(
            f"expected {_article(dimension.name)}, was {text!r}", f"write it like `{dimension.example}`"
        )
    match = _QUANTITY.match(str(text))
    if match is None:
        raise UnitError(
            f"expected {_article(dimension.name)}: a number and a unit, was `{text}`",
            f"write it like `{dimension.example}`",
        )
    number, unit = match.groups()
    if not unit:
        raise UnitError(
            f"expected {_article(dimension.name)} with its unit, was `{text}`",
            f"add the unit: one of {', '.join(dimension.units)}; for example `{dimension.example}`",
        )
    return Fraction(number.replace("_", "")), " ".join(unit.split())


def _decimal(value: Fraction) -> str | None:
    """Write a fraction as a decimal without loss, or None when it has no end."""
    denominator, places = value.denominator, 0
    while 10**places % denominator:
        places += 1
        if places > 30:
            return None
    digits = value.numerator * (10**places // denominator)
    sign, digits = ("-", -digits) if digits < 0 else ("", digits)
    whole, rest = divmod(digits, 10**places)
    text = f"{whole:_}" if whole >= 10_000 else str(whole)
    return f"{sign}{text}.{rest:0{places}d}" if places else f"{sign}{text}"


_TIME: dict[str, Fraction | int] = {
    "s": SECOND_NS,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
    "min": 60 * SECOND_NS,
    "h": 3_600 * SECOND_NS,
    "d": 86_400 * SECOND_NS,
}
_PPM: dict[str, Fraction | int] = {"%": 10_000, "bps": 100, "ppm": 1}
_PER_YEAR = {"s": YEAR_S, "min": YEAR_S // 60, "h": YEAR_S // 3_600, "d": 365, "y": 1}

DURATION = Dimension("duration", _TIME, "1 ns", "90 s")
SHARE = Dimension("share", _PPM, "1 ppm", "60 bps")
USDC = Dimension("amount of USDC", {"USDC": 10**6}, "0.000001 USDC", "2_000_000 USDC")
GWEI = 10**9
GAS_PRICE = Dimension("price of gas", {"wei": 1, "gwei": GWEI}, "1 wei", "300 gwei")
PRICE = Dimension("price", {"USDC": 10**6}, "0.000001 USDC", "0.1 USDC")
ANNUAL = Dimension(
    "yearly share", {f"{unit}/y": factor for unit, factor in _PPM.items()}, "1 ppm/y", "60 %/y"
)
RATE = Dimension(
    "rate", {f"/{unit}": 10**6 * times for unit, times in _PER_YEAR.items()}, "0.000001 /y", "0.2 /s"
)
"""Rates are held as micro-events per year of 365 days: every rate written in `/s` to `/y` is exact."""


class Amount(NamedTuple):
    """A quantity of one asset: uUSDC for USDC, else 1e-8 of the asset."""

    asset: str
    units: int


_ASSET = re.compile(r"^[A-Za-z][A-Za-z0-9]{1,10}$")


def dimension_of(asset: str) -> Dimension:
    """Return how amounts of this asset are measured."""
    if asset == "USDC":
        return USDC
    return Dimension(f"amount of {asset}", {asset: 10**8}, f"0.00000001 {asset}", f"0.5 {asset}")


_ANY_ASSET = Dimension("amount of an asset", {"BTC": 10**8, "USDC": 10**6}, "1e-8", "0.0001 BTC")


def parse_amount(text: object) -> Amount:
    """Read `number asset`.

    >>> parse_amount("0.0001 BTC"), parse_amount("5 USDC")
    (Amount(asset='BTC', units=10000), Amount(asset='USDC', units=5000000))
    """
    if isinstance(text, Amount):
        return text
    _, asset = _split(text, _ANY_ASSET)
    if not _ASSET.match(asset):
        raise UnitError(f"expected the name of an asset, was `{asset}`", "write it like `0.0001 BTC`")
    return Amount(asset, dimension_of(asset).parse(text))


def format_amount(amount: Amount) -> str:
    """Write an amount so that it reads back exactly."""
    return dimension_of(amount.asset).format(amount.units)


def parse_funds(value: object) -> dict[str, int]:
    """Read what a wallet holds: `5 USDC`, `5 USDC + 2 sBTC`, or {USDC: 5 USDC, sBTC: 2 sBTC}."""
    if isinstance(value, Mapping):
        funds = {}
        for asset, text in value.items():
            amount = parse_amount(text)
            if amount.asset != asset:
                raise UnitError(f"expected an amount of {asset}, was `{text}`", f"write `... {asset}`")
            funds[amount.asset] = amount.units
    else:
        amounts = [parse_amount(part) for part in str(value).split("+")]
        funds = dict(amounts)
        if len(funds) != len(amounts):
            raise UnitError(f"expected each asset once, was `{value}`", "add the amounts of one asset up")
    if any(units <= 0 for units in funds.values()):
        raise UnitError(f"expected amounts above 0, was `{value}`", "leave out an asset that nobody has")
    return funds


def format_funds(funds: Mapping[str, int]) -> str:
    """Write funds on one line."""
    return " + ".join(format_amount(Amount(asset, units)) for asset, units in funds.items())


def parse_instant(text: object) -> int:
    """Read a UTC instant into nanoseconds since the epoch.

    >>> parse_instant("1971-01-01T00:00:01.5Z")
    31536001500000000
    """
    problem = f"expected an instant in UTC, was `{text}`"
    remedy = "write it like `2025-05-03T23:30:00Z`"
    if not isinstance(text, str):
        raise UnitError(problem, remedy)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UnitError(problem, remedy) from None
    if instant.utcoffset() != timedelta(0):
        raise UnitError(problem, remedy)
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise UnitError(problem, f"choose one from {_FIRST_YEAR} to {_LAST_YEAR}: 64 bits of ns end in 2262")
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1_000


def format_instant(instant_ns: int) -> str:
    """Write nanoseconds since the epoch as a UTC instant."""
    instant = _EPOCH + timedelta(microseconds=instant_ns // 1_000)
    return instant.isoformat().replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1971, 2200


# --- the same as field types of scenario files --------------------------------------------------


def _at_least(dimension: Dimension, least: int | None) -> Callable[[object], int]:
    def read(text: object) -> int:
        value = dimension.parse(text)
        if least is not None and value < least:
            bound = f"at least {dimension.format(least)}" if least != 1 else "more than 0"
            raise UnitError(
                f"expected {_article(dimension.name)} of {bound}, was `{text}`",
                f"write it like `{dimension.example}`",
            )
        return value

    return read


def _schema(dimension: Dimension) -> WithJsonSchema:
    units = "|".join(re.escape(unit) for unit in dimension.units)
    schema: dict[str, Any] = {
        "type": "string",
        "pattern": rf"^\s*{_NUMBER}\s*({units})\s*$",
        "description": f"{_article(dimension.name).capitalize()}, for example `{dimension.example}`.",
        "examples": [dimension.example],
    }
    return WithJsonSchema(schema)


def _text_schema(what: str, example: str, other: Mapping[str, Any] | None = None) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "description": what, "examples": [example]}
    return WithJsonSchema({"anyOf": [text, dict(other)], "description": what} if other else text)


Duration = Annotated[
    int, BeforeValidator(_at_least(DURATION, 0)), PlainSerializer(DURATION.format), _schema(DURATION)
]
PositiveDuration = Annotated[
    int, BeforeValidator(_at_least(DURATION, 1)), PlainSerializer(DURATION.format), _schema(DURATION)
]
Share = Annotated[int, BeforeValidator(_at_least(SHARE, 0)), PlainSerializer(SHARE.format), _schema(SHARE)]
PositiveShare = Annotated[
    int, BeforeValidator(_at_least(SHARE, 1)), PlainSerializer(SHARE.format), _schema(SHARE)
]
SignedShare = Annotated[
    int, BeforeValidator(_at_least(SHARE, None)), PlainSerializer(SHARE.format), _schema(SHARE)
]
Usdc = Annotated[int, BeforeValidator(_at_least(USDC, 0)), PlainSerializer(USDC.format), _schema(USDC)]
PositiveUsdc = Annotated[
    int, BeforeValidator(_at_least(USDC, 1)), PlainSerializer(USDC.format), _schema(USDC)
]
GasPrice = Annotated[
    int, BeforeValidator(_at_least(GAS_PRICE, 1)), PlainSerializer(GAS_PRICE.format), _schema(GAS_PRICE)
]
Price = Annotated[int, BeforeValidator(_at_least(PRICE, 1)), PlainSerializer(PRICE.format), _schema(PRICE)]
Annual = Annotated[
    int, BeforeValidator(_at_least(ANNUAL, None)), PlainSerializer(ANNUAL.format), _schema(ANNUAL)
]
NonNegativeAnnual = Annotated[
    int, BeforeValidator(_at_least(ANNUAL, 0)), PlainSerializer(ANNUAL.format), _schema(ANNUAL)
]
Rate = Annotated[int, BeforeValidator(_at_least(RATE, 1)), PlainSerializer(RATE.format), _schema(RATE)]
Instant = Annotated[
    int,
    BeforeValidator(parse_instant),
    PlainSerializer(format_instant),
    _text_schema("An instant in UTC.", "2025-05-03T23:30:00Z"),
]
AssetAmount = Annotated[
    Amount,
    PlainValidator(parse_amount),
    PlainSerializer(format_amount),
    _text_schema("An amount of an asset.", "0.0001 BTC"),
]
Funds = Annotated[
    dict[str, int],
    BeforeValidator(parse_funds),
    PlainSerializer(format_funds),
    _text_schema(
        "What each wallet holds at the start.",
        "2_000_000 USDC + 30 sBTC",
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
]


def mean_gap_ns(rate: int) -> float:
    """Return the mean time between events of a rate, in ns (a draw's parameter, not a ledger value)."""
    return YEAR_S * SECOND_NS * 10**6 / rate
