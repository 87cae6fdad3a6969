// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

import {CXPT} from "../src/CXPT.sol";
import {ICXPT} from "../src/interfaces/ICXPT.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {SynthERC20} from "../src/SynthERC20.sol";
import {Vault} from "../src/Vault.sol";
import {Fixture} from "./Base.sol";

contract VaultTest is Fixture {
    function queueAndClaim(address account, uint256 shares, bool asCxpt) private {
        vm.prank(account);
        vault.withdraw(address(usdc), shares, asCxpt);
        vm.warp(block.timestamp + EXIT_DELAY);
        vm.prank(account);
        vault.withdraw(address(usdc), shares, asCxpt);
    }

    function withdrawal(uint256 key, uint256 amount, bool asCxpt, uint64 nonce, uint40 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 structHash = OrderLib.hashWithdrawal(vm.addr(key), amount, asCxpt, nonce, deadline);
        return signature(key, OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    // ---- in

    function test_depositUsdc() public {
        fund(alice, 100 * USD);
        eq(vault.sharesOf(alice), 100e12, "1 uUSDC is 1e6 shares");
        eq(vault.usdcOf(alice), 100 * USD, "value");
        eq(vault.totalAssets(), 100 * USD, "assets");
        eq(vault.toShares(1), 1e6, "to shares");
        eq(vault.toAssets(1e6), 1, "to assets");
    }

    function test_depositOfNothingOrOfAnything() public {
        vm.expectRevert(IVault.ZeroShares.selector);
        vault.deposit(address(usdc), 0);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, alice));
        vault.deposit(alice, 1);
        SynthERC20 foreign = new SynthERC20("x", "x", admin);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, address(foreign)));
        vault.deposit(address(foreign), 1);
    }

    function test_donationIsInert() public {
        fund(alice, 100 * USD);
        usdc.mint(address(vault), 1_000_000 * USD);
        eq(vault.usdcOf(alice), 100 * USD, "price did not move");
        fund(bob, 1);
        eq(vault.usdcOf(bob), 1, "nor for the next one");
    }

    function test_yieldRaisesThePriceForAll() public {
        fund(alice, 100 * USD);
        fund(bob, 300 * USD);
        usdc.mint(admin, 4 * USD);
        usdc.approve(address(vault), 4 * USD);
        vault.accrue(int256(uint256(4 * USD)));
        eq(vault.usdcOf(alice), 101 * USD - 1, "rounded down");
        eq(vault.usdcOf(bob), 303 * USD - 1, "rounded down");
        vm.prank(alice);
        vm.expectRevert();
        vault.accrue(1);
    }

    // ---- out

    function test_withdrawQueuesThenPays() public {
        fund(alice, 100 * USD);
        vm.startPrank(alice);
        vault.withdraw(address(usdc), 40e12, false);
        (uint256 amount, uint40 readyAt,) = vault.exitOf(alice, address(usdc));
        eq(amount, 40e12, "queued");
        eq(readyAt, START + EXIT_DELAY, "ready");
        vm.warp(START + EXIT_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.ExitPending.selector, START + EXIT_DELAY));
        vault.withdraw(address(usdc), 40e12, false);
        vm.warp(START + EXIT_DELAY);
        vault.withdraw(address(usdc), 40e12, false);
        eq(usdc.balanceOf(alice), 40 * USD, "paid");
        eq(vault.usdcOf(alice), 60 * USD, "left");
        // The door has closed behind it.
        vault.withdraw(address(usdc), 40e12, false);
        eq(usdc.balanceOf(alice), 40 * USD, "queued anew");
        vault.withdraw(address(usdc), 0, false);
        (amount,,) = vault.exitOf(alice, address(usdc));
        eq(amount, 0, "cancelled");
    }

    function test_otherArgumentsQueueAnew() public {
        fund(alice, 100 * USD);
        vm.startPrank(alice);
        vault.withdraw(address(usdc), 40e12, false);
        vm.warp(START + EXIT_DELAY);
        vault.withdraw(address(usdc), 40e12, true);
        eq(cxpt.balanceOf(alice), 0, "not paid");
        vault.withdraw(address(usdc), 50e12, true);
        vm.warp(START + 2 * EXIT_DELAY);
        vault.withdraw(address(usdc), 50e12, true);
        eq(cxpt.balanceOf(alice), 50 * USD, "paid");
    }

    function test_exitPaysWhatIsLeft() public {
        fund(alice, 100 * USD);
        fundSynth(bob, BTC);
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, false);
        // A fill that was matched before still settles.
        wasSettled(trade(spot, bob, false, alice, BTC, 70 * USD, 1));
        vm.warp(START + EXIT_DELAY);
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, false);
        eq(usdc.balanceOf(alice), 30 * USD, "the rest");
        vm.startPrank(alice);
        vault.withdraw(address(usdc), 1e12, false);
        vm.warp(START + 2 * EXIT_DELAY);
        vm.expectRevert(IVault.NothingToExit.selector);
        vault.withdraw(address(usdc), 1e12, false);
    }

    function test_pauseStopsDepositsAndNeverExits() public {
        fund(alice, 100 * USD);
        fundSynth(alice, BTC);
        vault.pause();
        vm.expectRevert(PausableUpgradeable.EnforcedPause.selector);
        vault.deposit(address(usdc), 1);
        queueAndClaim(alice, 50e12, false);
        eq(usdc.balanceOf(alice), 50 * USD, "paid");
        vault.withdrawBySig(
            alice, 50 * USD, false, 1, type(uint40).max, withdrawal(ALICE_KEY, 50 * USD, false, 1, type(uint40).max)
        );
        eq(usdc.balanceOf(alice), 100 * USD, "paid by signature");
        vault.unpause();
        vm.prank(alice);
        vm.expectRevert();
        vault.pause();
    }

    function test_synthGoesInAndOut() public {
        fundSynth(alice, 3 * BTC);
        eq(vault.assetOf(alice, address(sbtc)), 3 * BTC, "ledger");
        vm.startPrank(alice);
        vault.withdraw(address(sbtc), BTC, false);
        vm.expectRevert(abi.encodeWithSelector(IVault.ExitPending.selector, START + EXIT_DELAY));
        vault.withdraw(address(sbtc), BTC, false);
        vm.warp(START + EXIT_DELAY);
        vault.withdraw(address(sbtc), BTC, false);
        eq(sbtc.balanceOf(alice), BTC, "paid");
        eq(vault.assetOf(alice, address(sbtc)), 2 * BTC, "left");
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, address(sbtc)));
        vault.withdraw(address(sbtc), BTC, true);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, address(cxpt)));
        vault.withdraw(address(cxpt), 1, false);
    }

    function test_withdrawBySig() public {
        fund(alice, 100 * USD);
        uint40 deadline = uint40(START + 60);
        bytes memory sig = withdrawal(ALICE_KEY, 30 * USD, false, 9, deadline);
        vault.withdrawBySig(alice, 30 * USD, false, 9, deadline, sig);
        eq(usdc.balanceOf(alice), 30 * USD, "at once");
        yes(vault.withdrawalUsed(alice, 9), "nonce used");
        vm.expectRevert(abi.encodeWithSelector(IVault.NonceUsed.selector, alice, uint64(9)));
        vault.withdrawBySig(alice, 30 * USD, false, 9, deadline, sig);

        sig = withdrawal(ALICE_KEY, 30 * USD, false, 10, deadline);
        vm.expectRevert(IVault.BadWithdrawalSignature.selector);
        vault.withdrawBySig(alice, 31 * USD, false, 10, deadline, sig);
        vm.expectRevert(IVault.BadWithdrawalSignature.selector);
        vault.withdrawBySig(alice, 30 * USD, true, 10, deadline, sig);
        vm.prank(alice);
        vm.expectRevert();
        vault.withdrawBySig(alice, 30 * USD, false, 10, deadline, sig);
        vm.warp(deadline + 1);
        vm.expectRevert(IVault.SignatureExpired.selector);
        vault.withdrawBySig(alice, 30 * USD, false, 10, deadline, sig);

        deadline = uint40(START + 600);
        sig = withdrawal(ALICE_KEY, 71 * USD, false, 11, deadline);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientShares.selector, alice));
        vault.withdrawBySig(alice, 71 * USD, false, 11, deadline, sig);
    }

    function testFuzz_nobodyGainsByGoingInAndOut(uint256 yield_, uint256 amount, uint256 shares) public {
        fund(bob, 1_000 * USD);
        usdc.mint(admin, 1e15);
        usdc.approve(address(vault), 1e15);
        vault.accrue(int256(bound(yield_, 0, 10 * USD)));
        amount = bound(amount, 10_000, 1e15);
        fund(alice, amount);
        uint256 bobHas = vault.usdcOf(bob);
        shares = bound(shares, vault.toShares(1) + 1, vault.sharesOf(alice));
        queueAndClaim(alice, shares, false);
        yes(usdc.balanceOf(alice) + vault.usdcOf(alice) <= amount, "alice");
        yes(vault.usdcOf(bob) >= bobHas, "bob");
    }

    function testFuzz_withoutYieldAUnitIsAMillionShares(uint256 amount, uint256 shares) public {
        amount = bound(amount, 1, 1e18);
        fund(alice, amount);
        shares = bound(shares, 1e6, amount * 1e6);
        queueAndClaim(alice, shares, false);
        eq(usdc.balanceOf(alice), shares / 1e6, "paid");
        eq(vault.totalShares(), vault.totalAssets() * 1e6, "ratio");
        eq(vault.sharesOf(alice), (amount - shares / 1e6) * 1e6, "dust stays");
    }

    // ---- when nobody settles any more

    function test_exitsAreAtOnceWhenNoBatchComes() public {
        fund(alice, 100 * USD);
        fundSynth(alice, BTC);
        vm.startPrank(alice);
        vm.warp(START + HEARTBEAT - 1);
        yes(!vault.isAbandoned(), "not yet");
        vault.withdraw(address(usdc), 40e12, false);
        eq(usdc.balanceOf(alice), 0, "queued");
        vm.warp(START + HEARTBEAT);
        yes(vault.isAbandoned(), "now");
        vault.withdraw(address(usdc), 100e12, false);
        vault.withdraw(address(sbtc), BTC, false);
        eq(usdc.balanceOf(alice), 100 * USD, "all of it");
        eq(sbtc.balanceOf(alice), BTC, "and the synth");
        (uint256 queued,,) = vault.exitOf(alice, address(usdc));
        eq(queued, 0, "nothing waits");
        vm.expectRevert(IVault.NothingToExit.selector);
        vault.withdraw(address(usdc), 1e12, false);
    }

    function test_aBatchIsASignOfLifeEvenAnEmptyOne() public {
        fund(alice, 100 * USD);
        vm.warp(START + HEARTBEAT - 1);
        settlement.settleBatch(1, 0, abi.encodePacked(uint64(0)));
        eq(vault.lastBatchAt(), START + HEARTBEAT - 1, "noted");
        vm.warp(START + HEARTBEAT);
        vm.prank(alice);
        vault.withdraw(address(usdc), 40e12, false);
        eq(usdc.balanceOf(alice), 0, "queued");
    }

    function test_othersMoneyMovesAreNoSignOfLife() public {
        fund(alice, 100 * USD);
        vm.warp(START + 1 hours);
        vm.prank(alice);
        clearing.fundInsurance(perp, 1);
        eq(vault.lastBatchAt(), START, "as before");
    }

    function test_escapeWorksWhilePaused() public {
        fund(alice, 100 * USD);
        vault.pause();
        vm.warp(START + HEARTBEAT);
        vm.prank(alice);
        vault.withdraw(address(usdc), 100e12, false);
        eq(usdc.balanceOf(alice), 100 * USD, "out");
    }

    // ---- yield and losses

    function test_accrualIsLimitedADay() public {
        fund(alice, 10_000 * USD);
        usdc.mint(admin, 1_000 * USD);
        usdc.approve(address(vault), 1_000 * USD);
        vm.expectRevert(abi.encodeWithSelector(IVault.AccrualLimit.selector, 100 * USD + 1));
        vault.accrue(int256(uint256(100 * USD + 1)));
        vault.accrue(int256(uint256(60 * USD)));
        vm.expectRevert(abi.encodeWithSelector(IVault.AccrualLimit.selector, 101 * USD));
        vault.accrue(int256(uint256(41 * USD)));
        vault.accrue(int256(uint256(40 * USD)));
        vm.warp((START / 1 days + 1) * 1 days);
        vault.accrue(int256(uint256(100 * USD)));
        eq(vault.totalAssets(), 10_200 * USD, "a new day");
    }

    function test_onlyWhatIsMissingIsWrittenOff() public {
        fund(alice, 10_000 * USD);
        fund(bob, 10_000 * USD);
        vm.expectRevert(abi.encodeWithSelector(IVault.NothingIsMissing.selector, uint256(0)));
        vault.accrue(-1);
        // 100 USDC of the Vault are gone, as when an issuer takes them.
        vm.prank(address(vault));
        usdc.transfer(carol, 100 * USD);
        vm.expectRevert(abi.encodeWithSelector(IVault.NothingIsMissing.selector, uint256(100 * USD)));
        vault.accrue(-int256(uint256(100 * USD + 1)));
        vault.accrue(-int256(uint256(100 * USD)));
        eq(vault.usdcOf(alice), 9_950 * USD, "alike");
        eq(vault.usdcOf(bob), 9_950 * USD, "alike");
    }

    // ---- settlement

    function test_deltasMustSumToZero() public {
        fund(alice, USD);
        vault.grantRole(vault.SETTLER_ROLE(), admin);
        address[] memory accounts = new address[](2);
        (accounts[0], accounts[1]) = (alice, bob);
        int256[] memory deltas = new int256[](2);
        (deltas[0], deltas[1]) = (-1, 2);
        vm.expectRevert(abi.encodeWithSelector(IVault.NonZeroSum.selector, int256(1)));
        vault.applyDeltas(accounts, deltas);
        vm.expectRevert(abi.encodeWithSelector(IVault.NonZeroSum.selector, int256(1)));
        vault.applyDeltas(accounts, deltas);
        (deltas[0], deltas[1]) = (-1e12 - 1, 1e12 + 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientShares.selector, alice));
        vault.applyDeltas(accounts, deltas);
        vm.expectRevert(IVault.LengthMismatch.selector);
        vault.applyDeltas(accounts, new int256[](1));
        (deltas[0], deltas[1]) = (-1e12, 1e12);
        vault.applyDeltas(accounts, deltas);
        eq(vault.sharesOf(bob), 1e12, "moved");
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientAsset.selector, alice, address(sbtc)));
        vault.applyAssetDeltas(address(sbtc), accounts, deltas);
        vm.prank(alice);
        vm.expectRevert();
        vault.applyDeltas(accounts, deltas);
        vm.prank(alice);
        vm.expectRevert();
        vault.applyAssetDeltas(address(sbtc), accounts, deltas);
    }

    // ---- CXPT

    function test_cxptDoesNotMoveThePrice() public {
        fund(alice, 100 * USD);
        fund(bob, 400 * USD);
        queueAndClaim(alice, 100e12, true);
        eq(cxpt.balanceOf(alice), 100 * USD, "minted 1:1");
        eq(vault.cxptReserve(), 100 * USD, "reserve");
        eq(vault.totalAssets(), 400 * USD, "left the pool");
        eq(vault.usdcOf(bob), 400 * USD, "price did not move");

        vm.prank(alice);
        vault.deposit(address(cxpt), 60 * USD);
        eq(cxpt.balanceOf(alice), 40 * USD, "burnt");
        eq(vault.usdcOf(alice), 60 * USD, "redeemed 1:1");
        eq(vault.usdcOf(bob), 400 * USD, "price did not move");
        eq(vault.cxptReserve(), cxpt.totalSupply(), "reserve is the supply");
    }

    function test_redemptionCanBeClosedAtDeployment() public {
        Vault implementation = new Vault(EXIT_DELAY, HEARTBEAT, false);
        vault.upgradeToAndCall(address(implementation), "");
        fund(alice, 100 * USD);
        queueAndClaim(alice, 100e12, true);
        vm.prank(alice);
        vm.expectRevert(IVault.RedemptionClosed.selector);
        vault.deposit(address(cxpt), 1);
    }

    function test_cxptTradesOnlyHere() public {
        fund(alice, 100 * USD);
        queueAndClaim(alice, 100e12, true);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICXPT.TransferRestricted.selector, alice, bob));
        cxpt.transfer(bob, 1);
        cxpt.transfer(address(vault), 1);
        vm.expectRevert(ICXPT.OnlyVault.selector);
        cxpt.mint(alice, 1);
        vm.expectRevert(ICXPT.OnlyVault.selector);
        cxpt.burn(alice, 1);
        vm.expectRevert(ICXPT.OnlyAdmin.selector);
        cxpt.setVenue(alice, true);
        vm.stopPrank();
        cxpt.setVenue(bob, true);
        vm.prank(alice);
        cxpt.transfer(bob, 1);
        eq(cxpt.balanceOf(bob), 1, "to a venue");
    }

    function test_cxptVotesByTime() public {
        fund(alice, 100 * USD);
        queueAndClaim(alice, 100e12, true);
        vm.prank(alice);
        cxpt.delegate(alice);
        vm.warp(block.timestamp + 10);
        eq(cxpt.getPastVotes(alice, block.timestamp - 1), 100 * USD, "votes");
        eq(cxpt.clock(), block.timestamp, "clock");
        eq(cxpt.decimals(), 6, "decimals");
    }

    // ---- administration

    function test_setUpIsOnce() public {
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        vault.initialize(address(usdc), alice);
        vm.expectRevert(IVault.AlreadySet.selector);
        vault.setCxpt(alice);
        Vault implementation = new Vault(EXIT_DELAY, HEARTBEAT, true);
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        implementation.initialize(address(usdc), alice);
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, address(usdc)));
        vault.listAsset(address(usdc));
        vm.expectRevert(abi.encodeWithSelector(IVault.UnknownToken.selector, address(cxpt)));
        vault.listAsset(address(cxpt));
    }

    function test_rolesAreNeeded() public {
        Vault implementation = new Vault(EXIT_DELAY, HEARTBEAT, true);
        vm.startPrank(alice);
        vm.expectRevert();
        vault.upgradeToAndCall(address(implementation), "");
        vm.expectRevert();
        vault.listAsset(alice);
        vm.expectRevert();
        vault.setSettlement(alice);
        vm.expectRevert();
        vault.setCxpt(alice);
        vm.expectRevert(SynthERC20.OnlyReserve.selector);
        sbtc.mint(alice, 1);
        vm.expectRevert(SynthERC20.OnlyReserve.selector);
        sbtc.burn(1);
    }

    function test_upgradeKeepsTheLedger() public {
        fund(alice, 100 * USD);
        vault.upgradeToAndCall(address(new Vault(2 * EXIT_DELAY, HEARTBEAT, true)), "");
        eq(vault.usdcOf(alice), 100 * USD, "ledger");
        eq(vault.exitDelay(), 2 * EXIT_DELAY, "new code");
    }

    function test_create2Address() public {
        address factory = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
        vm.etch(
            factory,
            hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
        );
        bytes memory code =
            abi.encodePacked(type(SynthERC20).creationCode, abi.encode("Synthetic ETH", "sETH", admin));
        bytes32 salt = keccak256("dexsim");
        (bool done,) = factory.call(abi.encodePacked(salt, code));
        yes(done, "deployed");
        address predicted =
            address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), factory, salt, keccak256(code))))));
        eq(SynthERC20(predicted).reserve(), admin, "where it was predicted");
        eq(SynthERC20(predicted).decimals(), 8, "decimals");

        code = abi.encodePacked(
            type(ERC1967Proxy).creationCode,
            abi.encode(address(new Vault(EXIT_DELAY, HEARTBEAT, true)), abi.encodeCall(Vault.initialize, (address(usdc), admin)))
        );
        (done,) = factory.call(abi.encodePacked(salt, code));
        predicted =
            address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), factory, salt, keccak256(code))))));
        yes(Vault(predicted).hasRole(0, admin), "the admin is named, not the factory");
    }
}
