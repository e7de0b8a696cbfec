"""Parameters that a program says nothing of: those of its arguments, and of the small config files that these name."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from glob import glob
from itertools import takewhile
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.lab.capture.locks import parse_toml
from blockchaintracer.lab.capture.metric_files import mark_of
from blockchaintracer.lab.capture.secret_masking import MASK, mask_value
from blockchaintracer.lab.recording.run import parse_assignment
from blockchaintracer.lab.recording.run_document import RunDocument, parse_yaml

MAX_CONFIG = 64 << 10
MAX_PARAMETERS = 200
CONFIGS = (".yaml", ".yml", ".toml", ".json")
HYDRA = ("outputs/*/*/.hydra/config.yaml", "multirun/*/*/*/.hydra/config.yaml")
"""Where Hydra writes the configuration that it made of files and arguments."""

_OPTION = re.compile(r"--([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
_OVERRIDE = re.compile(r"\+{0,2}([A-Za-z_][\w.@-]*)=(.+)", re.DOTALL)


class ParameterReader:
    """Reads the parameters of a command: config files before it is run, Hydra's after it.

    Args:
        folder: its working folder; files outside of it are not read.
        apart: files that are recorded otherwise, such as inputs.
    """

    def __init__(self, command: Sequence[str], folder: Path, apart: Collection[Path] = ()) -> None:
        self.arguments, self.folder = command[1:], folder.resolve()
        named = (argument.rpartition("=")[2] for argument in self.arguments)
        files = {self.folder / name for name in named if name.lower().endswith(CONFIGS)}
        hidden = {path.resolve() for path in apart}
        self._configs = {
            file: (mark_of(file), _settings(file))
            for file in sorted(files)
            if os.path.isfile(file) and file.resolve().is_relative_to(self.folder) and file.resolve() not in hidden
        }
        self._before = set(self._written_by_hydra())

    def _written_by_hydra(self) -> list[str]:
        return [file for pattern in HYDRA for file in glob(str(self.folder / pattern))]

    def add_to(self, document: RunDocument) -> RunDocument:
        """Add parameters that the document does not have, each with where it is from. What the document says stays.

        A file that the program changed was no configuration.
        """
        if document.template:
            # it says itself what belongs to such a run, and what is wrong with it is not to cost the result
            return document
        written = [Path(file) for file in self._written_by_hydra() if file not in self._before]
        files = [*written] if len(written) == 1 else []
        sources: dict[str, str] = {}
        values: dict[str, Any] = {}
        read = [("argument", self._of_arguments()), *((_named(file, self.folder), _settings(file)) for file in files)]
        for file, (mark, settings) in self._configs.items():
            if os.path.isfile(file) and mark_of(file) == mark:
                read.append((_named(file, self.folder), settings))
        known = {*document.parameters, *document.private.parameters}
        for source, settings in read:
            for name, value in settings.items():
                if name not in known and name not in values and len(values) < MAX_PARAMETERS:
                    values[name], sources[name] = value, source
        more = {"parameters": {**values, **document.parameters}, "parameter_sources": sources or None}
        try:
            checked = RunDocument.from_plain({"schema": 1, "name": document.name, **more})
        except InputError:
            # names that no record can hold
            return document
        return document.model_copy(update={name: getattr(checked, name) for name in more})

    def _of_arguments(self) -> dict[str, Any]:
        """The options with a name: ``--lr 0.1``, ``--lr=0.1``, Hydra's ``lr=0.1``; true if it has no value."""
        found: dict[str, Any] = {}
        for position, argument in enumerate(self.arguments):
            option = _OPTION.fullmatch(argument)
            match = option or _OVERRIDE.fullmatch(argument)
            if not match:
                continue
            texts = [match[2]] if match[2] is not None else []
            if option and not texts:
                after = list(
                    takewhile(lambda text: not text.startswith("-") or _is_number(text), self.arguments[position + 1 :])
                )
                texts = list(takewhile(_is_number, after)) or after[:1]
            if any("/" in text or os.path.exists(self.folder / text) for text in texts):
                # a place is none of the settings
                continue
            values = [_masked(match[1], parse_assignment(f"{match[1]}={text}", "parameter")[1]) for text in texts]
            found[match[1]] = values if len(values) > 1 else values[0] if values else True
        return found


def _named(file: Path, folder: Path) -> str:
    return f"file:{os.path.relpath(file, folder)}"


def _is_number(text: str) -> bool:
    try:
        return bool(float(text) or True)
    except ValueError:
        return False


def _settings(file: Path) -> dict[str, Any]:
    """The settings of a file, with dots between nested names. Nothing of what is larger or can't be read."""
    try:
        data = read_limited(file, MAX_CONFIG, "a configuration")
        settings = parse_toml(data, file.name) if file.suffix.lower() == ".toml" else parse_yaml(data)
    except InputError:
        return {}
    return dict(_flat(settings, "")) if isinstance(settings, dict) else {}


def _flat(settings: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        full = f"{name}.{key}" if name else key
        if isinstance(value, dict) and value:
            yield from _flat(value, full)
        else:
            yield full, _masked(key, value)


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(name, item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(key, item) for key, item in value.items()}
    return value if mask_value(name, str(value)) == str(value) else MASK
