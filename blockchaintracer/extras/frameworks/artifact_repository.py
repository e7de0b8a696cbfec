"""Records as artifacts of MLflow: ``mlflow.artifacts.download_artifacts("record://ID")``, verified on the way.

MLflow finds this by itself where both are installed. Lab and chain are those of the environment
(``$BLOCKCHAINTRACER_HOME``, ``$BLOCKCHAINTRACER_RPC``).
"""

from __future__ import annotations

import shutil
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from blockchaintracer.core.errors import InputError

if TYPE_CHECKING:
    from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem

    ArtifactRepository: Any = object
else:
    try:
        from mlflow.store.artifact.artifact_repo import ArtifactRepository
    except ImportError:
        # every module imports without extras; only MLflow makes a repository
        ArtifactRepository = object


class RecordArtifactRepository(ArtifactRepository):  # type: ignore[misc]
    """The files of a record, as `filesystem.RecordFileSystem` has them. Read-only."""

    @cached_property
    def _filesystem(self) -> RecordFileSystem:
        # MLflow imports this module whenever it starts: what it takes to read is imported when something is read
        from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem

        return RecordFileSystem()

    def _path(self, path: str | None) -> str:
        root = self.artifact_uri.partition("://")[2].strip("/")
        return f"{root}/{path}" if path else root

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """The files and folders in a folder of the record, as MLflow's ``FileInfo``."""
        from mlflow.entities import FileInfo

        root = self._path(None)
        filesystem = self._filesystem
        if not filesystem.isdir(self._path(path)):
            return []
        entries = filesystem.ls(self._path(path))
        return [
            FileInfo(
                one["name"].removeprefix(root + "/"),
                one["type"] == "directory",
                None if one["type"] == "directory" else one["size"],
            )
            for one in sorted(entries, key=lambda one: one["name"])
        ]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with self._filesystem.open(self._path(remote_file_path)) as source, open(local_path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> NoReturn:
        """Refused: what was recorded can't be changed."""
        raise InputError("what was recorded can't be changed", hint="Record it: `blockchaintracer record`.")

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> NoReturn:
        """Refused: what was recorded can't be changed."""
        self.log_artifact(local_dir)
