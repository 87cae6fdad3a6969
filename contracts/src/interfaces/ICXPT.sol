// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Governance and fee-rebate token
interface ICXPT {
    error OnlyVault();
    error OnlyAdmin();
    /// @notice CXPT trades only on this exchange: wallet to wallet is refused.
    error TransferRestricted(address from, address to);

    event VenueSet(address indexed venue, bool allowed);

    function mint(address to, uint256 amount) external;
    function burn(address from, uint256 amount) external;
    function setVenue(address venue, bool allowed) external;
    function isVenue(address venue) external view returns (bool);
}
