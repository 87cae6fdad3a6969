"""The chain over JSON-RPC: Anvil, a testnet, or a node behind any URL."""
