"""Each kind of credential is found in a file and masked in a text; what only looks like one is left alone.

The fixtures are made when the test runs, so that the repository holds nothing that looks like a secret.
"""

import hashlib
import json
import random
from base64 import b64encode

import pytest

from blockchaintracer.lab.capture.secret_masking import MASK, mask, mask_arguments, mask_value, scan_secrets

pytestmark = pytest.mark.fast

DRAWN = random.Random(16)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MIXED = LETTERS + LETTERS.upper() + "0123456789"


def drawn(count: int, of: str = MIXED) -> str:
    """Characters by chance, a digit among them."""
    return "".join(DRAWN.choices(of, k=count - 1)) + "7"


def hexes(count: int) -> str:
    return drawn(count, "0123456789abcdef")


def seed_words(entropy: bytes = bytes(range(16))) -> str:
    from eth_account.hdaccount.mnemonic import Mnemonic
    from eth_account.types import Language

    return str(Mnemonic(Language.ENGLISH).to_mnemonic(entropy))


KEY = "0x" + hexes(64)
KINDS = {
    "netrc": f"machine api.wandb.ai login user password {drawn(12)}",
    "netrc of lines": f"machine host.example\n  login me\n  password {drawn(12)}",
    "bearer header": f'headers = {{"Authorization": "Bea{"rer"} {drawn(30)}"}}',
    "basic header": f"Authorization: Basic {b64encode(b'me:hunter22').decode()}",
    "kaggle.json": json.dumps({"username": "me", "key": hexes(32)}),
    "KAGGLE_KEY": f"KAGGLE_KEY={hexes(32)}",
    "wandb key": f'wandb.login(key="{hexes(40)}")',
    "WANDB_API_KEY": f"export WANDB_API_KEY={hexes(40)}",
    "age secret key": "AGE-SECRET-" + "KEY-1" + drawn(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "pgpass": f"db.example:5432:runs:me:{drawn(10)}",
    "BIP-39": f"seed: {seed_words()}",
    "BIP-39 in a list": json.dumps(seed_words(bytes(range(7, 39))).split()),
    "BIP-39 of lines": "\n".join(seed_words().split()),
    "Azure storage key": f"AccountName=lab;Account{'Key'}={drawn(86)}==;EndpointSuffix=core.windows.net",
    "Azure key": f"AZURE_STORAGE_KEY: {drawn(86)}==",
    "Azure client": "q8Q" + "8Q~" + drawn(34),
    "Azure SAS": f"https://lab.blob.core.windows.net/data/x.csv?sv=2024-11-04&sig={drawn(43)}%3D",
    "signed by S3": f"https://lab.s3.amazonaws.com/x?X-Amz-Date=20260101&X-Amz-Signature={hexes(64)}",
    "Infura": f"https://mainnet.infura.io/v3/{hexes(32)}",
    "Alchemy": f"wss://eth-mainnet.g.alchemy.com/v2/{drawn(32)}",
    "QuickNode": f"https://odd-name.quiknode.pro/{hexes(40)}/",
    "another node": f"https://rpc.example.org/v3/{hexes(32)}",
    "Slack token": "xox" + f"b-{drawn(12, '0123456789')}-{drawn(24)}",
    "Slack webhook": "https://hooks.slack.com/services/T" + f"{drawn(9)}/B{drawn(9)}/{drawn(24)}",
    "Telegram token": f"bot = '{drawn(9, '123456789')}:AA{drawn(33)}'",
    "Discord webhook": f"https://discord.com/api/webhooks/{drawn(18, '123456789')}/{drawn(60)}",
    "curl -u": f"curl -u me:{drawn(10)} https://host.example/x",
    "curl --user": f'curl -s --user "me:{drawn(10)}" https://host.example/x',
    "--password": f"train.py --password {drawn(10)} --epochs 3",
    "--password of words": "train.py --pass" + "word hunter2",
    "password=": f"db_password={drawn(10)}",
    "private key of an option": f"cast send --private-key {KEY} --value 1",
    "private key of a variable": f"PRIVATE_KEY={KEY}",
    "private key bare": f"DEPLOYER={KEY.removeprefix('0x')}",
    "private key in code": f'account = Account.from_key("{KEY}")',
    "private key in JSON": f'"privateKey": "{KEY}"',
    "private keys in a list": f'accounts: ["{KEY}"]',
    "AWS": "AKIA" + drawn(16, LETTERS.upper()),
    "AWS secret": f"aws_secret_access_key = {drawn(40)}",
    "GitHub": "ghp_" + drawn(36),
    "GitLab": "glpat-" + drawn(20),
    "Hugging Face": "hf_" + drawn(34),
    "OpenAI": "sk-proj-" + drawn(48),
    "SendGrid": f"SG.{drawn(22)}.{drawn(43)}",
    "Stripe": "sk_live_" + drawn(24),
    "npm": f"//registry.example.org/:_auth{'Token'}=npm_{drawn(36)}",
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + drawn(80),
    "address": f"postgres://me:{drawn(10)}@db.university.edu/runs",
    "PEM": f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{drawn(64)}\n{drawn(64)}\n-----END RSA {'PRIVATE'} KEY-----",
    "PGP": f"-----BEGIN PGP {'PRIVATE'} KEY BLOCK-----\n\n{drawn(64)}\n-----END PGP",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_is_found_in_a_file_and_masked_in_a_text(kind: str):
    text = KINDS[kind]
    found = scan_secrets(f"harmless = 1\n{text}\n".encode())
    assert found
    assert found[0].line == 2
    secrets = [word for word in text.replace('"', " ").replace("'", " ").split() if len(word) >= 20] or [
        text.split()[-1]
    ]
    masked = mask(f"before\n{text}\nafter")
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")
    assert not any(secret in masked for secret in secrets), masked
    assert MASK in masked or "://" in masked
    assert mask(masked) == masked


DIGEST = hashlib.sha256(b"data").hexdigest()
ORDINARY = [
    f"sha256: {DIGEST}",
    f"0x{DIGEST}",
    f'"record": "0x{DIGEST}", "subject": "{DIGEST}"',
    f"record_key = '{DIGEST}'",
    f"public_key: {DIGEST}",
    f"account_hash: 0x{DIGEST}",
    f"six==1.17.0 --hash=sha256:{DIGEST}",
    f"blockchaintracer verify 0x{DIGEST} --rpc https://sepolia.base.org",
    f"https://github.com/lab/code/commit/{DIGEST[:40]}",
    f"https://zenodo.org/api/records/1234567/files/{DIGEST[:32]}.csv",
    "--private-key KEY",
    "docker run --user 1000:1000 image",
    "curl -u $USER:$PASSWORD https://host.example",
    "git clone git@github.com:lab/code.git",
    "the bearer authentication of requests",
    "usage: train [-u USER:PASSWORD]",
    "config.token = tokenizer.eos_token",
    'raise ValueError("password must not be empty")',
    'parser.add_argument("--password", help="the password of the database")',
    "--auth-root-authentication-method=normal",
    "--max-tokens 4096 --tokenizer bert-base-uncased",
    "index-url https://pypi.example.org/simple",
    'word.className = isConfirmed ? "pass" : "affected";',
    "test " * 11 + "junk",
    "https://user@host.example/path",
    "12:30:45 10:20:30:40:50",
    "sk-learn is scikit-learn, sk_transformer_preprocessing_pipeline",
    "a key of this type: https://host.example/v1/experiments/get-by-name",
]


@pytest.mark.parametrize("line", ORDINARY)
def test_what_only_looks_like_one_is_no_credential(line: str):
    assert scan_secrets(line.encode()) == ()


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        (["--rpc", f"https://rpc.example.org/v3/{'a7' * 9}"], ["--rpc", f"https://rpc.example.org/v3/{MASK}"]),
        (["--rpc-url=https://mainnet.infura.io/v3/" + "a7" * 16], [f"--rpc-url=https://mainnet.infura.io/v3/{MASK}"]),
        (["--private-key", KEY], ["--private-key", MASK]),
        (["--key", KEY], ["--key", MASK]),
        ([KEY], [MASK]),
        (["--signer", KEY[2:]], ["--signer", MASK]),
        (["--dataset-id", KEY, "--hash", KEY, f"--tx={KEY}"],) * 2,
        (["--digest", DIGEST, DIGEST],) * 2,
        (["-u", "me:hunter2"], ["-u", MASK]),
        (["-ume:hunter2"], [f"-u{MASK}"]),
        (["--user=me:hunter2", "--user", "1000:1000"], [f"--user={MASK}", "--user", "1000:1000"]),
        (["-u", "train.py", "--verbose"],) * 2,
        (["-H", "Authorization: " + "Bearer " + "a7" * 12], ["-H", MASK]),
        (["--url", "https://me:pw@h.example/x?sv=1&sig=abc"], ["--url", f"https://h.example/x?{MASK}"]),
        (["sh", "-c", "curl -u me:" + "hunter2 https://h.example"], ["sh", "-c", MASK]),
        (["--seed", *seed_words().split(), "--x"], ["--seed", *[MASK] * 12, "--x"]),
        (["--seed", seed_words()], ["--seed", MASK]),
        (["--password=--strange"], [f"--password={MASK}"]),
        (["--name=a=b", "x=1", "--steps", "5"],) * 2,
    ],
)
def test_arguments_without_their_secrets(arguments: list[str], masked: list[str]):
    assert mask_arguments(arguments) == masked


def test_a_value_is_masked_by_its_name_and_by_its_content():
    assert mask_value("command", "--pass" + "word hunter2") == MASK
    assert mask_value("signer_key", "0x" + DIGEST) == MASK
    assert mask_value("file_sha256", "0x" + DIGEST) == "0x" + DIGEST
    assert mask_value("model", DIGEST) == DIGEST


def test_a_long_line_of_a_stranger_takes_no_long_time():
    """Each of these takes years where a pattern has no bound on what it repeats."""
    for text in ("password" * 4_000, "eyJ" * 8_000, "a:" * 2_000, "password" + " " * 20_000, "sk-" * 8_000, "://a:" * 4_000, "\n" * 20_000, "machine a " * 2_000, "zoo " * 5_000):  # fmt: skip  # noqa: E501
        assert isinstance(scan_secrets(text.encode()), tuple)
