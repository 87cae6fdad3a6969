// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A 1:1-backed unit of an asset that the book exchanges
/// @notice 8 decimals, so that one token unit is one qty_e8. The reserve issues against units it holds, and takes back
/// only what was returned to it.
contract SynthERC20 is ERC20 {
    error OnlyReserve();

    address public immutable reserve;

    constructor(string memory name_, string memory symbol_, address reserve_) ERC20(name_, symbol_) {
        reserve = reserve_;
    }

    function mint(address to, uint256 amount) external onlyReserve {
        _mint(to, amount);
    }

    /// @notice Burns the reserve's own tokens; nobody's tokens can be burnt in his wallet.
    function burn(uint256 amount) external onlyReserve {
        _burn(msg.sender, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 8;
    }

    modifier onlyReserve() {
        if (msg.sender != reserve) revert OnlyReserve();
        _;
    }
}
