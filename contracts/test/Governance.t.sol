// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

import {Clearing} from "../src/Clearing.sol";
import {CXPT} from "../src/CXPT.sol";
import {ICXPT} from "../src/interfaces/ICXPT.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {Settlement} from "../src/Settlement.sol";
import {Vault} from "../src/Vault.sol";
import {Fixture} from "./Base.sol";

/// @dev Who may change what, how long it takes, and that everybody can be out before.
contract GovernanceTest is Fixture {
    uint256 private constant DELAY = 72 hours;
    TimelockController private timelock;

    /// @dev The powers of the deployer go to a timelock, as on a real chain.
    function setUp() public override {
        super.setUp();
        address[] memory council = new address[](1);
        council[0] = carol;
        timelock = new TimelockController(DELAY, council, council, address(0));
        vault.grantRole(0, address(timelock));
        vault.grantRole(vault.UPGRADER_ROLE(), address(timelock));
        vault.renounceRole(vault.UPGRADER_ROLE(), admin);
        vault.renounceRole(0, admin);
        settlement.grantRole(0, address(timelock));
        settlement.renounceRole(0, admin);
    }

    function later(address target, bytes memory data) private {
        vm.prank(carol);
        timelock.schedule(target, 0, data, 0, 0, DELAY);
    }

    function execute(address target, bytes memory data) private {
        vm.prank(carol);
        timelock.execute(target, 0, data, 0, 0);
    }

    function test_anUpgradeWaitsLongerThanAnExit() public {
        fund(alice, 100 * USD);
        address implementation = address(new Vault(2 * EXIT_DELAY, HEARTBEAT, true));
        bytes memory data = abi.encodeCall(vault.upgradeToAndCall, (implementation, ""));
        vm.expectRevert();
        vault.upgradeToAndCall(implementation, "");
        later(address(vault), data);
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, false);
        vm.warp(START + DELAY - 1);
        vm.prank(carol);
        vm.expectRevert();
        timelock.execute(address(vault), 0, data, 0, 0);
        // Alice, who does not like it, is out in time.
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, false);
        eq(usdc.balanceOf(alice), 100 * USD, "out");
        vm.warp(START + DELAY);
        execute(address(vault), data);
        eq(vault.exitDelay(), 2 * EXIT_DELAY, "new code");
    }

    function test_aNewSettlementVoidsAllOrders() public {
        fund(alice, 100 * USD);
        fundSynth(bob, BTC);
        Settlement next = new Settlement(address(vault), treasury, address(timelock), CANCEL_DELAY);
        bytes memory grant = abi.encodeCall(vault.grantRole, (vault.SETTLER_ROLE(), address(next)));
        later(address(vault), grant);
        vm.warp(START + DELAY);
        execute(address(vault), grant);
        yes(vault.hasRole(vault.SETTLER_ROLE(), address(next)), "settles");
        yes(next.DOMAIN_SEPARATOR() != settlement.DOMAIN_SEPARATOR(), "other signatures");
    }

    function test_nobodyElseHasPower() public {
        vm.expectRevert();
        vault.listAsset(alice);
        vm.expectRevert();
        settlement.listInstrument(instrument(0, "X-USDC"), address(sbtc), noTerms());
        vm.expectRevert();
        settlement.grantRole(0, alice);
    }

    function test_constructorsNameEverybody() public {
        vm.expectRevert(ISettlement.ZeroAddress.selector);
        new Settlement(address(0), treasury, admin, 1);
        Settlement fresh = settlementWithoutClearing();
        vm.expectRevert(ISettlement.ZeroAddress.selector);
        fresh.setClearing(address(0));
        Vault implementation = new Vault(1, 1, true);
        eq(implementation.heartbeatTimeout(), 1, "heartbeat");
    }

    function settlementWithoutClearing() private returns (Settlement) {
        return new Settlement(address(vault), treasury, admin, 1);
    }

    function test_perpsNeedClearing() public {
        Settlement fresh = settlementWithoutClearing();
        vm.expectRevert(ISettlement.BadInstrument.selector);
        fresh.listInstrument(instrument(1, "X"), address(0), terms(1_000_000));
        Clearing other = new Clearing(address(fresh), address(vault), admin);
        fresh.setClearing(address(other));
        fresh.listInstrument(instrument(1, "X"), address(0), terms(1_000_000));
        eq(other.settlement(), address(fresh), "settlement");
    }

    // ---- CXPT

    function test_venuesOfCxpt() public {
        CXPT token = new CXPT(address(this), alice);
        token.mint(bob, 10);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(ICXPT.TransferRestricted.selector, bob, carol));
        token.transfer(carol, 1);
        vm.prank(bob);
        vm.expectRevert(ICXPT.OnlyAdmin.selector);
        token.setVenue(carol, true);
        vm.prank(alice);
        token.setVenue(carol, true);
        vm.prank(bob);
        token.transfer(carol, 4);
        vm.prank(carol);
        token.transfer(bob, 1);
        eq(token.balanceOf(bob), 7, "to and from a venue");
        vm.prank(bob);
        vm.expectRevert(ICXPT.OnlyVault.selector);
        token.burn(bob, 1);
        vm.prank(bob);
        vm.expectRevert(ICXPT.OnlyVault.selector);
        token.mint(bob, 1);
    }

    function test_cxptIsPermitted() public {
        fund(alice, 100 * USD);
        vm.warp(START + HEARTBEAT);
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, true);
        bytes32 permit = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(permit, alice, bob, 5, 0, type(uint256).max));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", cxpt.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE_KEY, digest);
        cxpt.permit(alice, bob, 5, type(uint256).max, v, r, s);
        eq(cxpt.allowance(alice, bob), 5, "allowed");
        eq(cxpt.nonces(alice), 1, "once");
        eq(keccak256(bytes(cxpt.CLOCK_MODE())), keccak256("mode=timestamp"), "clock");
    }

    // ---- synths

    function test_theReserveTakesBackWhatItGot() public {
        sbtc.mint(admin, BTC);
        sbtc.burn(BTC / 4);
        eq(sbtc.totalSupply(), 3 * BTC / 4, "burnt");
        eq(sbtc.decimals(), 8, "decimals");
    }

    // ---- storage

    /// @dev Where EIP-7201 says that the namespace is.
    function test_storageIsWhereItsNameSays() public view {
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("dexsim.storage.Vault")) - 1)) & ~bytes32(uint256(0xff));
        eq(vm.load(address(vault), slot), bytes32(uint256(uint160(address(usdc)))), "usdc is the first member");
        eq(vault.usdc(), address(usdc), "usdc");
        eq(vault.cxpt(), address(cxpt), "cxpt");
        eq(vault.settlement(), address(settlement), "settlement");
        yes(!vault.withdrawalUsed(alice, 1), "unused");
    }

    function test_settersOfTheVault() public {
        Vault fresh = new Vault(1, 1, false);
        yes(!fresh.cxptRedeemable(), "switched off");
        vm.expectRevert();
        fresh.initialize(address(usdc), admin);
        vm.prank(address(timelock));
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.setSettlement(address(0));
    }
}
