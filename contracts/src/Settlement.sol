// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IClearing} from "./interfaces/IClearing.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {IVault} from "./interfaces/IVault.sol";
import {OrderLib} from "./OrderLib.sol";

/// @notice See {ISettlement}.
/// @dev A batch is netted in memory, in uUSDC at one share price, and reaches the Vault as one line per account.
/// A bad fill is skipped with an event: one bankrupt or cancelled party must not undo the other fills of a batch.
contract Settlement is ISettlement, AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @notice A fill matched before the expiry of its orders may still settle for this long.
    uint256 public constant SETTLE_GRACE = 1 days;

    // Lines that every batch has.
    uint256 private constant TREASURY = 0;
    uint256 private constant CLEARING = 1;
    uint256 private constant FIXED_LINES = 2;

    IVault public immutable vault;
    address public immutable treasury;
    uint40 public immutable cancelDelay;

    IClearing public clearing;
    uint64 public lastBatchId;
    bytes32 public head;

    mapping(bytes32 instrumentId => Market) private _markets;
    // Four nonces share a word: an active account then pays for a new slot every fourth order.
    mapping(address account => mapping(uint256 word => uint256)) private _filled;
    mapping(address account => Cancels) private _cancels;
    mapping(address account => mapping(uint64 nonce => uint256)) private _cancelledAt;

    /// @dev One slot, so that an order of an account that never cancelled costs one read.
    struct Cancels {
        uint64 floor;
        uint64 nextFloor;
        uint40 nextFloorAt;
        bool anyNonce;
    }

    /// @dev USDC of one account in a batch; `funds` is what it could spend at the start.
    struct Line {
        address account;
        int256 funds;
        int256 net;
    }

    /// @dev Synth of one account in a batch.
    struct AssetLine {
        address asset;
        address account;
        int256 funds;
        int256 net;
    }

    /// @dev What is known of an order before its fills; `reason` is zero when it may be filled.
    struct Checked {
        bytes4 reason;
        uint256 line;
    }

    struct Batch {
        Checked[] checked;
        Line[] lines;
        uint256 lineCount;
        AssetLine[] assetLines;
        uint256 assetLineCount;
        uint256 totalAssets;
        uint256 totalShares;
    }

    constructor(address vault_, address treasury_, address admin, uint40 cancelDelay_) {
        if (vault_ == address(0) || treasury_ == address(0) || admin == address(0)) revert ZeroAddress();
        vault = IVault(vault_);
        treasury = treasury_;
        cancelDelay = cancelDelay_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    // ---- administration

    /// @dev Once, and after construction, because Clearing is built with the address of Settlement.
    function setClearing(address clearing_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (address(clearing) != address(0)) revert AlreadySet();
        if (clearing_ == address(0)) revert ZeroAddress();
        clearing = IClearing(clearing_);
        emit ClearingSet(clearing_);
    }

    function listInstrument(OrderLib.Instrument calldata instrument, address synth, uint32 imPpm)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        returns (bytes32 instrumentId)
    {
        instrumentId = OrderLib.hashInstrument(instrument);
        if (_markets[instrumentId].listed) revert AlreadyListed(instrumentId);
        if (instrument.multiplier != 1) revert BadInstrument();
        if (instrument.kind == OrderLib.SPOT) {
            if (imPpm != 0 || !vault.isAsset(synth)) revert BadInstrument();
        } else if (instrument.kind == OrderLib.PERP) {
            if (synth != address(0) || imPpm == 0 || address(clearing) == address(0)) revert BadInstrument();
        } else {
            // Futures and options need an expiry, which Clearing does not have yet.
            revert UnsupportedKind(instrument.kind);
        }
        _markets[instrumentId] = Market(true, instrument.kind, imPpm, synth);
        emit InstrumentListed(instrumentId, instrument.kind, instrument.symbol, synth, imPpm);
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
        if (!OrderLib.isSignedBy(account, hash, sig)) revert BadCancelSignature();
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

    // ---- settlement

    function settleBatch(
        uint64 batchId,
        bytes32 prevHash,
        OrderLib.Order[] calldata orders,
        bytes[] calldata signatures,
        Fill[] calldata fills
    ) external onlyRole(OPERATOR_ROLE) {
        if (batchId != lastBatchId + 1) revert WrongBatch(lastBatchId + 1, batchId);
        if (prevHash != head) revert WrongHead(head, prevHash);
        if (orders.length != signatures.length) revert LengthMismatch();

        bytes32 newHead = keccak256(abi.encode(prevHash, batchId, keccak256(msg.data)));
        lastBatchId = batchId;
        head = newHead;

        Batch memory b;
        _open(b, orders, signatures);
        b.assetLines = new AssetLine[](2 * fills.length);
        uint256 skipped;
        for (uint256 i; i < fills.length; ++i) {
            bytes4 reason = _settle(b, orders, fills[i]);
            if (reason != 0) {
                ++skipped;
                emit FillSkipped(batchId, i, reason);
            }
        }
        if (skipped != fills.length) _applyLines(b);
        _close(b);
        emit BatchSettled(batchId, newHead, fills.length - skipped, skipped);
    }

    /// @dev Checks every order once and gives every account its line.
    function _open(Batch memory b, OrderLib.Order[] calldata orders, bytes[] calldata signatures) private {
        b.checked = new Checked[](orders.length);
        b.lines = new Line[](orders.length + FIXED_LINES);
        _lineOf(b, treasury);
        _lineOf(b, address(clearing));
        bytes32 separator = DOMAIN_SEPARATOR();
        for (uint256 i; i < orders.length; ++i) {
            OrderLib.Order calldata o = orders[i];
            b.checked[i].line = _lineOf(b, o.account);
            b.checked[i].reason = _checkOrder(o, signatures[i], separator);
        }

        address[] memory accounts = new address[](b.lineCount);
        for (uint256 i; i < accounts.length; ++i) {
            accounts[i] = b.lines[i].account;
        }
        uint256[] memory shares;
        (b.totalAssets, b.totalShares, shares) = vault.snapshot(accounts);
        for (uint256 i; i < accounts.length; ++i) {
            b.lines[i].funds = int256(Math.mulDiv(shares[i], b.totalAssets + 1, b.totalShares + 1e6));
        }
    }

    function _checkOrder(OrderLib.Order calldata o, bytes calldata sig, bytes32 separator)
        private
        view
        returns (bytes4)
    {
        if (!_markets[o.instrumentId].listed) return UnknownInstrument.selector;
        bytes32 hash = OrderLib.digest(separator, OrderLib.hashOrder(o));
        if (!OrderLib.isSignedBy(o.account, hash, sig)) return BadSignature.selector;
        if (o.expiry != 0 && block.timestamp >= o.expiry + SETTLE_GRACE) return OrderExpired.selector;
        if (isCancelled(o.account, o.nonce)) return OrderCancelled.selector;
        return 0;
    }

    /// @return reason zero when settled, else the selector of the error, and then nothing has changed
    function _settle(Batch memory b, OrderLib.Order[] calldata orders, Fill calldata f)
        private
        returns (bytes4 reason)
    {
        if (f.maker >= orders.length || f.taker >= orders.length) return BadIndex.selector;
        Checked memory mc = b.checked[f.maker];
        Checked memory tc = b.checked[f.taker];
        if (mc.reason != 0) return mc.reason;
        if (tc.reason != 0) return tc.reason;
        OrderLib.Order calldata maker = orders[f.maker];
        OrderLib.Order calldata taker = orders[f.taker];
        uint256 n;
        (reason, n) = _checkFill(maker, taker, f);
        if (reason != 0) return reason;

        Market memory market = _markets[maker.instrumentId];
        reason = market.kind == OrderLib.SPOT
            ? _settleSpot(b, b.lines[mc.line], b.lines[tc.line], maker.side == OrderLib.BUY, market.synth, f, n)
            : _settlePerp(b, b.lines[mc.line], b.lines[tc.line], maker, taker, market.imPpm, f);
        if (reason != 0) return reason;

        b.lines[TREASURY].net += int256(uint256(f.makerFee) + f.takerFee);
        _addFilled(maker.account, maker.nonce, f.qty);
        _addFilled(taker.account, taker.nonce, f.qty);
    }

    /// @dev All that can be said of a fill without looking at balances.
    function _checkFill(OrderLib.Order calldata maker, OrderLib.Order calldata taker, Fill calldata f)
        private
        view
        returns (bytes4, uint256)
    {
        if (maker.account == taker.account) return (SelfTrade.selector, 0);
        if (maker.instrumentId != taker.instrumentId) return (InstrumentMismatch.selector, 0);
        if (uint256(maker.side) + taker.side != 1) return (SameSide.selector, 0);
        // The signed flags pin who is who; else the operator could swap the roles and with them the price.
        if (taker.tif & OrderLib.POST_ONLY != 0 || _isImmediate(maker.tif)) return (WrongRole.selector, 0);
        bool crossing = maker.side == OrderLib.BUY
            ? maker.limitPrice >= taker.limitPrice
            : maker.limitPrice <= taker.limitPrice;
        if (!crossing) return (NotCrossing.selector, 0);
        if (f.qty == 0) return (ZeroQty.selector, 0);
        if (uint256(filled(maker.account, maker.nonce)) + f.qty > maker.qty) return (Overfill.selector, 0);
        if (uint256(filled(taker.account, taker.nonce)) + f.qty > taker.qty) return (Overfill.selector, 0);
        (uint256 n, bool exact) = OrderLib.notional(maker.limitPrice, f.qty);
        if (!exact) return (InexactNotional.selector, 0);
        if (f.makerFee > OrderLib.maxFee(maker.maxFeeBps, n)) return (FeeAboveBound.selector, 0);
        if (f.takerFee > OrderLib.maxFee(taker.maxFeeBps, n)) return (FeeAboveBound.selector, 0);
        return (0, n);
    }

    function _settleSpot(
        Batch memory b,
        Line memory maker,
        Line memory taker,
        bool makerBuys,
        address synth,
        Fill calldata f,
        uint256 n
    ) private returns (bytes4) {
        int256 makerDelta = (makerBuys ? -int256(n) : int256(n)) - int256(uint256(f.makerFee));
        int256 takerDelta = (makerBuys ? int256(n) : -int256(n)) - int256(uint256(f.takerFee));
        if (maker.funds + maker.net + makerDelta < 0) return InsufficientFunds.selector;
        if (taker.funds + taker.net + takerDelta < 0) return InsufficientFunds.selector;
        AssetLine memory seller = _assetLineOf(b, synth, makerBuys ? taker.account : maker.account);
        AssetLine memory buyer = _assetLineOf(b, synth, makerBuys ? maker.account : taker.account);
        int256 qty = int256(uint256(f.qty));
        if (seller.funds + seller.net < qty) return InsufficientAsset.selector;
        seller.net -= qty;
        buyer.net += qty;
        maker.net += makerDelta;
        taker.net += takerDelta;
        return 0;
    }

    /// @dev Clearing checks and moves both positions or reverts; then the reason is the selector of its error.
    function _settlePerp(
        Batch memory b,
        Line memory maker,
        Line memory taker,
        OrderLib.Order calldata mo,
        OrderLib.Order calldata to,
        uint32 imPpm,
        Fill calldata f
    ) private returns (bytes4) {
        Line memory house = b.lines[CLEARING];
        IClearing.Leg memory makerLeg = _leg(maker, mo, f.makerFee);
        IClearing.Leg memory takerLeg = _leg(taker, to, f.takerFee);
        IClearing.Trade memory trade = IClearing.Trade(mo.instrumentId, imPpm, mo.limitPrice, f.qty);
        try clearing.fill(trade, house.funds + house.net, makerLeg, takerLeg) returns (int256 makerDelta, int256 takerDelta) {
            maker.net += makerDelta - int256(uint256(f.makerFee));
            taker.net += takerDelta - int256(uint256(f.takerFee));
            house.net -= makerDelta + takerDelta;
            return 0;
        } catch (bytes memory failure) {
            bytes4 reason = bytes4(failure);
            return reason == IClearing.MarginNotCovered.selector ? InsufficientFunds.selector : reason;
        }
    }

    function _leg(Line memory line, OrderLib.Order calldata o, uint64 fee) private pure returns (IClearing.Leg memory) {
        return IClearing.Leg({
            account: line.account,
            buy: o.side == OrderLib.BUY,
            reduceOnly: o.tif & OrderLib.REDUCE_ONLY != 0,
            available: line.funds + line.net - int256(uint256(fee))
        });
    }

    /// @dev Everyone's shares are rounded down, and the clearing account takes the rest: the sum is zero by
    /// construction, positions stay covered, and while 1 uUSDC = 1e6 shares there is no rest.
    function _applyLines(Batch memory b) private {
        address[] memory accounts = new address[](b.lineCount);
        int256[] memory deltas = new int256[](b.lineCount);
        int256 rest;
        uint256 count;
        for (uint256 i; i < b.lineCount; ++i) {
            int256 net = b.lines[i].net;
            if (i == CLEARING || net == 0) continue;
            uint256 size = uint256(net < 0 ? -net : net);
            Math.Rounding rounding = net < 0 ? Math.Rounding.Ceil : Math.Rounding.Floor;
            int256 shares = int256(Math.mulDiv(size, b.totalShares + 1e6, b.totalAssets + 1, rounding));
            accounts[count] = b.lines[i].account;
            deltas[count] = net < 0 ? -shares : shares;
            rest -= deltas[count];
            ++count;
        }
        if (rest != 0) {
            // Before there is a clearing account the dust of accrued shares belongs to the treasury.
            accounts[count] = b.lines[CLEARING].account == address(0) ? treasury : b.lines[CLEARING].account;
            deltas[count] = rest;
            ++count;
        }
        _shorten(accounts, deltas, count);
        if (count != 0) vault.applyDeltas(accounts, deltas);

        for (uint256 i; i < b.assetLineCount; ++i) {
            if (b.assetLines[i].net != 0) _applyAsset(b, i);
        }
    }

    /// @dev Gathers the lines of one synth, from `from` on, and marks them as done.
    function _applyAsset(Batch memory b, uint256 from) private {
        address asset = b.assetLines[from].asset;
        address[] memory accounts = new address[](b.assetLineCount - from);
        int256[] memory deltas = new int256[](b.assetLineCount - from);
        uint256 count;
        for (uint256 i = from; i < b.assetLineCount; ++i) {
            AssetLine memory line = b.assetLines[i];
            if (line.asset != asset || line.net == 0) continue;
            accounts[count] = line.account;
            deltas[count] = line.net;
            line.net = 0;
            ++count;
        }
        _shorten(accounts, deltas, count);
        vault.applyAssetDeltas(asset, accounts, deltas);
    }

    function _shorten(address[] memory accounts, int256[] memory deltas, uint256 count) private pure {
        assembly ("memory-safe") {
            mstore(accounts, count)
            mstore(deltas, count)
        }
    }

    // ---- the lines of a batch are found through transient storage: key -> index + 1

    function _lineOf(Batch memory b, address account) private returns (uint256 index) {
        bytes32 key = bytes32(uint256(uint160(account)));
        index = _load(key);
        if (index != 0) return index - 1;
        index = b.lineCount++;
        b.lines[index].account = account;
        _store(key, index + 1);
    }

    function _assetLineOf(Batch memory b, address asset, address account) private returns (AssetLine memory line) {
        bytes32 key = _assetKey(asset, account);
        uint256 index = _load(key);
        if (index != 0) return b.assetLines[index - 1];
        index = b.assetLineCount++;
        line = b.assetLines[index];
        line.asset = asset;
        line.account = account;
        line.funds = int256(vault.assetOf(account, asset));
        _store(key, index + 1);
    }

    /// @dev Empties the index, since a caller may settle two batches in one transaction.
    function _close(Batch memory b) private {
        for (uint256 i; i < b.lineCount; ++i) {
            _store(bytes32(uint256(uint160(b.lines[i].account))), 0);
        }
        for (uint256 i; i < b.assetLineCount; ++i) {
            _store(_assetKey(b.assetLines[i].asset, b.assetLines[i].account), 0);
        }
    }

    function _assetKey(address asset, address account) private pure returns (bytes32) {
        return keccak256(abi.encode(asset, account));
    }

    function _load(bytes32 key) private view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(key)
        }
    }

    function _store(bytes32 key, uint256 value) private {
        assembly ("memory-safe") {
            tstore(key, value)
        }
    }

    // ---- orders

    function filled(address account, uint64 nonce) public view returns (uint64) {
        return uint64(_filled[account][nonce >> 2] >> _lane(nonce));
    }

    /// @dev No overflow into the next lane: the sum is at most the order's qty, a uint64.
    function _addFilled(address account, uint64 nonce, uint64 qty) private {
        _filled[account][nonce >> 2] += uint256(qty) << _lane(nonce);
    }

    function _lane(uint64 nonce) private pure returns (uint256) {
        return uint256(nonce & 3) << 6;
    }

    function isCancelled(address account, uint64 nonce) public view returns (bool) {
        Cancels memory c = _cancels[account];
        uint64 floor = c.nextFloorAt <= block.timestamp ? c.nextFloor : c.floor;
        if (nonce < floor) return true;
        if (!c.anyNonce) return false;
        uint256 effectiveAt = _cancelledAt[account][nonce];
        return effectiveAt != 0 && effectiveAt <= block.timestamp;
    }

    function _isImmediate(uint8 tif) private pure returns (bool) {
        uint8 kind = tif & OrderLib.TIF_MASK;
        return kind == OrderLib.IOC || kind == OrderLib.FOK || tif & OrderLib.MARKET != 0;
    }

    // ---- views

    function marketOf(bytes32 instrumentId) external view returns (Market memory) {
        return _markets[instrumentId];
    }

    function instrumentIdOf(OrderLib.Instrument calldata instrument) external pure returns (bytes32) {
        return OrderLib.hashInstrument(instrument);
    }

    function hashOrder(OrderLib.Order calldata order) external view returns (bytes32) {
        return OrderLib.digest(DOMAIN_SEPARATOR(), OrderLib.hashOrder(order));
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return OrderLib.domainSeparator(block.chainid, address(this));
    }
}
