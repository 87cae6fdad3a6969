// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ISettlement} from "./interfaces/ISettlement.sol";
import {OrderLib} from "./OrderLib.sol";

/// @title What an account's signature is good for: cancels, session keys, and how far its orders are filled
/// @dev The half of Settlement that knows orders but no money.
abstract contract Authority is ISettlement {
    uint40 public immutable cancelDelay;

    // Nonces below 2^63: four share a word, so an active account pays for a new slot every fourth order, for ever.
    mapping(address account => mapping(uint256 word => uint256)) private _filled;
    // Nonces from 2^63 on: 256 lanes, two in a word, each with the nonce it counts. A newer nonce of a lane takes the place
    // of the older one and voids it; so no slot is ever new again, and the account must know what it does.
    mapping(address account => mapping(uint256 word => uint256)) private _lanes;
    mapping(address account => Cancels) private _cancels;
    mapping(address account => mapping(uint64 nonce => uint256)) private _cancelledAt;
    mapping(address account => mapping(address key => Session)) private _sessions;

    /// @dev One slot, so that an order of an account that never cancelled costs one read.
    struct Cancels {
        uint64 floor;
        uint64 nextFloor;
        uint40 nextFloorAt;
        bool anyNonce;
    }

    /// @dev Where a nonce is counted. `generation` is zero outside of the recycled lanes.
    struct Counter {
        bytes32 slot;
        uint256 shift;
        uint256 generation;
    }

    constructor(uint40 cancelDelay_) {
        cancelDelay = cancelDelay_;
    }

    // ---- cancels

    function cancel(uint64 nonce) external {
        _cancelNonce(msg.sender, nonce);
    }

    function cancelUpTo(uint64 minNonce) external {
        _raiseFloor(msg.sender, minNonce);
    }

    function cancelBySig(address account, uint64 minNonce, uint64 nonce, uint40 deadline, bytes calldata sig)
        external
    {
        if (block.timestamp > deadline) revert SignatureExpired();
        bytes32 hash = OrderLib.digest(DOMAIN_SEPARATOR(), OrderLib.hashCancel(account, minNonce, nonce, deadline));
        bool bySession = _isLive(_sessions[account][OrderLib.recover(hash, sig)]);
        if (!bySession && !OrderLib.isSignedBy(account, hash, sig)) revert BadCancelSignature();
        if (minNonce != 0) _raiseFloor(account, minNonce);
        if (nonce != 0) _cancelNonce(account, nonce);
    }

    function _cancelNonce(address account, uint64 nonce) private {
        // A repeated cancel must not postpone the first.
        if (_cancelledAt[account][nonce] != 0) return;
        uint256 effectiveAt = block.timestamp + cancelDelay;
        _cancelledAt[account][nonce] = effectiveAt;
        _cancels[account].anyNonce = true;
        emit NonceCancelled(account, nonce, effectiveAt);
    }

    function _raiseFloor(address account, uint64 minNonce) private {
        Cancels memory c = _cancels[account];
        if (c.nextFloorAt <= block.timestamp) c.floor = c.nextFloor;
        if (minNonce <= c.floor || minNonce <= c.nextFloor) return;
        c.nextFloor = minNonce;
        c.nextFloorAt = uint40(block.timestamp) + cancelDelay;
        _cancels[account] = c;
        emit FloorRaised(account, minNonce, c.nextFloorAt);
    }

    /// @dev At once: the operator, who alone could hold a matched fill below the floor, signs the same batch.
    function _raiseFloorNow(address account, uint64 minNonce) internal {
        Cancels storage c = _cancels[account];
        (uint64 floor, uint64 next) = (c.floor, c.nextFloor);
        if (minNonce <= floor || (minNonce <= next && c.nextFloorAt <= block.timestamp)) return;
        c.floor = minNonce;
        if (next < minNonce) (c.nextFloor, c.nextFloorAt) = (minNonce, 0);
    }

    function isCancelled(address account, uint64 nonce) public view returns (bool) {
        Cancels memory c = _cancels[account];
        uint64 floor = c.nextFloorAt <= block.timestamp ? c.nextFloor : c.floor;
        if (nonce < floor) return true;
        if (!c.anyNonce) return false;
        uint256 effectiveAt = _cancelledAt[account][nonce];
        return effectiveAt != 0 && effectiveAt <= block.timestamp;
    }

    // ---- sessions

    function setSession(address key, uint40 expiry, uint64 maxOrderNotional, uint32 scope) external {
        _setSession(
            msg.sender, key, Session(expiry, maxOrderNotional, scope, _sessions[msg.sender][key].nonce + 1)
        );
    }

    function setSessionBySig(address account, address key, Session calldata terms, bytes calldata sig) external {
        uint64 used = _sessions[account][key].nonce;
        if (terms.nonce <= used) revert SessionNonceUsed(used);
        bytes32 hash = OrderLib.digest(
            DOMAIN_SEPARATOR(), keccak256(abi.encode(OrderLib.SESSION_TYPEHASH, account, key, terms))
        );
        if (!OrderLib.isSignedBy(account, hash, sig)) revert BadSessionSignature();
        _setSession(account, key, terms);
    }

    function _setSession(address account, address key, Session memory terms) private {
        if (key == address(0)) revert ZeroAddress();
        Session memory old = _sessions[account][key];
        if (_isLive(old)) {
            // What the key has signed may be matched already, so it stays good for a while.
            if (terms.maxOrderNotional < old.maxOrderNotional || old.scope & ~terms.scope != 0) {
                revert SessionWouldShrink();
            }
            uint256 soonest = block.timestamp + cancelDelay;
            if (soonest > old.expiry) soonest = old.expiry;
            if (terms.expiry < soonest) terms.expiry = uint40(soonest);
        }
        _sessions[account][key] = terms;
        emit SessionSet(account, key, terms.expiry, terms.maxOrderNotional, terms.scope, terms.nonce);
    }

    function _isLive(Session memory session) private view returns (bool) {
        return block.timestamp < session.expiry;
    }

    function sessionOf(address account, address key) external view returns (Session memory) {
        return _sessions[account][key];
    }

    /// @return zero when this key may sign this order for its account
    function _checkSession(OrderLib.Order memory o, address key, uint8 kind) internal view returns (bytes4) {
        Session memory session = _sessions[o.account][key];
        if (!_isLive(session)) return BadSignature.selector;
        (uint256 n,) = OrderLib.notional(o.limitPrice, o.qty);
        bool inside = session.scope >> kind & 1 != 0 && n <= session.maxOrderNotional;
        return inside ? bytes4(0) : SessionExceeded.selector;
    }

    // ---- how far an order is filled

    function filled(address account, uint64 nonce) external view returns (uint64) {
        Counter memory c = _counter(account, nonce);
        (uint256 qty,) = _filledOf(c, _read(c));
        return uint64(qty);
    }

    function _counter(address account, uint64 nonce) internal view returns (Counter memory) {
        if (nonce >> 63 == 0) return Counter(_slotOf(_filled, account, nonce >> 2), (nonce & 3) << 6, 0);
        return Counter(_slotOf(_lanes, account, (nonce & 0xff) >> 1), (nonce & 1) << 7, nonce >> 8);
    }

    function _read(Counter memory c) internal view returns (uint256 word) {
        bytes32 slot = c.slot;
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    /// @return qty filled  @return recycled whether the lane counts a newer nonce
    function _filledOf(Counter memory c, uint256 word) internal pure returns (uint256 qty, bool recycled) {
        uint256 value = word >> c.shift;
        if (c.generation != 0) {
            uint256 generation = uint64(value >> 64);
            if (generation > c.generation) return (0, true);
            if (generation < c.generation) return (0, false);
        }
        return (uint64(value), false);
    }

    /// @param word as read just before  @param qty such that the sum is at most the order's, and so stays in its lane
    function _addFilled(Counter memory c, uint256 word, uint256 qty) internal {
        (uint256 shift, uint256 generation) = (c.shift, c.generation);
        unchecked {
            if (generation != 0 && uint64(word >> shift >> 64) != generation) {
                // The first fill of a nonce takes the lane.
                word = word & ~(uint256(type(uint128).max) << shift) | generation << 64 << shift;
            }
            word += qty << shift;
        }
        bytes32 slot = c.slot;
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    function _slotOf(
        mapping(address account => mapping(uint256 word => uint256)) storage table,
        address account,
        uint256 word
    ) private view returns (bytes32 slot) {
        assembly ("memory-safe") {
            mstore(0, account)
            mstore(32, table.slot)
            mstore(32, keccak256(0, 64))
            mstore(0, word)
            slot := keccak256(0, 64)
        }
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return OrderLib.domainSeparator(block.chainid, address(this));
    }
}
