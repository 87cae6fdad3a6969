"""Plants bugs in the contracts, one at a time, and asks whether a forge test finds each.

A bug that no test finds is a hole in the tests, and ends this with 1. Each is planted in a copy, with only
the tests that should find it, so that the compiler has little to do. `mutants.py NAME` plants one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CONTRACTS = Path(__file__).resolve().parents[1]
FORGE = next(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"), Path("forge"))


class Mutant(NamedTuple):
    """A bug: what in which file becomes what, and which tests are to find it."""

    name: str
    file: str
    correct: str
    wrong: str
    tests: str


MUTANTS = (
    Mutant(
        "cxpt leaves its USDC in the price",
        "Vault",
        "s.totalAssets -= assets;",
        "if (!asCxpt) s.totalAssets -= assets;",
        "Vault",
    ),
    Mutant("deltas need not sum to zero", "Vault", "if (sum != 0) revert NonZeroSum(sum);", "", "Vault"),
    Mutant(
        "withdrawals can be paused",
        "Vault",
        "bool asCxpt) external {",
        "bool asCxpt) external whenNotPaused {",
        "Vault",
    ),
    Mutant(
        "an exit does not wait",
        "Vault",
        "if (block.timestamp < e.readyAt) revert ExitPending(e.readyAt);",
        "",
        "Vault",
    ),
    Mutant(
        "any move of money is a sign of life",
        "Vault",
        "if (msg.sender == s.settlement) {",
        "{",
        "Vault",
    ),
    Mutant(
        "a pause stops what Clearing pays out",
        "Vault",
        "        onlyRole(SETTLER_ROLE)\n    {",
        "        onlyRole(SETTLER_ROLE)\n        whenNotPaused\n    {",
        "Derivatives",
    ),
    Mutant(
        "losses are written off that are none",
        "Vault",
        "if (owed < held + size)",
        "if (owed < held)",
        "Vault",
    ),
    Mutant(
        "a signed withdrawal serves twice", "Vault", "s.withdrawalUsed[account][nonce] = true;", "", "Vault"
    ),
    Mutant("cxpt moves between wallets", "CXPT", "!isVenue[from] && !isVenue[to]", "false", "Governance"),
    Mutant(
        "the price is the taker's",
        "Settlement",
        "OrderLib.notional(maker.limitPrice, f.qty())",
        "OrderLib.notional(taker.limitPrice, f.qty())",
        "Settlement",
    ),
    Mutant(
        "orders need not cross",
        "Settlement",
        "return crossing ? bytes4(0) : NotCrossing.selector;",
        "crossing; return 0;",
        "Settlement",
    ),
    Mutant(
        "an account trades with itself",
        "Settlement",
        "if (maker.account == taker.account) return SelfTrade.selector;",
        "",
        "Settlement",
    ),
    Mutant(
        "the taker's fee is not bounded",
        "Settlement",
        "if (f.takerFee() > OrderLib.maxFee(taker.maxFeeBps, n)) return (FeeAboveBound.selector, n);",
        "",
        "Settlement",
    ),
    Mutant(
        "an account may be listed twice",
        "Settlement",
        "if (account <= before)",
        "if (account < before)",
        "Settlement",
    ),
    Mutant(
        "batches are not chained",
        "Settlement",
        "if (prevHash != head) revert WrongHead(head, prevHash);",
        "",
        "Settlement",
    ),
    Mutant(
        "an order is filled beyond its quantity",
        "Settlement",
        "makerFilled + qty <= maker.order.qty && ",
        "",
        "Settlement",
    ),
    Mutant(
        "a failure without a reason is success",
        "Settlement",
        "if (reason == 0) return ClearingFailed.selector;",
        "",
        "Failures",
    ),
    Mutant(
        "a cancel takes effect at once",
        "Authority",
        "uint256 effectiveAt = block.timestamp + cancelDelay;",
        "uint256 effectiveAt = block.timestamp;",
        "Settlement",
    ),
    Mutant(
        "a session may be narrowed at once",
        "Authority",
        "if (terms.expiry < soonest) terms.expiry = uint40(soonest);",
        "",
        "Authority",
    ),
    Mutant(
        "an old session signature serves again",
        "Authority",
        "if (terms.nonce <= used) revert SessionNonceUsed(used);",
        "",
        "Authority",
    ),
    Mutant(
        "an older nonce takes a lane back",
        "Authority",
        "if (generation > c.generation) return (0, true);",
        "",
        "Authority",
    ),
    Mutant(
        "net lines leave their orders alive",
        "Settlement",
        "if (receipt.minNonce != 0) _raiseFloorNow(receipt.account, receipt.minNonce);",
        "",
        "Authority",
    ),
    Mutant(
        "net lines need no signature",
        "Settlement",
        "if (isGift && account == treasury) return;",
        "return;",
        "Authority",
    ),
    Mutant("high s is accepted", "OrderLib", "uint256(s) > HALF_ORDER || ", "", "Authority"),
    Mutant(
        "profit is rounded up",
        "Clearing",
        "int256 cost = -_floorDiv(-int256(p.cost) * part, whole);",
        "int256 cost = _floorDiv(int256(p.cost) * part, whole);",
        "Clearing",
    ),
    Mutant(
        "a bankrupt reduction settles",
        "Clearing",
        "if (p.margin < 0) revert WouldBeBankrupt(account);",
        "",
        "Clearing",
    ),
    Mutant(
        "a reduce-only order opens",
        "Clearing",
        "if (leg.reduceOnly && closing != qty) revert ReduceOnlyViolated(leg.account);",
        "",
        "Clearing",
    ),
    Mutant(
        "who gets funding is rounded up",
        "Clearing",
        "delta += _floorDiv(-int256(p.size)",
        "delta -= _floorDiv(int256(p.size)",
        "Derivatives",
    ),
    Mutant(
        "the healthy are liquidated",
        "Clearing",
        "if (account == msg.sender || !_belowMaintenance(b, p))",
        "if (account == msg.sender)",
        "Derivatives",
    ),
    Mutant(
        "a liquidation may have any price",
        "Clearing",
        "if (distance > uint256(b.mark) * b.bandPpm / PPM) revert OutsideBand(price);",
        "distance;",
        "Derivatives",
    ),
    Mutant(
        "a call has no cap", "Clearing", "Math.min(price, b.cap) - strike", "price - strike", "Derivatives"
    ),
    Mutant(
        "an instrument that is alive is closed out",
        "Clearing",
        "if (!vault.isAbandoned()) revert NotAbandoned();",
        "",
        "Derivatives",
    ),
    Mutant(
        "a closed-out option pays more than its escrow",
        "Clearing",
        "if (b.closedOut) perUnit = Math.min(price, b.isCall ? b.cap - strike : strike);",
        "if (b.closedOut) perUnit = price;",
        "Derivatives",
    ),
    Mutant(
        "a perp's deficit is nobody's",
        "Clearing",
        "b.deficit = (b.deficit + deficit - insured).toUint128();",
        "",
        "Derivatives",
    ),
    Mutant("one oracle is enough", "Oracle", "valid < threshold", "valid < 1", "Derivatives"),
    Mutant(
        "a mark may jump",
        "Oracle",
        "if (price > b.mark + step) price = b.mark + step;\n            else if",
        "if",
        "Derivatives",
    ),
)


def plant(mutant: Mutant, folder: Path) -> bool:
    """Return whether the tests find it."""
    source = folder / f"src/{mutant.file}.sol"
    correct = source.read_text()
    if mutant.correct not in correct:
        raise SystemExit(f"{mutant.name}: {mutant.file}.sol has no '{mutant.correct}' any more")
    for test in (folder / "test").glob("*.t.sol"):
        test.unlink()
    shutil.copy(CONTRACTS / f"test/{mutant.tests}.t.sol", folder / "test")
    source.write_text(correct.replace(mutant.correct, mutant.wrong, 1))
    try:
        run = subprocess.run(
            [FORGE, "test", "--fail-fast"], cwd=folder, capture_output=True, text=True, check=False
        )
    finally:
        source.write_text(correct)
    if "Compiler run failed" in run.stdout + run.stderr:
        raise SystemExit(f"{mutant.name}: does not compile\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode != 0 and "[FAIL" in run.stdout


def main(names: list[str]) -> int:
    """Plant all, or those named."""
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    missed = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("src", "test"):
            shutil.copytree(CONTRACTS / name, folder / name)
        for name in ("foundry.toml", "solc-wrap"):
            shutil.copy(CONTRACTS / name, folder)
        (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
        for mutant in chosen:
            found = plant(mutant, folder)
            print(f"{'found ' if found else 'MISSED'}  {mutant.name}", flush=True)
            if not found:
                missed.append(mutant.name)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted bugs found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
