#!/usr/bin/env python3
"""Signs with a key that never leaves its keeper: AWS KMS, or openssl for a try without one.

    blockchaintracer record --dataset data.csv --key "command:$PWD/examples/signers/key_service.py aws KEY_ID"
    blockchaintracer record --dataset data.csv --key "command:$PWD/examples/signers/key_service.py openssl key.pem"

The key is one of secp256k1: `aws kms create-key --key-spec ECC_SECG_P256K1 --key-usage SIGN_VERIFY`, or
`openssl ecparam -name secp256k1 -genkey -noout -out key.pem`. Who may use it is the keeper's matter: for `aws` the
credentials are whatever its command line finds.

Reads one request on standard input and answers on standard output, as docs/keys.md says. Key services give a
signature in DER (RFC 3279) that lacks which of two public keys it is of; the registry wants r, s, v with the smaller s
(EIP-2). That is all that is added here.
"""

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable

from eth_account import Account
from eth_keys import keys

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def aws(key_id: str) -> tuple[Callable[[], bytes], Callable[[bytes], bytes]]:
    def kms(*arguments: str) -> dict:
        command = ["aws", "kms", *arguments, "--key-id", key_id, "--output", "json"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    def sign(digest: bytes) -> bytes:
        with tempfile.NamedTemporaryFile() as file:
            file.write(digest)
            file.flush()
            told = kms(
                *("sign", "--message-type", "DIGEST", "--signing-algorithm", "ECDSA_SHA_256"),
                *("--message", f"fileb://{file.name}"),
            )
        return base64.b64decode(told["Signature"])

    return lambda: base64.b64decode(kms("get-public-key")["PublicKey"]), sign


def openssl(file: str) -> tuple[Callable[[], bytes], Callable[[bytes], bytes]]:
    def run(*arguments: str, given: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout

    return (
        lambda: run("ec", "-in", file, "-pubout", "-outform", "DER"),
        lambda digest: run("pkeyutl", "-sign", "-inkey", file, given=digest),
    )


def address_of(spki: bytes) -> str:
    # a SubjectPublicKeyInfo of secp256k1 ends with the uncompressed point: 0x04, x, y
    return keys.PublicKey(spki[-64:]).to_checksum_address()


def signature_of(der: bytes, digest: bytes, address: str) -> str:
    # SEQUENCE { INTEGER r, INTEGER s }
    r_length = der[3]
    r = int.from_bytes(der[4 : 4 + r_length], "big")
    s = int.from_bytes(der[6 + r_length :], "big")
    s = min(s, ORDER - s)
    for v in (27, 28):
        if Account._recover_hash(digest, vrs=(v, r, s)) == address:
            return f"0x{r:064x}{s:064x}{v:02x}"
    raise ValueError("the signature is of neither public key")


def main() -> None:
    kept, name = sys.argv[1:]
    public_key, sign = {"aws": aws, "openssl": openssl}[kept](name)
    request = json.load(sys.stdin)
    address = address_of(public_key())
    if request["method"] == "address":
        answer = {"address": address}
    else:
        # a careful keeper looks at request["transaction"] or request["document"] here, and at a limit of its own
        digest = bytes.fromhex(request["digest"][2:])
        answer = {"signature": signature_of(sign(digest), digest, address)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
