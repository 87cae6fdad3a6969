// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {IClearing} from "./interfaces/IClearing.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {OrderLib} from "./OrderLib.sol";

/// @title What Clearing believes of the world: marks, funding payments and prices at expiry
/// @dev An observation counts when `threshold` of the signers signed it, in the domain of Settlement. Anyone may bring it.
abstract contract Oracle is IClearing, AccessControl {
    uint8 public constant MARK = 0;
    uint8 public constant FUNDING = 1;
    uint8 public constant EXPIRY = 2;

    uint256 internal constant PPM = 1e6;
    uint256 internal constant FUNDING_INTERVAL = 1 hours;
    /// @dev A funding payment is in 1e-6 uUSDC per 1.0 base, so that a size in 1e-8 base times it is in 1e-14 uUSDC.
    int256 internal constant FUNDING_ONE = 1e14;

    /// @dev What is known of an instrument. One slot of terms, one of prices, one of times, then funds. `closedOut`: ended
    /// at the last price because nobody settles any more.
    struct Book {
        bool known;
        uint8 kind;
        bool isCall;
        uint32 imPpm;
        uint32 mmPpm;
        uint32 liquidationFeePpm;
        uint32 bandPpm;
        uint32 markMovePpm;
        uint32 fundingPpm;
        uint64 strike;
        uint64 cap;
        uint64 mark;
        uint64 expiryPrice;
        uint40 expiry;
        uint40 markAt;
        uint40 fundingAt;
        uint40 expiredAt;
        uint64 ticks;
        bool closedOut;
        uint64 lastPrice;
        uint128 insurance;
        uint128 deficit;
        uint128 recovered;
        uint128 owed;
    }

    uint256 public threshold;
    mapping(address signer => bool) public isSigner;
    address[] private _signers;
    mapping(bytes32 instrumentId => Book) internal _books;
    mapping(bytes32 instrumentId => mapping(uint256 tick => int128)) internal _fundingOf;

    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    function setSigners(address[] calldata signers, uint256 threshold_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (threshold_ == 0 || threshold_ > signers.length) revert BadSigners();
        for (uint256 i; i < _signers.length; ++i) {
            isSigner[_signers[i]] = false;
        }
        for (uint256 i; i < signers.length; ++i) {
            if (signers[i] == address(0) || isSigner[signers[i]]) revert BadSigners();
            isSigner[signers[i]] = true;
        }
        _signers = signers;
        threshold = threshold_;
        emit SignersSet(signers, threshold_);
    }

    /// @param value MARK, EXPIRY: uUSDC per 1.0 base. FUNDING: what one base pays, in 1e-6 uUSDC, longs to shorts when positive
    /// @param signatures of signers in ascending order of their addresses
    function publish(bytes32 instrumentId, uint8 what, int256 value, uint40 timestamp, bytes[] calldata signatures)
        external
    {
        Book storage b = _known(instrumentId);
        if (timestamp > block.timestamp) revert StaleObservation();
        _checkSigners(
            keccak256(abi.encode(OrderLib.OBSERVATION_TYPEHASH, instrumentId, what, value, timestamp)), signatures
        );
        if (b.expiredAt != 0) revert InstrumentExpired();
        if (what == MARK) _mark(b, instrumentId, value, timestamp);
        else if (what == FUNDING) _fund(b, instrumentId, value, timestamp);
        else if (what == EXPIRY) _expire(b, instrumentId, value, timestamp);
        else revert WrongKind();
    }

    function _checkSigners(bytes32 structHash, bytes[] calldata signatures) private view {
        bytes32 hash = OrderLib.digest(ISettlement(_domain()).DOMAIN_SEPARATOR(), structHash);
        address before;
        uint256 valid;
        for (uint256 i; i < signatures.length; ++i) {
            address signer = OrderLib.recover(hash, signatures[i]);
            if (signer <= before || !isSigner[signer]) continue;
            before = signer;
            ++valid;
        }
        if (threshold == 0 || valid < threshold) revert TooFewSignatures(valid, threshold);
    }

    /// @dev A mark moves at most `markMovePpm` at once: what is further away arrives in steps.
    function _mark(Book storage b, bytes32 instrumentId, int256 value, uint40 timestamp) private {
        if (timestamp <= b.markAt) revert StaleObservation();
        uint64 price = _price(value);
        if (b.mark != 0) {
            uint64 step = uint64(uint256(b.mark) * b.markMovePpm / PPM);
            if (price > b.mark + step) price = b.mark + step;
            else if (price < b.mark - step) price = b.mark - step;
        }
        (b.mark, b.markAt) = (price, timestamp);
        emit Marked(instrumentId, price, timestamp);
    }

    function _fund(Book storage b, bytes32 instrumentId, int256 value, uint40 timestamp) private {
        if (b.kind != OrderLib.PERP) revert WrongKind();
        if (timestamp < b.fundingAt + FUNDING_INTERVAL) revert StaleObservation();
        // Clamped to a part of the mark: without a mark there is no funding.
        int256 most = int256(uint256(b.mark) * b.fundingPpm);
        if (value > most) value = most;
        else if (value < -most) value = -most;
        uint64 tick = b.ticks;
        _fundingOf[instrumentId][tick] = int128(value);
        (b.ticks, b.fundingAt) = (tick + 1, timestamp);
        emit FundingPublished(instrumentId, tick, int128(value), timestamp);
    }

    function _expire(Book storage b, bytes32 instrumentId, int256 value, uint40 timestamp) private {
        if (b.kind == OrderLib.PERP) revert WrongKind();
        if (timestamp < b.expiry) revert NotExpired();
        uint64 price = _price(value);
        (b.expiryPrice, b.expiredAt) = (price, uint40(block.timestamp));
        emit ExpiryPriced(instrumentId, price);
    }

    function _price(int256 value) private pure returns (uint64) {
        if (value <= 0 || value > int256(uint256(type(uint64).max >> 2))) revert BadValue();
        return uint64(uint256(value));
    }

    function _known(bytes32 instrumentId) internal view returns (Book storage b) {
        b = _books[instrumentId];
        if (!b.known) revert UnknownBook(instrumentId);
    }

    function _domain() internal view virtual returns (address);

    // ---- views

    function bookOf(bytes32 instrumentId) external view returns (Book memory) {
        return _books[instrumentId];
    }

    function fundingOf(bytes32 instrumentId, uint256 tick) external view returns (int128) {
        return _fundingOf[instrumentId][tick];
    }
}
