# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What to train, and how: the recipe."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tte_mlir.errors import TTEError

SCHEME_SUFFIXES = (".yaml", ".yml")
"""How the file of an update scheme ends; other schemes are words."""

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class InputScaling(BaseModel):
    """How a uint8 pixel u becomes the number that the network takes: u * scale + offset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: _Positive = Field(1 / 255, description="real value of one grey level")
    offset: _Finite = Field(0.0, description="real value of the grey level 0")


class Recipe(BaseModel):
    """Loss, optimizer and update of a training step. Raises TTEError for what it cannot be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Literal["softmax_cross_entropy", "mean_squared_error"] = Field(
        "softmax_cross_entropy", description="loss of the scores and the label"
    )
    optimizer: Literal["sgd"] = Field("sgd", description="rule of the update")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="what a step leaves of the sum of gradients (4 bytes a trained weight)"
    )
    learning_rate: _Positive = Field(0.01, description="highest rate, before it falls")
    bias_multiplier: _Positive = Field(
        1.0, description="learning rate of biases as a multiple of that of weights"
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="how the rate falls to 0 over the steps"
    )
    warmup: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="steps in which the rate rises to the highest"
    )
    steps: Annotated[int, Field(ge=1)] | None = Field(
        None, description="training steps (default: one for each image)"
    )
    update: str = Field("full", description="full, bias, last:K or a YAML file")
    rounding: Literal["stochastic", "residual", "nearest"] = Field(
        "stochastic", description="how updated weights round to the grid"
    )
    residual_bits: Annotated[int, Field(ge=2, le=8)] = Field(
        8, description="low bits that residual keeps (1 byte a trained weight, however many)"
    )
    qas: bool = Field(True, description="quantization-aware scaling of the gradients")
    gradient: Literal["f32"] = Field("f32", description="type of the gradients")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="seed of the rounding and of a fresh classifier"
    )
    batch: Annotated[int, Field(ge=1, le=65536)] = Field(
        1, description="steps that accumulate for one update (4 bytes a trained weight if above 1)"
    )
    input: InputScaling = Field(InputScaling(), description="preprocessing of uint8 images")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TTEError(_explain(error)) from None

    @staticmethod
    def read(path: Path) -> Recipe:
        """Reads a YAML file; keys that it lacks have their defaults. The file of an update scheme
        is named from where the recipe lies."""
        values = read_mapping(path)
        update = values.get("update")
        if isinstance(update, str) and update.endswith(SCHEME_SUFFIXES):
            values["update"] = str(path.parent / update)
        return Recipe(**values)

    def write(self, path: Path) -> None:
        """Writes all keys as YAML."""
        path.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False))

    def override(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with some keys replaced; those of `input` are written ``input.scale``."""
        mapping = self.model_dump()
        for key, value in values.items():
            outer, _, inner = key.partition(".")
            if inner:
                mapping[outer][inner] = value
            else:
                mapping[outer] = value
        return Recipe(**mapping)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of the step `step` (from 0) of `steps`, as NAME_learning_rate gives it.

        Through the warm-up the rate rises in equal parts to `learning_rate`; the schedule spreads
        over the steps that remain, and a rate that has fallen to 0 stays there.
        """
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = min((step - self.warmup) / max(steps - self.warmup, 1), 1.0)
        share = {
            "constant": 1.0,
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
        }
        return self.learning_rate * share[self.schedule]


def read_mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file; errors are one line that names the file."""
    try:
        mapping = yaml.safe_load(path.read_text())
    except OSError as error:
        raise TTEError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TTEError(f"{path}: not YAML: {error}") from None
    if mapping is None:
        return {}
    if not isinstance(mapping, dict) or not all(isinstance(key, str) for key in mapping):
        raise TTEError(f"{path}: expected a mapping of keys to values")
    return mapping


def _explain(error: ValidationError) -> str:
    """The first error in one line, with the nearest accepted key for an unknown one."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"recipe key '{key}': {first['msg']}, found {first['input']!r}"
    model = InputScaling if len(first["loc"]) > 1 else Recipe
    known = list(model.model_fields)
    near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0)[0]
    return f"unknown recipe key '{key}': did you mean '{near}'?"
