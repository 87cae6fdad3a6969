// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "../OrderLib.sol";

/// @title Positions, margin, funding, liquidation and expiry of perpetuals, futures and options
/// @notice Every instrument has an account of its own in the Vault (`accountOf`); nothing else pays for its losses.
/// value of that account >= sum(margin) - sum(cost) + insurance, over all positions of the instrument; the surplus is
/// what rounding of funding left over.
interface IClearing {
    error OnlySettlement();
    error AlreadyKnown(bytes32 instrumentId);
    error UnknownBook(bytes32 instrumentId);
    error BadTerms();

    // Reasons to refuse a fill.
    /// @notice A reduction whose loss exceeds released plus remaining margin.
    error WouldBeBankrupt(address account);
    error ReduceOnlyViolated(address account);
    error MarginNotCovered(address account);
    /// @notice The instrument's account cannot pay a profit.
    error ClearingShort();
    /// @notice The escrow of an option writer is not a whole number of uUSDC.
    error InexactEscrow();
    /// @notice The instrument has its settlement price.
    error InstrumentExpired();
    /// @notice The position must first be brought up to date with `settleFunding`.
    error FundingBehind(address account);

    // Observations.
    error BadSigners();
    error TooFewSignatures(uint256 valid, uint256 threshold);
    error StaleObservation();
    error NotExpired();
    error NotAbandoned();
    error WrongKind();
    error BadValue();

    // Liquidation and claims.
    error StaleMark();
    error Healthy(address account);
    error OutsideBand(uint64 price);
    error BadQty();
    error InexactPrice();
    error InsuranceExhausted(uint256 shortfall);
    error NotDeleverageable(address account);
    error NothingToClaim();
    error ClaimsNotOpen(uint256 opensAt);

    /// @param size signed 1e-8 base  @param cost signed uUSDC, + for longs  @param margin uUSDC; of an option writer the
    /// escrow; may be negative after funding  @param tick number of funding payments that it has had
    struct Position {
        int128 size;
        int128 cost;
        int128 margin;
        uint64 tick;
    }

    /// @param imPpm initial margin, ppm of the notional  @param mmPpm maintenance margin, ppm of the value at mark
    /// @param liquidationFeePpm of the closed notional, to insurance  @param bandPpm how far from the mark a liquidation may be
    /// @param markMovePpm how far a mark may be from the one before  @param fundingPpm how much of the mark one funding
    /// payment may be  @param cap uUSDC per 1.0 base at which a call pays no more
    struct Terms {
        uint32 imPpm;
        uint32 mmPpm;
        uint32 liquidationFeePpm;
        uint32 bandPpm;
        uint32 markMovePpm;
        uint32 fundingPpm;
        uint64 cap;
    }

    /// @param makerFloor whether initial margin of the maker's opened part is rounded down: margin, like the fee, is one
    /// rounded-up amount per order, so the ledger's steps of an order are each rounded up or down; never anything else
    /// @param makerAvailable uUSDC of the maker after the fee; may be negative, then the fill must bring enough
    /// @param houseAvailable uUSDC of the instrument's account
    struct Fill {
        bytes32 instrumentId;
        uint64 price;
        uint64 qty;
        bool makerBuys;
        bool makerFloor;
        bool takerFloor;
        bool makerReduceOnly;
        bool takerReduceOnly;
        address maker;
        address taker;
        int256 makerAvailable;
        int256 takerAvailable;
        int256 houseAvailable;
    }

    event InstrumentKnown(bytes32 indexed instrumentId, uint8 kind, Terms terms);
    event SignersSet(address[] signers, uint256 threshold);
    event Marked(bytes32 indexed instrumentId, uint64 price, uint40 timestamp);
    event FundingPublished(bytes32 indexed instrumentId, uint64 tick, int128 perUnit, uint40 timestamp);
    event ExpiryPriced(bytes32 indexed instrumentId, uint64 price);
    event FundingSettled(bytes32 indexed instrumentId, address indexed account, int256 delta, uint64 tick);
    event Liquidated(
        bytes32 indexed instrumentId, address indexed account, address indexed liquidator, uint64 qty, uint64 price
    );
    event Deleveraged(bytes32 indexed instrumentId, address indexed account, address indexed counterparty, uint64 qty, uint256 notional);
    event Claimed(bytes32 indexed instrumentId, address indexed account, uint256 amount);
    event DeficitRecorded(bytes32 indexed instrumentId, address indexed account, uint256 deficit);
    event InsuranceChanged(bytes32 indexed instrumentId, uint256 amount);

    /// @notice Applies one fill to both positions, or reverts and changes nothing. Moves no money: Settlement does.
    /// @return makerDelta uUSDC that the maker's account gets (negative: pays), before fees
    /// @return takerDelta the same for the taker
    function fill(Fill calldata f) external returns (int256 makerDelta, int256 takerDelta);

    function list(bytes32 instrumentId, OrderLib.Instrument calldata instrument, Terms calldata terms) external;

    function positionOf(address account, bytes32 instrumentId) external view returns (Position memory);
    /// @notice The instrument's account in the Vault: the low 20 bytes of its id, an address without a key.
    function accountOf(bytes32 instrumentId) external pure returns (address);
    function settlement() external view returns (address);
}
