"""The strict base of a manifest's models. What they mean is said in predicates.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import join_names, plain, shown


class Part(BaseModel):
    """A strict, immutable model, camelCase in JSON. What it can't take is an `InputError`, never a ValueError."""

    is_plain: ClassVar[bool] = True
    """A model stays what it is among plain values."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _input_error(error, "") from None

    # Without this mark pydantic would call __init__ for nested models too, and errors would lose the outer path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_plain(cls, data: Any, field: str = "") -> Self:
        """Build the model from plain values, such as `to_json` gives.

        Raises:
            InputError: with every field that is wrong, what it should be and, shortened, what came; the same as a list
                of objects in ``values["fields"]``.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _input_error(error, field) from None

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain values, without empty fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @model_validator(mode="before")
    @classmethod
    def _to_plain(cls, data: Any) -> Any:
        return plain(data) if isinstance(data, Mapping) else data


_PREFIX = re.compile(r"^(Input|String|Value|List|Tuple|Dictionary|Data) should (be |have |match )?")


def _input_error(error: ValidationError, field: str) -> InputError:
    fields = [_finding(detail, field) for detail in error.errors(include_url=False)]
    lines = [f"{entry['field'] or 'value'}: expected {entry['expected']}, got {entry['got']}" for entry in fields]
    return InputError(
        "; ".join(lines[:20]) + ("; …" if len(lines) > 20 else ""), field=fields[0]["field"], fields=fields
    )


def _finding(detail: Any, field: str) -> dict[str, str]:
    path = field
    for part in detail["loc"]:
        path = f"{path}[{part}]" if isinstance(part, int) else join_names(path, part)
    got = shown(detail.get("input"))
    match detail["type"]:
        case "missing":
            return {"field": path, "expected": "a value", "got": "nothing"}
        case "extra_forbidden":
            return {"field": path, "expected": "no field of this name", "got": got}
        case "model_type" | "dict_type" | "model_attributes_type":
            return {"field": path, "expected": "an object", "got": got}
        case "tuple_type" | "list_type":
            return {"field": path, "expected": "a list", "got": got}
        case "value_error":
            return {"field": path, "expected": str(detail["ctx"]["error"]), "got": got}
    return {"field": path, "expected": _PREFIX.sub("", detail["msg"]), "got": got}
