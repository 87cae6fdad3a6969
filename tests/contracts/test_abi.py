"""Calldata, events, errors and transactions packed by hand are the compiled contracts' and a wallet's."""

import struct
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from sim.world import deploy
from sim.world.artifacts import artifact
from sim.world.calldata import decode_batch, decode_claim, decode_publication, decode_withdrawal
from sim.world.chain_world import open_chain
from sim.world.model_claims import Claim, Publication
from system.adapters.evm import abi, keeper
from system.adapters.evm.transaction import created_address, sign_transaction
from system.model.errors import ProvisionError, ScenarioError
from system.ports.chain import ChainFill, Fees, SignedOrder, SignedWithdrawal
from tests.contracts.traders import PERP, SPOT, START_S

KEY = b"\x09" * 32
# Never reached by the operator's calls: proxies, tokens, ERC-5267 and so on.
ELSEWHERE = {
    "AccessControlBadConfirmation",
    "AddressEmptyCode",
    "ERC1967InvalidImplementation",
    "ERC1967NonPayable",
    "ExpectedPause",
    "FailedCall",
    "InvalidInitialization",
    "NotInitializing",
    "ReentrancyGuardReentrantCall",
    "SafeCastOverflowedIntToUint",
    "SafeERC20FailedOperation",
    "UUPSUnauthorizedCallContext",
    "UUPSUnsupportedProxiableUUID",
}


def canonical(entry: dict[str, Any]) -> str:
    """The signature of an ABI entry, as it is hashed."""
    return f"{entry['name']}({','.join(kind(one) for one in entry['inputs'])})"


def kind(field: dict[str, Any]) -> str:
    if not field["type"].startswith("tuple"):
        return str(field["type"])
    return f"({','.join(kind(part) for part in field['components'])}){field['type'][5:]}"


def signatures(what: str, *contracts: str) -> set[str]:
    return {canonical(e) for name in contracts for e in artifact(name)["abi"] if e["type"] == what}


def test_names_are_the_contracts() -> None:
    functions = signatures("function", "Settlement")
    assert {abi.SETTLE_BATCH_SIGNATURE, "lastBatchId()", "head()"} <= functions
    assert abi.FILL_SKIPPED_SIGNATURE in signatures("event", "Settlement")
    vaults = {abi.DEPOSIT_SIGNATURE, abi.WITHDRAW_SIGNATURE, abi.WITHDRAW_SYNTH_SIGNATURE}
    assert vaults | {abi.EXIT_QUEUED_SIGNATURE} <= signatures("event", "Vault")
    assert {"toAssets(uint256)", abi.WITHDRAW_BY_SIG_SIGNATURE} <= signatures("function", "Vault")


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def test_the_keeper_s_names_are_clearing_s() -> None:
    functions = signatures("function", "Clearing")
    called = {keeper.PUBLISH_SIGNATURE, keeper.CLAIM_SIGNATURE}
    assert called | {keeper.BOOK_SIGNATURE, keeper.POSITION_SIGNATURE} <= functions
    (book_of,) = [entry for entry in artifact("Clearing")["abi"] if entry.get("name") == "bookOf"]
    fields = [field["name"] for field in book_of["outputs"][0]["components"]]
    assert fields[keeper.EXPIRY_PRICE_WORD] == "expiryPrice"
    assert fields[keeper.EXPIRED_AT_WORD] == "expiredAt"


@given(st.binary(min_size=32, max_size=32), uint(62), uint(40), st.binary(max_size=70))
def test_a_publication_is_the_abi_s(instrument: bytes, price: int, at_s: int, signature: bytes) -> None:
    told = keeper.encode_publish(instrument, price, at_s, signature)
    assert told == deploy.call(keeper.PUBLISH_SIGNATURE, instrument, keeper.EXPIRY, price, at_s, [signature])
    assert decode_publication(told) == Publication(instrument, price, at_s)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=20))
def test_a_claim_is_the_abi_s(instrument: bytes, account: bytes) -> None:
    told = keeper.encode_claim(instrument, "0x" + account.hex())
    assert told == deploy.call(keeper.CLAIM_SIGNATURE, instrument, "0x" + account.hex())
    assert decode_claim(told) == Claim(instrument, "0x" + account.hex())


def test_every_error_has_a_name() -> None:
    declared = signatures("error", "Settlement", "Clearing", "Vault")
    unknown = {
        error for error in declared - set(abi.ERROR_SIGNATURES) if error.partition("(")[0] not in ELSEWHERE
    }
    assert unknown == set()
    invented = set(abi.ERROR_SIGNATURES) - declared - {"Panic(uint256)"}
    assert invented == set()


def test_decode_error() -> None:
    account, amount = "0x" + "ab" * 20, 2**255
    assert abi.decode_error(deploy.call("WouldBeBankrupt(address)", account)) == (
        "WouldBeBankrupt",
        (account,),
    )
    assert abi.decode_error(deploy.call("NonZeroSum(int256)", -5)) == ("NonZeroSum", (-5,))
    assert abi.decode_error(deploy.call("WrongBatch(uint64,uint64)", 1, 2)) == ("WrongBatch", (1, 2))
    assert abi.decode_error(deploy.call("WrongHead(bytes32,bytes32)", b"\x01" * 32, b"\x02" * 32)) == (
        "WrongHead",
        ("0x" + "01" * 32, "0x" + "02" * 32),
    )
    assert abi.decode_error(deploy.call("Panic(uint256)", amount)) == ("Panic", (amount,))
    assert abi.decode_error(deploy.call("Error(string)", "no")) == ("Reverted", ("no",))
    assert abi.decode_error(b"\x01\x02\x03\x04\x05") == ("0x01020304", ("0x05",))
    assert abi.error_name(b"\x01\x02\x03\x04") == "0x01020304"


orders = st.builds(
    SignedOrder,
    st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    uint(32),
    st.binary(min_size=32, max_size=32),
    uint(8),
    uint(8),
    uint(64),
    uint(64),
    uint(40),
    uint(64),
    uint(16),
    st.binary(max_size=70),
)
fills = st.builds(ChainFill, uint(16), uint(16), uint(64), uint(64), uint(64), uint(8))


@given(
    uint(64), st.binary(min_size=32, max_size=32), st.lists(orders, max_size=5), st.lists(fills, max_size=5)
)
def test_calldata(batch_id: int, prev_hash: bytes, o: list[SignedOrder], f: list[ChainFill]) -> None:
    calldata = abi.encode_batch(batch_id, prev_hash, o, f)
    data = calldata[abi.BATCH_HEAD.size :]
    (size,) = struct.unpack(">Q", calldata[abi.BATCH_HEAD.size - 8 : abi.BATCH_HEAD.size])
    assert calldata == abi.SETTLE_BATCH + encode(
        ["uint64", "bytes32", "bytes"], [batch_id, prev_hash, data[:size]]
    )
    head = abi.head_after(prev_hash, batch_id, calldata)
    assert decode_batch(calldata) == (batch_id, prev_hash, o, f, head)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(struct.error):
        abi.encode_batch(1, bytes(32), [], [ChainFill(0, 1, 2**64, 0, 0)])


@given(
    uint(64),
    uint(40),
    uint(64),
    uint(64),
    st.just("") | st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    st.binary(max_size=300),
)
def test_transactions_are_a_wallets(
    nonce: int, gas: int, max_fee: int, tip: int, to: str, data: bytes
) -> None:
    tx = sign_transaction(
        KEY, chain_id=31337, nonce=nonce, fees=Fees(max_fee, tip), gas=gas, to=to, data=data
    )
    signed = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "value": 0,
            "data": data,
        }
        | ({"to": to_checksum_address(to)} if to else {}),
        KEY,
    )
    assert (tx.raw, tx.tx_hash) == (
        bytes(signed.raw_transaction),
        "0x" + signed.hash.hex().removeprefix("0x"),
    )


def test_long_calldata() -> None:
    tx = sign_transaction(
        KEY, chain_id=1, nonce=0, fees=Fees(1, 1), gas=1, to="0x" + "01" * 20, data=b"\x05" * 70_000
    )
    assert Account.recover_transaction(tx.raw).lower() == Account.from_key(KEY).address.lower()


def test_created_address() -> None:
    # the first contracts of Anvil's first account, which everybody has seen
    assert created_address(deploy.DEPLOYER, 0) == "0x5fbdb2315678afecb367f032d93f642f64180aa3"
    assert created_address(deploy.DEPLOYER, 1) == "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"


@pytest.mark.anvil
def test_addresses_are_the_same_on_both_chains() -> None:
    model, anvil = open_chain("model", START_S), open_chain("anvil", START_S)
    try:
        where = model.deploy([PERP, SPOT], ["sSOL"])
        assert anvil.deploy([PERP, SPOT], ["sSOL"]) == where
        assert anvil.domain() == model.domain()
        assert anvil.chain().block_number() == model.chain().block_number() == 1
        for contract in (
            where.usdc,
            where.vault,
            where.cxpt,
            where.settlement,
            where.clearing,
            *where.synths.values(),
        ):
            assert anvil._rpc.call("eth_getCode", contract, "latest") != "0x"
    finally:
        anvil.close()


def test_no_such_chain() -> None:
    with pytest.raises(ScenarioError):
        open_chain("ganache", START_S)
    with pytest.raises(ProvisionError):
        artifact("NoSuchContract")


@given(
    st.builds(
        SignedWithdrawal,
        st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        uint(256),
        st.booleans(),
        uint(64),
        uint(40),
        st.binary(max_size=70),
    )
)
def test_a_withdrawal_is_packed_as_the_abi_says(wanted: SignedWithdrawal) -> None:
    packed = abi.encode_withdrawal(wanted)
    assert packed == deploy.call(abi.WITHDRAW_BY_SIG_SIGNATURE, *wanted)
    assert decode_withdrawal(packed) == wanted
