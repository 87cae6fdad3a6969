// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The house's safe
/// @notice Holds all USDC, keeps every account's shares and synths, knows nothing about orders.
/// USDC has 6 decimals, shares have 12: price = (totalAssets + 1) / (totalShares + 1e6) uUSDC per share.
/// Every conversion rounds down for the user; exact while nothing was accrued (1 uUSDC = 1e6 shares).
interface IVault {
    error UnknownToken(address token);
    error AlreadySet();
    error ZeroAddress();
    error ZeroShares();
    error LengthMismatch();
    error NonZeroSum(int256 sum);
    error InsufficientShares(address account);
    error InsufficientAsset(address account, address asset);
    error ExitPending(uint256 readyAt);
    error NothingToExit();
    error RedemptionClosed();
    error AccrualLimit(uint256 today);
    error NothingIsMissing(uint256 missing);
    error SignatureExpired();
    error NonceUsed(address account, uint64 nonce);
    error BadWithdrawalSignature();

    event Deposit(address indexed account, address indexed token, uint256 amount, uint256 shares);
    event Withdraw(address indexed account, uint256 amount, uint256 shares, bool asCxpt, uint64 nonce);
    event WithdrawSynth(address indexed account, address indexed token, uint256 amount);
    /// @param amount shares when token is USDC
    event ExitQueued(address indexed account, address indexed token, uint256 amount, bool asCxpt, uint256 readyAt);
    event AssetListed(address indexed token);
    event Accrued(int256 amount);
    event CxptSet(address cxpt);
    event SettlementSet(address settlement);

    /// @notice Moves `amount` of USDC, CXPT or a listed synth from the caller into the house.
    /// USDC buys shares at the current price; CXPT is burnt and its 1:1 reserve buys shares; a synth goes to its ledger.
    function deposit(address token, uint256 amount) external;

    /// @notice The door nobody can lock: not pausable, no operator. The first call queues, the same call after `exitDelay`
    /// pays out; when no batch has come for `heartbeatTimeout` the first call pays. Other arguments replace the queued
    /// exit, zero cancels it. Pays at most what the account still has.
    /// @param token USDC, then `amount` is in shares; or a listed synth
    /// @param asCxpt USDC as newly minted CXPT, 1:1, while the USDC stays as its reserve
    /// @dev The delay keeps a trader from pulling funds from under a fill that is matched but not yet settled.
    function withdraw(address token, uint256 amount, bool asCxpt) external;

    /// @notice An exit signed by the account and sent by the operator: immediate, because the operator has already
    /// debited the account off chain. `amount` is uUSDC. The digest is in the domain of Settlement.
    function withdrawBySig(
        address account,
        uint256 amount,
        bool asCxpt,
        uint64 nonce,
        uint40 deadline,
        bytes calldata sig
    ) external;

    /// @notice Moves shares between accounts. Reverts unless the deltas sum to zero and no balance falls below zero.
    function applyDeltas(address[] calldata accounts, int256[] calldata shareDeltas) external;

    /// @notice As `applyDeltas`, for the ledger of one synth.
    function applyAssetDeltas(address asset, address[] calldata accounts, int256[] calldata deltas) external;

    /// @notice Moves the price of all shares, by at most 1 % of all assets a day. Yield: USDC comes in, no shares go out.
    /// A loss (negative): USDC that the Vault should hold and no longer does is written off, borne by all shares alike.
    function accrue(int256 amount) external;

    function listAsset(address token) external;
    function setCxpt(address cxpt) external;
    function setSettlement(address settlement) external;

    function usdc() external view returns (address);
    function cxpt() external view returns (address);
    function settlement() external view returns (address);
    /// @notice Whether exits are paid at once, because no batch has come for `heartbeatTimeout`.
    function isAbandoned() external view returns (bool);
    function totalAssets() external view returns (uint256);
    function totalShares() external view returns (uint256);
    /// @notice USDC that stands behind CXPT; always equals the supply of CXPT.
    function cxptReserve() external view returns (uint256);
    function toShares(uint256 assets) external view returns (uint256);
    function toAssets(uint256 shares) external view returns (uint256);
    function sharesOf(address account) external view returns (uint256);
    function usdcOf(address account) external view returns (uint256);
    function assetOf(address account, address asset) external view returns (uint256);
    function isAsset(address token) external view returns (bool);
    function withdrawalUsed(address account, uint64 nonce) external view returns (bool);
    /// @param token USDC, for shares, or a synth
    function exitOf(address account, address token)
        external
        view
        returns (uint256 amount, uint40 readyAt, bool asCxpt);

    /// @notice Totals and the shares of many accounts in one call, for a settlement batch.
    function snapshot(address[] calldata accounts)
        external
        view
        returns (uint256 assets, uint256 shares, uint256[] memory sharesOfAccounts);
}
