// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

import {ICXPT} from "./interfaces/ICXPT.sol";
import {IVault} from "./interfaces/IVault.sol";
import {OrderLib} from "./OrderLib.sol";

/// @notice See {IVault}.
/// @dev Conservation is enforced here and not trusted to the caller: a broken Settlement can move but never mint.
contract Vault is IVault, UUPSUpgradeable, AccessControlUpgradeable, PausableUpgradeable {
    using Math for uint256;
    using SafeERC20 for IERC20;

    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    bytes32 public constant RESERVE_ROLE = keccak256("RESERVE_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant UPGRADER_ROLE = keccak256("UPGRADER_ROLE");
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @dev Shares that nobody owns. With them a first depositor who inflates the price loses more than his victim.
    uint256 private constant VIRTUAL_SHARES = 1e6;
    uint256 private constant VIRTUAL_ASSETS = 1;
    /// @dev How much of all assets `accrue` may add or write off in a day.
    uint256 private constant ACCRUAL_PPM_PER_DAY = 10_000;

    /// @custom:oz-upgrades-unsafe-allow state-variable-immutable
    uint40 public immutable exitDelay;
    /// @custom:oz-upgrades-unsafe-allow state-variable-immutable
    uint40 public immutable heartbeatTimeout;
    /// @custom:oz-upgrades-unsafe-allow state-variable-immutable
    bool public immutable cxptRedeemable;

    struct Exit {
        uint256 amount;
        uint40 readyAt;
        bool asCxpt;
    }

    /// @custom:storage-location erc7201:dexsim.storage.Vault
    struct VaultStorage {
        IERC20 usdc;
        ICXPT cxpt;
        // In one slot: a batch reads who it is and notes when it came.
        address settlement;
        uint40 lastBatchAt;
        uint40 accrualDay;
        uint256 accruedToday;
        // Tracked, never balanceOf: a donation must not move the price.
        uint256 totalAssets;
        uint256 totalShares;
        uint256 cxptReserve;
        mapping(address account => uint256) shares;
        mapping(address asset => mapping(address account => uint256)) assets;
        mapping(address asset => bool) listed;
        mapping(address account => mapping(address token => Exit)) exits;
        mapping(address account => mapping(uint64 nonce => bool)) withdrawalUsed;
    }

    // keccak256(abi.encode(uint256(keccak256("dexsim.storage.Vault")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x3d96cbc848eca65fe5d32121d81d5a882fa57cb1acc9d98d7ef0aff11240d500;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor(uint40 exitDelay_, uint40 heartbeatTimeout_, bool cxptRedeemable_) {
        exitDelay = exitDelay_;
        heartbeatTimeout = heartbeatTimeout_;
        cxptRedeemable = cxptRedeemable_;
        _disableInitializers();
    }

    function initialize(address usdc_, address admin) external initializer {
        if (usdc_ == address(0) || admin == address(0)) revert ZeroAddress();
        VaultStorage storage s = _storage();
        s.usdc = IERC20(usdc_);
        s.lastBatchAt = uint40(block.timestamp);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    // ---- in

    function deposit(address token, uint256 amount) external whenNotPaused {
        VaultStorage storage s = _storage();
        uint256 shares;
        // The token is called first, so that what is credited has arrived; USDC, CXPT and synths do not call back.
        if (token == address(s.usdc)) {
            s.usdc.safeTransferFrom(msg.sender, address(this), amount);
            shares = _credit(s, msg.sender, amount);
        } else if (token == address(s.cxpt) && token != address(0)) {
            if (!cxptRedeemable) revert RedemptionClosed();
            s.cxpt.burn(msg.sender, amount);
            s.cxptReserve -= amount;
            shares = _credit(s, msg.sender, amount);
        } else if (s.listed[token]) {
            IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
            s.assets[token][msg.sender] += amount;
        } else {
            revert UnknownToken(token);
        }
        emit Deposit(msg.sender, token, amount, shares);
    }

    function accrue(int256 amount) external onlyRole(RESERVE_ROLE) {
        VaultStorage storage s = _storage();
        uint256 size = uint256(amount < 0 ? -amount : amount);
        uint40 day = uint40(block.timestamp / 1 days);
        if (s.accrualDay != day) (s.accrualDay, s.accruedToday) = (day, 0);
        s.accruedToday += size;
        if (s.accruedToday > s.totalAssets * ACCRUAL_PPM_PER_DAY / 1e6) revert AccrualLimit(s.accruedToday);
        if (amount >= 0) {
            s.usdc.safeTransferFrom(msg.sender, address(this), size);
            s.totalAssets += size;
        } else {
            // Only what is gone can be written off, so that nobody gains by a loss of others.
            uint256 held = s.usdc.balanceOf(address(this));
            uint256 owed = s.totalAssets + s.cxptReserve;
            if (owed < held + size) revert NothingIsMissing(owed < held ? 0 : owed - held);
            s.totalAssets -= size;
        }
        emit Accrued(amount);
    }

    // ---- out; nothing below may ever be pausable

    function withdraw(address token, uint256 amount, bool asCxpt) external {
        VaultStorage storage s = _storage();
        bool ofShares = token == address(s.usdc);
        if (!ofShares && (asCxpt || !s.listed[token])) revert UnknownToken(token);
        if (!_passExit(s, token, amount, asCxpt)) return;
        if (ofShares) {
            _pay(s, msg.sender, _toAssets(s, amount.min(s.shares[msg.sender])), asCxpt, 0);
            return;
        }
        uint256 paid = amount.min(s.assets[token][msg.sender]);
        if (paid == 0) revert NothingToExit();
        s.assets[token][msg.sender] -= paid;
        emit WithdrawSynth(msg.sender, token, paid);
        IERC20(token).safeTransfer(msg.sender, paid);
    }

    function withdrawBySig(
        address account,
        uint256 amount,
        bool asCxpt,
        uint64 nonce,
        uint40 deadline,
        bytes calldata sig
    ) external onlyRole(OPERATOR_ROLE) {
        VaultStorage storage s = _storage();
        if (block.timestamp > deadline) revert SignatureExpired();
        if (s.withdrawalUsed[account][nonce]) revert NonceUsed(account, nonce);
        bytes32 hash = OrderLib.digest(
            OrderLib.domainSeparator(block.chainid, s.settlement),
            OrderLib.hashWithdrawal(account, amount, asCxpt, nonce, deadline)
        );
        if (!OrderLib.isSignedBy(account, hash, sig)) revert BadWithdrawalSignature();
        s.withdrawalUsed[account][nonce] = true;
        _pay(s, account, amount, asCxpt, nonce);
    }

    // ---- settlement

    function applyDeltas(address[] calldata accounts, int256[] calldata shareDeltas)
        external
        onlyRole(SETTLER_ROLE)
    {
        VaultStorage storage s = _storage();
        // A pause stops trading, and never what Clearing pays out.
        if (msg.sender == s.settlement) {
            _requireNotPaused();
            s.lastBatchAt = uint40(block.timestamp);
        }
        address short = _apply(s.shares, accounts, shareDeltas);
        if (short != address(0)) revert InsufficientShares(short);
    }

    function applyAssetDeltas(address asset, address[] calldata accounts, int256[] calldata deltas)
        external
        onlyRole(SETTLER_ROLE)
        whenNotPaused
    {
        VaultStorage storage s = _storage();
        if (!s.listed[asset]) revert UnknownToken(asset);
        address short = _apply(s.assets[asset], accounts, deltas);
        if (short != address(0)) revert InsufficientAsset(short, asset);
    }

    // ---- administration

    function setCxpt(address cxpt_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        VaultStorage storage s = _storage();
        // Once: another token could burn its way into the reserve of this one.
        if (address(s.cxpt) != address(0)) revert AlreadySet();
        if (cxpt_ == address(0)) revert ZeroAddress();
        s.cxpt = ICXPT(cxpt_);
        emit CxptSet(cxpt_);
    }

    /// @dev Names the domain of withdrawals and whose batches are the sign of life; the power to move balances is SETTLER_ROLE.
    function setSettlement(address settlement_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (settlement_ == address(0)) revert ZeroAddress();
        _storage().settlement = settlement_;
        emit SettlementSet(settlement_);
    }

    function listAsset(address token) external onlyRole(DEFAULT_ADMIN_ROLE) {
        VaultStorage storage s = _storage();
        // USDC or CXPT as an asset would be a second ledger over the same coins.
        if (token == address(0) || token == address(s.usdc) || token == address(s.cxpt)) revert UnknownToken(token);
        s.listed[token] = true;
        emit AssetListed(token);
    }

    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    function _authorizeUpgrade(address) internal override onlyRole(UPGRADER_ROLE) {}

    // ---- views

    function usdc() external view returns (address) {
        return address(_storage().usdc);
    }

    function cxpt() external view returns (address) {
        return address(_storage().cxpt);
    }

    function settlement() external view returns (address) {
        return _storage().settlement;
    }

    function lastBatchAt() external view returns (uint40) {
        return _storage().lastBatchAt;
    }

    /// @notice Whether exits are paid at once, because no batch has come for `heartbeatTimeout`.
    function isAbandoned() external view returns (bool) {
        return _isAbandoned(_storage());
    }

    function totalAssets() external view returns (uint256) {
        return _storage().totalAssets;
    }

    function totalShares() external view returns (uint256) {
        return _storage().totalShares;
    }

    function cxptReserve() external view returns (uint256) {
        return _storage().cxptReserve;
    }

    function toShares(uint256 assets) external view returns (uint256) {
        return _toShares(_storage(), assets, Math.Rounding.Floor);
    }

    function toAssets(uint256 shares) external view returns (uint256) {
        return _toAssets(_storage(), shares);
    }

    function sharesOf(address account) external view returns (uint256) {
        return _storage().shares[account];
    }

    function usdcOf(address account) external view returns (uint256) {
        VaultStorage storage s = _storage();
        return _toAssets(s, s.shares[account]);
    }

    function assetOf(address account, address asset) external view returns (uint256) {
        return _storage().assets[asset][account];
    }

    function isAsset(address token) external view returns (bool) {
        return _storage().listed[token];
    }

    function withdrawalUsed(address account, uint64 nonce) external view returns (bool) {
        return _storage().withdrawalUsed[account][nonce];
    }

    function exitOf(address account, address token) external view returns (uint256, uint40, bool) {
        Exit storage e = _storage().exits[account][token];
        return (e.amount, e.readyAt, e.asCxpt);
    }

    function snapshot(address[] calldata accounts)
        external
        view
        returns (uint256 assets, uint256 shares, uint256[] memory sharesOfAccounts)
    {
        VaultStorage storage s = _storage();
        assets = s.totalAssets;
        shares = s.totalShares;
        sharesOfAccounts = new uint256[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            sharesOfAccounts[i] = s.shares[accounts[i]];
        }
    }

    // ---- inside

    function _storage() private pure returns (VaultStorage storage s) {
        assembly ("memory-safe") {
            s.slot := STORAGE
        }
    }

    function _toShares(VaultStorage storage s, uint256 assets, Math.Rounding rounding)
        private
        view
        returns (uint256)
    {
        return assets.mulDiv(s.totalShares + VIRTUAL_SHARES, s.totalAssets + VIRTUAL_ASSETS, rounding);
    }

    function _toAssets(VaultStorage storage s, uint256 shares) private view returns (uint256) {
        return shares.mulDiv(s.totalAssets + VIRTUAL_ASSETS, s.totalShares + VIRTUAL_SHARES);
    }

    function _credit(VaultStorage storage s, address account, uint256 assets) private returns (uint256 shares) {
        shares = _toShares(s, assets, Math.Rounding.Floor);
        if (shares == 0) revert ZeroShares();
        s.totalAssets += assets;
        s.totalShares += shares;
        s.shares[account] += shares;
    }

    function _isAbandoned(VaultStorage storage s) private view returns (bool) {
        return block.timestamp >= s.lastBatchAt + heartbeatTimeout;
    }

    /// @dev Queues and returns false, or clears the queue and returns true.
    function _passExit(VaultStorage storage s, address token, uint256 amount, bool asCxpt) private returns (bool) {
        Exit memory e = s.exits[msg.sender][token];
        if (amount != 0 && _isAbandoned(s)) {
            delete s.exits[msg.sender][token];
            return true;
        }
        if (amount != 0 && e.amount == amount && e.asCxpt == asCxpt) {
            if (block.timestamp < e.readyAt) revert ExitPending(e.readyAt);
            delete s.exits[msg.sender][token];
            return true;
        }
        if (amount == 0) {
            delete s.exits[msg.sender][token];
            emit ExitQueued(msg.sender, token, 0, asCxpt, 0);
            return false;
        }
        uint40 readyAt = uint40(block.timestamp) + exitDelay;
        s.exits[msg.sender][token] = Exit(amount, readyAt, asCxpt);
        emit ExitQueued(msg.sender, token, amount, asCxpt, readyAt);
        return false;
    }

    function _pay(VaultStorage storage s, address account, uint256 assets, bool asCxpt, uint64 nonce) private {
        if (assets == 0) revert NothingToExit();
        // Burns what the paid amount costs, rounded up, and not the shares asked for: dust stays with its owner, and
        // one uUSDC stays 1e6 shares for everyone as long as nothing is accrued.
        uint256 shares = _toShares(s, assets, Math.Rounding.Ceil);
        if (shares > s.shares[account]) revert InsufficientShares(account);
        s.shares[account] -= shares;
        s.totalShares -= shares;
        s.totalAssets -= assets;
        emit Withdraw(account, assets, shares, asCxpt, nonce);
        if (asCxpt) {
            // The USDC stays, but behind CXPT: left in totalAssets it would raise the price of the other shares.
            s.cxptReserve += assets;
            s.cxpt.mint(account, assets);
        } else {
            s.usdc.safeTransfer(account, assets);
        }
    }

    /// @return short an account whose balance would fall below zero, or the zero address
    function _apply(
        mapping(address => uint256) storage balances,
        address[] calldata accounts,
        int256[] calldata deltas
    ) private returns (address short) {
        if (accounts.length != deltas.length) revert LengthMismatch();
        int256 sum;
        for (uint256 i; i < accounts.length; ++i) {
            int256 delta = deltas[i];
            sum += delta;
            int256 balance = int256(balances[accounts[i]]) + delta;
            if (balance < 0) return accounts[i];
            balances[accounts[i]] = uint256(balance);
        }
        if (sum != 0) revert NonZeroSum(sum);
    }
}
