// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

import {IClearing} from "../src/interfaces/IClearing.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {Fixture} from "./Base.sol";

/// @dev A contract account: accepts one digest, or does worse.
contract Wallet is IERC1271 {
    bytes32 private immutable accepted;
    bool private immutable burnsGas;

    constructor(bytes32 accepted_, bool burnsGas_) {
        accepted = accepted_;
        burnsGas = burnsGas_;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        while (burnsGas) {}
        return hash == accepted ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

contract SettlementTest is Fixture {
    uint64 private constant PRICE = 60_000 * USD;

    function setUp() public override {
        super.setUp();
        fund(alice, 100_000 * USD);
        fundSynth(bob, 2 * BTC);
        fund(bob, 1_000 * USD);
    }

    /// @dev Alice buys one BTC from bob, who rests.
    function sell() private view returns (OrderLib.Order memory) {
        return order(bob, spot, 1, BTC, PRICE, 1);
    }

    function buy() private view returns (OrderLib.Order memory) {
        return order(alice, spot, 0, BTC, PRICE, 1);
    }

    function settlePair(OrderLib.Order memory maker, OrderLib.Order memory taker) private returns (Result memory) {
        return settle(pair(maker, taker), fillOf(BTC, 0, 0));
    }

    // ---- what settles

    function test_spotFill() public {
        Result memory result = settle(pair(sell(), buy()), fillOf(BTC / 2, 150 * USD, 150 * USD));
        wasSettled(result);
        eq(vault.usdcOf(alice), 100_000 * USD - 30_000 * USD - 150 * USD, "alice usdc");
        eq(vault.usdcOf(bob), 1_000 * USD + 30_000 * USD - 150 * USD, "bob usdc");
        eq(vault.usdcOf(treasury), 300 * USD, "fees");
        eq(vault.assetOf(alice, address(sbtc)), BTC / 2, "alice btc");
        eq(vault.assetOf(bob, address(sbtc)), 3 * BTC / 2, "bob btc");
        eq(settlement.filled(alice, 1), BTC / 2, "filled");
        eq(vault.sharesOf(alice), 69_850 * 1e12, "exact shares");
    }

    function test_priceIsTheMakers() public {
        OrderLib.Order memory taker = buy();
        taker.limitPrice = 61_000 * USD;
        wasSettled(settlePair(sell(), taker));
        eq(vault.usdcOf(alice), 40_000 * USD, "paid the maker's price");

        OrderLib.Order memory maker = order(alice, spot, 0, BTC / 100, 39_000 * USD, 2);
        taker = order(bob, spot, 1, BTC / 100, 38_000 * USD, 2);
        wasSettled(settle(pair(maker, taker), fillOf(BTC / 100, 0, 0)));
        eq(vault.usdcOf(alice), 40_000 * USD - 390 * USD, "buyer as the maker");
    }

    function test_ordersFillInParts() public {
        wasSettled(settle(pair(sell(), buy()), fillOf(BTC / 4, 0, 0)));
        wasSettled(settle(pair(sell(), buy()), fillOf(3 * BTC / 4, 0, 0)));
        wasSkipped(settle(pair(sell(), buy()), fillOf(1, 0, 0)), ISettlement.Overfill.selector);
    }

    function test_noncesOfAWordDoNotTouch() public {
        for (uint64 nonce = 4; nonce < 9; ++nonce) {
            wasSettled(trade(spot, bob, false, alice, BTC / 10 + nonce * 10_000, 50_000 * USD, nonce));
        }
        for (uint64 nonce = 4; nonce < 9; ++nonce) {
            eq(settlement.filled(alice, nonce), BTC / 10 + nonce * 10_000, "lane");
        }
        eq(settlement.filled(alice, 3), 0, "below");
        eq(settlement.filled(alice, 9), 0, "above");
    }

    function test_aBadFillDoesNotStopTheOthers() public {
        OrderLib.Order[] memory orders = new OrderLib.Order[](3);
        (orders[0], orders[1], orders[2]) = (sell(), buy(), order(carol, spot, 0, BTC, PRICE, 1));
        Fill[] memory fills = new Fill[](3);
        fills[0] = Fill(0, 1, BTC / 2, 0, 0, 0);
        fills[1] = Fill(0, 2, BTC / 4, 0, 0, 0);
        fills[2] = Fill(0, 1, BTC / 2, 0, 0, 0);
        Result memory result = settle(orders, fills);
        eq(result.settled, 2, "settled");
        eq(result.skipped, 1, "skipped");
        eq(bytes32(result.reason), bytes32(ISettlement.InsufficientFunds.selector), "carol has nothing");
        eq(settlement.filled(carol, 1), 0, "carol's order is untouched");
        eq(vault.assetOf(alice, address(sbtc)), BTC, "alice has all");
    }

    function test_bothOrdersCountWhatIsFilled() public {
        fund(carol, 100_000 * USD);
        OrderLib.Order memory other = order(carol, spot, 0, BTC, PRICE, 1);
        wasSettled(settlePair(sell(), buy()));
        wasSkipped(settle(pair(sell(), other), fillOf(1e6, 0, 0)), ISettlement.Overfill.selector);
        wasSkipped(
            settle(pair(order(bob, spot, 1, BTC, PRICE, 2), buy()), fillOf(1e6, 0, 0)), ISettlement.Overfill.selector
        );
        eq(settlement.filled(bob, 1), BTC, "maker");
        eq(settlement.filled(alice, 1), BTC, "taker");
    }

    /// @dev Neither side of the book can spend the same funds twice in a batch, and trying does not stop it.
    function test_fundsAreSpentOnceWithinABatch() public {
        fundSynth(bob, 2 * BTC);
        OrderLib.Order[] memory orders = new OrderLib.Order[](2);
        orders[0] = order(alice, spot, 0, 4 * BTC, PRICE, 1);
        orders[1] = order(bob, spot, 1, 4 * BTC, PRICE, 1);
        Fill[] memory fills = new Fill[](2);
        fills[0] = Fill(0, 1, BTC, 0, 0, 0);
        fills[1] = Fill(0, 1, BTC, 0, 0, 0);
        Result memory result = settle(orders, fills);
        eq(result.settled, 1, "alice, the maker, has money for one");
        eq(bytes32(result.reason), bytes32(ISettlement.InsufficientFunds.selector), "reason");

        fund(carol, 300_000 * USD);
        orders[0] = order(bob, spot, 1, 4 * BTC, PRICE, 2);
        orders[1] = order(carol, spot, 0, 4 * BTC, PRICE, 1);
        fills[0].qty = fills[1].qty = 2 * BTC;
        result = settle(orders, fills);
        eq(result.settled, 1, "bob, the maker, has three and sells two");
        eq(bytes32(result.reason), bytes32(ISettlement.InsufficientAsset.selector), "reason");

        fundSynth(bob, 10 * BTC);
        orders[1] = order(carol, spot, 0, 8 * BTC, PRICE, 2);
        orders[0] = order(bob, spot, 1, 8 * BTC, PRICE, 3);
        fills[0].qty = fills[1].qty = 3 * BTC / 2;
        fills[1].qty = 2 * BTC;
        result = settle(orders, fills);
        eq(result.settled, 1, "carol, the taker, has money for three");
        eq(bytes32(result.reason), bytes32(ISettlement.InsufficientFunds.selector), "reason");
    }

    function test_proceedsCountWithinABatch() public {
        // Bob sells to alice and buys from carol with what he just got.
        fundSynth(carol, BTC);
        OrderLib.Order[] memory orders = new OrderLib.Order[](4);
        (orders[0], orders[1]) = (sell(), buy());
        (orders[2], orders[3]) =
            (order(carol, spot, 1, BTC, PRICE, 1), order(bob, spot, 0, BTC, PRICE, 2));
        Fill[] memory fills = new Fill[](2);
        fills[0] = Fill(0, 1, BTC, 0, 0, 0);
        fills[1] = Fill(2, 3, BTC, 0, 0, 0);
        eq(settle(orders, fills).settled, 2, "settled");
        eq(vault.usdcOf(carol), 60_000 * USD, "carol is paid");
        eq(vault.usdcOf(bob), 1_000 * USD, "bob is even");
    }

    function test_chainOfBatches() public {
        bytes memory batch = packed(pair(sell(), buy()), signAll(pair(sell(), buy())), fillOf(BTC, 0, 0));
        bytes memory data = abi.encodeCall(settlement.settleBatch, (1, bytes32(0), batch));
        wasSettled(settlePair(sell(), buy()));
        eq(settlement.head(), keccak256(abi.encode(bytes32(0), uint64(1), keccak256(data))), "head");
        eq(settlement.lastBatchId(), 1, "batch id");
    }

    function test_emptyBatch() public {
        Result memory result = settle(new OrderLib.Order[](0), new Fill[](0));
        eq(result.settled + result.skipped, 0, "nothing");
        eq(settlement.lastBatchId(), 1, "counts all the same");
    }

    function test_contractAccountSigns() public {
        OrderLib.Order memory taker = buy();
        bytes32 digest = settlement.hashOrder(taker);
        vm.etch(alice, address(new Wallet(digest, false)).code);
        bytes[] memory signatures = signAll(pair(sell(), taker));
        signatures[1] = "anything";
        wasSettled(settle(pair(sell(), taker), signatures, fillOf(BTC, 0, 0)));
    }

    function test_contractAccountThatBurnsGasSpoilsOnlyItself() public {
        bytes[] memory signatures = signAll(pair(sell(), buy()));
        vm.etch(alice, address(new Wallet(0, true)).code);
        signatures[1] = "anything";
        wasSkipped(settle(pair(sell(), buy()), signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector);
    }

    function test_delegatedAccountStillSignsWithItsKey() public {
        vm.etch(alice, address(new Wallet(0, false)).code);
        wasSettled(settlePair(sell(), buy()));
    }

    // ---- who may

    function test_onlyOperator() public {
        bytes32 role = settlement.OPERATOR_ROLE();
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, alice, role)
        );
        settlement.settleBatch(1, 0, "");
    }

    function test_replayedBatch() public {
        OrderLib.Order[] memory orders = pair(sell(), buy());
        bytes[] memory signatures = signAll(orders);
        bytes memory data = packed(orders, signatures, fillOf(BTC / 2, 0, 0));
        settleData(data);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongBatch.selector, uint64(2), uint64(1)));
        settlement.settleBatch(1, 0, data);
        bytes32 head = settlement.head();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongHead.selector, head, bytes32(0)));
        settlement.settleBatch(2, 0, data);
    }

    function test_malformedBatches() public {
        bytes memory data = packed(pair(sell(), buy()), signAll(pair(sell(), buy())), fillOf(BTC, 0, 0));
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, abi.encodePacked(data, uint8(0)));
        bytes memory shorter = data;
        assembly {
            mstore(shorter, sub(mload(shorter), 1))
        }
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, shorter);
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, "");
        // an order of the third of two accounts, of the third instrument
        uint256 first = 8 + 32 + 2 * 20;
        data = packed(pair(sell(), buy()), signAll(pair(sell(), buy())), fillOf(BTC, 0, 0));
        data[first + 1] = 0x02;
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, data);
        data[first + 1] = 0x00;
        data[first + 2] = 0x02;
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, data);
        // a signature that is longer than all the rest
        data[first + 2] = 0x00;
        data[first + 40] = 0x01;
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleBatch(1, 0, data);
    }

    function test_accountsAndInstrumentsAreNamedOnce() public {
        bytes memory table = abi.encodePacked(uint16(0), uint16(2), uint16(0), uint16(0));
        bytes32 twice = bytes32(uint256(uint160(alice)));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotAscending.selector, twice));
        settlement.settleBatch(1, 0, abi.encodePacked(table, alice, alice));
        table = abi.encodePacked(uint16(2), uint16(0), uint16(0), uint16(0));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotAscending.selector, perp));
        settlement.settleBatch(1, 0, abi.encodePacked(table, perp, perp));
    }

    function test_pausedVaultStopsTheBatch() public {
        vault.pause();
        OrderLib.Order[] memory orders = pair(sell(), buy());
        bytes memory data = packed(orders, signAll(orders), fillOf(BTC, 0, 0));
        vm.expectRevert(PausableUpgradeable.EnforcedPause.selector);
        settlement.settleBatch(1, 0, data);
    }

    // ---- what is skipped

    /// @dev Bob signs, then one field is changed.
    function skippedAfterTampering(OrderLib.Order memory tampered) private {
        bytes[] memory signatures = new bytes[](2);
        (signatures[0], signatures[1]) = (signed(sell()), signed(buy()));
        wasSkipped(
            settle(pair(tampered, buy()), signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector
        );
        eq(vault.usdcOf(alice), 100_000 * USD, "nothing moved");
        eq(settlement.filled(bob, 1), 0, "nothing filled");
    }

    function test_tamperedOrder() public {
        OrderLib.Order memory o = sell();
        o.limitPrice = PRICE - 1;
        skippedAfterTampering(o);
        o = sell();
        o.qty = 2 * BTC;
        skippedAfterTampering(o);
        o = sell();
        o.maxFeeBps = 51;
        skippedAfterTampering(o);
        o = sell();
        o.account = carol;
        skippedAfterTampering(o);
        o = sell();
        o.subaccount = 1;
        skippedAfterTampering(o);
        o = sell();
        o.nonce = 2;
        skippedAfterTampering(o);
    }

    function test_tamperedSignature() public {
        bytes[] memory signatures = signAll(pair(sell(), buy()));
        signatures[0][10] ^= 0x01;
        wasSkipped(settle(pair(sell(), buy()), signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector);
        signatures[0] = "";
        wasSkipped(settle(pair(sell(), buy()), signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector);
    }

    function test_highSIsRefused() public {
        bytes[] memory signatures = signAll(pair(sell(), buy()));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(BOB_KEY, settlement.hashOrder(sell()));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        signatures[0] = abi.encodePacked(r, n - uint256(s), v == 27 ? uint8(28) : uint8(27));
        wasSkipped(settle(pair(sell(), buy()), signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector);
    }

    function test_otherDomain() public {
        OrderLib.Order[] memory orders = pair(sell(), buy());
        bytes[] memory signatures = signAll(orders);
        vm.chainId(1);
        wasSkipped(settle(orders, signatures, fillOf(BTC, 0, 0)), ISettlement.BadSignature.selector);
    }

    function test_expiry() public {
        OrderLib.Order memory taker = buy();
        taker.expiry = uint40(START + 60);
        uint256 last = START + 60 + settlement.SETTLE_GRACE();
        vm.warp(last);
        wasSkipped(settlePair(sell(), taker), ISettlement.OrderExpired.selector);
        vm.warp(last - 1);
        wasSettled(settlePair(sell(), taker));
    }

    function test_notCrossing() public {
        OrderLib.Order memory taker = buy();
        taker.limitPrice = PRICE - 1;
        wasSkipped(settlePair(sell(), taker), ISettlement.NotCrossing.selector);
        OrderLib.Order memory maker = buy();
        taker = sell();
        taker.limitPrice = PRICE + 1;
        wasSkipped(settlePair(maker, taker), ISettlement.NotCrossing.selector);
    }

    function test_selfTrade() public {
        wasSkipped(
            settlePair(order(bob, spot, 1, BTC, PRICE, 1), order(bob, spot, 0, BTC, PRICE, 2)),
            ISettlement.SelfTrade.selector
        );
    }

    function test_wrongPairs() public {
        OrderLib.Order memory o = buy();
        o.side = 1;
        wasSkipped(settlePair(sell(), o), ISettlement.SameSide.selector);
        o.side = 255;
        wasSkipped(settlePair(sell(), o), ISettlement.SameSide.selector);
        o = buy();
        o.instrumentId = perp;
        wasSkipped(settlePair(sell(), o), ISettlement.InstrumentMismatch.selector);
        o.instrumentId = keccak256("unlisted");
        wasSkipped(settlePair(sell(), o), ISettlement.UnknownInstrument.selector);
    }

    function test_rolesArePinned() public {
        OrderLib.Order memory o = buy();
        o.tif = OrderLib.POST_ONLY;
        wasSkipped(settlePair(sell(), o), ISettlement.WrongRole.selector);
        uint8[3] memory immediate = [OrderLib.IOC, OrderLib.FOK, OrderLib.MARKET];
        for (uint256 i; i < 3; ++i) {
            o = sell();
            o.tif = immediate[i];
            wasSkipped(settlePair(o, buy()), ISettlement.WrongRole.selector);
        }
    }

    function test_qty() public {
        wasSkipped(settle(pair(sell(), buy()), fillOf(0, 0, 0)), ISettlement.ZeroQty.selector);
        wasSkipped(settle(pair(sell(), buy()), fillOf(BTC + 1, 0, 0)), ISettlement.Overfill.selector);
        wasSkipped(settle(pair(sell(), buy()), fillOf(type(uint64).max, 0, 0)), ISettlement.Overfill.selector);
        OrderLib.Order memory smaller = buy();
        smaller.qty = BTC / 2;
        wasSkipped(settlePair(sell(), smaller), ISettlement.Overfill.selector);
        OrderLib.Order memory odd = sell();
        odd.limitPrice = PRICE - 1;
        wasSkipped(settle(pair(odd, buy()), fillOf(BTC / 2, 0, 0)), ISettlement.InexactNotional.selector);
    }

    function test_indexOutside() public {
        Fill[] memory fills = fillOf(BTC, 0, 0);
        fills[0].taker = 2;
        wasSkipped(settle(pair(sell(), buy()), fills), ISettlement.BadIndex.selector);
    }

    function test_feeBound() public {
        wasSkipped(
            settle(pair(sell(), buy()), fillOf(BTC, 300 * USD + 1, 0)), ISettlement.FeeAboveBound.selector
        );
        wasSkipped(
            settle(pair(sell(), buy()), fillOf(BTC, 0, 300 * USD + 1)), ISettlement.FeeAboveBound.selector
        );
        wasSettled(settle(pair(sell(), buy()), fillOf(BTC, 300 * USD, 300 * USD)));
        // A notional of 1 uUSDC may carry a fee of ceil(0.005) = 1.
        OrderLib.Order memory maker = order(bob, spot, 1, BTC, 1, 5);
        OrderLib.Order memory taker = order(alice, spot, 0, BTC, 1, 5);
        wasSkipped(settle(pair(maker, taker), fillOf(BTC, 2, 0)), ISettlement.FeeAboveBound.selector);
        wasSettled(settle(pair(maker, taker), fillOf(BTC, 1, 1)));
    }

    function test_noFunds() public {
        wasSkipped(
            settlePair(sell(), order(carol, spot, 0, BTC, PRICE, 1)), ISettlement.InsufficientFunds.selector
        );
        // The notional would do, the fee on top does not.
        fund(carol, 60_000 * USD);
        wasSkipped(
            settle(pair(sell(), order(carol, spot, 0, BTC, PRICE, 1)), fillOf(BTC, 0, 1)),
            ISettlement.InsufficientFunds.selector
        );
        wasSkipped(
            settlePair(order(carol, spot, 1, BTC, PRICE, 2), buy()), ISettlement.InsufficientAsset.selector
        );
    }

    // ---- cancels

    function test_cancelledNonce() public {
        vm.prank(bob);
        settlement.cancel(1);
        wasSettled(settle(pair(sell(), buy()), fillOf(BTC / 2, 0, 0)));
        // Again, which must not postpone it.
        vm.warp(START + CANCEL_DELAY - 1);
        vm.prank(bob);
        settlement.cancel(1);
        vm.warp(START + CANCEL_DELAY);
        wasSkipped(settle(pair(sell(), buy()), fillOf(BTC / 2, 0, 0)), ISettlement.OrderCancelled.selector);
        yes(!settlement.isCancelled(bob, 2), "others live");
    }

    function test_cancelUpTo() public {
        vm.prank(bob);
        settlement.cancelUpTo(2);
        yes(!settlement.isCancelled(bob, 1), "not yet");
        vm.warp(START + CANCEL_DELAY);
        wasSkipped(settlePair(sell(), buy()), ISettlement.OrderCancelled.selector);
        yes(!settlement.isCancelled(bob, 2), "the floor itself lives");
        // A raise keeps the old floor until it takes effect; a lower one changes nothing.
        vm.prank(bob);
        settlement.cancelUpTo(10);
        yes(settlement.isCancelled(bob, 1) && !settlement.isCancelled(bob, 9), "raise is delayed");
        vm.prank(bob);
        settlement.cancelUpTo(1);
        vm.warp(START + 2 * CANCEL_DELAY);
        yes(settlement.isCancelled(bob, 9) && !settlement.isCancelled(bob, 10), "raised");
    }

    function test_cancelBySig() public {
        uint40 deadline = uint40(START + 60);
        bytes32 digest =
            OrderLib.digest(settlement.DOMAIN_SEPARATOR(), OrderLib.hashCancel(bob, 5, 7, deadline));
        bytes memory sig = signature(BOB_KEY, digest);
        vm.expectRevert(ISettlement.BadCancelSignature.selector);
        settlement.cancelBySig(bob, 6, 7, deadline, sig);
        vm.prank(carol);
        settlement.cancelBySig(bob, 5, 7, deadline, sig);
        vm.warp(START + CANCEL_DELAY);
        yes(settlement.isCancelled(bob, 4) && !settlement.isCancelled(bob, 5), "floor");
        yes(settlement.isCancelled(bob, 7) && !settlement.isCancelled(bob, 8), "nonce");
        vm.expectRevert(ISettlement.SignatureExpired.selector);
        settlement.cancelBySig(bob, 5, 7, deadline, sig);
    }

    // ---- instruments

    function test_listing() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlement.AlreadyListed.selector, spot));
        settlement.listInstrument(instrument(0, "BTC-USDC"), address(sbtc), noTerms());
        vm.expectRevert(ISettlement.BadInstrument.selector);
        settlement.listInstrument(instrument(0, "X-USDC"), address(usdc), noTerms());
        vm.expectRevert(ISettlement.BadInstrument.selector);
        settlement.listInstrument(instrument(1, "X-PERP"), address(sbtc), terms(1_000_000));
        vm.expectRevert(IClearing.BadTerms.selector);
        settlement.listInstrument(instrument(1, "X-PERP"), address(0), noTerms());
        vm.expectRevert(abi.encodeWithSelector(ISettlement.UnsupportedKind.selector, uint8(4)));
        settlement.listInstrument(instrument(4, "X"), address(0), noTerms());
        vm.prank(alice);
        vm.expectRevert();
        settlement.listInstrument(instrument(1, "X-PERP"), address(0), terms(1_000_000));
        vm.expectRevert(ISettlement.AlreadySet.selector);
        settlement.setClearing(alice);
        eq(settlement.instrumentIdOf(instrument(0, "BTC-USDC")), spot, "id");
        eq(settlement.marketOf(spot).synth, address(sbtc), "synth");
    }

    // ---- after yield, one uUSDC is no longer a round number of shares

    function testFuzz_valueIsKeptAtAnySharePrice(uint256 yield_, uint64 qty, uint64 price) public {
        yield_ = bound(yield_, 0, 1_010 * USD);
        qty = uint64(bound(qty, 1, 100) * BTC / 100);
        price = uint64(bound(price, 1, 90_000)) * USD;
        usdc.mint(admin, yield_);
        usdc.approve(address(vault), yield_);
        vault.accrue(int256(yield_));
        uint256 aliceBefore = vault.usdcOf(alice);
        uint256 bobBefore = vault.usdcOf(bob);
        uint256 shares = vault.sharesOf(alice) + vault.sharesOf(bob);

        wasSettled(trade(spot, bob, false, alice, qty, price, 1));

        uint256 n = uint256(price) * qty / BTC;
        uint256 aliceLost = aliceBefore - vault.usdcOf(alice);
        uint256 bobGot = vault.usdcOf(bob) - bobBefore;
        yes(aliceLost == n || aliceLost == n + 1, "buyer");
        yes(bobGot == n || bobGot + 1 == n, "seller");
        uint256 dust = shares - vault.sharesOf(alice) - vault.sharesOf(bob);
        eq(dust, vault.sharesOf(treasury), "the rest is with the treasury");
        yes(dust <= 2, "and is dust");
    }

    function testFuzz_feeNeverAboveTheSignedBound(uint64 fee, uint16 bps, uint64 qty) public {
        qty = uint64(bound(qty, 1, BTC));
        OrderLib.Order memory maker = order(bob, spot, 1, qty, 100 * BTC, 1);
        OrderLib.Order memory taker = order(alice, spot, 0, qty, 100 * BTC, 1);
        maker.maxFeeBps = uint16(bound(bps, 0, 10_000));
        uint256 n = uint256(qty) * 100;
        fee = uint64(bound(fee, 0, n));
        Result memory result = settle(pair(maker, taker), fillOf(qty, fee, 0));
        if (uint256(fee) * 10_000 >= uint256(maker.maxFeeBps) * n + 10_000) {
            wasSkipped(result, ISettlement.FeeAboveBound.selector);
        } else {
            wasSettled(result);
        }
    }
}
