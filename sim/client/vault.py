"""A trader's money out of the exchange, and into CXPT and back; the desk's estimate follows the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from system.risk.redemption import CXPT, issue

if TYPE_CHECKING:
    from sim.client.desk import Desk, Response

_ACCEPTED = 202


def withdraw_all(desk: Desk, *, as_cxpt: bool = False) -> None:
    """Ask what is free, and withdraw all of it, as USDC or as CXPT."""

    def told(response: Response) -> None:
        rows = orjson.loads(response["body"])["balances"] if response["statusCode"] == 200 else []
        free = max((_free(row) for row in rows if row["asset"] == "USDC"), default=0)
        if free > 0:
            withdraw(desk, free, as_cxpt=as_cxpt)

    desk.ask(lambda requests, _nonce, now_ns: requests.positions(now_ns), told)


def _free(row: dict[str, str]) -> int:
    """Return what may leave: what is available, as far as the chain has it."""
    return min(int(row["available"]), int(row.get("backed", row["available"])))


def withdraw(desk: Desk, amount: int, *, as_cxpt: bool = False) -> None:
    """Ask for uUSDC out of the Vault; what is put aside for it is free no more."""
    desk.ask(
        lambda requests, nonce, now_ns: requests.withdraw(amount, as_cxpt, nonce, now_ns),
        lambda response: _moved(desk, response, -amount, 0),
    )


def insure(desk: Desk, symbol: str, amount: int) -> None:
    """Give uUSDC to a market's insurance fund; nothing comes back."""
    desk.ask(
        lambda requests, nonce, now_ns: requests.collateral(symbol, amount, nonce, now_ns, "insurance"),
        lambda response: _moved(desk, response, -amount, 0),
    )


def mint(desk: Desk, symbol: str, amount: int) -> None:
    """Ask for CXPT in exchange for uUSDC, one to one."""
    _convert(desk, symbol, amount, "mint", amount)


def redeem(desk: Desk, symbol: str, amount: int) -> None:
    """Ask for uUSDC in exchange for CXPT, one to one."""
    _convert(desk, symbol, amount, "redeem", -amount)


def _convert(desk: Desk, symbol: str, amount: int, purpose: str, minted: int) -> None:
    desk.ask(
        lambda requests, nonce, now_ns: requests.collateral(symbol, amount, nonce, now_ns, purpose),
        lambda response: _moved(desk, response, -minted, issue(minted).supply_e8),
    )


def _moved(desk: Desk, response: Response, usdc: int, cxpt_e8: int) -> None:
    if response["statusCode"] == _ACCEPTED:
        for asset, change in (("USDC", usdc), (CXPT, cxpt_e8)):
            desk.funds[asset] = desk.funds.get(asset, 0) + change
