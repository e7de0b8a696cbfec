"""Whether a chain's EVM can run the contracts, asked before anything is paid: a deployment that fails costs coin."""

from __future__ import annotations

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import InputError, NodeError

_RETURN = "60006000f3"
_PROBES = {
    "PUSH0 (EIP-3855, Shanghai)": "5f50",
    "MCOPY (EIP-5656, Cancun)": "6000600060005e",
}
"""Code that runs one instruction, which the contracts need and chains before Cancun lack."""


def missing_instructions(chain: Chain) -> list[str]:
    """Return the instructions that the contracts need and the chain's EVM refuses. None are if it runs them all, or
    the node runs no code for a question."""
    if _runs(chain, "".join(_PROBES.values())) or not _runs(chain, ""):
        return []
    return [name for name, code in _PROBES.items() if not _runs(chain, code)]


def require_cancun(chain: Chain) -> None:
    """Refuse a chain whose EVM cannot run the contracts.

    Raises:
        InputError: if it lacks an instruction.
    """
    if missing := missing_instructions(chain):
        raise InputError(
            f"expected a chain whose EVM knows the rules of Cancun, but {chain.name} lacks {' and '.join(missing)}: "
            "the contracts cannot run there",
            hint="Nothing was sent and nothing was paid. Use another chain, or wait for this one's upgrade.",
        )


def _runs(chain: Chain, code: str) -> bool:
    try:
        chain.ask("eth_call", {"data": f"0x{code}{_RETURN}"}, "latest")
    except NodeError:
        return False
    return True
