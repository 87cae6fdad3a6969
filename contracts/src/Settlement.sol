// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Authority} from "./Authority.sol";
import {BatchLib, Fill} from "./BatchLib.sol";
import {IClearing} from "./interfaces/IClearing.sol";
import {IVault} from "./interfaces/IVault.sol";
import {OrderLib} from "./OrderLib.sol";

/// @notice See {ISettlement}.
/// @dev A batch is netted in memory, in uUSDC at one share price, and reaches the Vault as one line per account.
/// A bad fill is skipped with an event: one bankrupt or cancelled party must not undo the other fills of a batch.
contract Settlement is Authority, AccessControl {
    using BatchLib for bytes;

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @notice A fill matched before the expiry of its orders may still settle for this long.
    uint256 public constant SETTLE_GRACE = 1 days;

    uint256 private constant NET_LINE = 124;
    int256 private constant UNKNOWN = type(int256).min;

    IVault public immutable vault;
    address public immutable treasury;

    IClearing public clearing;
    uint64 public lastBatchId;
    bytes32 public head;

    mapping(bytes32 instrumentId => Market) private _markets;

    /// @dev USDC of one account in a batch; `funds` is what it could spend at the start.
    struct Line {
        address account;
        int256 funds;
        int256 net;
    }

    /// @dev An instrument of a batch. `line` of a derivative is that of its clearing account; `asset` of a spot market is its
    /// place among the synths.
    struct Book {
        bytes32 instrumentId;
        bool listed;
        uint8 kind;
        uint256 line;
        uint256 asset;
    }

    /// @dev An order of a batch, checked once; `reason` is zero when it may be filled.
    struct Party {
        OrderLib.Order order;
        Counter counter;
        Book book;
        Line line;
        uint256 account;
        bytes4 reason;
    }

    /// @dev lines: the accounts, the treasury, then one for each instrument. `held` and `net`: synths by asset and account.
    struct Batch {
        BatchLib.Counts counts;
        Line[] lines;
        Book[] books;
        Party[] parties;
        address[] assets;
        uint256 assetCount;
        int256[] held;
        int256[] net;
        uint256 totalAssets;
        uint256 totalShares;
    }

    constructor(address vault_, address treasury_, address admin, uint40 cancelDelay_) Authority(cancelDelay_) {
        if (vault_ == address(0) || treasury_ == address(0) || admin == address(0)) revert ZeroAddress();
        vault = IVault(vault_);
        treasury = treasury_;
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

    function listInstrument(OrderLib.Instrument calldata instrument, address synth, IClearing.Terms calldata terms)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        returns (bytes32 instrumentId)
    {
        instrumentId = OrderLib.hashInstrument(instrument);
        if (_markets[instrumentId].listed) revert AlreadyListed(instrumentId);
        if (instrument.kind > OrderLib.OPTION) revert UnsupportedKind(instrument.kind);
        if (instrument.multiplier != 1) revert BadInstrument();
        _markets[instrumentId] = Market(true, instrument.kind, synth);
        emit InstrumentListed(instrumentId, instrument.kind, instrument.symbol, synth, terms.imPpm);
        if (instrument.kind == OrderLib.SPOT) {
            if (!vault.isAsset(synth)) revert BadInstrument();
        } else {
            if (synth != address(0) || address(clearing) == address(0)) revert BadInstrument();
            clearing.list(instrumentId, instrument, terms);
        }
    }

    // ---- a batch of orders and fills

    function settleBatch(uint64 batchId, bytes32 prevHash, bytes calldata data) external onlyRole(OPERATOR_ROLE) {
        bytes32 newHead = _advance(batchId, prevHash);
        Batch memory b;
        uint256 place = _open(b, data);
        uint256 count = b.counts.fills;
        if (place + BatchLib.FILL_SIZE * count != data.length) revert MalformedBatch();
        uint256 skipped;
        uint256 free = _freeMemory();
        for (uint256 i; i < count; ++i) {
            bytes4 reason = _settle(b, data.fill(place));
            place += BatchLib.FILL_SIZE;
            if (reason != 0) {
                ++skipped;
                emit FillSkipped(batchId, i, reason);
            }
            _forgetSince(free);
        }
        _applyLines(b);
        emit BatchSettled(batchId, newHead, count - skipped, skipped);
    }

    /// @dev Numbers and hashes of batches form a chain, so that none is replayed, left out or put before another.
    function _advance(uint64 batchId, bytes32 prevHash) private returns (bytes32 newHead) {
        if (batchId != lastBatchId + 1) revert WrongBatch(lastBatchId + 1, batchId);
        if (prevHash != head) revert WrongHead(head, prevHash);
        newHead = keccak256(abi.encode(prevHash, batchId, keccak256(msg.data)));
        lastBatchId = batchId;
        head = newHead;
    }

    /// @dev Reads the tables, gives every account its line, and checks every order once.
    /// @return place where the fills begin
    function _open(Batch memory b, bytes calldata data) private view returns (uint256 place) {
        BatchLib.Counts memory c = data.counts();
        b.counts = c;
        _openLines(b, data);
        b.held = new int256[](b.assetCount * c.accounts);
        b.net = new int256[](b.assetCount * c.accounts);
        for (uint256 i; i < b.held.length; ++i) {
            b.held[i] = UNKNOWN;
        }
        b.parties = _parties(c.orders);
        bytes32 separator = DOMAIN_SEPARATOR();
        place = BatchLib.firstOrder(c);
        for (uint256 i; i < c.orders; ++i) {
            place = _openOrder(b, data, place, i, separator);
        }
    }

    /// @dev Places for so many, which are all taken by `_openOrder`; `new` would fill each with empty structs first.
    function _parties(uint256 count) private pure returns (Party[] memory parties) {
        assembly ("memory-safe") {
            parties := mload(0x40)
            mstore(parties, count)
            mstore(0x40, add(parties, shl(5, add(count, 1))))
        }
    }

    function _freeMemory() private pure returns (uint256 free) {
        assembly ("memory-safe") {
            free := mload(0x40)
        }
    }

    /// @dev Memory that grows costs more and more, and nothing that a fill allocates outlives it.
    function _forgetSince(uint256 free) private pure {
        assembly ("memory-safe") {
            mstore(0x40, free)
        }
    }

    function _openLines(Batch memory b, bytes calldata data) private view {
        BatchLib.Counts memory c = b.counts;
        address[] memory accounts = new address[](c.accounts + 1 + c.instruments);
        address before;
        for (uint256 i; i < c.accounts; ++i) {
            address account = data.account(c, i);
            // Each once: two lines of one account could spend the same funds.
            if (account <= before) revert NotAscending(bytes32(uint256(uint160(account))));
            accounts[i] = before = account;
        }
        accounts[c.accounts] = treasury;
        b.books = new Book[](c.instruments);
        b.assets = new address[](c.instruments);
        for (uint256 i; i < c.instruments; ++i) {
            Book memory book = b.books[i];
            book.instrumentId = data.instrument(i);
            if (i != 0 && book.instrumentId <= b.books[i - 1].instrumentId) revert NotAscending(book.instrumentId);
            Market memory market = _markets[book.instrumentId];
            (book.listed, book.kind) = (market.listed, market.kind);
            book.line = c.accounts + 1 + i;
            if (market.kind == OrderLib.SPOT) book.asset = _assetIndex(b, market.synth);
            else accounts[book.line] = clearing.accountOf(book.instrumentId);
        }

        uint256[] memory shares;
        (b.totalAssets, b.totalShares, shares) = vault.snapshot(accounts);
        b.lines = new Line[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            b.lines[i].account = accounts[i];
            if (shares[i] != 0) b.lines[i].funds = int256(Math.mulDiv(shares[i], b.totalAssets + 1, b.totalShares + 1e6));
        }
    }

    function _assetIndex(Batch memory b, address synth) private pure returns (uint256 index) {
        while (index < b.assetCount && b.assets[index] != synth) ++index;
        if (index == b.assetCount) b.assets[b.assetCount++] = synth;
    }

    function _openOrder(Batch memory b, bytes calldata data, uint256 place, uint256 index, bytes32 separator)
        private
        view
        returns (uint256 next)
    {
        (OrderLib.Order memory o, uint256 account, uint256 instrument) = data.order(place);
        if (account >= b.counts.accounts || instrument >= b.counts.instruments) revert MalformedBatch();
        (Line memory line, Book memory book) = (b.lines[account], b.books[instrument]);
        o.account = line.account;
        o.instrumentId = book.instrumentId;
        Party memory party = b.parties[index] = Party(o, _counter(o.account, o.nonce), book, line, account, 0);
        uint256 free = _freeMemory();
        (party.reason, next) = _checkOrder(data, place + BatchLib.FIXED_ORDER, o, book, separator);
        _forgetSince(free);
    }

    function _checkOrder(
        bytes calldata data,
        uint256 place,
        OrderLib.Order memory o,
        Book memory book,
        bytes32 separator
    ) private view returns (bytes4 reason, uint256 next) {
        bytes32 hash = OrderLib.digest(separator, OrderLib.hashOrder(o));
        (reason, next) = _checkSignature(data, place, o, book.kind, hash);
        if (!book.listed) reason = UnknownInstrument.selector;
        if (reason != 0) return (reason, next);
        if (o.expiry != 0 && block.timestamp >= o.expiry + SETTLE_GRACE) return (OrderExpired.selector, next);
        if (isCancelled(o.account, o.nonce)) return (OrderCancelled.selector, next);
    }

    function _checkSignature(bytes calldata data, uint256 place, OrderLib.Order memory o, uint8 kind, bytes32 hash)
        private
        view
        returns (bytes4 reason, uint256 next)
    {
        next = data.end(place);
        if (next > data.length) revert MalformedBatch();
        if (!data.isCompact(place)) {
            bool valid = OrderLib.isValidErc1271(o.account, hash, data[place + 3:next]);
            return (valid ? bytes4(0) : BadSignature.selector, next);
        }
        (bytes32 r, bytes32 s, uint8 v) = data.compact(place);
        address signer = OrderLib.recover(hash, v, r, s);
        if (signer != o.account) reason = _checkOther(o, kind, hash, signer, abi.encodePacked(r, s, v));
    }

    /// @dev A contract account first, then a session: a wallet's owner needs no session to sign for it.
    function _checkOther(OrderLib.Order memory o, uint8 kind, bytes32 hash, address signer, bytes memory sig)
        private
        view
        returns (bytes4)
    {
        if (OrderLib.isValidErc1271(o.account, hash, sig)) return 0;
        return signer == address(0) ? BadSignature.selector : _checkSession(o, signer, kind);
    }

    /// @return reason zero when settled, else the selector of the error, and then nothing has changed
    function _settle(Batch memory b, Fill f) private returns (bytes4 reason) {
        if (f.maker() >= b.parties.length || f.taker() >= b.parties.length) return BadIndex.selector;
        Party memory maker = b.parties[f.maker()];
        Party memory taker = b.parties[f.taker()];
        if (maker.reason != 0) return maker.reason;
        if (taker.reason != 0) return taker.reason;
        reason = _checkTerms(maker.order, taker.order);
        if (reason != 0) return reason;
        if (f.qty() == 0) return ZeroQty.selector;

        // The two accounts differ, and so do the two words.
        uint256 makerWord = _read(maker.counter);
        uint256 takerWord = _read(taker.counter);
        reason = _checkQuantity(maker, taker, makerWord, takerWord, f.qty());
        if (reason == 0) reason = _move(b, maker, taker, f);
        if (reason != 0) return reason;
        _addFilled(maker.counter, makerWord, f.qty());
        _addFilled(taker.counter, takerWord, f.qty());
    }

    function _checkQuantity(Party memory maker, Party memory taker, uint256 makerWord, uint256 takerWord, uint256 qty)
        private
        pure
        returns (bytes4)
    {
        (uint256 makerFilled, bool makerGone) = _filledOf(maker.counter, makerWord);
        (uint256 takerFilled, bool takerGone) = _filledOf(taker.counter, takerWord);
        if (makerGone || takerGone) return NonceRecycled.selector;
        unchecked {
            // Sums of two uint64.
            bool fits = makerFilled + qty <= maker.order.qty && takerFilled + qty <= taker.order.qty;
            return fits ? bytes4(0) : Overfill.selector;
        }
    }

    function _move(Batch memory b, Party memory maker, Party memory taker, Fill f) private returns (bytes4 reason) {
        uint256 n;
        (reason, n) = _checkFees(maker.order, taker.order, f);
        if (reason != 0) return reason;
        reason = maker.book.kind == OrderLib.SPOT ? _settleSpot(b, maker, taker, f, n) : _settleDerivative(b, maker, taker, f);
        if (reason == 0) b.lines[b.counts.accounts].net += int256(uint256(f.makerFee()) + f.takerFee());
    }

    /// @dev What two orders say against each other, whatever the quantity.
    function _checkTerms(OrderLib.Order memory maker, OrderLib.Order memory taker) private pure returns (bytes4) {
        if (maker.account == taker.account) return SelfTrade.selector;
        if (maker.instrumentId != taker.instrumentId) return InstrumentMismatch.selector;
        if (uint256(maker.side) + taker.side != 1) return SameSide.selector;
        // The signed flags pin who is who; else the operator could swap the roles and with them the price.
        if (taker.tif & OrderLib.POST_ONLY != 0 || _isImmediate(maker.tif)) return WrongRole.selector;
        bool crossing = maker.side == OrderLib.BUY
            ? maker.limitPrice >= taker.limitPrice
            : maker.limitPrice <= taker.limitPrice;
        return crossing ? bytes4(0) : NotCrossing.selector;
    }

    function _isImmediate(uint8 tif) private pure returns (bool) {
        uint8 kind = tif & OrderLib.TIF_MASK;
        return kind == OrderLib.IOC || kind == OrderLib.FOK || tif & OrderLib.MARKET != 0;
    }

    function _checkFees(OrderLib.Order memory maker, OrderLib.Order memory taker, Fill f)
        private
        pure
        returns (bytes4, uint256)
    {
        (uint256 n, bool exact) = OrderLib.notional(maker.limitPrice, f.qty());
        if (!exact) return (InexactNotional.selector, n);
        if (f.makerFee() > OrderLib.maxFee(maker.maxFeeBps, n)) return (FeeAboveBound.selector, n);
        if (f.takerFee() > OrderLib.maxFee(taker.maxFeeBps, n)) return (FeeAboveBound.selector, n);
        return (0, n);
    }

    function _settleSpot(Batch memory b, Party memory maker, Party memory taker, Fill f, uint256 n)
        private
        view
        returns (bytes4)
    {
        bool makerBuys = maker.order.side == OrderLib.BUY;
        // A notional is below 2^101 and a batch has at most 2^16 fills.
        unchecked {
            int256 makerDelta = (makerBuys ? -int256(n) : int256(n)) - int256(uint256(f.makerFee()));
            int256 takerDelta = (makerBuys ? int256(n) : -int256(n)) - int256(uint256(f.takerFee()));
            if (maker.line.funds + maker.line.net + makerDelta < 0) return InsufficientFunds.selector;
            if (taker.line.funds + taker.line.net + takerDelta < 0) return InsufficientFunds.selector;
            if (!_moveAsset(b, maker.book.asset, makerBuys ? taker : maker, makerBuys ? maker : taker, f.qty())) {
                return InsufficientAsset.selector;
            }
            maker.line.net += makerDelta;
            taker.line.net += takerDelta;
        }
        return 0;
    }

    /// @return done false when the seller has too little; then nothing has changed
    function _moveAsset(Batch memory b, uint256 asset, Party memory seller, Party memory buyer, uint64 qty)
        private
        view
        returns (bool done)
    {
        unchecked {
            uint256 first = asset * b.counts.accounts;
            uint256 from = first + seller.account;
            int256 held = b.held[from];
            if (held == UNKNOWN) b.held[from] = held = int256(vault.assetOf(seller.line.account, b.assets[asset]));
            int256 net = b.net[from] - int256(uint256(qty));
            if (held + net < 0) return false;
            b.net[from] = net;
            b.net[first + buyer.account] += int256(uint256(qty));
            return true;
        }
    }

    /// @dev Clearing checks and moves both positions or reverts; then the reason is the selector of its error.
    function _settleDerivative(Batch memory b, Party memory maker, Party memory taker, Fill f)
        private
        returns (bytes4)
    {
        Line memory house = b.lines[maker.book.line];
        IClearing.Fill memory fill = IClearing.Fill({
            instrumentId: maker.book.instrumentId,
            price: maker.order.limitPrice,
            qty: f.qty(),
            makerBuys: maker.order.side == OrderLib.BUY,
            makerFloor: f.makerFloors(),
            takerFloor: f.takerFloors(),
            makerReduceOnly: maker.order.tif & OrderLib.REDUCE_ONLY != 0,
            takerReduceOnly: taker.order.tif & OrderLib.REDUCE_ONLY != 0,
            maker: maker.line.account,
            taker: taker.line.account,
            makerAvailable: maker.line.funds + maker.line.net - int256(uint256(f.makerFee())),
            takerAvailable: taker.line.funds + taker.line.net - int256(uint256(f.takerFee())),
            houseAvailable: house.funds + house.net
        });
        try clearing.fill(fill) returns (int256 makerDelta, int256 takerDelta) {
            maker.line.net += makerDelta - int256(uint256(f.makerFee()));
            taker.line.net += takerDelta - int256(uint256(f.takerFee()));
            house.net -= makerDelta + takerDelta;
            return 0;
        } catch (bytes memory failure) {
            bytes4 reason = bytes4(failure);
            if (reason == 0) return ClearingFailed.selector;
            return reason == IClearing.MarginNotCovered.selector ? InsufficientFunds.selector : reason;
        }
    }

    // ---- what a batch comes to

    /// @dev Traders' shares are rounded against them and clearing accounts' for them, so that positions stay covered; the
    /// treasury takes the rest, which is nothing while 1 uUSDC = 1e6 shares.
    function _applyLines(Batch memory b) private {
        uint256 treasuryLine = b.counts.accounts;
        address[] memory accounts = new address[](b.lines.length);
        int256[] memory deltas = new int256[](b.lines.length);
        int256 rest;
        uint256 count;
        for (uint256 i; i < b.lines.length; ++i) {
            int256 net = b.lines[i].net;
            if (i == treasuryLine || net == 0) continue;
            int256 delta = _toShares(b, net, i > treasuryLine);
            (accounts[count], deltas[count]) = (b.lines[i].account, delta);
            rest -= delta;
            ++count;
        }
        if (rest != 0) {
            // A treasury without a share cannot pay the dust: then the last clearing account, always the last line, does.
            bool treasuryPays = rest > 0 || vault.sharesOf(treasury) >= uint256(-rest);
            if (treasuryPays) (accounts[count], deltas[count++]) = (treasury, rest);
            else deltas[count - 1] += rest;
        }
        _shorten(accounts, deltas, count);
        // Also when nothing moves: it is the sign of life that keeps instant exits shut.
        vault.applyDeltas(accounts, deltas);

        for (uint256 i; i < b.assetCount; ++i) {
            _applyAsset(b, i);
        }
    }

    /// @dev Rounds down (toward minus infinity), or up when `up`.
    function _toShares(Batch memory b, int256 net, bool up) private pure returns (int256) {
        Math.Rounding rounding = up == net > 0 ? Math.Rounding.Ceil : Math.Rounding.Floor;
        uint256 size = uint256(net < 0 ? -net : net);
        int256 shares = int256(Math.mulDiv(size, b.totalShares + 1e6, b.totalAssets + 1, rounding));
        return net < 0 ? -shares : shares;
    }

    function _applyAsset(Batch memory b, uint256 asset) private {
        uint256 total = b.counts.accounts;
        address[] memory accounts = new address[](total);
        int256[] memory deltas = new int256[](total);
        uint256 count;
        for (uint256 i; i < total; ++i) {
            int256 net = b.net[asset * total + i];
            if (net == 0) continue;
            (accounts[count], deltas[count]) = (b.lines[i].account, net);
            ++count;
        }
        if (count == 0) return;
        _shorten(accounts, deltas, count);
        vault.applyAssetDeltas(b.assets[asset], accounts, deltas);
    }

    function _shorten(address[] memory accounts, int256[] memory deltas, uint256 count) private pure {
        assembly ("memory-safe") {
            mstore(accounts, count)
            mstore(deltas, count)
        }
    }

    // ---- net lines

    function settleNet(uint64 batchId, bytes32 prevHash, address asset, bytes32 root, bytes calldata data)
        external
        onlyRole(OPERATOR_ROLE)
    {
        bytes32 newHead = _advance(batchId, prevHash);
        if (data.length % NET_LINE != 0) revert MalformedBatch();
        uint256 count = data.length / NET_LINE;
        address[] memory accounts = new address[](count);
        int256[] memory shares = new int256[](count);
        int256[] memory assets = new int256[](count);
        OrderLib.NetReceipt memory receipt;
        (receipt.batchId, receipt.asset, receipt.root) = (batchId, asset, root);
        for (uint256 i; i < count; ++i) {
            _readLine(receipt, data[i * NET_LINE:(i + 1) * NET_LINE]);
            (accounts[i], shares[i], assets[i]) = (receipt.account, receipt.shareDelta, receipt.assetDelta);
            if (receipt.minNonce != 0) _raiseFloorNow(receipt.account, receipt.minNonce);
        }
        vault.applyDeltas(accounts, shares);
        if (asset != address(0)) vault.applyAssetDeltas(asset, accounts, assets);
        emit NetSettled(batchId, newHead, asset, root, count);
    }

    /// @dev Reads a line and checks that its account signed it.
    function _readLine(OrderLib.NetReceipt memory receipt, bytes calldata line) private view {
        address account = address(bytes20(line[0:20]));
        receipt.account = account;
        receipt.shareDelta = int128(uint128(bytes16(line[20:36])));
        receipt.assetDelta = int128(uint128(bytes16(line[36:52])));
        receipt.minNonce = uint64(bytes8(line[52:60]));
        if (receipt.asset == address(0) && receipt.assetDelta != 0) revert MalformedBatch();
        bool isGift = receipt.shareDelta >= 0 && receipt.assetDelta >= 0 && receipt.minNonce == 0;
        if (isGift && account == treasury) return;
        bytes32 structHash = keccak256(abi.encode(OrderLib.NET_RECEIPT_TYPEHASH, receipt));
        bytes32 hash = OrderLib.digest(DOMAIN_SEPARATOR(), structHash);
        (bytes32 r, bytes32 s, uint8 v) = BatchLib.split(bytes32(line[60:92]), uint256(bytes32(line[92:124])));
        if (OrderLib.recover(hash, v, r, s) == account) return;
        if (!OrderLib.isValidErc1271(account, hash, abi.encodePacked(r, s, v))) revert BadReceipt(account);
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
}
