// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

import {Clearing} from "../src/Clearing.sol";
import {CXPT} from "../src/CXPT.sol";
import {IClearing} from "../src/interfaces/IClearing.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderLib} from "../src/OrderLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {SynthERC20} from "../src/SynthERC20.sol";
import {Vault} from "../src/Vault.sol";
import {MockUSDC} from "./MockUSDC.sol";

interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function mockCallRevert(address target, bytes calldata data, bytes calldata failure) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function etch(address target, bytes calldata code) external;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function assume(bool condition) external pure;
    function toString(uint256 value) external pure returns (string memory);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
}

/// @dev Instead of forge-std, whose Test alone costs the wasm compiler nine seconds.
abstract contract MiniTest {
    // solhint-disable-next-line func-name-mixedcase
    bool public IS_TEST = true;
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, int256 actual, int256 expected);
    error NotEqualBytes(string what, bytes32 actual, bytes32 expected);
    error NotTrue(string what);

    function eq(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(what, int256(actual), int256(expected));
    }

    function eqInt(int256 actual, int256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(what, actual, expected);
    }

    function eq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualBytes(what, actual, expected);
    }

    function eq(address actual, address expected, string memory what) internal pure {
        eq(bytes32(uint256(uint160(actual))), bytes32(uint256(uint160(expected))), what);
    }

    function yes(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + x % (high - low + 1);
    }
}

/// @dev The whole system, deployed as the README says, with a few funded traders.
abstract contract Fixture is MiniTest {
    uint40 internal constant EXIT_DELAY = 1 hours;
    uint40 internal constant HEARTBEAT = 1 days;
    uint40 internal constant CANCEL_DELAY = 10 minutes;
    uint64 internal constant BTC = 1e8;
    uint64 internal constant USD = 1e6;
    uint256 internal constant START = 1_750_000_000;

    address internal immutable admin = address(this);
    address internal constant treasury = address(0x7EA5);

    uint256 internal constant ALICE_KEY = 0xA11CE;
    uint256 internal constant BOB_KEY = 0xB0B;
    uint256 internal constant CAROL_KEY = 0xCA401;
    address internal alice = vm.addr(ALICE_KEY);
    address internal bob = vm.addr(BOB_KEY);
    address internal carol = vm.addr(CAROL_KEY);
    mapping(address account => uint256) internal keyOf;

    MockUSDC internal usdc;
    Vault internal vault;
    CXPT internal cxpt;
    SynthERC20 internal sbtc;
    Settlement internal settlement;
    Clearing internal clearing;
    bytes32 internal spot;
    bytes32 internal perp;
    bytes32 internal perp10x;

    struct Result {
        uint256 settled;
        uint256 skipped;
        bytes4 reason;
        bytes32 head;
    }

    function setUp() public virtual {
        vm.warp(START);
        usdc = new MockUSDC();
        sbtc = new SynthERC20("Synthetic BTC", "sBTC", admin);
        address implementation = address(new Vault(EXIT_DELAY, HEARTBEAT, true));
        vault = Vault(
            address(new ERC1967Proxy(implementation, abi.encodeCall(Vault.initialize, (address(usdc), admin))))
        );
        cxpt = new CXPT(address(vault), admin);
        settlement = new Settlement(address(vault), treasury, admin, CANCEL_DELAY);
        clearing = new Clearing(address(settlement), address(vault), admin);

        vault.setCxpt(address(cxpt));
        vault.setSettlement(address(settlement));
        vault.listAsset(address(sbtc));
        vault.grantRole(vault.SETTLER_ROLE(), address(settlement));
        vault.grantRole(vault.SETTLER_ROLE(), address(clearing));
        vault.grantRole(vault.OPERATOR_ROLE(), admin);
        vault.grantRole(vault.RESERVE_ROLE(), admin);
        vault.grantRole(vault.PAUSER_ROLE(), admin);
        vault.grantRole(vault.UPGRADER_ROLE(), admin);
        settlement.setClearing(address(clearing));
        settlement.grantRole(settlement.OPERATOR_ROLE(), admin);
        spot = settlement.listInstrument(instrument(0, "BTC-USDC"), address(sbtc), noTerms());
        perp = settlement.listInstrument(instrument(1, "BTC-PERP"), address(0), terms(1_000_000));
        perp10x = settlement.listInstrument(instrument(1, "BTC-PERP-10X"), address(0), terms(100_000));

        keyOf[alice] = ALICE_KEY;
        keyOf[bob] = BOB_KEY;
        keyOf[carol] = CAROL_KEY;
    }

    // ---- funds

    function fund(address account, uint256 amount) internal {
        usdc.mint(account, amount);
        vm.startPrank(account);
        usdc.approve(address(vault), amount);
        vault.deposit(address(usdc), amount);
        vm.stopPrank();
    }

    function fundSynth(address account, uint256 amount) internal {
        sbtc.mint(account, amount);
        vm.startPrank(account);
        sbtc.approve(address(vault), amount);
        vault.deposit(address(sbtc), amount);
        vm.stopPrank();
    }

    function clearingFunds(bytes32 id) internal view returns (uint256) {
        return vault.usdcOf(clearing.accountOf(id));
    }

    /// @dev Of all instruments that the fixture lists.
    function clearingFunds() internal view returns (uint256) {
        return clearingFunds(perp) + clearingFunds(perp10x);
    }

    // ---- instruments

    function noTerms() internal pure returns (IClearing.Terms memory t) {}

    function terms(uint32 imPpm) internal pure returns (IClearing.Terms memory) {
        return IClearing.Terms({
            imPpm: imPpm,
            mmPpm: 50_000,
            liquidationFeePpm: 10_000,
            bandPpm: 50_000,
            markMovePpm: 200_000,
            fundingPpm: 40_000,
            cap: 0
        });
    }

    // ---- orders

    function instrument(uint8 kind, string memory symbol) internal pure returns (OrderLib.Instrument memory) {
        return OrderLib.Instrument(kind, symbol, 0, 0, false, 1);
    }

    function order(address account, bytes32 id, uint8 side, uint64 qty, uint64 price, uint64 nonce)
        internal
        pure
        returns (OrderLib.Order memory)
    {
        return OrderLib.Order(account, 0, id, side, 0, qty, price, 0, nonce, 50);
    }

    function signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function signed(OrderLib.Order memory o) internal view returns (bytes memory) {
        return signature(keyOf[o.account], settlement.hashOrder(o));
    }

    // ---- batches

    /// @dev What a test says of a fill.
    struct Fill {
        uint16 maker;
        uint16 taker;
        uint64 qty;
        uint64 makerFee;
        uint64 takerFee;
        uint8 flags;
    }

    /// @dev Two orders of which the first is the maker's, and a fill of them without fees.
    function pair(OrderLib.Order memory maker, OrderLib.Order memory taker)
        internal
        pure
        returns (OrderLib.Order[] memory orders)
    {
        orders = new OrderLib.Order[](2);
        orders[0] = maker;
        orders[1] = taker;
    }

    function fillOf(uint64 qty, uint64 makerFee, uint64 takerFee) internal pure returns (Fill[] memory fills) {
        fills = new Fill[](1);
        fills[0] = Fill(0, 1, qty, makerFee, takerFee, 0);
    }

    function signAll(OrderLib.Order[] memory orders) internal view returns (bytes[] memory signatures) {
        signatures = new bytes[](orders.length);
        for (uint256 i; i < orders.length; ++i) {
            signatures[i] = signed(orders[i]);
        }
    }

    function settle(OrderLib.Order[] memory orders, Fill[] memory fills) internal returns (Result memory) {
        return settle(orders, signAll(orders), fills);
    }

    function settle(OrderLib.Order[] memory orders, bytes[] memory signatures, Fill[] memory fills)
        internal
        returns (Result memory)
    {
        return settleData(packed(orders, signatures, fills));
    }

    function settleData(bytes memory data) internal returns (Result memory result) {
        uint64 batchId = settlement.lastBatchId() + 1;
        bytes32 head = settlement.head();
        vm.recordLogs();
        settlement.settleBatch(batchId, head, data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == ISettlement.FillSkipped.selector) {
                (, result.reason) = abi.decode(logs[i].data, (uint256, bytes4));
            } else if (logs[i].topics[0] == ISettlement.BatchSettled.selector) {
                (result.head, result.settled, result.skipped) = abi.decode(logs[i].data, (bytes32, uint256, uint256));
            }
        }
    }

    /// @dev As {BatchLib} says: every order names its own instrument, accounts are sorted and named once.
    function packed(OrderLib.Order[] memory orders, bytes[] memory signatures, Fill[] memory fills)
        internal
        pure
        returns (bytes memory data)
    {
        uint256[] memory accounts = new uint256[](orders.length);
        uint256[] memory ids = new uint256[](orders.length);
        for (uint256 i; i < orders.length; ++i) {
            (accounts[i], ids[i]) = (uint160(orders[i].account), uint256(orders[i].instrumentId));
        }
        (accounts, ids) = (sorted(accounts), sorted(ids));
        data = abi.encodePacked(uint16(ids.length), uint16(accounts.length), uint16(orders.length), uint16(fills.length), ids);
        for (uint256 i; i < accounts.length; ++i) {
            data = abi.encodePacked(data, uint160(accounts[i]));
        }
        for (uint256 i; i < orders.length; ++i) {
            uint16 account = placeOf(accounts, uint160(orders[i].account));
            uint8 id = uint8(placeOf(ids, uint256(orders[i].instrumentId)));
            data = abi.encodePacked(data, packedOrder(orders[i], account, id), packedSignature(signatures[i]));
        }
        for (uint256 i; i < fills.length; ++i) {
            Fill memory f = fills[i];
            data = abi.encodePacked(data, f.maker, f.taker, f.qty, f.makerFee, f.takerFee, f.flags);
        }
    }

    function packedOrder(OrderLib.Order memory o, uint16 account, uint8 id) private pure returns (bytes memory) {
        bytes memory first = abi.encodePacked(account, id, o.side, o.tif, o.subaccount, o.qty);
        return abi.encodePacked(first, o.limitPrice, o.expiry, o.nonce, o.maxFeeBps);
    }

    function packedSignature(bytes memory sig) internal pure returns (bytes memory) {
        if (sig.length == 65 && (sig[64] == 0x1b || sig[64] == 0x1c)) {
            bytes32 r;
            bytes32 s;
            assembly ("memory-safe") {
                r := mload(add(sig, 32))
                s := mload(add(sig, 64))
            }
            if (uint256(s) >> 255 == 0) {
                if (sig[64] == 0x1c) s |= bytes32(uint256(1) << 255);
                return abi.encodePacked(uint8(0), r, s);
            }
        }
        return abi.encodePacked(uint8(1), uint16(sig.length), sig);
    }

    /// @return distinct the values in ascending order, each once
    function sorted(uint256[] memory values) private pure returns (uint256[] memory distinct) {
        distinct = new uint256[](values.length);
        uint256 count;
        for (uint256 i; i < values.length; ++i) {
            uint256 at;
            while (at < count && distinct[at] < values[i]) ++at;
            if (at < count && distinct[at] == values[i]) continue;
            for (uint256 j = count++; j > at; --j) {
                distinct[j] = distinct[j - 1];
            }
            distinct[at] = values[i];
        }
        assembly ("memory-safe") {
            mstore(distinct, count)
        }
    }

    function placeOf(uint256[] memory values, uint256 value) private pure returns (uint16 place) {
        while (values[place] != value) ++place;
    }

    /// @dev One fill without fees between fresh orders of exactly its size.
    function trade(bytes32 id, address maker, bool makerBuys, address taker, uint64 qty, uint64 price, uint64 nonce)
        internal
        returns (Result memory)
    {
        return settle(
            pair(
                order(maker, id, makerBuys ? 0 : 1, qty, price, nonce),
                order(taker, id, makerBuys ? 1 : 0, qty, price, nonce)
            ),
            fillOf(qty, 0, 0)
        );
    }

    function wasSkipped(Result memory result, bytes4 reason) internal pure {
        eq(result.skipped, 1, "skipped");
        eq(result.settled, 0, "settled");
        eq(bytes32(result.reason), bytes32(reason), "reason");
    }

    function wasSettled(Result memory result) internal pure {
        eq(bytes32(result.reason), bytes32(0), "reason");
        eq(result.settled, 1, "settled");
    }

    function position(address account, bytes32 id) internal view returns (IClearing.Position memory) {
        return clearing.positionOf(account, id);
    }

    function hasPosition(address account, bytes32 id, int256 size, int256 cost, uint256 margin) internal view {
        IClearing.Position memory p = position(account, id);
        eqInt(p.size, size, "size");
        eqInt(p.cost, cost, "cost");
        eqInt(p.margin, int256(margin), "margin");
    }
}

/// @dev Three oracles of which two must agree, and funded traders.
abstract contract DerivativesFixture is Fixture {
    uint256 internal constant ORACLE_KEY = 0x04AC1E;
    address internal dave = vm.addr(0xDA7E);
    uint256[3] internal oracleKeys;

    function setUp() public virtual override {
        super.setUp();
        fund(alice, 500_000 * USD);
        fund(bob, 500_000 * USD);
        fund(carol, 500_000 * USD);
        address[] memory signers = new address[](3);
        for (uint256 i; i < 3; ++i) {
            (oracleKeys[i], signers[i]) = (ORACLE_KEY + i, vm.addr(ORACLE_KEY + i));
        }
        clearing.setSigners(signers, 2);
        // In ascending order of their addresses, as they have to sign.
        for (uint256 i; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (vm.addr(oracleKeys[j]) >= vm.addr(oracleKeys[i])) continue;
                (oracleKeys[i], oracleKeys[j]) = (oracleKeys[j], oracleKeys[i]);
            }
        }
    }

    function signObservation(bytes32 id, uint8 what, int256 value, uint40 timestamp, uint256 count)
        internal
        view
        returns (bytes[] memory signatures)
    {
        bytes32 structHash = keccak256(abi.encode(OrderLib.OBSERVATION_TYPEHASH, id, what, value, timestamp));
        bytes32 digest = OrderLib.digest(settlement.DOMAIN_SEPARATOR(), structHash);
        signatures = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            signatures[i] = signature(oracleKeys[i], digest);
        }
    }

    function observe(bytes32 id, uint8 what, int256 value) internal {
        uint40 timestamp = uint40(block.timestamp);
        clearing.publish(id, what, value, timestamp, signObservation(id, what, value, timestamp, 2));
    }

    function mark(bytes32 id, uint64 price) internal {
        observe(id, 0, int256(uint256(price)));
    }

    function markLater(bytes32 id, uint64 price) internal {
        vm.warp(block.timestamp + 1);
        mark(id, price);
    }

    function fundingOf(bytes32 id, int256 perUnit) internal {
        observe(id, 1, perUnit);
    }
}
