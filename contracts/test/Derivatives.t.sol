// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearing} from "../src/interfaces/IClearing.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {DerivativesFixture} from "./Base.sol";

/// @dev Observations, funding, liquidation, deleveraging.
contract FundingAndLiquidationTest is DerivativesFixture {
    // ---- observations

    function test_marksNeedEnoughSigners() public {
        bytes[] memory one = signObservation(perp10x, 0, 60_000e6, uint40(START), 1);
        vm.expectRevert(abi.encodeWithSelector(IClearing.TooFewSignatures.selector, uint256(1), uint256(2)));
        clearing.publish(perp10x, 0, 60_000e6, uint40(START), one);
        bytes[] memory twice = new bytes[](2);
        (twice[0], twice[1]) = (one[0], one[0]);
        vm.expectRevert(abi.encodeWithSelector(IClearing.TooFewSignatures.selector, uint256(1), uint256(2)));
        clearing.publish(perp10x, 0, 60_000e6, uint40(START), twice);
        bytes[] memory two = signObservation(perp10x, 0, 60_000e6, uint40(START), 2);
        vm.expectRevert(abi.encodeWithSelector(IClearing.TooFewSignatures.selector, uint256(0), uint256(2)));
        clearing.publish(perp10x, 0, 60_001e6, uint40(START), two);
        clearing.publish(perp10x, 0, 60_000e6, uint40(START), two);
        eq(clearing.bookOf(perp10x).mark, 60_000e6, "mark");
    }

    function test_marksMoveForwardInSteps() public {
        mark(perp10x, 60_000e6);
        bytes[] memory sigs = signObservation(perp10x, 0, 60_000e6, uint40(START), 2);
        vm.expectRevert(IClearing.StaleObservation.selector);
        clearing.publish(perp10x, 0, 60_000e6, uint40(START), sigs);
        vm.warp(START + 1);
        mark(perp10x, 100_000e6);
        eq(clearing.bookOf(perp10x).mark, 72_000e6, "a fifth up");
        vm.warp(START + 2);
        mark(perp10x, 1e6);
        eq(clearing.bookOf(perp10x).mark, 57_600e6, "a fifth down");
        sigs = signObservation(perp10x, 0, 60_000e6, uint40(START + 3), 2);
        vm.expectRevert(IClearing.StaleObservation.selector);
        clearing.publish(perp10x, 0, 60_000e6, uint40(START + 3), sigs);
    }

    function test_badObservations() public {
        bytes[] memory sigs = signObservation(perp10x, 0, 0, uint40(START), 2);
        vm.expectRevert(IClearing.BadValue.selector);
        clearing.publish(perp10x, 0, 0, uint40(START), sigs);
        sigs = signObservation(perp10x, 3, 1, uint40(START), 2);
        vm.expectRevert(IClearing.WrongKind.selector);
        clearing.publish(perp10x, 3, 1, uint40(START), sigs);
        sigs = signObservation(perp10x, 2, 1, uint40(START), 2);
        vm.expectRevert(IClearing.WrongKind.selector);
        clearing.publish(perp10x, 2, 1, uint40(START), sigs);
        vm.expectRevert(abi.encodeWithSelector(IClearing.UnknownBook.selector, spot));
        clearing.publish(spot, 0, 1, uint40(START), sigs);
    }

    function test_signersAreSetByTheAdmin() public {
        address[] memory one = new address[](1);
        one[0] = alice;
        vm.prank(alice);
        vm.expectRevert();
        clearing.setSigners(one, 1);
        vm.expectRevert(IClearing.BadSigners.selector);
        clearing.setSigners(one, 2);
        vm.expectRevert(IClearing.BadSigners.selector);
        clearing.setSigners(one, 0);
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (alice, alice);
        vm.expectRevert(IClearing.BadSigners.selector);
        clearing.setSigners(twice, 1);
        clearing.setSigners(one, 1);
        yes(clearing.isSigner(alice) && !clearing.isSigner(vm.addr(ORACLE_KEY)), "the old ones are out");
    }

    // ---- funding

    function test_fundingGoesFromLongsToShorts() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
        fundingOf(perp10x, 60e6 * 1e6);
        clearing.settleFunding(perp10x, alice, 10);
        clearing.settleFunding(perp10x, bob, 10);
        hasPosition(alice, perp10x, 1e8, 60_000e6, 5_940e6);
        hasPosition(bob, perp10x, -1e8, -60_000e6, 6_060e6);
        // Once, however often asked.
        clearing.settleFunding(perp10x, alice, 10);
        hasPosition(alice, perp10x, 1e8, 60_000e6, 5_940e6);
    }

    function test_whoPaysIsRoundedUp() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, 30_000, 60_000e6, 1);
        fundingOf(perp10x, 1);
        clearing.settleFunding(perp10x, alice, 1);
        clearing.settleFunding(perp10x, bob, 1);
        hasPosition(alice, perp10x, 30_000, 18e6, 1_799_999);
        hasPosition(bob, perp10x, -30_000, -18e6, 1_800_000);
        eq(clearingFunds(perp10x), 3_600_000, "the rest stays with the instrument");
    }

    function test_fundingIsClampedAndHourly() public {
        mark(perp10x, 60_000e6);
        fundingOf(perp10x, 1e30);
        eqInt(clearing.fundingOf(perp10x, 0), 60_000e6 * 40_000, "four per cent of the mark");
        bytes[] memory sigs = signObservation(perp10x, 1, 1, uint40(block.timestamp), 2);
        vm.expectRevert(IClearing.StaleObservation.selector);
        clearing.publish(perp10x, 1, 1, uint40(block.timestamp), sigs);
        vm.warp(block.timestamp + 1 hours);
        fundingOf(perp10x, -1e30);
        eqInt(clearing.fundingOf(perp10x, 1), -60_000e6 * 40_000, "and the other way");
    }

    function test_fillsBringFundingUpToDate() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
        fundingOf(perp10x, 60e6 * 1e6);
        vm.warp(block.timestamp + 1 hours);
        fundingOf(perp10x, -20e6 * 1e6);
        wasSettled(trade(perp10x, bob, true, alice, BTC, 60_000e6, 2));
        eq(vault.usdcOf(alice), 500_000e6 - 40e6, "60 paid, 20 got back");
        eq(vault.usdcOf(bob), 500_000e6 + 40e6, "the other way");
        eq(clearingFunds(perp10x), 0, "empty");
    }

    function test_positionsFarBehindAreSettledFirst() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
        uint256 most = clearing.TICKS_PER_FILL();
        for (uint256 i; i <= most; ++i) {
            fundingOf(perp10x, 1e6);
            vm.warp(block.timestamp + 1 hours);
        }
        wasSkipped(trade(perp10x, bob, true, alice, BTC, 60_000e6, 2), IClearing.FundingBehind.selector);
        clearing.settleFunding(perp10x, alice, 1);
        clearing.settleFunding(perp10x, bob, 1_000);
        wasSettled(trade(perp10x, bob, true, alice, BTC, 60_000e6, 2));
        eq(vault.usdcOf(alice), 500_000e6 - most - 1, "one a payment");
    }

    /// @dev Whatever the payments, nobody's funding comes from anywhere but the other side, and the rest is dust.
    function testFuzz_fundingMintsNothing(uint256 seed) public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, uint64(bound(seed, 1, 30)) * 1e5, 60_000e6, 1);
        trade(perp10x, carol, true, bob, uint64(bound(seed >> 16, 1, 30)) * 1e5, 60_000e6, 2);
        for (uint256 i; i < 5; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            fundingOf(perp10x, int256(bound(seed, 0, 2e9)) - 1e9);
            vm.warp(block.timestamp + 1 hours);
        }
        clearing.settleFunding(perp10x, alice, 10);
        clearing.settleFunding(perp10x, bob, 10);
        clearing.settleFunding(perp10x, carol, 10);
        int256 margins = int256(position(alice, perp10x).margin) + position(bob, perp10x).margin + position(carol, perp10x).margin;
        int256 dust = int256(clearingFunds(perp10x)) - margins;
        yes(dust >= 0 && dust <= 10, "dust");
    }

    // ---- liquidation

    function aliceIsLong() private {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
    }

    function test_healthyPositionsAreSafe() public {
        aliceIsLong();
        markLater(perp10x, 57_000e6);
        yes(!clearing.isLiquidatable(perp10x, alice), "3 000 of equity, 2 850 needed");
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IClearing.Healthy.selector, alice));
        clearing.liquidate(perp10x, alice, BTC, 57_000e6);
    }

    function test_liquidation() public {
        aliceIsLong();
        markLater(perp10x, 56_000e6);
        vm.prank(carol);
        clearing.liquidate(perp10x, alice, BTC, 55_500e6);
        // Equity 1 500: the fee of 1 % to insurance, the rest hers.
        hasPosition(alice, perp10x, 0, 0, 0);
        eq(vault.usdcOf(alice), 494_000e6 + 945e6, "alice");
        eq(clearing.bookOf(perp10x).insurance, 555e6, "insurance");
        hasPosition(carol, perp10x, 1e8, 55_500e6, 5_550e6);
        eq(vault.usdcOf(carol), 500_000e6 - 5_550e6, "carol");
        eq(clearingFunds(perp10x), 6_000e6 + 60_000e6 + 5_550e6 - 55_500e6 + 555e6, "margins - costs + insurance");
    }

    function test_liquidationInParts() public {
        aliceIsLong();
        markLater(perp10x, 56_000e6);
        vm.prank(carol);
        clearing.liquidate(perp10x, alice, BTC / 4, 56_000e6);
        // A quarter releases 1 500 and loses 1 000; 140 are the fee.
        hasPosition(alice, perp10x, 0.75e8, 45_000e6, 4_500e6);
        eq(vault.usdcOf(alice), 494_000e6 + 360e6, "alice");
        eq(clearing.bookOf(perp10x).insurance, 140e6, "insurance");
    }

    function test_liquidationsHaveLimits() public {
        aliceIsLong();
        markLater(perp10x, 56_000e6);
        vm.startPrank(carol);
        vm.expectRevert(abi.encodeWithSelector(IClearing.OutsideBand.selector, uint64(53_199e6)));
        clearing.liquidate(perp10x, alice, BTC, 53_199e6);
        vm.expectRevert(abi.encodeWithSelector(IClearing.OutsideBand.selector, uint64(58_801e6)));
        clearing.liquidate(perp10x, alice, BTC, 58_801e6);
        vm.expectRevert(IClearing.BadQty.selector);
        clearing.liquidate(perp10x, alice, BTC + 1, 56_000e6);
        vm.expectRevert(IClearing.BadQty.selector);
        clearing.liquidate(perp10x, alice, 0, 56_000e6);
        vm.expectRevert(IClearing.InexactPrice.selector);
        clearing.liquidate(perp10x, alice, 1, 56_000e6 + 1);
        vm.expectRevert(IClearing.NothingToClaim.selector);
        clearing.liquidate(perp10x, carol, BTC, 56_000e6);
        vm.stopPrank();
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IClearing.Healthy.selector, alice));
        clearing.liquidate(perp10x, alice, BTC, 56_000e6);
        vm.warp(block.timestamp + 10 minutes + 1);
        vm.prank(carol);
        vm.expectRevert(IClearing.StaleMark.selector);
        clearing.liquidate(perp10x, alice, BTC, 56_000e6);
    }

    function test_aLiquidatorNeedsMargin() public {
        aliceIsLong();
        markLater(perp10x, 56_000e6);
        fund(dave, 100e6);
        vm.prank(dave);
        vm.expectRevert(abi.encodeWithSelector(IClearing.MarginNotCovered.selector, dave));
        clearing.liquidate(perp10x, alice, BTC, 56_000e6);
    }

    function test_insurancePaysWhatMarginDoesNot() public {
        aliceIsLong();
        vm.prank(dave);
        vm.expectRevert();
        clearing.fundInsurance(perp10x, 1);
        markLater(perp10x, 53_000e6);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IClearing.InsuranceExhausted.selector, uint256(1_000e6)));
        clearing.liquidate(perp10x, alice, BTC, 53_000e6);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IClearing.WouldBeBankrupt.selector, alice));
        clearing.liquidate(perp10x, alice, BTC - 1e4, 53_000e6);
        vm.prank(bob);
        clearing.fundInsurance(perp10x, 1_500e6);
        vm.prank(carol);
        clearing.liquidate(perp10x, alice, BTC, 53_000e6);
        eq(clearing.bookOf(perp10x).insurance, 500e6, "the fund lost 1 000");
        eq(vault.usdcOf(alice), 494_000e6, "alice lost her margin");
        eq(clearingFunds(perp10x), 6_000e6 + 60_000e6 + 5_300e6 - 53_000e6 + 500e6, "all is there");
    }

    function test_aShortIsLiquidated() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, false, bob, BTC, 60_000e6, 1);
        markLater(perp10x, 63_000e6);
        yes(clearing.isLiquidatable(perp10x, alice), "3 000 of equity, 3 150 needed");
        vm.prank(carol);
        clearing.liquidate(perp10x, alice, BTC, 63_000e6);
        hasPosition(carol, perp10x, -1e8, -63_000e6, 6_300e6);
        eq(vault.usdcOf(alice), 494_000e6 + 3_000e6 - 630e6, "what is left less the fee");
    }

    function test_deleveraging() public {
        aliceIsLong();
        trade(perp10x, carol, true, bob, BTC, 60_000e6, 2);
        markLater(perp10x, 53_000e6);
        // Carol is long as alice is; dave is out; bob gains.
        vm.expectRevert(abi.encodeWithSelector(IClearing.NotDeleverageable.selector, carol));
        clearing.deleverage(perp10x, alice, carol, BTC);
        vm.expectRevert(IClearing.NothingToClaim.selector);
        clearing.deleverage(perp10x, alice, dave, BTC);
        vm.expectRevert(abi.encodeWithSelector(IClearing.Healthy.selector, bob));
        clearing.deleverage(perp10x, bob, alice, BTC);
        vm.expectRevert(IClearing.BadQty.selector);
        clearing.deleverage(perp10x, alice, bob, BTC + 1);
        clearing.deleverage(perp10x, alice, bob, BTC);
        // At 54 000, alice's bankruptcy price: bob gets 6 000 of profit instead of 7 000.
        hasPosition(alice, perp10x, 0, 0, 0);
        hasPosition(bob, perp10x, -1e8, -60_000e6, 6_000e6);
        eq(vault.usdcOf(alice), 494_000e6, "alice has lost her margin");
        eq(vault.usdcOf(bob), 488_000e6 + 6_000e6 + 6_000e6, "bob");
        eq(clearingFunds(perp10x), 12_000e6, "carol's and bob's margin");
    }

    function test_noDeleveragingWhileInsuranceSuffices() public {
        aliceIsLong();
        vm.prank(carol);
        clearing.fundInsurance(perp10x, 1_000e6);
        markLater(perp10x, 53_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearing.Healthy.selector, alice));
        clearing.deleverage(perp10x, alice, bob, BTC);
    }

    function test_aBankruptShortIsDeleveraged() public {
        mark(perp10x, 60_000e6);
        trade(perp10x, alice, false, bob, BTC, 60_000e6, 1);
        markLater(perp10x, 67_000e6);
        clearing.deleverage(perp10x, alice, bob, BTC / 2);
        hasPosition(alice, perp10x, -0.5e8, -30_000e6, 3_000e6);
        eq(vault.usdcOf(bob), 494_000e6 + 3_000e6 + 3_000e6, "half, at 66 000");
    }

    /// @dev Losses of one instrument are never paid by another.
    function test_instrumentsAreFenced() public {
        trade(perp, carol, true, bob, BTC, 60_000e6, 2);
        uint256 others = clearingFunds(perp);
        aliceIsLong();
        markLater(perp10x, 48_000e6);
        clearing.deleverage(perp10x, alice, bob, BTC);
        eq(clearingFunds(perp), others, "untouched");
        eq(clearingFunds(perp10x), 0, "empty");
    }
}

/// @dev Options and futures to their end.
contract ExpiryTest is DerivativesFixture {
    uint64 private constant EXPIRY = uint64(START + 30 days);
    bytes32 private call;
    bytes32 private put;
    bytes32 private future;

    function setUp() public override {
        super.setUp();
        call = settlement.listInstrument(dated(3, "BTC-C", 60_000e6, true), address(0), optionTerms(120_000e6));
        put = settlement.listInstrument(dated(3, "BTC-P", 60_000e6, false), address(0), optionTerms(0));
        future = settlement.listInstrument(dated(2, "BTC-F", 0, false), address(0), terms(100_000));
    }

    function dated(uint8 kind, string memory symbol, uint64 strike, bool isCall)
        private
        pure
        returns (OrderLib.Instrument memory)
    {
        return OrderLib.Instrument(kind, symbol, EXPIRY, strike, isCall, 1);
    }

    function optionTerms(uint64 cap) private pure returns (IClearing.Terms memory t) {
        t.cap = cap;
    }

    function expire(bytes32 id, uint64 price) private {
        vm.warp(EXPIRY);
        observe(id, 2, int256(uint256(price)));
    }

    // ---- terms

    function test_termsAreChecked() public {
        refused(dated(3, "A", 60_000e6, true), optionTerms(60_000e6));
        refused(dated(3, "A", 60_000e6, false), optionTerms(1));
        refused(dated(3, "A", 0, false), optionTerms(0));
        refused(dated(3, "A", 60_000e6, false), terms(100_000));
        refused(dated(2, "A", 1, false), terms(100_000));
        refused(dated(2, "A", 0, true), terms(100_000));
        refused(dated(2, "A", 0, false), terms(50_000));
        refused(dated(1, "A", 0, false), terms(100_000));
        OrderLib.Instrument memory past = dated(2, "A", 0, false);
        past.expiry = uint64(START);
        refused(past, terms(100_000));
        IClearing.Terms memory t = terms(100_000);
        t.bandPpm = 1_000_001;
        refused(dated(2, "A", 0, false), t);
    }

    function refused(OrderLib.Instrument memory i, IClearing.Terms memory t) private {
        vm.expectRevert(IClearing.BadTerms.selector);
        settlement.listInstrument(i, address(0), t);
    }

    // ---- options

    function test_theWriterEscrowsTheLargestPayoff() public {
        wasSettled(trade(call, alice, true, bob, BTC / 2, 2_000e6, 1));
        eq(vault.usdcOf(alice), 500_000e6 - 1_000e6, "premium");
        eq(vault.usdcOf(bob), 500_000e6 + 1_000e6 - 30_000e6, "premium less escrow");
        hasPosition(alice, call, 0.5e8, 0, 0);
        hasPosition(bob, call, -0.5e8, 0, 30_000e6);
        eq(clearingFunds(call), 30_000e6, "escrow");
    }

    function test_buyingBackFreesTheEscrow() public {
        trade(put, alice, true, bob, BTC, 2_000e6, 1);
        wasSettled(trade(put, carol, false, bob, BTC / 4, 3_000e6, 2));
        hasPosition(bob, put, -0.75e8, 0, 45_000e6);
        hasPosition(carol, put, -0.25e8, 0, 15_000e6);
        // Over zero: bob's next ones are his own.
        wasSettled(trade(put, carol, false, bob, BTC, 3_000e6, 3));
        hasPosition(bob, put, 0.25e8, 0, 0);
        eq(clearingFunds(put), 75_000e6, "carol's escrow alone");
    }

    function test_optionReasons() public {
        OrderLib.Order[] memory orders =
            pair(order(alice, call, 0, BTC, 2_000e6, 1), order(bob, call, 1, BTC, 2_000e6, 1));
        orders[1].tif = OrderLib.REDUCE_ONLY;
        wasSkipped(settle(orders, fillOf(BTC, 0, 0)), IClearing.ReduceOnlyViolated.selector);
        wasSkipped(trade(put, alice, true, bob, 10 * BTC, 2_000e6, 2), ISettlement.InsufficientFunds.selector);
        bytes32 odd = settlement.listInstrument(dated(3, "ODD", 60_000e6 + 1, false), address(0), optionTerms(0));
        wasSkipped(trade(odd, alice, true, bob, 1, 100e6, 3), IClearing.InexactEscrow.selector);
    }

    function test_callInTheMoney() public {
        trade(call, alice, true, bob, BTC / 2, 2_000e6, 1);
        expire(call, 70_000e6);
        clearing.claim(call, alice);
        clearing.claim(call, bob);
        eq(vault.usdcOf(alice), 500_000e6 - 1_000e6 + 5_000e6, "half of 10 000");
        eq(vault.usdcOf(bob), 500_000e6 + 1_000e6 - 5_000e6, "the rest of the escrow");
        eq(clearingFunds(call), 0, "claims are the escrow");
        vm.expectRevert(IClearing.NothingToClaim.selector);
        clearing.claim(call, alice);
    }

    function test_callAboveItsCap() public {
        trade(call, alice, true, bob, BTC / 2, 2_000e6, 1);
        expire(call, 500_000e6);
        clearing.claim(call, bob);
        clearing.claim(call, alice);
        eq(vault.usdcOf(alice), 500_000e6 - 1_000e6 + 30_000e6, "the cap");
        eq(vault.usdcOf(bob), 500_000e6 + 1_000e6 - 30_000e6, "nothing left");
    }

    function test_putBothWays() public {
        trade(put, alice, true, bob, BTC, 2_000e6, 1);
        expire(put, 45_000e6);
        clearing.claim(put, alice);
        clearing.claim(put, bob);
        eq(vault.usdcOf(alice), 500_000e6 - 2_000e6 + 15_000e6, "in the money");
        eq(vault.usdcOf(bob), 500_000e6 + 2_000e6 - 15_000e6, "pays");
    }

    function test_outOfTheMoney() public {
        trade(put, alice, true, bob, BTC, 2_000e6, 1);
        expire(put, 60_000e6);
        clearing.claim(put, alice);
        clearing.claim(put, bob);
        eq(vault.usdcOf(alice), 498_000e6, "worth nothing");
        eq(vault.usdcOf(bob), 502_000e6, "escrow back");
    }

    /// @dev Whatever the price, claims never exceed the escrow and leave at most dust.
    function testFuzz_claimsAreTheEscrow(uint64 price, uint64 qty, bool isCall) public {
        bytes32 id = isCall ? call : put;
        qty = uint64(bound(qty, 1, 100)) * 1e4;
        price = uint64(bound(price, 1, 200_000e6));
        trade(id, alice, true, bob, qty, 100e6, 1);
        trade(id, carol, true, bob, qty, 100e6, 2);
        uint256 escrow = clearingFunds(id);
        expire(id, price);
        uint256 before = vault.usdcOf(alice) + vault.usdcOf(bob) + vault.usdcOf(carol);
        clearing.claim(id, alice);
        clearing.claim(id, bob);
        clearing.claim(id, carol);
        uint256 paid = vault.usdcOf(alice) + vault.usdcOf(bob) + vault.usdcOf(carol) - before;
        yes(paid <= escrow && escrow - paid <= 2, "escrow");
    }

    function test_optionsAreNotLiquidated() public {
        trade(put, alice, true, bob, BTC, 2_000e6, 1);
        vm.expectRevert(IClearing.WrongKind.selector);
        clearing.liquidate(put, bob, BTC, 1);
    }

    // ---- when nobody settles any more

    function test_onlyWhatIsAbandonedIsClosedOut() public {
        trade(future, alice, true, bob, BTC, 60_000e6, 1);
        vm.expectRevert(IClearing.NotAbandoned.selector);
        clearing.closeOut(future);
        vm.warp(START + HEARTBEAT);
        clearing.closeOut(future);
        vm.expectRevert(IClearing.InstrumentExpired.selector);
        clearing.closeOut(future);
    }

    /// @dev Margins, profits and escrows come out without an operator, paused or not, and nothing stays behind.
    function test_everybodyGetsOutOfEverything() public {
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
        trade(perp10x, carol, true, bob, BTC, 61_000e6, 2);
        trade(put, alice, true, carol, BTC, 2_000e6, 3);
        trade(future, carol, true, alice, BTC, 60_000e6, 4);
        vault.pause();
        vm.warp(START + HEARTBEAT);
        mark(perp10x, 62_000e6);
        bytes32[3] memory ids = [perp10x, put, future];
        address[3] memory people = [alice, bob, carol];
        for (uint256 i; i < 3; ++i) {
            clearing.closeOut(ids[i]);
        }
        vm.warp(block.timestamp + 1 hours);
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j < 3; ++j) {
                if (position(people[j], ids[i]).size != 0) clearing.claim(ids[i], people[j]);
            }
            eq(clearingFunds(ids[i]), 0, "nothing stays");
        }
        eq(vault.usdcOf(alice), 500_000e6 + 2_000e6, "the perp by its mark; put and future at their last price");
        eq(vault.usdcOf(bob), 500_000e6 - 2_000e6 - 1_000e6, "short of both");
        eq(vault.usdcOf(carol), 500_000e6 + 1_000e6, "bought at 61 000");
        for (uint256 j; j < 3; ++j) {
            uint256 shares = vault.sharesOf(people[j]);
            vm.prank(people[j]);
            vault.withdraw(address(usdc), shares, false);
        }
        eq(usdc.balanceOf(address(vault)), 0, "all of it is out");
    }

    function test_aClosedOutOptionIsWorthAtMostItsPayoff() public {
        trade(put, alice, true, bob, BTC, 70_000e6, 1);
        vm.warp(START + HEARTBEAT);
        clearing.closeOut(put);
        clearing.claim(put, bob);
        clearing.claim(put, alice);
        eq(vault.usdcOf(alice), 500_000e6 - 10_000e6, "60 000 of the 70 000 paid");
        eq(clearingFunds(put), 0, "empty");
    }

    /// @dev Losses above the margin are shared by those who gain, as at expiry.
    function test_aClosedOutPerpSharesItsDeficit() public {
        trade(perp10x, alice, true, bob, BTC, 60_000e6, 1);
        mark(perp10x, 68_000e6);
        vm.warp(START + HEARTBEAT);
        clearing.closeOut(perp10x);
        clearing.recordDeficit(perp10x, bob);
        vm.warp(block.timestamp + 1 hours);
        clearing.claim(perp10x, alice);
        eq(vault.usdcOf(alice), 506_000e6, "what bob had");
        eq(clearingFunds(perp10x), 0, "empty");
    }

    // ---- expiry

    function test_expiryHasItsTime() public {
        trade(future, alice, true, bob, BTC, 60_000e6, 1);
        bytes[] memory sigs = signObservation(future, 2, 61_000e6, uint40(START), 2);
        vm.expectRevert(IClearing.NotExpired.selector);
        clearing.publish(future, 2, 61_000e6, uint40(START), sigs);
        vm.expectRevert(IClearing.NotExpired.selector);
        clearing.claim(future, alice);
        sigs = signObservation(future, 1, 1, uint40(START), 2);
        vm.expectRevert(IClearing.WrongKind.selector);
        clearing.publish(future, 1, 1, uint40(START), sigs);
        expire(future, 61_000e6);
        sigs = signObservation(future, 2, 61_001e6, uint40(EXPIRY), 2);
        vm.expectRevert(IClearing.InstrumentExpired.selector);
        clearing.publish(future, 2, 61_001e6, uint40(EXPIRY), sigs);
        wasSkipped(trade(future, alice, false, bob, BTC, 60_000e6, 2), IClearing.InstrumentExpired.selector);
        vm.expectRevert(IClearing.InstrumentExpired.selector);
        clearing.liquidate(future, alice, BTC, 61_000e6);
    }

    function test_futurePaysItsProfit() public {
        trade(future, alice, true, bob, BTC, 60_000e6, 1);
        expire(future, 63_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearing.ClaimsNotOpen.selector, EXPIRY + 1 hours));
        clearing.claim(future, alice);
        vm.warp(EXPIRY + 1 hours);
        clearing.claim(future, alice);
        clearing.claim(future, bob);
        eq(vault.usdcOf(alice), 503_000e6, "alice");
        eq(vault.usdcOf(bob), 497_000e6, "bob");
        eq(clearingFunds(future), 0, "empty");
    }

    /// @dev Alice and carol gain, bob has lost more than his margin: all claims bear it alike.
    function test_deficitsAreShared() public {
        trade(future, alice, true, bob, BTC, 60_000e6, 1);
        trade(future, carol, true, bob, BTC, 60_000e6, 2);
        vm.prank(carol);
        clearing.fundInsurance(future, 1_000e6);
        expire(future, 68_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearing.Healthy.selector, alice));
        clearing.recordDeficit(future, alice);
        clearing.recordDeficit(future, bob);
        // Bob lost 16 000 and had 12 000: insurance pays 1 000, 3 000 of the claims of 28 000 are missing.
        eq(clearing.bookOf(future).deficit, 3_000e6, "deficit");
        vm.warp(EXPIRY + 1 hours);
        clearing.claim(future, alice);
        vm.expectRevert(abi.encodeWithSelector(IClearing.ClaimsNotOpen.selector, uint256(0)));
        clearing.recordDeficit(future, carol);
        clearing.claim(future, carol);
        eq(vault.usdcOf(alice), 494_000e6 + 12_500e6, "25/28 of 14 000");
        eq(vault.usdcOf(carol), 493_000e6 + 12_500e6, "25/28 of 14 000");
        eq(clearingFunds(future), 0, "empty");
    }

    /// @dev Who was not recorded in time still has nothing, and whoever comes last may find less.
    function test_anUnrecordedLossClaimsNothing() public {
        trade(future, alice, true, bob, BTC, 60_000e6, 1);
        expire(future, 68_000e6);
        vm.warp(EXPIRY + 1 hours);
        clearing.claim(future, bob);
        eq(vault.usdcOf(bob), 494_000e6, "nothing");
        vm.expectRevert(IClearing.NotExpired.selector);
        clearing.recordDeficit(call, bob);
    }
}
