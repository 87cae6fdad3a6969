// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {Fixture} from "./Base.sol";

/// @dev Session keys, recycled nonces, co-signed net lines.
contract AuthorityTest is Fixture {
    uint64 private constant PRICE = 60_000 * USD;
    uint64 private constant LANE = 1 << 63;
    uint256 private constant BOT_KEY = 0xB07;
    address private bot = vm.addr(BOT_KEY);

    function setUp() public override {
        super.setUp();
        fund(alice, 100_000 * USD);
        fundSynth(bob, 2 * BTC);
        fund(bob, 1_000 * USD);
    }

    function sell() private view returns (OrderLib.Order memory) {
        return order(bob, spot, 1, BTC, PRICE, 1);
    }

    function buy() private view returns (OrderLib.Order memory) {
        return order(alice, spot, 0, BTC, PRICE, 1);
    }

    /// @dev Bob sells, alice's order is signed by the bot.
    function settleByBot(OrderLib.Order memory taker, uint64 qty) private returns (Result memory) {
        OrderLib.Order[] memory orders = pair(sell(), taker);
        bytes[] memory signatures = signAll(orders);
        signatures[1] = signature(BOT_KEY, settlement.hashOrder(taker));
        return settle(orders, signatures, fillOf(qty, 0, 0));
    }

    function openSession(uint40 expiry, uint64 most, uint32 scope) private {
        vm.prank(alice);
        settlement.setSession(bot, expiry, most, scope);
    }

    function session(uint256 key, ISettlement.Session memory terms) private view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(OrderLib.SESSION_TYPEHASH, alice, bot, terms));
        return signature(key, OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    // ---- sessions

    function test_aSessionKeySignsOrders() public {
        wasSkipped(settleByBot(buy(), BTC / 4), ISettlement.BadSignature.selector);
        openSession(uint40(START + 1 days), uint64(PRICE), 1);
        wasSettled(settleByBot(buy(), BTC / 4));
        vm.warp(START + 1 days - 1);
        wasSettled(settleByBot(buy(), BTC / 4));
        vm.warp(START + 1 days);
        wasSkipped(settleByBot(buy(), BTC / 4), ISettlement.BadSignature.selector);
    }

    function test_aSessionHasLimits() public {
        openSession(uint40(START + 1 days), uint64(PRICE) - 1, 1);
        wasSkipped(settleByBot(buy(), BTC / 4), ISettlement.SessionExceeded.selector);
        openSession(uint40(START + 1 days), uint64(PRICE), 1);
        wasSettled(settleByBot(buy(), BTC / 4));
    }

    function test_aSessionIsForSomeKinds() public {
        openSession(uint40(START + 1 days), type(uint64).max, 2);
        wasSkipped(settleByBot(buy(), BTC / 4), ISettlement.SessionExceeded.selector);
        openSession(uint40(START + 1 days), type(uint64).max, 3);
        wasSettled(settleByBot(buy(), BTC / 4));
    }

    function test_aSessionEndsAfterTheDelay() public {
        openSession(uint40(START + 1 days), type(uint64).max, 1);
        openSession(0, type(uint64).max, 1);
        eq(settlement.sessionOf(alice, bot).expiry, START + CANCEL_DELAY, "not at once");
        wasSettled(settleByBot(buy(), BTC / 4));
        vm.warp(START + CANCEL_DELAY);
        wasSkipped(settleByBot(buy(), BTC / 4), ISettlement.BadSignature.selector);
    }

    function test_endingASessionTwiceDoesNotPostponeIt() public {
        openSession(uint40(START + 1 days), 1, 1);
        openSession(0, 1, 1);
        vm.warp(START + CANCEL_DELAY - 1);
        openSession(0, 1, 1);
        eq(settlement.sessionOf(alice, bot).expiry, START + CANCEL_DELAY, "as before");
    }

    function test_aLiveSessionOnlyWidens() public {
        openSession(uint40(START + 1 days), 5, 3);
        vm.expectRevert(ISettlement.SessionWouldShrink.selector);
        openSession(uint40(START + 1 days), 4, 3);
        vm.expectRevert(ISettlement.SessionWouldShrink.selector);
        openSession(uint40(START + 1 days), 5, 2);
        openSession(uint40(START + 2 days), 6, 7);
        vm.warp(START + 2 days);
        openSession(uint40(START + 3 days), 1, 1);
        eq(settlement.sessionOf(alice, bot).maxOrderNotional, 1, "a dead one may be anything");
        vm.expectRevert(ISettlement.ZeroAddress.selector);
        settlement.setSession(address(0), 1, 1, 1);
    }

    function test_aSessionBySignature() public {
        ISettlement.Session memory terms = ISettlement.Session(uint40(START + 1 days), type(uint64).max, 1, 1);
        bytes memory sig = session(BOT_KEY, terms);
        vm.expectRevert(ISettlement.BadSessionSignature.selector);
        settlement.setSessionBySig(alice, bot, terms, sig);
        sig = session(ALICE_KEY, terms);
        settlement.setSessionBySig(alice, bot, terms, sig);
        wasSettled(settleByBot(buy(), BTC / 4));
        // Ended, and the old signature does not bring it back.
        openSession(0, type(uint64).max, 1);
        vm.warp(START + CANCEL_DELAY);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.SessionNonceUsed.selector, uint64(2)));
        settlement.setSessionBySig(alice, bot, terms, sig);
    }

    function test_aSessionKeyCancels() public {
        bytes32 structHash = OrderLib.hashCancel(alice, 0, 1, uint40(START + 60));
        bytes memory sig = signature(BOT_KEY, OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash));
        vm.expectRevert(ISettlement.BadCancelSignature.selector);
        settlement.cancelBySig(alice, 0, 1, uint40(START + 60), sig);
        openSession(uint40(START + 1 days), 0, 0);
        settlement.cancelBySig(alice, 0, 1, uint40(START + 60), sig);
        vm.warp(START + CANCEL_DELAY);
        yes(settlement.isCancelled(alice, 1), "cancelled");
    }

    function test_aSessionKeyDoesNotWithdraw() public {
        openSession(uint40(START + 1 days), type(uint64).max, type(uint32).max);
        bytes32 structHash = OrderLib.hashWithdrawal(alice, USD, false, 1, uint40(START + 60));
        bytes memory sig = signature(BOT_KEY, OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash));
        vm.expectRevert();
        vault.withdrawBySig(alice, USD, false, 1, uint40(START + 60), sig);
    }

    /// @dev Each signature has one form: the other one, with the same meaning on the curve, is nobody's.
    function test_highSIsNobodysSignature() public {
        bytes32 structHash = OrderLib.hashCancel(alice, 0, 1, uint40(START + 60));
        bytes32 digest = OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE_KEY, digest);
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory other = abi.encodePacked(r, n - uint256(s), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(ISettlement.BadCancelSignature.selector);
        settlement.cancelBySig(alice, 0, 1, uint40(START + 60), other);
        settlement.cancelBySig(alice, 0, 1, uint40(START + 60), abi.encodePacked(r, s, v));
    }

    // ---- recycled nonces

    function lane(uint64 generation, uint64 place) private pure returns (uint64) {
        return LANE + (generation << 8) + place;
    }

    function test_aNewerNonceTakesTheLane() public {
        wasSettled(trade(spot, bob, false, alice, BTC / 10, PRICE, lane(1, 7)));
        eq(settlement.filled(alice, lane(1, 7)), BTC / 10, "first");
        wasSettled(trade(spot, bob, false, alice, BTC / 5, PRICE, lane(2, 7)));
        eq(settlement.filled(alice, lane(2, 7)), BTC / 5, "second");
        eq(settlement.filled(alice, lane(1, 7)), 0, "the first is forgotten");
        wasSkipped(trade(spot, bob, false, alice, BTC / 10, PRICE, lane(1, 7)), ISettlement.NonceRecycled.selector);
    }

    function test_anOrderInALaneFillsInParts() public {
        OrderLib.Order[] memory orders = pair(sell(), buy());
        (orders[0].nonce, orders[1].nonce) = (lane(3, 0), lane(9, 255));
        wasSettled(settle(orders, fillOf(BTC / 4, 0, 0)));
        wasSettled(settle(orders, fillOf(3 * BTC / 4, 0, 0)));
        wasSkipped(settle(orders, fillOf(1e6, 0, 0)), ISettlement.Overfill.selector);
        eq(settlement.filled(bob, lane(3, 0)), BTC, "filled");
    }

    /// @dev What is counted is what a plain mapping would count, for neighbours in the same words, too.
    function testFuzz_lanes(uint256 seed) public {
        uint64[3] memory nonces = [lane(uint64(seed % 3), 4), lane(uint64(seed >> 8) % 3, 5), lane(2, 6)];
        uint64[3] memory total;
        for (uint256 i; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 qty = uint64(bound(seed >> 8, 1, 9)) * 1e6;
            uint256 k = seed % 3;
            OrderLib.Order[] memory orders = pair(sell(), buy());
            (orders[0].nonce, orders[1].nonce) = (uint64(i + 1), nonces[k]);
            wasSettled(settle(orders, fillOf(qty, 0, 0)));
            total[k] += qty;
            for (uint256 j; j < 3; ++j) {
                eq(settlement.filled(alice, nonces[j]), total[j], "lane");
            }
        }
    }

    function test_aFloorVoidsOlderNoncesOfAllLanes() public {
        vm.prank(alice);
        settlement.cancelUpTo(lane(5, 0));
        vm.warp(START + CANCEL_DELAY);
        yes(settlement.isCancelled(alice, 1), "plain ones are below");
        yes(settlement.isCancelled(alice, lane(4, 255)), "older");
        yes(!settlement.isCancelled(alice, lane(5, 0)), "newer");
    }

    // ---- net lines

    struct Net {
        uint256 key;
        address account;
        int128 shares;
        int128 assets;
        uint64 minNonce;
    }

    bytes32 private constant ROOT = keccak256("fills");

    function line(Net memory net, uint64 batchId, address asset) private view returns (bytes memory) {
        bytes32 structHash = keccak256(
            abi.encode(
                OrderLib.NET_RECEIPT_TYPEHASH, batchId, asset, net.account, int256(net.shares), int256(net.assets), net.minNonce, ROOT
            )
        );
        bytes32 digest = OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(net.key, digest);
        if (v == 28) s |= bytes32(uint256(1) << 255);
        return abi.encodePacked(net.account, net.shares, net.assets, net.minNonce, r, s);
    }

    function lines(int128 shares, int128 assets, int128 fees) private view returns (bytes memory data) {
        data = line(Net(ALICE_KEY, alice, -shares, assets, 5), 1, address(sbtc));
        data = abi.encodePacked(data, line(Net(BOB_KEY, bob, shares - fees, -assets, 5), 1, address(sbtc)));
        data = abi.encodePacked(data, treasury, fees, int128(0), uint64(0), bytes32(0), bytes32(0));
    }

    function test_netLines() public {
        bytes memory data = lines(60_000e12, int128(int64(BTC)), 300e12);
        settlement.settleNet(1, 0, address(sbtc), ROOT, data);
        eq(vault.usdcOf(alice), 40_000 * USD, "alice paid");
        eq(vault.usdcOf(bob), 60_700 * USD, "bob is paid");
        eq(vault.usdcOf(treasury), 300 * USD, "fees");
        eq(vault.assetOf(alice, address(sbtc)), BTC, "alice has it");
        eq(settlement.lastBatchId(), 1, "in the same chain");
        // What was counted in the lines cannot be settled again by its orders.
        yes(settlement.isCancelled(alice, 4) && settlement.isCancelled(bob, 4), "below");
        yes(!settlement.isCancelled(alice, 5), "not below");
        vm.expectRevert();
        settlement.settleNet(1, 0, address(sbtc), ROOT, data);
    }

    function test_netLinesAreForTheBatchTheyName() public {
        settle(new OrderLib.Order[](0), new Fill[](0));
        bytes memory data = lines(1e12, 0, 0);
        bytes32 head = settlement.head();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BadReceipt.selector, alice));
        settlement.settleNet(2, head, address(sbtc), ROOT, data);
    }

    function test_netLinesAreSignedByTheirAccounts() public {
        bytes memory data = line(Net(BOB_KEY, alice, -1e12, 0, 0), 1, address(sbtc));
        data = abi.encodePacked(data, line(Net(BOB_KEY, bob, 1e12, 0, 0), 1, address(sbtc)));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BadReceipt.selector, alice));
        settlement.settleNet(1, 0, address(sbtc), ROOT, data);
        // Nor may the treasury lose without its signature.
        data = abi.encodePacked(treasury, int128(-1), int128(0), uint64(0), bytes32(0), bytes32(0));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BadReceipt.selector, treasury));
        settlement.settleNet(1, 0, address(sbtc), ROOT, data);
    }

    function test_netLinesAreWhole() public {
        bytes memory data = lines(1e12, 1, 0);
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleNet(1, 0, address(sbtc), ROOT, abi.encodePacked(data, uint8(0)));
        data = line(Net(ALICE_KEY, alice, 0, 1, 0), 1, address(0));
        vm.expectRevert(ISettlement.MalformedBatch.selector);
        settlement.settleNet(1, 0, address(0), ROOT, data);
        vm.prank(alice);
        vm.expectRevert();
        settlement.settleNet(1, 0, address(sbtc), ROOT, "");
    }

    function test_netLinesMintNothing() public {
        bytes memory data = line(Net(ALICE_KEY, alice, 1, 0, 0), 1, address(0));
        vm.expectRevert();
        settlement.settleNet(1, 0, address(0), ROOT, data);
        data = line(Net(BOB_KEY, bob, 0, 1, 0), 1, address(sbtc));
        vm.expectRevert();
        settlement.settleNet(1, 0, address(sbtc), ROOT, data);
    }

    /// @dev A floor raised at once neither lowers one that is there nor brings one forward that waits above it.
    function test_floorsOfBothKinds() public {
        vm.prank(alice);
        settlement.cancelUpTo(10);
        settlement.settleNet(1, 0, address(sbtc), ROOT, lines(1e12, 0, 0));
        yes(settlement.isCancelled(alice, 4), "at once");
        yes(!settlement.isCancelled(alice, 9), "still waits");
        vm.warp(START + CANCEL_DELAY);
        yes(settlement.isCancelled(alice, 9), "in its time");
        bytes32 head = settlement.head();
        bytes memory data = line(Net(ALICE_KEY, alice, 0, 0, 7), 2, address(0));
        settlement.settleNet(2, head, address(0), ROOT, data);
        yes(settlement.isCancelled(alice, 9), "stays");
    }
}
