"""Asks the CI provider of the job that runs for its token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.plain_json import parse_json

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 -- the name of a variable
GITLAB_TOKEN = "BLOCKCHAINTRACER_ID_TOKEN"  # noqa: S105 -- the name of a variable


def request_token(audience: str, variables: Mapping[str, str], *, allow_local: bool = False) -> bytes:
    """Return the token of this job: with this audience from GitHub Actions, with the workflow's own from GitLab.

    Args:
        variables: of the environment.
        allow_local: whether the provider may be asked without TLS, on this machine.

    Raises:
        InputError: if this is no such job.
        ChainUnavailable: if the provider gives none.
    """
    url, secret = variables.get(REQUEST_URL), variables.get(REQUEST_TOKEN)
    if url and secret:
        if not (url.startswith("https://") or allow_local):
            raise InputError(f"expected an https:// address in ${REQUEST_URL}", hint="--allow-local lets it.")
        try:
            address = f"{url}{'&' if '?' in url else '?'}{urlencode({'audience': audience})}"
            headers = {"Authorization": f"bearer {secret}", "Accept": "application/json"}
            answer = fetch(address, limit=64 << 10, seconds=20, headers=headers)
            plain = parse_json(answer.body, "the provider's answer") if answer.status == 200 else {}
        except (FetchError, InputError) as error:
            raise ChainUnavailable(f"the CI provider gives no token: {error}", hint="Try again.") from None
        token = plain.get("value") if isinstance(plain, dict) else None
        if not isinstance(token, str):
            hint = "Give the job `permissions: id-token: write`."
            raise ChainUnavailable(f"the CI provider gives no token (HTTP status {answer.status})", hint=hint)
        return token.encode()
    if token := variables.get(GITLAB_TOKEN):
        return token.strip().encode()
    raise InputError(
        "expected a job of GitHub Actions or GitLab CI that may have a token, got none",
        hint=f"GitHub: `permissions: id-token: write`. GitLab: `id_tokens:` with {GITLAB_TOKEN} (docs/ci.md).",
    )
