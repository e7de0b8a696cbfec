"""The core schema of YAML 1.2 for PyYAML."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from blockchaintracer.core.plain_json import MAX_DEPTH


class CoreLoader(yaml.SafeLoader):
    """PyYAML resolves by YAML 1.1, where `no` is false, `010` is 8, `1:30` is 90 and `1e-3` is text.

    A longer hexadecimal number than 64 bits is text: an id or an address."""

    _depth = 0
    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors: ClassVar[dict[Any, Any]] = {None: yaml.SafeLoader.construct_undefined}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse deep nesting: the interpreter's own limit may be raised, and then the process ends or never does."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that comes twice."""
        mapping = yaml.constructor.BaseConstructor.construct_mapping(self, node, deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key comes twice in one object", node.start_mark)
        return mapping


_CORE = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]{1,16}", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}
for _tag, (_pattern, _first) in _CORE.items():
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
for _tag in (*_CORE, "str", "seq", "map"):
    CoreLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", getattr(yaml.SafeLoader, f"construct_yaml_{_tag}"))
CoreLoader.add_constructor(None, yaml.SafeLoader.construct_undefined)  # type: ignore[type-var]
