# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The YAML file of an update scheme: which layers train, and how much of each.

Knows the file, not the network: `tte_mlir.passes.update_scheme` finds the layers that it names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tte_mlir.errors import TTEError
from tte_mlir.recipe import SCHEME_SUFFIXES, read_mapping


def _refuse(expected: str, found: Any) -> PydanticCustomError:
    return PydanticCustomError(
        "refused", "is {found}, expected {expected}", {"found": repr(found), "expected": expected}
    )


def _ratio(value: Any) -> Fraction:
    expected = "a ratio above 0 and at most 1, as 1/4 or 0.25"
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise _refuse(expected, value)
    try:
        ratio = Fraction(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise _refuse(expected, value) from None
    if not 0 < ratio <= 1:
        raise _refuse(expected, value)
    return ratio


def _choice(value: Any) -> Any:
    indices = isinstance(value, list | tuple) and all(
        type(index) is int and index >= 0 for index in value
    )
    if value in ("first", "norm"):
        return value
    if not indices or not value or len(set(value)) < len(value):
        raise _refuse("first, norm or a list of different channels", value)
    return tuple(value)


def _count(value: Any) -> Any:
    if value != "all" and (type(value) is not int or value < 0):
        raise _refuse("a number of layers before the classifier, or all", value)
    return value


Choice = Literal["first", "norm"] | tuple[int, ...]


class LayerUpdate(BaseModel):
    """What trains of a layer. Channels are input channels, those of a depthwise convolution its
    channels."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    weight: Annotated[Fraction | None, BeforeValidator(_ratio)] = Field(
        None, description="share of the channels of the weight"
    )
    bias: StrictBool | None = Field(None, description="whether the bias trains (default: `biases`)")
    channels: Annotated[Choice | None, BeforeValidator(_choice)] = Field(
        None, description="which they are: first, norm (largest L2 norm) or a list"
    )

    @model_validator(mode="after")
    def _check_channels(self) -> LayerUpdate:
        if isinstance(self.channels, tuple) and self.weight is not None:
            raise PydanticCustomError("whole", "a list of channels needs no weight")
        if isinstance(self.channels, str) and self.weight is None:
            raise PydanticCustomError("whole", "channels are those of a weight, expected weight")
        return self


def _layer(value: Any) -> Any:
    """A number alone is the share of the weight."""
    if isinstance(value, dict | LayerUpdate):
        return value
    return {"weight": _ratio(value)}


class Scheme(BaseModel):
    """An update scheme.

    The layers before the classifier count from 0 in the order of execution; `layers` names them by
    that index or by the path of their module.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    biases: Annotated[int | Literal["all"], BeforeValidator(_count)] = Field(
        0, description="so many of the last layers before the classifier train their biases"
    )
    classifier: StrictBool = Field(
        True, description="whether the classifier trains, unless `layers` says how"
    )
    channels: Literal["first", "norm"] = Field("first", description="how layers choose channels")
    layers: dict[int | str, Annotated[LayerUpdate, BeforeValidator(_layer)]] = Field(
        {}, description="layers whose weights train, or whose biases do not follow `biases`"
    )

    @staticmethod
    def read(path: Path) -> Scheme:
        """Reads a YAML file. Raises TTEError in one line that names the file and the layer."""
        try:
            return Scheme.model_validate(read_mapping(path))
        except ValidationError as error:
            raise TTEError(f"{path}: {_explain(error)}") from None


def is_file(scheme: str) -> bool:
    """Whether a scheme is the name of a file."""
    return scheme.endswith(SCHEME_SUFFIXES)


def nearest(name: str, known: Iterable[str]) -> str:
    """The names most like `name`, as a question."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0)
    return "did you mean " + " or ".join(f"'{other}'" for other in near) + "?"


def _explain(error: ValidationError) -> str:
    """The first error."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if not place:
        return first["msg"]
    where, model, key = "", Scheme, place[0]
    if key == "layers" and len(place) > 1:
        if "[key]" in place:
            return f"layers names '{place[1]}', expected the path or the index of a layer"
        where, model = f"layer '{place[1]}': ", LayerUpdate
        key = place[2] if len(place) > 2 else "weight"
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key '{key}': {nearest(key, model.model_fields)}"
    if first["type"] == "whole":
        return f"{where}{first['msg']}"
    if first["type"] == "refused":
        return f"{where}{key} {first['msg']}"
    return f"{where}{key}: {first['msg']}, found {first['input']!r}"
