"""Records as artifacts of MLflow: ``mlflow.artifacts.download_artifacts("record://ID")``, verified on the way.

MLflow finds this file by an entry point. Lab and chain are those of ``$BLOCKCHAINTRACER_HOME`` and
``$BLOCKCHAINTRACER_RPC``.
"""

from __future__ import annotations

import shutil
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from typing_extensions import override

from blockchaintracer.core.errors import InputError

if TYPE_CHECKING:
    from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem

    ArtifactRepository: Any = object
else:
    try:
        from mlflow.store.artifact.artifact_repo import ArtifactRepository
    except ImportError:
        # every module can be imported without extras; only MLflow makes a repository
        ArtifactRepository = object


class RecordArtifactRepository(ArtifactRepository):  # type: ignore[misc]
    """The files of a record, as `RecordFileSystem` reads them. Read-only."""

    @cached_property
    def _filesystem(self) -> RecordFileSystem:
        # MLflow imports this module at every start: import the file system when something is read
        from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem

        return RecordFileSystem()

    def _path(self, path: str | None) -> str:
        root = self.artifact_uri.partition("://")[2].strip("/")
        return f"{root}/{path}" if path else root

    @override
    def list_artifacts(self, path: str | None = None) -> list[Any]:
        from mlflow.entities import FileInfo

        root, filesystem = self._path(None), self._filesystem
        if not filesystem.isdir(self._path(path)):
            return []
        entries = sorted(filesystem.ls(self._path(path)), key=lambda entry: entry["name"])
        folders = [entry["type"] == "directory" for entry in entries]
        return [
            FileInfo(entry["name"].removeprefix(root + "/"), is_folder, None if is_folder else entry["size"])
            for entry, is_folder in zip(entries, folders, strict=True)
        ]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with self._filesystem.open(self._path(remote_file_path)) as source, open(local_path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    @override
    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> NoReturn:
        raise InputError("what was recorded can't be changed", hint="Record it: `blockchaintracer record`.")

    @override
    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> NoReturn:
        self.log_artifact(local_dir)
