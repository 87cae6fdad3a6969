// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {Fixture} from "./Base.sol";

contract FailuresTest is Fixture {
    /// @dev A Clearing that fails without a reason skips the fill, and nothing of it settles.
    function test_aMuteFailureIsNoSuccess() public {
        fund(alice, 100_000 * USD);
        fund(bob, 100_000 * USD);
        OrderLib.Order[] memory orders =
            pair(order(bob, perp, 1, BTC, 60_000 * USD, 1), order(alice, perp, 0, BTC, 60_000 * USD, 1));
        bytes memory data = packed(orders, signAll(orders), fillOf(BTC, 0, 0));
        vm.mockCallRevert(address(clearing), abi.encodeWithSelector(clearing.fill.selector), "");
        wasSkipped(settleData(data), ISettlement.ClearingFailed.selector);
        eq(settlement.filled(alice, 1), 0, "not filled");
        eq(vault.usdcOf(alice), 100_000 * USD, "not paid");
    }
}
