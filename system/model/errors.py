"""Everything that can go wrong, in one tree.

DexError
├─ ScenarioError          the scenario file is wrong: path, problem, remedy
├─ ConfigError            a setting is wrong
├─ PortError              the outside failed
│  ├─ ConditionFailed     a conditional write lost; expected, handled by the room
│  ├─ Throttled
│  ├─ Unavailable
│  ├─ TimedOut
│  └─ ChainReverted       a decoded custom error of a contract
├─ ProvisionError         a resource did not come to be
└─ Divergence             a replay differed from its history

A rejected order is not an exception but a value: `Rejected`.
Exceptions take positional arguments only: SimPy rebuilds a failed event's exception from `args`.
"""

from __future__ import annotations

from enum import StrEnum


class DexError(Exception):
    """The root of every operating error; messages say what, where, expected, was, remedy."""


class ScenarioError(DexError):
    """The scenario file is wrong: (path, problem, remedy), and a triple for each further trouble."""

    def __str__(self) -> str:
        path, problem, remedy, *more = self.args
        return "\n".join(f"{where}: {what}; {how}" for where, what, how in ((path, problem, remedy), *more))


class ConfigError(DexError):
    """A setting is wrong: (name, problem)."""


class PortError(DexError):
    """The world outside a port failed."""


class ConditionFailed(PortError):
    """A conditional write lost.

    `args[0]` is a tuple with one entry per action of the transaction: "" where the
    action would have passed, else the name of the failed clause.
    """

    @property
    def reasons(self) -> tuple[str, ...]:
        """One reason per action, "" where the action itself was fine."""
        reasons: tuple[str, ...] = self.args[0]
        return reasons


class Throttled(PortError):
    """The service asked to slow down; a retry later may pass."""


class Unavailable(PortError):
    """The service did not answer at all; nothing is known of the effect."""


class TimedOut(PortError):
    """No answer in time; the effect may have happened."""


class ChainReverted(PortError):
    """A contract refused: (error name, arguments)."""


class ProvisionError(DexError):
    """A resource did not come to be: (logical id, type, backend, problem)."""


class Divergence(DexError):
    """A replay differed from its history: (event number, expected, was)."""


class RejectReason(StrEnum):
    """Why an order or command was refused; FIX OrdRejReason words where one exists."""

    BAD_REQUEST = "BAD_REQUEST"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    EXCHANGE_CLOSED = "EXCHANGE_CLOSED"
    INCORRECT_TICK = "INCORRECT_TICK"
    INCORRECT_QUANTITY = "INCORRECT_QUANTITY"
    ORDER_EXCEEDS_LIMIT = "ORDER_EXCEEDS_LIMIT"
    PRICE_BAND = "PRICE_BAND"
    NO_REFERENCE_PRICE = "NO_REFERENCE_PRICE"
    EXPIRED = "EXPIRED"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    FEE_ABOVE_SIGNED = "FEE_ABOVE_SIGNED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    NOT_OWNER = "NOT_OWNER"
    TOO_LATE_TO_CANCEL = "TOO_LATE_TO_CANCEL"
    WOULD_TAKE = "WOULD_TAKE"
    FOK_NOT_FILLED = "FOK_NOT_FILLED"
    WOULD_BE_BANKRUPT = "WOULD_BE_BANKRUPT"
    INCOMPATIBLE_FLAGS = "INCOMPATIBLE_FLAGS"
    RATE_LIMITED = "RATE_LIMITED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    WRONG_INSTRUMENT = "WRONG_INSTRUMENT"
    OPEN_INTEREST_CAP = "OPEN_INTEREST_CAP"
    NO_POSITION = "NO_POSITION"
    TOO_EARLY = "TOO_EARLY"


class Rejected:
    """A refusal as a value: the reason, the field that caused it, and what was expected."""

    __slots__ = ("detail", "field", "reason")

    def __init__(self, reason: RejectReason, field: str = "", detail: str = "") -> None:
        self.reason = reason
        self.field = field
        self.detail = detail

    def __repr__(self) -> str:
        return f"Rejected({self.reason}, {self.field!r}, {self.detail!r})"
