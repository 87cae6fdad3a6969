// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ISettlement} from "./interfaces/ISettlement.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Oracle} from "./Oracle.sol";
import {OrderLib} from "./OrderLib.sol";

/// @notice See {IClearing}.
/// @dev A position is (size, signed cost, margin) and no average price, so that sum(size) = 0 and the instrument's account
/// = sum(margin) - sum(cost) + insurance hold exactly under any rounding of cost and margin.
contract Clearing is Oracle {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// @notice So old may a mark be when it liquidates somebody.
    uint256 public constant MARK_AGE = 10 minutes;
    /// @notice So long after the expiry price losses are recorded, before claims open; see `recordDeficit`.
    uint256 public constant CLAIM_DELAY = 1 hours;
    /// @notice So many funding payments a fill brings a position up to date with; beyond, `settleFunding` comes first.
    uint256 public constant TICKS_PER_FILL = 168;

    address public immutable settlement;
    IVault public immutable vault;

    mapping(address account => mapping(bytes32 instrumentId => Position)) private _positions;

    /// @dev One side of a trade.
    struct Leg {
        address account;
        bool buys;
        bool floors;
        bool reduceOnly;
        int256 available;
    }

    constructor(address settlement_, address vault_, address admin) Oracle(admin) {
        settlement = settlement_;
        vault = IVault(vault_);
    }

    modifier onlySettlement() {
        if (msg.sender != settlement) revert OnlySettlement();
        _;
    }

    function list(bytes32 instrumentId, OrderLib.Instrument calldata i, Terms calldata t) external onlySettlement {
        Book storage b = _books[instrumentId];
        if (b.known) revert AlreadyKnown(instrumentId);
        bool dated = i.kind != OrderLib.PERP;
        bool isOption = i.kind == OrderLib.OPTION;
        if (dated ? i.expiry <= block.timestamp || i.expiry > type(uint40).max : i.expiry != 0) revert BadTerms();
        if (isOption) {
            // A call without a cap could cost its writer anything; nobody can escrow that.
            if (i.strike == 0 || (i.isCall ? t.cap <= i.strike : t.cap != 0) || t.imPpm != 0) revert BadTerms();
        } else if (i.strike != 0 || i.isCall || t.cap != 0 || t.imPpm == 0 || t.mmPpm >= t.imPpm) {
            revert BadTerms();
        }
        if (t.liquidationFeePpm > PPM || t.bandPpm > PPM || t.markMovePpm > PPM || t.fundingPpm > PPM) revert BadTerms();
        (b.known, b.kind, b.isCall) = (true, i.kind, i.isCall);
        (b.expiry, b.strike, b.cap) = (uint40(i.expiry), i.strike, t.cap);
        (b.imPpm, b.mmPpm, b.liquidationFeePpm) = (t.imPpm, t.mmPpm, t.liquidationFeePpm);
        (b.bandPpm, b.markMovePpm, b.fundingPpm) = (t.bandPpm, t.markMovePpm, t.fundingPpm);
        emit InstrumentKnown(instrumentId, i.kind, t);
    }

    // ---- fills

    function fill(Fill calldata f) external onlySettlement returns (int256 makerDelta, int256 takerDelta) {
        Book storage b = _known(f.instrumentId);
        if (b.expiredAt != 0) revert InstrumentExpired();
        Leg memory leg = Leg(f.maker, f.makerBuys, f.makerFloor, f.makerReduceOnly, f.makerAvailable);
        makerDelta = _move(b, f.instrumentId, f.price, f.qty, leg);
        leg = Leg(f.taker, !f.makerBuys, f.takerFloor, f.takerReduceOnly, f.takerAvailable);
        takerDelta = _move(b, f.instrumentId, f.price, f.qty, leg);
        b.lastPrice = f.price;
        // What the two accounts get is what the instrument's account pays.
        if (f.houseAvailable - makerDelta - takerDelta < 0) revert ClearingShort();
    }

    /// @return delta uUSDC that the account gets
    function _move(Book storage b, bytes32 instrumentId, uint64 price, uint64 qty, Leg memory leg)
        private
        returns (int256 delta)
    {
        Position memory p = _load(b, instrumentId, leg.account, TICKS_PER_FILL);
        if (p.tick != b.ticks) revert FundingBehind(leg.account);
        delta = b.kind == OrderLib.OPTION
            ? _moveOption(b, p, price, qty, leg)
            : _moveFuture(p, price, qty, leg, b.imPpm);
        if (leg.available + delta < 0) revert MarginNotCovered(leg.account);
        _positions[leg.account][instrumentId] = p;
    }

    /// @dev How much of a fill closes; the rest opens.
    function _closing(Position memory p, uint64 qty, Leg memory leg) private pure returns (uint256 closing) {
        closing = p.size != 0 && (p.size > 0) != leg.buys ? Math.min(qty, _abs(p.size)) : 0;
        if (leg.reduceOnly && closing != qty) revert ReduceOnlyViolated(leg.account);
    }

    /// @dev Settlement has checked that the whole notional is exact, and lot sizes make both parts exact; the opening part
    /// is the rest, so that cost and money agree even if they did not.
    function _moveFuture(Position memory p, uint64 price, uint64 qty, Leg memory leg, uint32 imPpm)
        private
        pure
        returns (int256 delta)
    {
        uint256 closing = _closing(p, qty, leg);
        uint256 closed = uint256(price) * closing / OrderLib.QTY_ONE;
        if (closing != 0) delta = _reduce(p, leg.account, closing, leg.buys ? closed.toInt256() : -closed.toInt256());
        if (closing == qty) return delta;
        uint256 opened = uint256(price) * qty / OrderLib.QTY_ONE - closed;
        delta -= _increase(p, leg, qty - closing, opened, imPpm).toInt256();
    }

    function _increase(Position memory p, Leg memory leg, uint256 qty, uint256 n, uint32 imPpm)
        private
        pure
        returns (uint256 margin)
    {
        int256 k = leg.buys ? int256(1) : -1;
        margin = leg.floors ? n * imPpm / PPM : Math.ceilDiv(n * imPpm, PPM);
        p.size = (p.size + k * qty.toInt256()).toInt128();
        p.cost = (p.cost + k * n.toInt256()).toInt128();
        p.margin = (p.margin + margin.toInt256()).toInt128();
    }

    /// @dev Closes `qty` of `held`. The released cost is rounded up, so profit is rounded down, for longs and shorts alike.
    /// @param paid signed notional of the closing fill: + when it buys
    function _reduce(Position memory p, address account, uint256 qty, int256 paid) private pure returns (int256 payout) {
        payout = _close(p, _abs(p.size), qty, paid);
        if (payout < 0) {
            // A loss above the released margin is paid by the margin that stays, not by the free balance.
            p.margin = (p.margin + payout).toInt128();
            if (p.margin < 0) revert WouldBeBankrupt(account);
            payout = 0;
        }
    }

    /// @return released margin plus profit or loss; may be negative
    function _close(Position memory p, uint256 held, uint256 qty, int256 paid) private pure returns (int256) {
        (int256 part, int256 whole) = (qty.toInt256(), held.toInt256());
        int256 cost = -_floorDiv(-int256(p.cost) * part, whole);
        int256 margin = _floorDiv(int256(p.margin) * part, whole);
        p.size = p.size > 0 ? (p.size - part).toInt128() : (p.size + part).toInt128();
        p.cost = (p.cost - cost).toInt128();
        p.margin = (p.margin - margin).toInt128();
        return margin - cost - paid;
    }

    /// @dev The premium goes from buyer to writer at once; whoever is short then has the largest payoff in escrow.
    function _moveOption(Book storage b, Position memory p, uint64 price, uint64 qty, Leg memory leg)
        private
        view
        returns (int256 delta)
    {
        _closing(p, qty, leg);
        bool buys = leg.buys;
        int256 premium = (uint256(price) * qty / OrderLib.QTY_ONE).toInt256();
        int256 size = buys ? p.size + int256(uint256(qty)) : p.size - int256(uint256(qty));
        uint256 short = size < 0 ? uint256(-size) : 0;
        uint256 perUnit = b.isCall ? b.cap - b.strike : b.strike;
        uint256 escrow = perUnit * short / OrderLib.QTY_ONE;
        if (escrow * OrderLib.QTY_ONE != perUnit * short) revert InexactEscrow();
        delta = (buys ? -premium : premium) - (escrow.toInt256() - p.margin);
        (p.size, p.margin) = (size.toInt128(), escrow.toInt256().toInt128());
    }

    // ---- funding

    /// @notice Brings a position up to date by at most `most` payments. Fills do it themselves.
    function settleFunding(bytes32 instrumentId, address account, uint256 most) external {
        _positions[account][instrumentId] = _load(_known(instrumentId), instrumentId, account, most);
    }

    /// @dev Payment by payment, as the ledger does, and not on the sum, which would round differently.
    function _load(Book storage b, bytes32 instrumentId, address account, uint256 most)
        private
        returns (Position memory p)
    {
        p = _positions[account][instrumentId];
        uint64 ticks = b.ticks;
        if (p.tick == ticks) return p;
        if (p.size == 0) {
            p.tick = ticks;
            return p;
        }
        uint256 last = Math.min(ticks, p.tick + most);
        int256 delta;
        for (uint256 tick = p.tick; tick < last; ++tick) {
            // Who pays is rounded up, who gets is rounded down.
            delta += _floorDiv(-int256(p.size) * _fundingOf[instrumentId][tick], FUNDING_ONE);
        }
        p.tick = uint64(last);
        p.margin = (p.margin + delta).toInt128();
        emit FundingSettled(instrumentId, account, delta, p.tick);
    }

    // ---- liquidation

    /// @notice Takes over up to `qty` of a position whose equity at the mark is below maintenance, at a price near the mark.
    /// The caller becomes the new holder, with initial margin from his own shares.
    function liquidate(bytes32 instrumentId, address account, uint64 qty, uint64 price) external {
        Book storage b = _known(instrumentId);
        Position memory p = _loadForLiquidation(b, instrumentId, account);
        if (account == msg.sender || !_belowMaintenance(b, p)) revert Healthy(account);
        _checkBand(b, price);
        Leg memory leg = Leg(msg.sender, p.size > 0, false, false, vault.usdcOf(msg.sender).toInt256());
        int256 payout = _closeOut(b, instrumentId, account, p, qty, price);
        emit Liquidated(instrumentId, account, msg.sender, qty, price);

        int256 delta = _move(b, instrumentId, price, qty, leg);
        _pay(instrumentId, account, payout, msg.sender, delta);
    }

    function _checkBand(Book storage b, uint64 price) private view {
        uint256 distance = price > b.mark ? price - b.mark : b.mark - price;
        if (distance > uint256(b.mark) * b.bandPpm / PPM) revert OutsideBand(price);
    }

    /// @return what is left for the account after its loss and the fee
    function _closeOut(
        Book storage b,
        bytes32 instrumentId,
        address account,
        Position memory p,
        uint64 qty,
        uint64 price
    ) private returns (int256) {
        uint256 held = _abs(p.size);
        if (qty == 0 || qty > held) revert BadQty();
        (uint256 n, bool exact) = OrderLib.notional(price, qty);
        if (!exact) revert InexactPrice();
        int256 payout = _close(p, held, qty, p.size > 0 ? -n.toInt256() : n.toInt256());
        if (payout < 0) {
            p.margin = (p.margin + payout).toInt128();
            payout = 0;
            if (p.margin < 0) {
                // Only a whole position may leave a loss behind.
                if (qty != held) revert WouldBeBankrupt(account);
                _useInsurance(b, instrumentId, uint256(-int256(p.margin)));
                p.margin = 0;
            }
        }
        _positions[account][instrumentId] = p;
        uint256 fee = Math.min(Math.ceilDiv(n * b.liquidationFeePpm, PPM), uint256(payout));
        if (fee != 0) _addInsurance(b, instrumentId, fee);
        return payout - fee.toInt256();
    }

    /// @notice Closes a bankrupt position against one that gains, at the price at which the bankrupt has just nothing left:
    /// when insurance cannot pay for it, who gains bears the loss, within this instrument.
    function deleverage(bytes32 instrumentId, address account, address counterparty, uint64 qty) external {
        Book storage b = _known(instrumentId);
        Position memory p = _loadForLiquidation(b, instrumentId, account);
        Position memory q = _loadForLiquidation(b, instrumentId, counterparty);
        int256 equity = _equity(p, b.mark);
        if (equity >= 0 || uint256(-equity) <= b.insurance) revert Healthy(account);
        // In 1e-8 uUSDC: who gains, on the other side.
        bool gains = int256(q.size) * int256(uint256(b.mark)) > int256(q.cost) * int256(OrderLib.QTY_ONE);
        if ((p.size > 0) == (q.size > 0) || !gains) revert NotDeleverageable(counterparty);
        if (qty == 0 || qty > _abs(p.size) || qty > _abs(q.size)) revert BadQty();

        // What closing for nothing would leave is what closing for just nothing left costs.
        int256 paid = _close(p, _abs(p.size), qty, 0);
        int256 payout = _reduce(q, counterparty, qty, -paid);
        _positions[account][instrumentId] = p;
        _positions[counterparty][instrumentId] = q;
        emit Deleveraged(instrumentId, account, counterparty, qty, uint256(paid < 0 ? -paid : paid));
        _pay(instrumentId, counterparty, payout, account, 0);
    }

    function _loadForLiquidation(Book storage b, bytes32 instrumentId, address account)
        private
        returns (Position memory p)
    {
        if (b.kind == OrderLib.OPTION) revert WrongKind();
        if (b.expiredAt != 0) revert InstrumentExpired();
        if (block.timestamp > b.markAt + MARK_AGE) revert StaleMark();
        p = _load(b, instrumentId, account, TICKS_PER_FILL);
        if (p.tick != b.ticks) revert FundingBehind(account);
        if (p.size == 0) revert NothingToClaim();
    }

    function _belowMaintenance(Book storage b, Position memory p) private view returns (bool) {
        int256 value = int256(uint256(b.mark)) * int256(p.size);
        int256 equity = (int256(p.margin) - p.cost) * int256(OrderLib.QTY_ONE) + value;
        return equity * int256(PPM) < int256(uint256(b.mmPpm)) * (value < 0 ? -value : value);
    }

    /// @dev Margin plus profit at a price, rounded down.
    function _equity(Position memory p, uint64 price) private pure returns (int256) {
        return _floorDiv(int256(p.size) * int256(uint256(price)), int256(OrderLib.QTY_ONE)) - p.cost + p.margin;
    }

    // ---- insurance

    /// @notice Gives some of the caller's shares to an instrument's insurance.
    function fundInsurance(bytes32 instrumentId, uint128 amount) external {
        Book storage b = _known(instrumentId);
        _addInsurance(b, instrumentId, amount);
        _pay(instrumentId, msg.sender, -int256(uint256(amount)), address(0), 0);
    }

    function _addInsurance(Book storage b, bytes32 instrumentId, uint256 amount) private {
        b.insurance = (b.insurance + amount).toUint128();
        emit InsuranceChanged(instrumentId, b.insurance);
    }

    function _useInsurance(Book storage b, bytes32 instrumentId, uint256 amount) private {
        if (amount > b.insurance) revert InsuranceExhausted(amount);
        b.insurance -= uint128(amount);
        emit InsuranceChanged(instrumentId, b.insurance);
    }

    // ---- expiry

    /// @notice Ends an instrument when no batch has come for the Vault's `heartbeatTimeout`, so that margins and escrows
    /// find their way out without an operator: at the mark, or where there is none at the price of the last fill. Anyone
    /// may; claims follow as after an expiry.
    function closeOut(bytes32 instrumentId) external {
        Book storage b = _known(instrumentId);
        if (b.expiredAt != 0) revert InstrumentExpired();
        if (!vault.isAbandoned()) revert NotAbandoned();
        uint64 price = b.kind == OrderLib.OPTION || b.mark == 0 ? b.lastPrice : b.mark;
        (b.expiryPrice, b.expiredAt, b.closedOut) = (price, uint40(block.timestamp), true);
        emit ExpiryPriced(instrumentId, price);
    }

    /// @notice Records a perp's or future's position that lost more than its margin, in the hour before claims open. What
    /// insurance does not cover, all claims bear in proportion.
    function recordDeficit(bytes32 instrumentId, address account) external {
        Book storage b = _known(instrumentId);
        if (b.expiredAt == 0 || b.kind == OrderLib.OPTION) revert NotExpired();
        if (b.owed != 0) revert ClaimsNotOpen(0);
        int256 equity = _equity(_load(b, instrumentId, account, type(uint64).max), b.expiryPrice);
        if (equity >= 0) revert Healthy(account);
        delete _positions[account][instrumentId];
        uint256 deficit = uint256(-equity);
        uint256 insured = Math.min(deficit, b.insurance);
        if (insured != 0) _useInsurance(b, instrumentId, insured);
        b.deficit = (b.deficit + deficit - insured).toUint128();
        emit DeficitRecorded(instrumentId, account, deficit);
    }

    /// @notice Pays what a position is worth at the expiry price; anyone may ask for anyone.
    function claim(bytes32 instrumentId, address account) external {
        Book storage b = _known(instrumentId);
        if (b.expiredAt == 0) revert NotExpired();
        Position memory p = _load(b, instrumentId, account, type(uint64).max);
        if (p.size == 0) revert NothingToClaim();
        delete _positions[account][instrumentId];
        int256 worth = b.kind == OrderLib.OPTION ? _payoff(b, p) : _futureClaim(b, instrumentId, p);
        emit Claimed(instrumentId, account, uint256(worth));
        _pay(instrumentId, account, worth, address(0), 0);
    }

    /// @dev The writer's part is rounded down as the holder's is, so claims never exceed the escrow.
    function _payoff(Book storage b, Position memory p) private view returns (int256) {
        (uint256 price, uint256 strike) = (b.expiryPrice, b.strike);
        uint256 perUnit;
        // Of an option that is closed out the price is its premium; it is worth no more than its largest payoff.
        if (b.closedOut) perUnit = Math.min(price, b.isCall ? b.cap - strike : strike);
        else if (b.isCall) perUnit = price > strike ? Math.min(price, b.cap) - strike : 0;
        else perUnit = price < strike ? strike - price : 0;
        return _floorDiv(int256(p.size) * perUnit.toInt256(), int256(OrderLib.QTY_ONE)) + p.margin;
    }

    function _futureClaim(Book storage b, bytes32 instrumentId, Position memory p) private returns (int256 worth) {
        uint256 opensAt = b.expiredAt + CLAIM_DELAY;
        if (block.timestamp < opensAt) revert ClaimsNotOpen(opensAt);
        worth = _equity(p, b.expiryPrice);
        if (worth < 0) worth = 0;
        if (b.owed == 0) {
            b.recovered = (vault.usdcOf(accountOf(instrumentId)) - b.insurance).toUint128();
            b.owed = b.recovered + b.deficit;
            if (b.owed == 0) b.owed = 1;
        }
        if (b.deficit != 0) worth = Math.mulDiv(uint256(worth), b.recovered, b.owed).toInt256();
    }

    // ---- money

    /// @dev Moves uUSDC between an instrument's account and two others; `delta` is what they get. Rounded against them.
    function _pay(bytes32 instrumentId, address one, int256 delta, address other, int256 otherDelta) private {
        (uint256 assets, uint256 shares,) = vault.snapshot(new address[](0));
        address[] memory accounts = new address[](3);
        int256[] memory deltas = new int256[](3);
        (accounts[0], accounts[1], accounts[2]) = (one, other, accountOf(instrumentId));
        deltas[0] = _floorDiv(delta * (shares + 1e6).toInt256(), (assets + 1).toInt256());
        deltas[1] = _floorDiv(otherDelta * (shares + 1e6).toInt256(), (assets + 1).toInt256());
        deltas[2] = -deltas[0] - deltas[1];
        // Who pays comes first, so that no balance is below zero in between.
        if (deltas[2] < 0) {
            (accounts[0], accounts[2]) = (accounts[2], accounts[0]);
            (deltas[0], deltas[2]) = (deltas[2], deltas[0]);
        }
        vault.applyDeltas(accounts, deltas);
    }

    function _floorDiv(int256 a, int256 b) private pure returns (int256) {
        return a < 0 ? (a + 1) / b - 1 : a / b;
    }

    function _abs(int128 x) private pure returns (uint256) {
        return uint256(x < 0 ? -int256(x) : int256(x));
    }

    // ---- views

    function accountOf(bytes32 instrumentId) public pure returns (address) {
        return address(uint160(uint256(instrumentId)));
    }

    function positionOf(address account, bytes32 instrumentId) external view returns (Position memory) {
        return _positions[account][instrumentId];
    }

    function isLiquidatable(bytes32 instrumentId, address account) external view returns (bool) {
        return _belowMaintenance(_books[instrumentId], _positions[account][instrumentId]);
    }

    function _domain() internal view override returns (address) {
        return settlement;
    }
}
