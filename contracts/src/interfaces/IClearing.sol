// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Positions and margin of perpetuals
/// @notice Keeps numbers only. Its address is an account of the Vault, and Settlement moves the shares; so
/// value of the clearing account == sum(margin) - sum(cost), over all positions.
interface IClearing {
    error OnlySettlement();
    /// @notice A reduction whose loss exceeds released plus remaining margin.
    error WouldBeBankrupt(address account);
    error ReduceOnlyViolated(address account);
    error MarginNotCovered(address account);
    /// @notice The clearing account itself cannot pay a profit.
    error ClearingShort();

    /// @param size signed 1e-8 base  @param cost signed uUSDC, + for longs  @param margin uUSDC
    struct Position {
        int128 size;
        int128 cost;
        uint128 margin;
    }

    /// @param imPpm initial margin in parts per million of the notional
    struct Trade {
        bytes32 instrumentId;
        uint32 imPpm;
        uint64 price;
        uint64 qty;
    }

    /// @param available uUSDC of the account after the fee of this fill; may be negative, then the fill must bring enough
    struct Leg {
        address account;
        bool buy;
        bool reduceOnly;
        int256 available;
    }

    /// @notice Applies one fill to both positions, or reverts and changes nothing.
    /// @return makerDelta uUSDC that the maker's account gets (negative: pays), before fees
    /// @return takerDelta the same for the taker
    function fill(Trade calldata trade, int256 clearingAvailable, Leg calldata maker, Leg calldata taker)
        external
        returns (int256 makerDelta, int256 takerDelta);

    function positionOf(address account, bytes32 instrumentId) external view returns (Position memory);
    function settlement() external view returns (address);
}
