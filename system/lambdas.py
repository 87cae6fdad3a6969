"""Entry points named in system/template.yaml. One System per Lambda instance, made on first use."""

from __future__ import annotations

from typing import Any

from system.wiring import system


def api(event: dict[str, Any], context: Any) -> Any:
    """HTTP routes."""
    return system().api(event, context)


def websocket(event: dict[str, Any], context: Any) -> Any:
    """WebSocket routes."""
    return system().websocket(event, context)


def matcher(event: dict[str, Any], context: Any) -> Any:
    """Commands of the FIFO queue."""
    return system().matcher(event, context)


def fan_out(event: dict[str, Any], context: Any) -> Any:
    """News of the topic."""
    return system().fan_out(event, context)


def archive(event: dict[str, Any], context: Any) -> Any:
    """Trades stream into the lake."""
    return system().archive(event, context)


def settle(event: dict[str, Any], context: Any) -> Any:
    """Trades stream into batches on chain."""
    return system().settle(event, context)


def settle_watch(event: dict[str, Any], context: Any) -> Any:
    """Confirmations, every minute."""
    return system().settle_watch(event, context)


def oracle_fetch(event: dict[str, Any], context: Any) -> Any:
    """Prices, every 30 s."""
    return system().oracle_fetch(event, context)


def daily_rollup(event: dict[str, Any], context: Any) -> Any:
    """Yesterday's minutes into a day, at midnight."""
    return system().daily_rollup(event, context)


def funding_tick(event: dict[str, Any], context: Any) -> Any:
    """One FUNDING command per market and boundary, every minute."""
    return system().funding_tick(event, context)


def option_expiry(event: dict[str, Any], context: Any) -> Any:
    """Options at their end, every minute."""
    return system().option_expiry(event, context)


def future_expiry(event: dict[str, Any], context: Any) -> Any:
    """Futures at their end, every minute."""
    return system().future_expiry(event, context)


def liquidation_scan(event: dict[str, Any], context: Any) -> Any:
    """Liquidations that wait, every minute."""
    return system().liquidation_scan(event, context)


def market_minute(event: dict[str, Any], context: Any) -> Any:
    """One MINUTE command per market, every minute."""
    return system().market_minute(event, context)
