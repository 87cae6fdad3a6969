// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "../src/OrderLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {Fixture} from "./Base.sol";

/// @dev The same digests and signatures as eth_account made (script/vectors.py).
contract VectorsTest is Fixture {
    string private json;
    string private at;

    function test_vectors() public {
        json = vm.readFile("test/vectors/orders.json");
        Settlement target = Settlement(vm.parseJsonAddress(json, ".domain.verifyingContract"));
        vm.chainId(vm.parseJsonUint(json, ".domain.chainId"));
        vm.etch(address(target), address(settlement).code);
        bytes32 separator = target.DOMAIN_SEPARATOR();
        eq(separator, vm.parseJsonBytes32(json, ".domain_separator"), "separator");

        uint256 count = vm.parseJsonUint(json, ".count");
        for (uint256 i; i < count; ++i) {
            at = string.concat(".vectors[", vm.toString(i), "]");
            string memory name = vm.parseJsonString(json, key(".name"));
            bytes32 structHash = hashOf(vm.parseJsonString(json, key(".primary_type")), target);
            bytes32 digest = OrderLib.digest(separator, structHash);
            uint256 signer = vm.parseJsonUint(json, key(".private_key"));
            eq(structHash, vm.parseJsonBytes32(json, key(".struct_hash")), name);
            eq(digest, vm.parseJsonBytes32(json, key(".digest")), name);
            eq(
                keccak256(signature(signer, digest)),
                keccak256(vm.parseJsonBytes(json, key(".signature"))),
                string.concat(name, ": signature")
            );
            yes(this.isSignedBy(vm.addr(signer), digest, vm.parseJsonBytes(json, key(".signature"))), name);
        }
    }

    function isSignedBy(address account, bytes32 digest, bytes calldata sig) external view returns (bool) {
        return OrderLib.isSignedBy(account, digest, sig);
    }

    function hashOrder(OrderLib.Order memory o) external pure returns (bytes32) {
        return OrderLib.hashOrder(o);
    }

    function hashOf(string memory primaryType, Settlement target) private view returns (bytes32) {
        bytes32 kind = keccak256(bytes(primaryType));
        address account = vm.parseJsonAddress(json, key(".message.account"));
        if (kind == keccak256("Order")) {
            OrderLib.Order memory o = readOrder(account, readInstrument(target));
            bytes32 structHash = this.hashOrder(o);
            eq(target.hashOrder(o), OrderLib.digest(target.DOMAIN_SEPARATOR(), structHash), "hashOrder");
            return structHash;
        }
        uint64 nonce = uint64(number(".nonce"));
        uint40 deadline = uint40(number(".deadline"));
        if (kind == keccak256("Cancel")) {
            return OrderLib.hashCancel(account, uint64(number(".minNonce")), nonce, deadline);
        }
        bool asCxpt = vm.parseJsonBool(json, key(".message.asCxpt"));
        return OrderLib.hashWithdrawal(account, number(".amount"), asCxpt, nonce, deadline);
    }

    function readInstrument(Settlement target) private view returns (bytes32 id) {
        id = target.instrumentIdOf(
            OrderLib.Instrument({
                kind: uint8(number(".instrument.kind")),
                symbol: vm.parseJsonString(json, key(".message.instrument.symbol")),
                expiry: uint64(number(".instrument.expiry")),
                strike: uint64(number(".instrument.strike")),
                isCall: vm.parseJsonBool(json, key(".message.instrument.isCall")),
                multiplier: uint64(number(".instrument.multiplier"))
            })
        );
        eq(id, vm.parseJsonBytes32(json, key(".instrument_id")), "instrument id");
    }

    function readOrder(address account, bytes32 id) private view returns (OrderLib.Order memory o) {
        o.account = account;
        o.instrumentId = id;
        o.subaccount = uint32(number(".subaccount"));
        o.side = uint8(number(".side"));
        o.tif = uint8(number(".tif"));
        o.qty = uint64(number(".qty"));
        o.limitPrice = uint64(number(".limitPrice"));
        o.expiry = uint40(number(".expiry"));
        o.nonce = uint64(number(".nonce"));
        o.maxFeeBps = uint16(number(".maxFeeBps"));
    }

    function number(string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, key(string.concat(".message", field)));
    }

    function key(string memory field) private view returns (string memory) {
        return string.concat(at, field);
    }
}
