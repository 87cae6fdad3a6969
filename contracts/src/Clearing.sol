// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IClearing} from "./interfaces/IClearing.sol";
import {OrderLib} from "./OrderLib.sol";

/// @notice See {IClearing}.
/// @dev First form: isolated margin, no funding, liquidation or expiry yet. A position is (size, signed cost, margin) and
/// no average price, so that sum(size) = 0 and sum(cost) = sum(margin) - clearing account hold exactly under any rounding.
contract Clearing is IClearing {
    using SafeCast for int256;
    using SafeCast for uint256;

    uint256 private constant PPM = 1e6;

    address public immutable settlement;

    mapping(address account => mapping(bytes32 instrumentId => Position)) private _positions;

    constructor(address settlement_) {
        settlement = settlement_;
    }

    function fill(Trade calldata trade, int256 clearingAvailable, Leg calldata maker, Leg calldata taker)
        external
        returns (int256 makerDelta, int256 takerDelta)
    {
        if (msg.sender != settlement) revert OnlySettlement();
        makerDelta = _move(trade, maker);
        takerDelta = _move(trade, taker);
        // What the two accounts get is what the clearing account pays.
        if (clearingAvailable - makerDelta - takerDelta < 0) revert ClearingShort();
    }

    function positionOf(address account, bytes32 instrumentId) external view returns (Position memory) {
        return _positions[account][instrumentId];
    }

    /// @return delta uUSDC that the account gets
    function _move(Trade calldata trade, Leg calldata leg) private returns (int256 delta) {
        Position memory p = _positions[leg.account][trade.instrumentId];
        uint256 held = _abs(p.size);
        uint256 closing = p.size != 0 && (p.size > 0) != leg.buy ? Math.min(trade.qty, held) : 0;
        uint256 opening = trade.qty - closing;
        if (leg.reduceOnly && opening != 0) revert ReduceOnlyViolated(leg.account);

        // Settlement has checked that the whole notional is exact, and lot sizes make both parts exact; the opening part
        // is the rest, so that cost and money agree even if they did not.
        uint256 closed = uint256(trade.price) * closing / OrderLib.QTY_ONE;
        uint256 opened = uint256(trade.price) * trade.qty / OrderLib.QTY_ONE - closed;
        if (closing != 0) delta = _reduce(p, leg, held, closing, closed);
        if (opening != 0) delta -= _increase(p, leg.buy, opening, opened, trade.imPpm).toInt256();

        if (leg.available + delta < 0) revert MarginNotCovered(leg.account);
        _positions[leg.account][trade.instrumentId] = p;
    }

    function _increase(Position memory p, bool buy, uint256 qty, uint256 n, uint32 imPpm)
        private
        pure
        returns (uint256 margin)
    {
        int256 k = buy ? int256(1) : -1;
        margin = Math.ceilDiv(n * imPpm, PPM);
        p.size = (p.size + k * qty.toInt256()).toInt128();
        p.cost = (p.cost + k * n.toInt256()).toInt128();
        p.margin = (p.margin + margin).toUint128();
    }

    /// @dev Closes `qty` of `held`. The released cost is rounded up, so profit is rounded down, for longs and shorts alike.
    function _reduce(Position memory p, Leg calldata leg, uint256 held, uint256 qty, uint256 n)
        private
        pure
        returns (int256 payout)
    {
        int256 k = leg.buy ? int256(1) : -1;
        int256 released = _ceilDiv(p.cost * qty.toInt256(), held.toInt256());
        uint256 margin = uint256(p.margin) * qty / held;
        payout = margin.toInt256() - released - k * n.toInt256();

        p.size = (p.size + k * qty.toInt256()).toInt128();
        p.cost = (p.cost - released).toInt128();
        p.margin = (p.margin - margin).toUint128();
        if (payout < 0) {
            // A loss above the released margin is paid by the margin that stays, not by the free balance.
            int256 left = uint256(p.margin).toInt256() + payout;
            if (left < 0) revert WouldBeBankrupt(leg.account);
            p.margin = uint256(left).toUint128();
            payout = 0;
        }
    }

    /// @dev Mathematical ceiling of a / b, b > 0. Division of the EVM truncates, which is the ceiling of a negative number.
    function _ceilDiv(int256 a, int256 b) private pure returns (int256) {
        return a > 0 ? (a - 1) / b + 1 : a / b;
    }

    function _abs(int128 x) private pure returns (uint256) {
        return uint256(x < 0 ? -int256(x) : int256(x));
    }
}
