// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "../OrderLib.sol";

/// @title Verifies signed orders and settles what the off-chain book has matched
/// @notice price in 1e-6 USDC per 1.0 base, qty in 1e-8 base, notional = price * qty / 1e8 uUSDC, exact.
/// The price of a fill is the maker's signed limit: the operator has no room to choose.
interface ISettlement {
    // The batch reverts only for these.
    error WrongBatch(uint64 expected, uint64 given);
    error WrongHead(bytes32 expected, bytes32 given);
    error LengthMismatch();

    // Reasons to skip a fill; their selectors are in FillSkipped. Clearing adds its own.
    error BadIndex();
    error UnknownInstrument();
    error BadSignature();
    error OrderExpired();
    error OrderCancelled();
    error SelfTrade();
    error InstrumentMismatch();
    error SameSide();
    error WrongRole();
    error NotCrossing();
    error ZeroQty();
    error Overfill();
    error InexactNotional();
    error FeeAboveBound();
    error InsufficientFunds();
    error InsufficientAsset();

    // Administration and cancels.
    error AlreadyListed(bytes32 instrumentId);
    error AlreadySet();
    error ZeroAddress();
    error UnsupportedKind(uint8 kind);
    error BadInstrument();
    error SignatureExpired();
    error BadCancelSignature();

    /// @param maker index of the maker's order in the batch  @param taker index of the taker's order
    /// @param makerFee uUSDC charged off chain, bounded here by the signed maxFeeBps
    struct Fill {
        uint32 maker;
        uint32 taker;
        uint64 qty;
        uint64 makerFee;
        uint64 takerFee;
    }

    struct Market {
        bool listed;
        uint8 kind;
        uint32 imPpm;
        address synth;
    }

    event InstrumentListed(bytes32 indexed instrumentId, uint8 kind, string symbol, address synth, uint32 imPpm);
    event BatchSettled(uint64 indexed batchId, bytes32 head, uint256 settled, uint256 skipped);
    event FillSkipped(uint64 indexed batchId, uint256 index, bytes4 reason);
    event NonceCancelled(address indexed account, uint64 nonce, uint256 effectiveAt);
    event FloorRaised(address indexed account, uint64 minNonce, uint256 effectiveAt);
    event ClearingSet(address clearing);

    function settleBatch(
        uint64 batchId,
        bytes32 prevHash,
        OrderLib.Order[] calldata orders,
        bytes[] calldata signatures,
        Fill[] calldata fills
    ) external;

    function listInstrument(OrderLib.Instrument calldata instrument, address synth, uint32 imPpm)
        external
        returns (bytes32 instrumentId);
    function setClearing(address clearing) external;

    /// @notice Voids the caller's orders with this nonce, from `cancelDelay` on.
    /// @dev The delay keeps a loser from undoing a fill that is matched but not yet settled; off chain a cancel is instant.
    function cancel(uint64 nonce) external;

    /// @notice Voids the caller's orders with a nonce below `minNonce`, from `cancelDelay` on.
    function cancelUpTo(uint64 minNonce) external;

    /// @notice Both in one, signed by the account, sent by anyone; zero leaves that part out. Takes effect with the same delay.
    function cancelBySig(address account, uint64 minNonce, uint64 nonce, uint40 deadline, bytes calldata sig) external;

    /// @notice Quantity filled under a nonce; orders that share a nonce share the counter.
    function filled(address account, uint64 nonce) external view returns (uint64);
    function isCancelled(address account, uint64 nonce) external view returns (bool);
    function marketOf(bytes32 instrumentId) external view returns (Market memory);
    function instrumentIdOf(OrderLib.Instrument calldata instrument) external pure returns (bytes32);
    /// @return the EIP-712 digest that the account signs
    function hashOrder(OrderLib.Order calldata order) external view returns (bytes32);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function lastBatchId() external view returns (uint64);
    function head() external view returns (bytes32);
}
