"""Contracts whose address follows from their code and arguments: created once, found ever after."""

from ape import chain
from eth_abi import encode
from eth_utils import keccak
from eth_utils import to_checksum_address as checksum

CREATE2_PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
_SALT = bytes(32)


def create2(deployer, container, types: list[str], arguments: list):
    """Return the contract of this code and these constructor arguments; create it when it is not there."""
    code = bytes.fromhex(container.contract_type.deployment_bytecode.bytecode.removeprefix("0x"))
    code += encode(types, arguments)
    address = checksum(keccak(b"\xff" + bytes.fromhex(CREATE2_PROXY[2:]) + _SALT + keccak(code))[12:])
    if not chain.provider.get_code(address):
        deployer.transfer(CREATE2_PROXY, 0, data=_SALT + code)
    return container.at(address)
