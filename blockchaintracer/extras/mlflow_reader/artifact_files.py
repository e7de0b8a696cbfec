"""Where MLflow's runs may name files, and how the files of a server are fetched. A store can be a stranger's: its runs
name whatever they like."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import redact_url
from blockchaintracer.extras.mlflow_reader.answers import bounded_answers
from blockchaintracer.lab.capture.secret_masking import error_text
from blockchaintracer.lab.files import entries_below
from blockchaintracer.lab.store.ipfs.download import MAX_ENTRIES
from blockchaintracer.lab.store.store import FETCH_LIMIT

_MAX_DEPTH = 64
_BLOCK_S = 120
_WAIT_S = 3_600
_S_A_MIB = 120
_DATABASE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")
FILES_IN = "BLOCKCHAINTRACER_FILES_IN"
"""Names folders and addresses that MLflow's stores may name files in, separated by commas."""
SERVER_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_DESTINATION = "MLFLOW_ARTIFACTS_DESTINATION"
_NO_TABLES = "SELECT name FROM sqlite_master WHERE type = 'view' OR type = 'table' AND sql NOT LIKE 'CREATE TABLE%'"
_MADE_BY_MLFLOW = ("mlruns", "mlartifacts")


def local_path(location: str) -> Path | None:
    """Return the folder on this machine that MLflow opens for a location, links resolved; None if it is elsewhere."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import get_uri_scheme

    local = get_uri_scheme(location) in ("", "file")
    # unlike `Path.resolve`, this takes a link to itself
    return Path(os.path.realpath(local_file_uri_to_path(location))) if local else None


def database_of(tracking_uri: str) -> Path | None:
    """Return the file of a SQLite store; None for another store."""
    database = _DATABASE.match(tracking_uri)
    return Path(database[1]).resolve() if database and database[1] != ":memory:" else None


def absolute(tracking_uri: str) -> str:
    """Return a tracking URI that means the same in any folder."""
    if database := database_of(tracking_uri):
        start, _, rest = tracking_uri.partition("///")
        return f"{start}///{database}{''.join(rest.partition('?')[1:])}"
    return tracking_uri if urlsplit(tracking_uri).scheme else str(Path(tracking_uri).absolute())


def require_database(tracking_uri: str | None) -> None:
    """Refuse a SQLite store that is not there: MLflow would make an empty one."""
    database = database_of(tracking_uri) if tracking_uri else None
    if database and not database.exists():
        raise InputError(f"expected the database {database}, which is not there")


def artifacts_destination(tracking_uri: str) -> str:
    """Return where the server of a database keeps artifacts: as the server or the user says, or as MLflow does."""
    named = os.environ.get(SERVER_DESTINATION) or os.environ.get(_DESTINATION)
    database = database_of(tracking_uri)
    if not named and database and (beside := database.parent / "mlartifacts").is_dir():
        named = str(beside)
    if not named:
        raise InputError(
            "the run's artifacts are kept by a tracking server, and where is not known here",
            hint=f"Name the server (--tracking-uri http://...), or set ${_DESTINATION} as its --artifacts-destination.",
        )
    return named


def places_of(tracking_uri: str, more: Sequence[str] = ()) -> list[Path | str]:
    """Return where a store may name files without being asked about: what `FILES_IN` and `more` name, and the folder
    that the store lies in, or the artifacts that a server keeps itself. Of the user's home folder, only what MLflow
    makes.

    Raises:
        InputError: if a link in a store of files leads elsewhere: MLflow reads what it leads to as a parameter or a
            tag, and writes tags over it.
    """
    places = _places_of(tracking_uri, more)
    if store := local_path(tracking_uri):
        links = (entry.path for entry in entries_below(store) if entry.is_symlink())
        require_places([Path(os.path.realpath(link)) for link in links], places)
    return places


def require_tables(tracking_uri: str) -> None:
    """Refuse a SQLite store with a view in the place of a table: it can have rows without end."""
    if (database := database_of(tracking_uri)) is None:
        return
    from mlflow.store.model_registry.dbmodels import models as _  # noqa: F401 -- adds its tables
    from mlflow.store.tracking.dbmodels.models import Base

    # what cannot be opened, MLflow tells
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
        for (name,) in opened.execute(_NO_TABLES):
            if name.lower() in Base.metadata.tables:
                raise InputError(f"expected a database that MLflow made, got one whose {name} is no table")


def _places_of(tracking_uri: str, more: Sequence[str]) -> list[Path | str]:
    places = [*os.environ.get(FILES_IN, "").split(","), os.environ.get(_DESTINATION), *more]
    named = [local_path(place) or place for place in places if place]
    parts = urlsplit(tracking_uri)
    if parts.scheme in ("http", "https"):
        return [*named, "mlflow-artifacts:", f"mlflow-artifacts://{parts.netloc}", f"{parts.scheme}://{parts.netloc}"]
    store = database_of(tracking_uri) or local_path(tracking_uri)
    if store is None:
        return named
    folder = store.parent
    if Path.home().resolve().is_relative_to(folder):
        return [*named, *(folder / name for name in _MADE_BY_MLFLOW)]
    return [*named, folder]


def require_places(locations: Sequence[Path | str], places: Sequence[Path | str]) -> None:
    """Refuse files that lie elsewhere: on this machine they may be private, and a host may be sent a password."""
    for location in locations:
        if not any(_lies_in(location, place) for place in places):
            raise InputError(
                f"expected files in {' or '.join(map(_shown, places)) or 'a place that you named'}, and the run names "
                f"{_shown(location)}: if that may be read, set ${FILES_IN}, or add --files-in PLACE to an import"
            )


@contextmanager
def well_formed(what: str) -> Iterator[None]:
    """Refuse what MLflow cannot have written: a store or a record can be a stranger's, with any text as a date."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"what {what} is not well formed: {error_text(error)[:200]}") from None


def _shown(place: Path | str) -> str:
    return redact_url(place) if isinstance(place, str) else str(place)


def _lies_in(location: Path | str, place: Path | str) -> bool:
    if isinstance(location, Path):
        return isinstance(place, Path) and location.is_relative_to(place)
    if isinstance(place, Path) or ".." in unquote(location).split("/"):
        return False
    if place == "mlflow-artifacts:":
        # without a host it is the tracking server's own
        return urlsplit(location).scheme == "mlflow-artifacts" and not urlsplit(location).netloc
    return location == place or location.startswith(place.rstrip("/") + "/")


def fetch_files(repository: Any, folder: Path) -> None:
    """Fetch all files of a location to a folder, at most `FETCH_LIMIT` bytes, at a pace that ends.

    Raises:
        InputError: if there is more, or a name that would give another file.
        ChainUnavailable: if the server breaks off or takes too long.
    """
    import requests
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    from mlflow.utils.rest_utils import augmented_raise_for_status, http_request

    from blockchaintracer.core.fetch import Deadline, FetchError, Stream

    with bounded_answers():
        files = list(_files(repository))
    began, count = time.monotonic(), 0
    if not isinstance(repository, HttpArtifactRepository):
        # a storage's own client, which has limits of its own
        repository.download_artifacts("", dst_path=str(folder))
        return
    for name in files:
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"expected artifacts with names inside their folder, got {name!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                http_request(repository._host_creds, f"/{name}", "GET", stream=True) as answer,
                target.open("xb") as file,
            ):
                augmented_raise_for_status(answer)
                for piece in Stream(answer, Deadline(_BLOCK_S)).pieces():
                    count += file.write(piece)
                    if count > FETCH_LIMIT:
                        raise InputError(f"expected artifacts of at most {FETCH_LIMIT} bytes, got more")
                    if time.monotonic() - began > _WAIT_S + _S_A_MIB * (count >> 20):
                        raise requests.ReadTimeout("no end")
        except (FetchError, requests.RequestException) as error:
            reason = error if isinstance(error, FetchError) else type(error).__name__
            raise ChainUnavailable(f"the artifact {name!r} can't be fetched ({reason})") from None


def _files(repository: Any) -> Iterator[str]:
    """List the files of a location. Names that MLflow's client changes on the way to a server are refused: it would
    give one file's bytes for another's.

    The client decodes names with ``%`` until nothing is left to decode, and sends what follows ``?`` as a query.
    """
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

    waiting, count, size = [""], 0, 0
    while waiting:
        entries = repository.list_artifacts(waiting.pop() or None)
        paths = [entry.path for entry in entries]
        wrong = next((path for path, times in Counter(paths).items() if "?" in path or times > 1), None)
        if wrong is not None and isinstance(repository, HttpArtifactRepository):
            raise InputError(
                f"expected artifacts whose names MLflow tells apart, got {wrong!r}",
                hint="Log them by names without '%' and '?': MLflow's server gives another file for such a name.",
            )
        count, size = count + len(entries), size + sum(entry.file_size or 0 for entry in entries)
        deep = any(path.count("/") > _MAX_DEPTH for path in paths)
        if deep or count > MAX_ENTRIES or size > FETCH_LIMIT:
            raise InputError(
                f"expected at most {MAX_ENTRIES} artifacts of {FETCH_LIMIT} bytes, {_MAX_DEPTH} deep, got more"
            )
        waiting += [entry.path for entry in entries if entry.is_dir]
        yield from (entry.path for entry in entries if not entry.is_dir)
