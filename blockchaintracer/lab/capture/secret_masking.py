"""Finding and masking what looks like a credential. It errs on the side of finding too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MASK = "***"
_MAX_ERROR = 2000

_NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<![a-z])pass(?![a-z])|pwd|secret|token(?!iz|s)|credential|mnemonic"
    r"|(?:api|access|private|signing|encryption)[_-]?key|(?<![a-z])auth(?:orization)?(?![a-z]))"
)
_PLACEHOLDER = r"(?!(?:none|null|true|false|undefined|changeme|example|your|xxx|\*\*\*|<))"
_CODE = r"(?![a-z_]\w*\s*[(\[.])"
_ASSIGNED = rf"{_NAME}[\w-]*[\"']?(?:\s*:\s*\w+)?\s*[:=]\s*"

_PATTERNS = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
        "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
        "GitLab token": r"\bgl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{20}",
        "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10}",
        "Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
        "Hugging Face token": r"\bhf_[A-Za-z0-9]{30}",
        "service API key": r"\bsk[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{20}",
        "package registry token": r"\b(?:pypi-[A-Za-z0-9_-]{40}|npm_[A-Za-z0-9]{36})",
        "JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
        "password in an address": r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:[^\s/@\"'${}]+@",
        "encrypted keystore": r"\"ciphertext\"\s*:\s*\"[0-9a-fA-F]{32}",
        "Ethereum private key": r"(?i)(?:priv|secret|signer|deployer|account|key)\w*[\"']?\s*[:=]\s*[\"']?"
        r"(?:0x)?[0-9a-f]{64}\b",
        # quoted; as in an environment file; or bare, if it doesn't look like code
        "password or token": rf"(?i){_ASSIGNED}[\"']{_PLACEHOLDER}[^\s\"']{{6,}}[\"']"
        rf"|^(?-i:(?:export )?[A-Z0-9_]*){_NAME}\w*={_PLACEHOLDER}[^\s\"'$]{{6,}}"
        rf"|{_ASSIGNED}{_PLACEHOLDER}{_CODE}[^\s\"'(){{}}\[\],;$<>]{{6,}}(?:\s|$)",
    }.items()
}
_OPTION = re.compile(rf"(?i)(-*[\w.-]*{_NAME}[\w.-]*)(=.*)?", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^\s/\"']*@")
_PLAIN_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.~-]+)(?::\d+)?")


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """Where something looks like a credential; never what it is."""

    kind: str
    line: int


def scan_secrets(diff: bytes) -> tuple[SecretFinding, ...]:
    """Find likely credentials in a diff (or any text), at most one a kind and line.

    Removed and context lines count too: they are published with the diff. Binary parts can't be searched.
    """
    findings = []
    for number, line in enumerate(diff.decode("utf-8", "replace").split("\n"), 1):
        text = line[1:] if line[:1] in ("+", "-", " ") else line
        findings += [SecretFinding(kind, number) for kind, pattern in _PATTERNS.items() if pattern.search(text)]
    return tuple(findings)


def mask(text: str) -> str:
    """Remove the credentials of a text's addresses; `MASK` alone if it still looks like a credential."""
    text = _USERINFO.sub("", text)
    return MASK if any(pattern.search(text) for pattern in _PATTERNS.values()) else text


def masked_values(value: Any, field: str, tell: Callable[[str], None]) -> Any:
    """Return plain values with `MASK` in the place of text that looks like a secret by its name or content."""
    if isinstance(value, Mapping):
        return {key: _masked_value(key, item, f"{field}.{key}", tell) for key, item in value.items()}
    return [masked_values(item, field, tell) for item in value] if isinstance(value, list) else value


def _masked_value(key: str, value: Any, field: str, tell: Callable[[str], None]) -> Any:
    if not isinstance(value, str):
        return masked_values(value, field, tell)
    if mask_arguments([f"{key}={value}"]) == [f"{key}={value}"]:
        return value
    tell(field)
    return MASK


def error_text(error: BaseException) -> str:
    """Return the type and message of an exception for a manifest or a warning, with secrets masked."""
    try:
        message = mask(str(error).encode("utf-8", "replace").decode())
    except Exception:
        message = ""
    message = "\n".join(mask(line) for line in message.split("\n"))
    return f"{type(error).__name__}: {message}"[:_MAX_ERROR] if message else type(error).__name__


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Mask the secrets of command-line arguments: ``--token=x``, ``--password x``, ``api_key=x``, addresses."""
    masked: list[str] = []
    hide = False
    for argument in arguments:
        option = _OPTION.fullmatch(argument)
        if hide and not argument.startswith("-"):
            masked.append(MASK)
            hide = False
        elif option and option[2]:
            masked.append(f"{option[1]}={MASK}")
            hide = False
        else:
            hide = bool(option) and argument.startswith("-")
            masked.append(argument if hide else mask(argument))
    return masked


def public_remote(url: str) -> str | None:
    """Return a git remote as anyone may see it: no user, password, query or fragment.

    Returns:
        None if what is left would not help anyone else (a path of this machine, a remote helper), can't be told apart
        from a credential, or still looks like one.
    """
    if "::" in url.partition("/")[0].partition("[")[0]:
        return None
    scheme, slashes, rest = url.strip().partition("://")
    if slashes:
        host, tail = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        # an @ further on could end a password with a slash in it
        if "@" in tail:
            return None
        host = host.rpartition("@")[2]
        public = f"{scheme}://{host}{re.split('[?#]', tail)[0]}"
    else:
        short = re.fullmatch(r"(?:.*@)?(\[[^\]]+\]|[^/:@]+):([^?#]*).*", scheme, re.DOTALL)
        if not short:
            return None
        host, public = short[1], f"{short[1]}:{short[2]}"
    if scheme == "file" or not _PLAIN_HOST.fullmatch(host) or mask(public) != public:
        return None
    return public
