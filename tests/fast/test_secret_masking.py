"""Secrets in remotes and in text that is captured: found, and never repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockchaintracer.lab.capture.secret_masking import public_remote, scan_secrets


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://github.com/lab/code.git", "https://github.com/lab/code.git"),
        ("https://user:p" + "@ss@github.com/lab/code", "https://github.com/lab/code"),
        ("https://ghp_0123456789@github.com/lab/code", "https://github.com/lab/code"),
        ("https://user@host.example:8443/x?private_token=abc#frag", "https://host.example:8443/x"),
        ("ssh://git@host.example:22/~me/x", "ssh://host.example:22/~me/x"),
        ("git@github.com:lab/code.git", "github.com:lab/code.git"),
        ("me:p@ss:word@host.example:code", "host.example:code"),
        ("git@[::1]:code", "[::1]:code"),
        ("https://user:p/w@host.example/x", None),
        ("https://us@er:p/w@host.example/x", None),
        ("https://user:p?w@host.example/x", None),
        ("https://host.example/ghp_" + "a" * 36, None),
        ("/home/alice/code", None),
        ("../code", None),
        ("file:///home/alice/code", None),
        ("ext::sh -c 'token https://x'", None),
    ],
)
def test_remotes_are_shown_without_credentials(url: str, public: str | None):
    assert public_remote(url) == public


SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1).map(
    lambda text: "S3CRET" + text + "S3CRET"
)


@given(
    SECRET,
    SECRET,
    st.sampled_from(["https://{}:{}@host.example/x", "{}:{}@host.example:x", "ssh://{}{}@host.example/x"]),
)
def test_no_userinfo_survives(user: str, password: str, form: str):
    public = public_remote(form.format(user, password))
    assert public is None or "S3CRET" not in public


# put together here, so that no scanner takes this file for a leak
LEAKS = {
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub Token": "ghp_" + "a1" * 18,
    "Hugging Face token": "hf_" + "aB" * 17,
    "JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
    "password in an address": "DATABASE=postgres://app:" + "hunter2@db/x",
    "Ethereum private key": "deployer_key = '0x" + "4f" * 32 + "'",
    "encrypted keystore": '{"ciphertext": "' + "ab" * 32 + '"}',
    "password or token": "password" + " = 'hunter22'",
}


@pytest.mark.parametrize("kind", LEAKS)
@pytest.mark.parametrize("sign", ["+", "-", " "])
def test_secrets_are_found_by_line_and_never_repeated(kind: str, sign: str):
    diff = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n+harmless = 1\n{sign}{LEAKS[kind]}\n"
    found = scan_secrets(diff.encode(), diff=True)
    assert (kind, 6) in [(finding.kind, finding.line) for finding in found]
    assert {finding.line for finding in found} == {6}
    assert LEAKS[kind] not in repr(found)


@pytest.mark.parametrize(
    "line",
    [
        "API_KEY" + "=abc.def-123",
        "  password" + ": hunter22",
        "export TOKEN" + "=a1b2c3d4",
        '"secret"' + ': "s3cr3tvalue"',
    ],
)
def test_assigned_secrets_are_found(line: str):
    assert scan_secrets(f"+{line}\n".encode(), diff=True)


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DB_PASSWORD']",
        "token = tokenizer.encode(text)",
        "max_tokens=4096000",
        "password: str = None",
        "author = 'Somebody Else'",
        "def login(password, token):",
        "sha256 = '" + "ab" * 32 + "'",
        "tokenizer: bert-base-uncased",
        "loss = cross_entropy(logits, targets)",
    ],
)
def test_ordinary_code_is_not_taken_for_a_secret(line: str):
    assert scan_secrets(f"+{line}\n".encode(), diff=True) == ()
