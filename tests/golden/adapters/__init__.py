"""From a golden case to the product: one module a category, found by itself.

An adapter turns a case's inputs into the units of `system/`, calls the product, and returns what the case
expects, under the same names. It computes nothing that the product should.

    @adapter("payment_twap_over_day")
    def payment(inputs: Inputs) -> Outputs: ...

    @vectors("NET-")             # derived vectors have no `fn`: the beginning of their id places them
    def netting(inputs: Inputs) -> Outputs: ...

    unsupported("payment_inverse", "no inverse contracts: every market is quoted in USDC")
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

Inputs = Mapping[str, Any]
Outputs = Mapping[str, Any]
Adapter = Callable[[Inputs], Outputs]

ADAPTERS: dict[str, Adapter] = {}
VECTORS: dict[str, Adapter] = {}
UNSUPPORTED: dict[str, str] = {}


class Unsupported(Exception):
    """Raised by an adapter for inputs of a shape that the product has no use for; says why."""


def adapter(*names: str) -> Callable[[Adapter], Adapter]:
    """Register what computes a case's `fn`."""

    def register(function: Adapter) -> Adapter:
        for name in names:
            assert name not in ADAPTERS, f"two adapters for {name}"
            ADAPTERS[name] = function
        return function

    return register


def vectors(*prefixes: str) -> Callable[[Adapter], Adapter]:
    """Register what computes the derived vectors whose id begins like this; the longest beginning wins."""

    def register(function: Adapter) -> Adapter:
        for prefix in prefixes:
            assert prefix not in VECTORS, f"two adapters for {prefix}"
            VECTORS[prefix] = function
        return function

    return register


def unsupported(name: str, reason: str) -> None:
    """Say why a `fn` has no adapter."""
    UNSUPPORTED[name] = reason


def load() -> None:
    """Import every module of this folder, in the order of their names; each registers itself."""
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
