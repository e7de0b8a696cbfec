"""Answers of web servers that may point elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from blockchaintracer.core.fetch import FetchError, Stream, is_public, new_session, opened
from blockchaintracer.core.networks import redact_url

_REDIRECTED = (301, 302, 303, 307, 308)


@contextmanager
def followed(
    url: str, *, seconds: float, most: int, session: requests.Session | None = None, **given: Any
) -> Iterator[Stream]:
    """Ask for `url`, follow where it points, and give the answer as a stream. The arguments are those of `opened`.

    Args:
        most: how many times: to http(s) alone, and never out of TLS.

    Raises:
        FetchError: if there is no answer.
    """
    with new_session() if session is None else nullcontext(session) as client:
        for _ in range(most + 1):
            with opened(url, seconds=seconds, session=client, **given) as stream:
                if stream.status not in _REDIRECTED:
                    yield stream
                    return
                target = urljoin(url, stream.headers.get("Location", ""))
                # whoever is on the public internet points to nothing in this network
                public = given.get("public") or stream.peer is None or is_public(stream.peer)
            allowed = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
            if urlsplit(target).scheme not in allowed:
                raise FetchError(f"points to {redact_url(target)}, where nothing is fetched from", refused=True)
            # what lets in at one address is not sent to where that points
            url, given["auth"], given["public"] = target, no_password, public
        raise FetchError("points on and on", refused=True)


def no_password(request: Any) -> Any:
    """Send no name and password, not even those that ~/.netrc has for the host."""
    return request
