"""A signer that is a program of its own: a key service, a hardware device, whatever holds a key and gives it to nobody.

The program is started for each request, gets one JSON object on its standard input, and answers one on its standard
output; it may talk to a person on standard error. It is never given to a shell. docs/keys.md is the protocol.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import keccak
from blockchaintracer.lab.keys.signer import encode_signed, signing_digest

COMMAND = "command:"
"""What the name of a key begins with that is a program."""
PROTOCOL = "blockchaintracer-signer-v1"
_TIMEOUT_S = 120
_ANSWER_LIMIT = 1 << 16
_SIGNATURE = 65


class CommandSigner:
    """A program that signs.

    Args:
        command: the program's absolute path, or one beginning with ``~``, and arguments, quoted as for a POSIX shell.
            A secret is none of them.
    """

    def __init__(self, command: str) -> None:
        try:
            program, *arguments = shlex.split(command)
        except ValueError:
            raise KeyStoreError(f"expected a program after {COMMAND!r}, got {command!r}") from None
        path = Path(program).expanduser()
        if not path.is_absolute():
            raise KeyStoreError(
                f"expected the whole path of a program after {COMMAND!r}, got {program!r}",
                hint="A relative one would be another program in another folder.",
            )
        self._command = [str(path), *arguments]

    @cached_property
    def address(self) -> str:
        """Checksummed address, which the program is asked for once."""
        from eth_utils.address import is_address, to_checksum_address

        address = self._ask("address").get("address")
        if not isinstance(address, str) or not is_address(address):
            raise self._problem("expected an address in its answer")
        return str(to_checksum_address(address))

    @property
    def source(self) -> str:
        """Where the key is, in words."""
        return f"program {self._command[0]}"

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The signed transaction, ready to send. The program sees all its fields and answers with a signature: the
        transaction itself is put together here."""
        shown = {name: hex(value) if isinstance(value, int) else value for name, value in transaction.items()}
        signature = self._signature("sign_transaction", signing_digest(transaction), transaction=shown)
        r, s = (int.from_bytes(signature[start : start + 32], "big") for start in (0, 32))
        return encode_signed(transaction, signature[64] % 27, r, s)

    def sign_typed_data(self, document: dict[str, Any]) -> bytes:
        """65 bytes of ECDSA over an EIP-712 document."""
        from eth_account.messages import encode_typed_data

        # EIP-191: 0x19 <version> <domain separator> <hash of the message>
        message = encode_typed_data(full_message=document)
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        signature = self._signature("sign_typed_data", digest, document=document)
        return signature[:64] + bytes([27 + signature[64] % 27])

    def _signature(self, method: str, digest: bytes, **what: Any) -> bytes:
        answer = self._ask(method, address=self.address, digest="0x" + digest.hex(), **what).get("signature")
        try:
            signature = bytes.fromhex(str(answer).removeprefix("0x"))
        except ValueError:
            signature = b""
        if len(signature) != _SIGNATURE or signature[64] not in (0, 1, 27, 28):
            raise self._problem(f"expected a signature of {_SIGNATURE} bytes (r, s, v) in hex in its answer")
        return signature

    def _ask(self, method: str, **what: Any) -> dict[str, Any]:
        request = json.dumps({"protocol": PROTOCOL, "method": method, **what})
        try:
            done = subprocess.run(  # noqa: S603 -- the program that the user chose, without a shell
                self._command, input=request.encode(), stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=False
            )
        except OSError as error:
            raise self._problem(f"it can't be started: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise self._problem(f"it gave no answer within {_TIMEOUT_S} s") from None
        try:
            answer = parse_json(done.stdout, "answer") if len(done.stdout) <= _ANSWER_LIMIT else None
        except InputError:
            answer = None
        if done.returncode or not isinstance(answer, dict):
            reason = answer.get("error") if isinstance(answer, dict) else None
            why = f": {''.join(c if c.isprintable() else '?' for c in reason[:200])}" if isinstance(reason, str) else ""
            raise self._problem(f"expected one JSON object and exit code 0, got exit code {done.returncode}{why}")
        return answer

    def _problem(self, what: str) -> KeyStoreError:
        return KeyStoreError(f"{self.source}: {what}", hint="docs/keys.md says what it is asked and should answer.")
