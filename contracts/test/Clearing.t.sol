// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearing} from "../src/interfaces/IClearing.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {Fixture} from "./Base.sol";

contract ClearingTest is Fixture {
    function setUp() public override {
        super.setUp();
        fund(alice, 500_000 * USD);
        fund(bob, 500_000 * USD);
        fund(carol, 500_000 * USD);
    }

    /// @dev Clearing holds the margins, and the sums of sizes and costs are what the other sides owe.
    function conserves(bytes32 id) private view {
        IClearing.Position memory a = position(alice, id);
        IClearing.Position memory b = position(bob, id);
        IClearing.Position memory c = position(carol, id);
        eqInt(int256(a.size) + b.size + c.size, 0, "sizes");
        int256 cost = int256(a.cost) + b.cost + c.cost;
        int256 margin = int256(a.margin) + b.margin + c.margin;
        eqInt(int256(clearingFunds()), margin - cost, "clearing");
    }

    function test_open() public {
        Result memory result = settle(
            pair(order(alice, perp, 0, BTC, 60_000 * USD, 1), order(bob, perp, 1, BTC, 60_000 * USD, 1)),
            fillOf(BTC / 2, 150 * USD, 150 * USD)
        );
        wasSettled(result);
        hasPosition(alice, perp, 0.5e8, 30_000e6, 30_000e6);
        hasPosition(bob, perp, -0.5e8, -30_000e6, 30_000e6);
        eq(vault.usdcOf(alice), (500_000 - 30_000 - 150) * USD, "margin and fee");
        eq(vault.usdcOf(bob), (500_000 - 30_000 - 150) * USD, "margin and fee");
        eq(vault.usdcOf(treasury), 300 * USD, "fees");
        eq(clearingFunds(), 60_000 * USD, "margins");
        conserves(perp);
    }

    function test_marginRoundsUp() public {
        bytes32 third = settlement.listInstrument(instrument(1, "THIRD"), address(0), terms(333_333));
        wasSettled(trade(third, alice, true, bob, BTC, 1, 1));
        hasPosition(alice, third, 1e8, 1, 1);
        wasSettled(trade(third, alice, true, bob, BTC, 10, 2));
        hasPosition(alice, third, 2e8, 11, 5);
    }

    function test_reduceWithProfit() public {
        trade(perp, alice, true, bob, BTC, 60_000 * USD, 1);
        // Alice sells half of it to carol at 66 000.
        wasSettled(trade(perp, carol, true, alice, BTC / 2, 66_000 * USD, 2));
        hasPosition(alice, perp, 0.5e8, 30_000e6, 30_000e6);
        hasPosition(carol, perp, 0.5e8, 33_000e6, 33_000e6);
        eq(vault.usdcOf(alice), (440_000 + 30_000 + 3_000) * USD, "half the margin and the profit");
        conserves(perp);
        // Bob, who is short one, closes at 54 000 against both.
        wasSettled(trade(perp, alice, false, bob, BTC / 2, 54_000 * USD, 3));
        wasSettled(trade(perp, carol, false, bob, BTC / 2, 54_000 * USD, 4));
        hasPosition(bob, perp, 0, 0, 0);
        eq(vault.usdcOf(bob), 506_000 * USD, "short gains what the price lost");
        eq(vault.usdcOf(alice), 500_000 * USD, "3 000 won, 3 000 lost");
        eq(vault.usdcOf(carol), 494_000 * USD, "bought at 66 000, sold at 54 000");
        eq(clearingFunds(), 0, "empty");
    }

    function test_profitRoundsDownForLongAndShort() public {
        trade(perp, alice, true, bob, 3 * BTC, 33, 1);
        trade(perp, alice, true, bob, BTC, 1, 2);
        hasPosition(alice, perp, 4e8, 100, 100);
        hasPosition(bob, perp, -4e8, -100, 100);
        uint256 before = vault.usdcOf(alice);
        wasSettled(trade(perp, carol, true, alice, 3 * BTC, 40, 3));
        eq(vault.usdcOf(alice) - before, 75 + 120 - 75, "exact quarter");
        hasPosition(alice, perp, 1e8, 25, 25);
        conserves(perp);

        // Cost 100 over three lots, one sold at 40: the profit is 40 - ceil(33.3) = 6.
        trade(perp10x, alice, true, bob, 2 * BTC, 33, 11);
        trade(perp10x, alice, true, bob, BTC, 34, 12);
        hasPosition(alice, perp10x, 3e8, 100, 11);
        hasPosition(bob, perp10x, -3e8, -100, 11);
        before = vault.usdcOf(alice);
        wasSettled(trade(perp10x, carol, true, alice, BTC, 40, 13));
        eq(vault.usdcOf(alice) - before, 3 + 6, "long: floor(11/3) and 40 - 34");
        hasPosition(alice, perp10x, 2e8, 66, 8);
        before = vault.usdcOf(bob);
        wasSettled(trade(perp10x, alice, false, bob, BTC, 30, 14));
        eq(vault.usdcOf(bob) - before, 3 + 3, "short: floor(11/3) and 33 - 30");
        hasPosition(bob, perp10x, -2e8, -67, 8);
    }

    function test_lossIsPaidByTheRemainingMargin() public {
        trade(perp10x, alice, true, bob, BTC, 60_000 * USD, 1);
        hasPosition(alice, perp10x, 1e8, 60_000e6, 6_000e6);
        uint256 before = vault.usdcOf(alice);
        // A tenth sold 8 000 below: 600 released, 800 lost.
        wasSettled(trade(perp10x, carol, true, alice, BTC / 10, 52_000 * USD, 2));
        hasPosition(alice, perp10x, 0.9e8, 54_000e6, 5_200e6);
        eq(vault.usdcOf(alice), before, "free balance untouched");
        conserves(perp10x);
    }

    function test_wouldBeBankrupt() public {
        trade(perp10x, alice, true, bob, BTC, 60_000 * USD, 1);
        wasSkipped(
            trade(perp10x, carol, true, alice, BTC, 53_999 * USD, 2), IClearing.WouldBeBankrupt.selector
        );
        hasPosition(alice, perp10x, 1e8, 60_000e6, 6_000e6);
        hasPosition(carol, perp10x, 0, 0, 0);
        eq(settlement.filled(carol, 2), 0, "nothing filled");
        wasSettled(trade(perp10x, carol, true, alice, BTC, 54_000 * USD, 2));
        hasPosition(alice, perp10x, 0, 0, 0);
        eq(vault.usdcOf(alice), 494_000 * USD, "all margin lost, nothing more");
        conserves(perp10x);
    }

    function test_flip() public {
        trade(perp, alice, true, bob, BTC, 60_000 * USD, 1);
        // Alice sells three at 63 000 to carol: closes one, opens two short.
        wasSettled(trade(perp, carol, true, alice, 3 * BTC, 63_000 * USD, 2));
        hasPosition(alice, perp, -2e8, -126_000e6, 126_000e6);
        hasPosition(carol, perp, 3e8, 189_000e6, 189_000e6);
        eq(vault.usdcOf(alice), (500_000 + 3_000 - 126_000) * USD, "profit taken, margin paid");
        conserves(perp);
    }

    function test_noMargin() public {
        wasSkipped(trade(perp, alice, true, bob, 10 * BTC, 60_000 * USD, 1), ISettlement.InsufficientFunds.selector);
        address dave = vm.addr(0xDA7E);
        keyOf[dave] = 0xDA7E;
        wasSkipped(trade(perp, alice, true, dave, BTC, 60_000 * USD, 1), ISettlement.InsufficientFunds.selector);
        hasPosition(alice, perp, 0, 0, 0);
        // Margin to the last unit, but the fee does not fit.
        fund(dave, 600 * USD);
        wasSkipped(
            settle(
                pair(order(alice, perp, 0, BTC, 600 * USD, 1), order(dave, perp, 1, BTC, 600 * USD, 1)),
                fillOf(BTC, 0, 1)
            ),
            ISettlement.InsufficientFunds.selector
        );
        wasSettled(trade(perp, alice, true, dave, BTC, 600 * USD, 1));
        // Without a free unit a fee still comes out of the released margin.
        wasSettled(
            settle(
                pair(order(alice, perp, 1, BTC, 600 * USD, 2), order(dave, perp, 0, BTC, 600 * USD, 2)),
                fillOf(BTC, 0, 3 * USD)
            )
        );
        eq(vault.usdcOf(dave), 597 * USD, "fee from margin");
    }

    function test_reduceOnly() public {
        OrderLib.Order memory close = order(alice, perp, 1, 2 * BTC, 60_000 * USD, 2);
        close.tif = OrderLib.REDUCE_ONLY;
        OrderLib.Order memory maker = order(bob, perp, 0, 2 * BTC, 60_000 * USD, 2);
        wasSkipped(settle(pair(maker, close), fillOf(BTC, 0, 0)), IClearing.ReduceOnlyViolated.selector);
        trade(perp, alice, true, bob, BTC, 60_000 * USD, 1);
        wasSkipped(settle(pair(maker, close), fillOf(2 * BTC, 0, 0)), IClearing.ReduceOnlyViolated.selector);
        wasSettled(settle(pair(maker, close), fillOf(BTC, 0, 0)));
        hasPosition(alice, perp, 0, 0, 0);
    }

    function test_clearingCannotPayWhatItDoesNotHave() public {
        trade(perp10x, alice, true, bob, BTC, 60_000 * USD, 1);
        // At 90 000 alice has won 30 000, but bob posted 6 000 and the new long 9 000.
        wasSkipped(trade(perp10x, carol, true, alice, BTC, 90_000 * USD, 2), IClearing.ClearingShort.selector);
        hasPosition(alice, perp10x, 1e8, 60_000e6, 6_000e6);
        hasPosition(carol, perp10x, 0, 0, 0);
    }

    function test_openAndCloseInOneBatch() public {
        OrderLib.Order[] memory orders = new OrderLib.Order[](4);
        orders[0] = order(alice, perp, 0, BTC, 60_000 * USD, 1);
        orders[1] = order(bob, perp, 1, BTC, 60_000 * USD, 1);
        orders[2] = order(bob, perp, 0, BTC, 61_000 * USD, 2);
        orders[3] = order(alice, perp, 1, BTC, 61_000 * USD, 2);
        Fill[] memory fills = new Fill[](2);
        fills[0] = Fill(0, 1, BTC, 0, 0, 0);
        fills[1] = Fill(2, 3, BTC, 0, 0, 0);
        eq(settle(orders, fills).settled, 2, "margins of the first pay the second");
        eq(vault.usdcOf(alice), 501_000 * USD, "alice");
        eq(vault.usdcOf(bob), 499_000 * USD, "bob");
        eq(clearingFunds(), 0, "empty");
    }

    function test_onlySettlement() public {
        IClearing.Fill memory f;
        f.instrumentId = perp;
        vm.expectRevert(IClearing.OnlySettlement.selector);
        clearing.fill(f);
        vm.expectRevert(IClearing.OnlySettlement.selector);
        clearing.list(perp, instrument(1, "X"), terms(1_000_000));
    }

    function test_spotAndPerpInOneBatch() public {
        fundSynth(bob, BTC);
        OrderLib.Order[] memory orders = new OrderLib.Order[](4);
        orders[0] = order(bob, spot, 1, BTC, 60_000 * USD, 1);
        orders[1] = order(alice, spot, 0, BTC, 60_000 * USD, 1);
        orders[2] = order(alice, perp, 1, BTC, 60_100 * USD, 2);
        orders[3] = order(carol, perp, 0, BTC, 60_200 * USD, 1);
        Fill[] memory fills = new Fill[](2);
        fills[0] = Fill(0, 1, BTC, 300 * USD, 300 * USD, 0);
        fills[1] = Fill(2, 3, BTC, 0, 0, 0);
        eq(settle(orders, fills).settled, 2, "settled");
        eq(vault.usdcOf(alice), (500_000 - 60_000 - 300 - 60_100) * USD, "alice");
        eq(vault.assetOf(alice, address(sbtc)), BTC, "hedged");
        hasPosition(alice, perp, -1e8, -60_100e6, 60_100e6);
        hasPosition(carol, perp, 1e8, 60_100e6, 60_100e6);
    }

    /// forge-config: default.fuzz.runs = 64
    /// @dev Any sequence of trades keeps the sums; skipped ones change nothing.
    function testFuzz_conservation(uint256 seed) public {
        address[3] memory who = [alice, bob, carol];
        for (uint64 i = 1; i < 16; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address maker = who[seed % 3];
            address taker = who[(seed % 3 + 1 + (seed >> 8) % 2) % 3];
            uint64 qty = uint64(bound(seed >> 16, 1, 300)) * BTC / 100;
            uint64 price = uint64(bound(seed >> 64, 50_000, 70_000) * USD + bound(seed >> 128, 0, 9_999) * 100);
            trade(perp10x, maker, (seed >> 200) & 1 == 0, taker, qty, price, i);
            conserves(perp10x);
        }
    }
}
