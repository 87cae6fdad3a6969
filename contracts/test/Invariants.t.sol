// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearing} from "../src/interfaces/IClearing.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {DerivativesFixture} from "./Base.sol";

/// @dev Does what users, the operator and strangers may do, in any order, and counts what should have happened.
contract Handler is DerivativesFixture {
    uint256 public ghostDonations;
    uint256 public ghostPaidIn;
    uint256 public ghostPaidOut;
    uint256 public settledSpot;
    uint256 public settledPerp;
    uint256 public exits;
    uint256 public liquidations;
    uint256 public payments;
    uint64 private nonce;
    address[4] private people;
    bytes32 private put;
    bytes32[3] private books;

    constructor() {
        setUp();
        people = [alice, bob, carol, treasury];
        ghostPaidIn = 3 * 500_000 * USD;
        IClearing.Terms memory none;
        put = settlement.listInstrument(
            OrderLib.Instrument(3, "PUT", uint64(START + 3_650 days), 60_000 * USD, false, 1), address(0), none
        );
        books = [perp, perp10x, put];
        mark(perp10x, 60_000 * USD);
    }

    function someone(uint256 seed) private view returns (address) {
        return people[seed % 3];
    }

    function other(address account, uint256 seed) private view returns (address) {
        for (uint256 i = seed % 3;; i = (i + 1) % 3) {
            if (people[i] != account) return people[i];
        }
        revert();
    }

    // ---- what may happen

    function deposit(uint256 seed, uint256 amount) external {
        amount = bound(amount, 1, 200_000 * USD);
        fund(someone(seed), amount);
        ghostPaidIn += amount;
    }

    function depositSynth(uint256 seed, uint256 amount) external {
        fundSynth(someone(seed), bound(amount, 1, 10 * BTC));
    }

    function donate(uint256 amount) external {
        amount = bound(amount, 1, 1_000 * USD);
        usdc.mint(address(vault), amount);
        ghostDonations += amount;
    }

    function exit(uint256 seed, uint256 shares, bool asCxpt) external {
        address account = someone(seed);
        if (vault.sharesOf(account) < 1e6) return;
        shares = bound(shares, 1e6, vault.sharesOf(account));
        uint256 before = usdc.balanceOf(account);
        // Paid at once when no batch has come for long.
        if (!vault.isAbandoned()) {
            vm.prank(account);
            vault.withdraw(address(usdc), shares, asCxpt);
            vm.warp(block.timestamp + EXIT_DELAY);
        }
        vm.prank(account);
        vault.withdraw(address(usdc), shares, asCxpt);
        ghostPaidOut += usdc.balanceOf(account) - before;
        ++exits;
    }

    function redeem(uint256 seed, uint256 amount) external {
        address account = someone(seed);
        uint256 balance = cxpt.balanceOf(account);
        if (balance == 0) return;
        vm.prank(account);
        vault.deposit(address(cxpt), bound(amount, 1, balance));
    }

    function tradeSpot(uint256 seed, uint64 qty, uint64 price, uint64 fee) external {
        settledSpot += anyTrade(spot, seed, qty, price, fee);
    }

    function tradePerp(uint256 seed, uint64 qty, uint64 price, uint64 fee) external {
        settledPerp += anyTrade(seed & 1 == 0 ? perp : perp10x, seed >> 1, qty, price, fee);
    }

    function tradeOption(uint256 seed, uint64 qty, uint64 price) external {
        settledPerp += anyTrade(put, seed, qty, price, 0);
    }

    /// @dev Half of the orders are signed in recycled lanes.
    function nextNonce() private returns (uint64) {
        ++nonce;
        return nonce % 2 == 0 ? nonce : (1 << 63) + (nonce << 8) + nonce % 5;
    }

    function markAndFund(uint256 price, uint256 funding) external {
        vm.warp(block.timestamp + 1 hours);
        mark(perp10x, uint64(bound(price, 30_000, 90_000) * USD));
        fundingOf(perp10x, int256(bound(funding, 0, 4e12)) - 2e12);
        ++payments;
    }

    function insure(uint256 seed, uint256 amount) external {
        address account = someone(seed);
        amount = bound(amount, 0, vault.usdcOf(account) / 10);
        vm.prank(account);
        clearing.fundInsurance(perp10x, uint128(amount));
    }

    function liquidateSomebody(uint256 seed, uint64 qty) external {
        address account = someone(seed);
        int128 size = position(account, perp10x).size;
        uint256 held = uint256(size < 0 ? -int256(size) : int256(size));
        if (held == 0) return;
        uint64 price = clearing.bookOf(perp10x).mark;
        vm.warp(block.timestamp + 1);
        mark(perp10x, price);
        vm.prank(other(account, seed >> 8));
        try clearing.liquidate(perp10x, account, uint64(bound(qty, 1, held)), price) {
            ++liquidations;
        } catch {}
        try clearing.deleverage(perp10x, account, other(account, seed >> 16), uint64(bound(qty, 1, held))) {
            ++liquidations;
        } catch {}
    }

    function bringUpToDate() private {
        for (uint256 i; i < 3; ++i) {
            clearing.settleFunding(perp10x, people[i], type(uint64).max);
        }
    }

    function anyTrade(bytes32 id, uint256 seed, uint64 qty, uint64 price, uint64 fee) private returns (uint256) {
        address maker = someone(seed);
        qty = uint64(bound(qty, 1, 200)) * BTC / 100;
        price = uint64(bound(price, 40_000, 80_000)) * USD;
        fee = uint64(bound(fee, 0, uint256(price) * qty / BTC / 200));
        bool makerBuys = (seed >> 9) & 1 == 0;
        uint64 next = nextNonce();
        Result memory result = settle(
            pair(
                order(maker, id, makerBuys ? 0 : 1, qty, price, next),
                order(other(maker, seed >> 10), id, makerBuys ? 1 : 0, qty, price, next)
            ),
            fillOf(qty, fee, fee)
        );
        return result.settled;
    }

    // ---- what must hold

    function checkMoney() external view {
        eq(
            usdc.balanceOf(address(vault)),
            vault.totalAssets() + vault.cxptReserve() + ghostDonations,
            "balance == totalAssets + cxptReserve + donations"
        );
        eq(vault.totalAssets() + vault.cxptReserve(), ghostPaidIn - ghostPaidOut, "paid in less paid out");
        eq(vault.cxptReserve(), cxpt.totalSupply(), "reserve is the supply of CXPT");
        eq(vault.totalShares(), vault.totalAssets() * 1e6, "price never moves without yield");
    }

    function checkLedgers() external view {
        uint256 shares;
        for (uint256 i; i < books.length; ++i) {
            shares += vault.sharesOf(clearing.accountOf(books[i]));
        }
        uint256 synths;
        for (uint256 i; i < people.length; ++i) {
            shares += vault.sharesOf(people[i]);
            synths += vault.assetOf(people[i], address(sbtc));
        }
        eq(shares, vault.totalShares(), "shares add up");
        eq(synths, sbtc.balanceOf(address(vault)), "synths add up");
        eq(synths, sbtc.totalSupply(), "and are all there is");
    }

    /// @dev Each instrument's account holds what its positions are worth at cost, its insurance, and the dust of funding.
    function checkClearing() external {
        bringUpToDate();
        for (uint256 j; j < books.length; ++j) {
            int256 size;
            int256 owed = int256(uint256(clearing.bookOf(books[j]).insurance));
            for (uint256 i; i < 3; ++i) {
                IClearing.Position memory p = position(people[i], books[j]);
                size += p.size;
                owed += int256(p.margin) - p.cost;
                yes(p.size != 0 || (p.cost == 0 && p.margin == 0), "a closed position is empty");
                yes(j == 2 || p.size == 0 || (p.size > 0) == (p.cost >= 0), "cost has the sign of size");
            }
            eqInt(size, 0, "sizes");
            int256 dust = int256(clearingFunds(books[j])) - owed;
            // Fewer than one a position and payment, and only where there is funding.
            yes(dust >= 0 && dust <= int256(j == 1 ? 3 * payments : 0), "instrument == margins - costs + insurance");
        }
    }
}

contract InvariantsTest {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(handler);
        bytes4[] memory selectors = new bytes4[](13);
        selectors[0] = Handler.deposit.selector;
        selectors[1] = Handler.depositSynth.selector;
        selectors[2] = Handler.donate.selector;
        selectors[3] = Handler.exit.selector;
        selectors[4] = Handler.redeem.selector;
        selectors[5] = Handler.tradeSpot.selector;
        selectors[6] = Handler.tradePerp.selector;
        // Twice, else too few of them meet funds.
        selectors[7] = Handler.tradePerp.selector;
        selectors[8] = Handler.deposit.selector;
        selectors[9] = Handler.tradeOption.selector;
        selectors[10] = Handler.markAndFund.selector;
        selectors[11] = Handler.insure.selector;
        selectors[12] = Handler.liquidateSomebody.selector;
        targets[0].selectors = selectors;
    }

    function invariant_money() external view {
        handler.checkMoney();
    }

    function invariant_ledgers() external view {
        handler.checkLedgers();
    }

    function invariant_clearing() external {
        handler.checkClearing();
    }
}
