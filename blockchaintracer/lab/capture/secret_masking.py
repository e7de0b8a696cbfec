"""The one masker of texts that are recorded or leave this machine, and the scanner of files that do.

The plugins of detect-secrets find the tokens of services. They run in this process, without its settings, its questions
over the network and its comments that switch it off. The chain's own kinds and what people type are added here. It errs
on the side of finding too much.
"""

from __future__ import annotations

import logging
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import accumulate
from typing import Any

MASK = "***"
_MAX_ERROR = 2000
SCANNED = 4 << 20
"""Bytes of the largest file that is searched, and of the part of a difference that is searched when a run starts."""
_LINE = 4096
"""Characters of a line that are searched together, so that the time grows with the length only, whoever wrote it."""

_NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<![a-z])pass(?![a-z])|pwd|secret|token(?!iz|s)|credential|mnemonic"
    r"|(?:api|access|account|private|signing|encryption)[_-]?key|(?<![a-z])auth(?:orization)?(?![a-z]))"
)
_PLACEHOLDER = (
    r"(?!(?:none|null|true|false|undefined|changeme|example|your|xxx|\*\*\*|[^\s\"']{0,40}(?:\.\.\.|\*\*\*)|[<%{\[$(]))"
    # a name of a secret, as code is full of them
    rf"(?![a-z_.:/{{}}-]{{0,64}}{_NAME}[a-z_.:/{{}}-]{{0,64}}(?:[\"'\s,;)\]]|$))"
    # a version, a file
    r"(?![\^~<>=v]{0,2}\d{1,4}(?:\.\d{1,6}){1,3}\b)(?!~|\.{0,2}/|[\w.:/-]{1,64}\.(?:pem|key|txt|json|toml|ya?ml|py|env|sig)\b)"
)
_CODE = r"(?![a-z_]\w{0,64}\s{0,8}[(\[.])"
_MIXED = r"(?=\S{0,64}[\d!@#%^&*+~?])"
_OTHER = r"(?![\w-]{0,32}(?:file|path|env|name|type|method|id)\b)"
_GAP = r"[ \t]{0,8}"
_ASSIGNED = rf"(?<!\? [\"']){_NAME}[\w-]{{0,64}}[\"']?(?:{_GAP}:{_GAP}\w{{1,64}})?{_GAP}[:=]{_GAP}"
_DIGEST_NAME = (
    "(?:hash|digest|sha|id(?![a-z])|root|pub|addr|code|salt|commit|record|tx|block|parent|leaf|proof|subject"
    "|report|document|manifest|dataset|model|run(?![a-z])|evidence|reproduc|supersede|derived)"
)
_KEY_NAME = rf"(?!\w{{0,40}}{_DIGEST_NAME})(?:priv|secret|sign|deployer|wallet|account|owner|sender|eth|evm)\w{{0,40}}"

_EVERYWHERE = {
    "private key": r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[^-]{0,9}-----(?:[^-]|-(?!----)){0,20000}"
    r"|PuTTY-User-Key-File-\d",
    "age secret key": r"\bAGE-(?:SECRET-KEY|PLUGIN)-[A-Z0-9-]{20}",
    "encrypted keystore": r"\"ciphertext\"\s{0,8}:\s{0,8}\"[0-9a-fA-F]{32}",
    "Artifactory token": r"(?<![\w+/])(?:AKC[A-Za-z0-9]{10}|AP[0-9A-F](?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{8})",
    "Slack token": r"\bxox[abceoprs]-[A-Za-z0-9-]{10}|\bxapp-\d-[A-Z0-9]{8,}-",
    "Telegram token": r"(?<![\w])(?:bot)?\d{8,10}:[A-Za-z0-9_-]{35}(?![\w-])",
    "JSON web token": r"\beyJ[\w-]{8,1000}\.eyJ[\w-]{8,2000}\.",
    "GitHub token": r"\bgithub_pat_[A-Za-z0-9_]{22}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30}",
    "service API key": r"\bsk[-_](?:[A-Za-z0-9]{1,20}[-_]){0,4}(?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{20}",
    "package registry token": r"\b(?:pypi-[A-Za-z0-9_-]{40}|npm_[A-Za-z0-9]{36})",
    "Weights & Biases key": r"\bwandb_v\d_\w{20}",
    "Azure key": r"\b[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    "netrc password": r"^\s{0,8}(?:machine\s{1,8}\S{1,255}|default)\s{1,16}"
    r"(?:(?:login|account)\s{1,16}\S{1,255}\s{1,16}){0,2}password\s{1,16}\S{1,255}",
    "pgpass password": r"^(?:[\w.*-]{1,255}|/[\w./-]{1,255}):(?:\d{4,5}|\*):"
    r"[\w*.-]{1,63}:[\w*.@-]{1,63}:[^\s:]{1,255}$",
    "password of a command": r"(?<!\S)(?:-u|--(?:proxy-)?user)[ =]?[\"']?"
    r"(?!\d{1,6}:\d{1,6}\b)[\w.@-]{1,64}:(?![$<{(%*/])[^\s\"'/:]{3,255}",
    "bearer token": r"\b[Bb]earer[ \t]{1,4}(?=[A-Za-z._~+/=-]{0,255}\d)[\w.~+/-]{16}",
}
_BY_NAME = {
    "password in an address": r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://(?!user(?:name)?:pass(?:word)?@)[^\s/:@\"'<>{}]{0,255}:[^\s/@\"'<>${}*%]{1,255}@"
    # names that nobody can have
    r"(?!(?:[\w-]{1,63}\.){0,4}(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?(?![\w.-])|127\.0\.0\.1)",
    "signed address": r"[?&;](?:sig|x-(?:amz|goog)-(?:signature|credential|security-token)|signature)=[\w%+/=-]{16}",
    "Discord webhook": r"discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{20}",
    "index token": r"\bdl\.cloudsmith\.io/(?!public|basic)\w{12,}/|\bfury\.io/(?=[A-Za-z]{0,40}\d)\w{16,}/",
    "node provider key": r"\b(?:infura\.io|alchemy(?:api)?\.(?:com|io))/(?:[a-z0-9]{1,8}/){1,3}[\w-]{20}"
    r"|\bquiknode\.(?:pro|io)/[0-9a-f]{30}|\bankr\.com/\w{1,40}/[0-9a-f]{30}"
    r"|://[^\s/]{1,255}/(?:[\w.-]{1,40}/){0,3}v\d/(?=[A-Za-z_]{0,64}\d)(?=[\d_]{0,64}[A-Za-z])\w{30,64}(?![\w-])",
    "Ethereum private key": rf"(?<![a-z]){_KEY_NAME}[\"']?\]?{_GAP}[:=(,]?{_GAP}\[?[\"']?(?:0x)?[0-9a-f]{{64}}(?!\w)"
    rf"|\b(?:pk|sk|key)\b[\"']?{_GAP}[:=]?{_GAP}[\"']?0x[0-9a-f]{{64}}(?!\w)"
    rf"|(?:from_?key|ToAccount|wallet|PrivateKey)\({_GAP}[\"'](?:0x)?[0-9a-f]{{64}}(?!\w)",
    "Weights & Biases key": r"wandb[^\n]{0,40}[\"'=:\s(][0-9a-f]{40}\b",
    "Kaggle key": r"\"key\"\s?:\s?\"[0-9a-f]{32}\""
    r"|\bKAGGLE_(?:KEY|API_TOKEN)[\"']?\]?\s?[:=]\s?[\"']?\w{20}|\bKGAT_\w{20}",
    "Azure key": r"key\w{0,8}[\"']?\s?[:=,]\s?[\"']?[a-z0-9+/]{43,86}==?",
    "basic authorization": r"authorization[\"']?\s?[:=,]\s?[\"']?basic[ \t]{1,4}[a-z0-9+/]{8}",
    "secret in an address": r"://[^\s\"'<>]{1,1000}[?&](?:\w{0,20}(?:token|secret|passw(?:or)?d)|(?:api|access|subscription)?"
    r"[_-]?key|auth)=[\w%+/.~-]{12}",
    # quoted; as in an environment file; bare, if it doesn't look like code; as an option
    "password or token": rf"{_ASSIGNED}[\"']{_PLACEHOLDER}[^\s\"']{{8,}}[\"']"
    rf"|^(?-i:(?:export )?[A-Z0-9_]{{0,64}}){_NAME}\w{{0,64}}=(?!=){_PLACEHOLDER}{_MIXED}[^\s\"'$]{{6,}}"
    rf"|{_ASSIGNED}(?!=){_PLACEHOLDER}{_CODE}{_MIXED}[^\s\"'`(){{}}\[\],;$<>]{{6,}}(?:\s|$)"
    rf"|(?<![\w-])--?[\w-]{{0,32}}{_NAME}{_OTHER}[\w-]{{0,32}}(?:=|[ \t]{{1,8}})[\"']?(?-i:(?![A-Z_]+\b)){_PLACEHOLDER}"
    r"(?![-\\|&>`])[^\s\"',;)\]`]{4,}(?![\"'` ]{0,2}:)",
}
"""Searched, in any case, in the lines that have one of `_WORDS` in them."""
_WORDS = re.compile(
    "pass|pwd|secret|token|credential|mnemonic|key|auth|wandb|kgat|sign|priv|deploy|wallet|account|owner|sender|://|[?&;]sig|x-amz"
)
_SERVICES = (
    "aws.AWSKey azure_storage_key.AzureStorageKey discord.DiscordBotToken "
    "github_token.GitHubToken gitlab_token.GitLabToken mailchimp.Mailchimp npm.Npm openai.OpenAI pypi_token.PypiToken "
    "sendgrid.SendGrid slack.Slack square_oauth.SquareOAuth stripe.Stripe twilio.TwilioKey"
)
_SERVICES_BY_NAME = "cloudant.Cloudant ibm_cloud_iam.IbmCloudIam ibm_cos_hmac.IbmCosHmac softlayer.Softlayer"
"""Detectors of detect-secrets, by whether they go by the name that the secret has. Those of entropy, of words and of
IP addresses find too much in code."""

_INSIDE = re.compile(r"[\w+]{2}")
"""Two characters between which no token starts or ends: it is a part of other data."""
_SEED_WORDS = re.compile(r"(?:[a-z]{3,8}+(?![A-Za-z_])[\s\"',;.)\d]{0,8}+){12,}+")
_PUBLIC_SEED = ["test"] * 11 + ["junk"]
"""The words of every development chain's accounts."""

_SECRET_NAME = re.compile(rf"(?i)[\w.-]*{_NAME}[\w.-]*")
_USER_NAME = re.compile(r"(?i)(?:.*[_-])?(?:u|user(?:pwd)?|login)")
_NODE_NAME = re.compile(r"(?i)(?:.*[_.-])?(?:rpc|provider|node|endpoint|fork)(?:[_.-](?:url|uri|address))?")
_HEX = re.compile("[0-9a-fA-F]{64}")
_OPTION = re.compile(r"(-*[A-Za-z][\w.-]*)=(.*)", re.DOTALL)
_HEX_KEY = re.compile(r"(?i)(0x)?[0-9a-f]{64}")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}:(?=//))//([^\s/?#\"'<>]*)([^\s?#\"'<>]*)(\?[^\s#\"'<>]*)?")
_LONG_PART = re.compile(r"(?<=/)(?=[^/]*\d)[\w.~%-]{16,}")
_PLAIN_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.~-]+)(?::\d+)?")


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """Where something looks like a credential; never what it is."""

    kind: str
    line: int


def scan_secrets(data: bytes, *, diff: bool = False) -> tuple[SecretFinding, ...]:
    """Find likely credentials in a text, at most one a kind and line.

    Args:
        diff: whether it is a difference of git. Removed and context lines count, too: they are published with it.
    """
    text = data.decode("utf-8", "replace")
    if diff:
        text = "\n".join(line[1:] if line[:1] in ("+", "-", " ") else line for line in text.split("\n"))
    findings = {(first + 1, kind) for kind, first, _ in _findings(text)}
    return tuple(SecretFinding(kind, line) for line, kind in sorted(findings))


def mask(text: str) -> str:
    """Remove user, password and query from a text's addresses, and put `MASK` for each line that still looks like a
    credential."""
    text = _ADDRESS.sub(_public_address, text)
    hidden = {line for _, first, last in _findings(text) for line in range(first, last + 1)}
    if not hidden:
        return text
    return "\n".join(MASK if number in hidden else line for number, line in enumerate(text.split("\n")))


def mask_value(name: str, value: str) -> str:
    """Mask a value by its name, be it of an option, a parameter or a variable, and by its content."""
    name = name.lstrip("-")
    if _SECRET_NAME.fullmatch(name):
        return MASK
    if (key := _HEX_KEY.fullmatch(value)) and (key[1] or re.search(rf"(?i){_KEY_NAME}|key\b", name)):
        # many digests look the same: their names tell
        return value if re.search(rf"(?i){_DIGEST_NAME}", name) else MASK
    if _USER_NAME.fullmatch(name) and re.fullmatch(r"(?!\d+:\d+$)[^\s:/]+:[^/\s].*", value):
        return MASK
    masked = mask(value)
    return _LONG_PART.sub(MASK, masked) if "://" in masked and _NODE_NAME.fullmatch(name) else masked


def masked_values(value: Any, field: str, tell: Callable[[str], None], name: str = "") -> Any:
    """Return plain values with `MASK` in the place of text that looks like a secret by its name or content.

    Args:
        tell: called with the name of each field that was masked.
        name: of the value; as in `mask_value`.
    """
    if isinstance(value, Mapping):
        return {key: masked_values(item, f"{field}.{key}", tell, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked_values(item, field, tell, name) for item in value)
    if not isinstance(value, str) or (masked := mask_value(name, value)) == value:
        return value
    tell(field)
    return masked


def mask_lock(text: str) -> str:
    """Remove the credentials of a lock file, so that it still installs the same packages.

    Its addresses lose user, password and query; a user that is a variable (``${USER}``) stays. A line that still looks
    like a credential is left out of a requirements file, and masked elsewhere.
    """

    def public(address: re.Match[str]) -> str:
        user, _, _ = address[2].rpartition("@")
        return (
            address[0]
            if re.fullmatch(r"\$\{\w+\}(?::\$\{\w+\})?", user) and not address[4]
            else _public_address(address)
        )

    shown = _ADDRESS.sub(public, text).replace(f"?{MASK}", "")
    hidden = {line for _, first, last in _findings(shown) for line in range(first, last + 1)}
    lines = enumerate(shown.split("\n"))
    return "\n".join(f"# {MASK}" if number in hidden else line for number, line in lines) if hidden else shown


def error_text(error: BaseException) -> str:
    """Return the type and message of an exception for a manifest or a warning, with secrets masked."""
    try:
        message = mask(str(error).encode("utf-8", "replace").decode())
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}"[:_MAX_ERROR] if message else type(error).__name__


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Mask the secrets of command-line arguments: ``--token=x``, ``--password x``, ``-u user:password``, addresses."""
    masked: list[str] = []
    before = ""
    for argument in arguments:
        option = _OPTION.fullmatch(argument)
        if option and not (before and _SECRET_NAME.fullmatch(before)):
            masked.append(f"{option[1]}={mask_value(option[1], option[2])}")
        elif argument[:1] == "-" and argument[1:]:
            short = re.fullmatch(r"-u(.+)", argument, re.DOTALL)
            masked.append(f"-u{mask_value('u', short[1])}" if short else mask(argument))
        else:
            masked.append(mask_value(before, argument))
        before = argument.lstrip("-") if argument[:1] == "-" and not option else ""
    words = "\n".join(arguments)
    for _, first, last in _seed_words(words, [0, *accumulate(len(word) + 1 for word in arguments)]):
        masked[first : last + 1] = [MASK] * (last + 1 - first)
    return masked


def _public_address(address: re.Match[str]) -> str:
    scheme, host, path, query = address.groups()
    host = host.rpartition("@")[2]
    if "@" in path and not re.fullmatch(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?", host):
        # the @ ends a password with a slash in it
        return MASK
    shown = f"{scheme}//{host}{path}"
    if _patterns(True)["node provider key"].search(shown):
        shown = _LONG_PART.sub(MASK, shown)
    return f"{shown}?{MASK}" if query and query != "?" else shown


@cache
def _patterns(by_name: bool) -> dict[str, re.Pattern[str]]:
    if by_name:
        return {kind: re.compile(pattern, re.IGNORECASE | re.MULTILINE) for kind, pattern in _BY_NAME.items()}
    return {kind: re.compile(pattern, re.MULTILINE) for kind, pattern in _EVERYWHERE.items()}


@cache
def _services(by_name: bool) -> list[Any]:
    places = [place.split(".") for place in (_SERVICES_BY_NAME if by_name else _SERVICES).split()]
    shown = warnings.showwarning
    modules = [(import_module(f"detect_secrets.plugins.{module}"), f"{name}Detector") for module, name in places]
    if warnings.showwarning is not shown:
        # it sends every warning of this process to a log that nobody reads
        logging.captureWarnings(False)
    return [getattr(module, name)() for module, name in modules]


def _findings(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind, the first and the last line of what looks like a credential; lines count from 0."""
    # patterns of others try every way to share out a run of blanks
    text = re.sub(r"[ \t]{9,}", " " * 8, text)
    parts, numbers = text.split("\n"), None
    if any(len(part) > _LINE for part in parts):
        cut = [(number, part[at : at + _LINE]) for number, part in enumerate(parts) for at in _cuts(part)]
        numbers, parts = [number for number, _ in cut], [part for _, part in cut]
    named = [number for number, part in enumerate(parts) if _WORDS.search(part.lower())]
    for by_name, lines in ((False, range(len(parts))), (True, named)):
        searched = "\n".join(parts[line] for line in lines) if by_name or numbers else text
        starts: list[int] = []
        for kind, start, end in _matches(searched, by_name):
            starts = starts or [0, *accumulate(len(parts[line]) + 1 for line in lines)]
            places = (lines[bisect_right(starts, place) - 1] for place in (start, max(start, end - 1)))
            first, last = (numbers[place] if numbers else place for place in places)
            yield kind, first, last
    starts = [0, *accumulate(len(part) + 1 for part in parts)] if len(text) > 40 else []
    for kind, first, last in _seed_words("\n".join(parts) if numbers else text, starts):
        yield (kind, numbers[first], numbers[last]) if numbers else (kind, first, last)


def _cuts(part: str) -> range:
    """Return where the parts of a long line start: they overlap, so that nothing is cut in all of them."""
    return range(0, max(1, len(part) - 512), _LINE - 512)


def _matches(text: str, by_name: bool) -> Iterator[tuple[str, int, int]]:
    for kind, pattern in _patterns(by_name).items():
        if kind == "Ethereum private key" and not _HEX.search(text):
            continue
        for match in pattern.finditer(text):
            yield kind, match.start(), match.end()
    if len(text) < 12:
        return
    for detector in _services(by_name):
        for pattern in detector.denylist:
            for match in pattern.finditer(text):
                around = (
                    text[max(0, match.start() - 1) : match.start()] + match[0][:1],
                    match[0][-1:] + text[match.end() :][:1],
                )
                if not any(map(_INSIDE.fullmatch, around)):
                    yield detector.secret_type, match.start(), match.end()


def _seed_words(text: str, starts: list[int]) -> Iterator[tuple[str, int, int]]:
    """Yield the lines of the words that BIP-39 makes of a key: in English, with their checksum."""
    for run in _SEED_WORDS.finditer(text) if len(text) > 40 else ():
        from eth_account.hdaccount.mnemonic import Mnemonic
        from eth_account.types import Language

        seeds = Mnemonic(Language.ENGLISH)
        known = frozenset(seeds.wordlist)
        words = [*re.finditer(r"[a-z]+", run[0])]
        first = 0
        while first + 12 <= len(words):
            for count in (24, 21, 18, 15, 12):
                chosen = [word[0] for word in words[first : first + count]]
                # a list of all words is sorted
                listed = (
                    len(chosen) == count and known.issuperset(chosen) and chosen not in (sorted(chosen), _PUBLIC_SEED)
                )
                if listed and seeds.is_mnemonic_valid(" ".join(chosen)):
                    start, end = (run.start() + words[place].start() for place in (first, first + count - 1))
                    yield "seed words", bisect_right(starts, start) - 1, bisect_right(starts, end) - 1
                    first += count - 1
                    break
            first += 1


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
        # one letter is a drive of Windows, below which lies a user's folder
        if not short or len(short[1]) == 1 or "\\" in scheme:
            return None
        host, public = short[1], f"{short[1]}:{short[2]}"
    if scheme == "file" or not _PLAIN_HOST.fullmatch(host) or mask(public) != public:
        return None
    return public
