// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {ICXPT} from "./interfaces/ICXPT.sol";

/// @notice See {ICXPT}.
/// @dev Minted and burnt only by the Vault, 1:1 with USDC that the Vault sets aside.
contract CXPT is ICXPT, ERC20Permit, ERC20Votes {
    address public immutable vault;
    address public immutable admin;

    mapping(address account => bool) public isVenue;

    constructor(address vault_, address admin_) ERC20("CXPT", "CXPT") ERC20Permit("CXPT") {
        vault = vault_;
        admin = admin_;
        isVenue[vault_] = true;
        emit VenueSet(vault_, true);
    }

    function mint(address to, uint256 amount) external onlyVault {
        _mint(to, amount);
    }

    /// @dev Without an allowance: the Vault burns only what its caller himself deposits.
    function burn(address from, uint256 amount) external onlyVault {
        _burn(from, amount);
    }

    function setVenue(address venue, bool allowed) external {
        if (msg.sender != admin) revert OnlyAdmin();
        isVenue[venue] = allowed;
        emit VenueSet(venue, allowed);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @dev Votes are counted by time, since blocks of the chains we settle on have no fixed distance.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 amount) internal override(ERC20, ERC20Votes) {
        bool supplyChange = from == address(0) || to == address(0);
        if (!supplyChange && !isVenue[from] && !isVenue[to]) revert TransferRestricted(from, to);
        super._update(from, to, amount);
    }

    modifier onlyVault() {
        if (msg.sender != vault) revert OnlyVault();
        _;
    }
}
