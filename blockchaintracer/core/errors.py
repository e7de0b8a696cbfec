"""The errors a caller can meet. Each says what was expected, what came and what to do, and carries the exit code of
the command line: 1 not verified, 2 wrong use, 3 chain or network unavailable."""

from __future__ import annotations

from typing import Any


class BlockchainTracerError(Exception):
    """Base of all errors of this package.

    Args:
        message: what was expected and what came, in one sentence.
        values: the values that the message speaks of, for programs. Never a secret.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None, **values: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.values = values

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def as_dict(self) -> dict[str, Any]:
        """Return the error as one JSON object: ``{"error": class, "message", "hint", **values}``."""
        return {"error": type(self).__name__, "message": self.message, "hint": self.hint, **self.values}


class RecordingWarning(UserWarning):
    """A run, or a part of it, is not recorded or not on the chain yet. The training itself is not affected."""


class SourceWarning(UserWarning):
    """A source gave other bytes than those that were asked for, and another was asked; or a lab's folder can't be
    written."""


class InputError(BlockchainTracerError):
    """Something given is not what the operation takes. Nothing was written and nothing was paid for."""


class StoreError(BlockchainTracerError):
    """The local store can't keep or give back an object."""


class NotVerified(BlockchainTracerError):
    """What is there is not what was recorded."""

    exit_code = 1


class KeyStoreError(BlockchainTracerError):
    """A signing key can't be found, opened or made."""


class ChainUnavailable(BlockchainTracerError):
    """The chain, its node or the network does not answer. Nothing is lost: what was stored waits in the outbox."""

    exit_code = 3


class NodeError(ChainUnavailable):
    """A node answered a question with an error, or with more than is read.

    Args:
        reason: the node's own words.
        code: of the JSON-RPC error; None if it has none.
        data: of the JSON-RPC error: after a revert, what the contract says.
    """

    def __init__(self, address: str, method: str, reason: str, code: int | None = None, data: Any = None) -> None:
        super().__init__(f"{address} answers {method} with an error: {reason}", hint=self._hint, method=method)
        self.reason, self.code, self.data = reason, code, data

    _hint: str | None = None

    @property
    def is_revert(self) -> bool:
        """Whether a contract refused the call."""
        return self.code == 3 or "revert" in self.reason.lower()


class HistoryPruned(NodeError):
    """A node no longer has what was asked for: old logs, receipts, blocks or state. It may never have been there."""

    _hint = "Nodes forget what is old: ask an archive node, or several (--rpc A,B)."


class ContractRevert(BlockchainTracerError):
    """The registry refused an operation."""

    def __init__(self, name: str, arguments: dict[str, Any], message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, name=name, arguments=arguments)
        self.name = name
        self.arguments = arguments
