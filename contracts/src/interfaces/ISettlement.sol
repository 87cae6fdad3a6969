// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "../OrderLib.sol";
import {IClearing} from "./IClearing.sol";

/// @title Verifies signed orders and settles what the off-chain book has matched
/// @notice price in 1e-6 USDC per 1.0 base, qty in 1e-8 base, notional = price * qty / 1e8 uUSDC, exact.
/// The price of a fill is the maker's signed limit: the operator has no room to choose.
interface ISettlement {
    // The batch reverts only for these.
    error WrongBatch(uint64 expected, uint64 given);
    error WrongHead(bytes32 expected, bytes32 given);
    error MalformedBatch();
    /// @notice An account or instrument that is not above the one before it in its table.
    error NotAscending(bytes32 entry);

    // Reasons to skip a fill; their selectors are in FillSkipped. Clearing adds its own.
    error BadIndex();
    error UnknownInstrument();
    error BadSignature();
    error SessionExceeded();
    error OrderExpired();
    error OrderCancelled();
    error NonceRecycled();
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
    /// @notice Clearing failed without saying why, as when it ran out of gas.
    error ClearingFailed();

    // Co-signed net lines: any of these reverts the batch.
    error BadReceipt(address account);

    // Administration, cancels and sessions.
    error AlreadyListed(bytes32 instrumentId);
    error AlreadySet();
    error ZeroAddress();
    error UnsupportedKind(uint8 kind);
    error BadInstrument();
    error SignatureExpired();
    error BadCancelSignature();
    error BadSessionSignature();
    error SessionNonceUsed(uint64 nonce);
    error SessionWouldShrink();

    struct Market {
        bool listed;
        uint8 kind;
        address synth;
    }

    /// @param nonce of the last change; a relayed change must have a higher one
    /// @param scope bit 1 << kind for every kind of instrument that the key may trade
    struct Session {
        uint40 expiry;
        uint64 maxOrderNotional;
        uint32 scope;
        uint64 nonce;
    }

    event InstrumentListed(bytes32 indexed instrumentId, uint8 kind, string symbol, address synth, uint32 imPpm);
    event BatchSettled(uint64 indexed batchId, bytes32 head, uint256 settled, uint256 skipped);
    event FillSkipped(uint64 indexed batchId, uint256 index, bytes4 reason);
    event NetSettled(uint64 indexed batchId, bytes32 head, address asset, bytes32 root, uint256 lines);
    event NonceCancelled(address indexed account, uint64 nonce, uint256 effectiveAt);
    event FloorRaised(address indexed account, uint64 minNonce, uint256 effectiveAt);
    event SessionSet(
        address indexed account, address indexed key, uint40 expiry, uint64 maxOrderNotional, uint32 scope, uint64 nonce
    );
    event ClearingSet(address clearing);

    /// @param data orders with their signatures and fills, packed as {BatchLib} says
    function settleBatch(uint64 batchId, bytes32 prevHash, bytes calldata data) external;

    /// @notice The second path: what many fills come to, one line per account, each signed by its account. For market
    /// makers who are always there to sign; nothing is taken without a signature, so no order is checked.
    /// @param asset the synth that changes hands beside USDC shares; the zero address when none does
    /// @param root commits to the fills behind the lines; not interpreted here
    /// @param data lines of 20 bytes account, i128 shareDelta, i128 assetDelta, u64 minNonce, 32 bytes r, 32 bytes s with
    /// the parity of v in its top bit, 124 in all. The treasury's line needs no signature when it only gains
    function settleNet(uint64 batchId, bytes32 prevHash, address asset, bytes32 root, bytes calldata data) external;

    function listInstrument(OrderLib.Instrument calldata instrument, address synth, IClearing.Terms calldata terms)
        external
        returns (bytes32 instrumentId);
    function setClearing(address clearing) external;

    /// @notice Voids the caller's orders with this nonce, from `cancelDelay` on.
    /// @dev The delay keeps a loser from undoing a fill that is matched but not yet settled; off chain a cancel is instant.
    function cancel(uint64 nonce) external;

    /// @notice Voids the caller's orders with a nonce below `minNonce`, from `cancelDelay` on.
    function cancelUpTo(uint64 minNonce) external;

    /// @notice Both in one, signed by the account or its session key, sent by anyone; zero leaves that part out. Takes
    /// effect with the same delay.
    function cancelBySig(address account, uint64 minNonce, uint64 nonce, uint40 deadline, bytes calldata sig) external;

    /// @notice Lets `key` sign the caller's orders and cancels, never withdrawals. While a session lives its terms can only
    /// widen; an earlier expiry takes effect after `cancelDelay`, for the same reason as a cancel.
    function setSession(address key, uint40 expiry, uint64 maxOrderNotional, uint32 scope) external;

    /// @notice The same signed by the account, sent by anyone.
    function setSessionBySig(address account, address key, Session calldata terms, bytes calldata sig) external;

    /// @notice Quantity filled under a nonce; orders that share a nonce share the counter. Of a recycled lane: zero when
    /// the lane counts another nonce.
    function filled(address account, uint64 nonce) external view returns (uint64);
    function isCancelled(address account, uint64 nonce) external view returns (bool);
    function sessionOf(address account, address key) external view returns (Session memory);
    function marketOf(bytes32 instrumentId) external view returns (Market memory);
    function instrumentIdOf(OrderLib.Instrument calldata instrument) external pure returns (bytes32);
    /// @return the EIP-712 digest that the account signs
    function hashOrder(OrderLib.Order calldata order) external view returns (bytes32);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function lastBatchId() external view returns (uint64);
    function head() external view returns (bytes32);
}
