# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The stages of a training program, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import mlir.ir as ir

from tte_mlir import stages
from tte_mlir.backend.kernels import KernelSource, read_sources
from tte_mlir.backend.targets import Target
from tte_mlir.certificate import certify
from tte_mlir.errors import TTEError
from tte_mlir.frontend import data
from tte_mlir.frontend.calibration import calibrate, find_forward
from tte_mlir.passes.permute_channels import permute_channels
from tte_mlir.passes.split_parameters import split_parameters
from tte_mlir.passes.update_scheme import mark_updates
from tte_mlir.recipe import Recipe
from tte_mlir.report.costs import training_cost
from tte_mlir.report.schema import Training, TrainingCost
from tte_mlir.stages import Stage

_PIXEL_MAXIMUM = 255
_CALIBRATION_IMAGES = 128
"""The first so many images calibrate: ranges hardly grow with more."""


@dataclass
class Notes:
    """What passes find out beside their work."""

    remarks: list[str] = field(default_factory=list)
    full: TrainingCost | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Fusion:
    """Which layers share a kernel beyond what always does.

    Frozen blocks whose layers work in more than `row_stream` bytes run row by row, gradients of
    blocks that take more than `channel_group` bytes by groups of channels; None keeps them apart.
    """

    row_stream: int | None = None
    channel_group: int | None = None

    @property
    def passes(self) -> tuple[str, ...]:
        """The steps that form dispatches."""
        passes = ["tte-pack-masks", "tte-fuse-update", "tte-fuse-clamp-grad", "tte-form-dispatches"]
        if self.channel_group is not None:
            passes.insert(1, f"tte-fuse-backward-block{{limit={self.channel_group}}}")
        if self.row_stream is not None:
            passes.insert(0, f"tte-fuse-inverted-bottleneck{{limit={self.row_stream}}}")
        return ("canonicalize,cse", f"func.func({','.join(passes)})")

    def __str__(self) -> str:
        parts = [
            f"{what}{f' above {limit:,} B' if limit else ''}"
            for what, limit in (
                ("frozen blocks row by row", self.row_stream),
                ("gradients by groups of channels", self.channel_group),
            )
            if limit is not None
        ]
        return ", ".join(parts) or "no fused blocks"


FUSIONS = {
    "none": Fusion(),
    "row_stream": Fusion(row_stream=0),
    "channel_group": Fusion(row_stream=0, channel_group=0),
}
"""By the name that options give, in the order in which they need less memory."""


def planning(
    recipe: Recipe,
    images: data.Dataset | None,
    notes: Notes | None = None,
    fusion: Fusion = FUSIONS["none"],
) -> list[Stage]:
    """The stages from "imported" to "planned"; they are the same for every target. With `notes`
    they also say what training costs."""
    notes, measures = notes or Notes(), notes is not None
    return [
        Stage("fused", ("func.func(tte-fuse-clamp)", "canonicalize,cse")),
        Stage("calibrated", (lambda module: _calibrate(module, recipe, images),)),
        Stage("quantized", (_quantize,)),
        Stage("differentiated", (
            *((lambda module: _note_full_cost(module, recipe, notes),) if measures else ()),
            *_differentiate(recipe, notes),
        )),
        Stage("pruned", ("tte-prune-backward",)),
        Stage("scaled", ("func.func(tte-qas)",) if recipe.qas else ()),
        Stage("optimizer", tuple(_optimizer(recipe))),
        Stage("dispatched", (
            *fusion.passes,
            *((lambda module: _note_cost(module, notes),) if measures else ()),
        )),
        Stage("scheduled", ("func.func(tte-schedule)",)),
        Stage("planned", ("tte-plan-memory", certify)),
    ]  # fmt: skip


def _differentiate(recipe: Recipe, notes: Notes) -> tuple[str | stages.PythonPass, ...]:
    return (
        lambda module: mark_updates(module, recipe.update),
        lambda module: permute_channels(module, notes.remarks.append),
        split_parameters,
        _autodiff(recipe),
    )


def _note_full_cost(module: ir.Module, recipe: Recipe, notes: Notes) -> None:
    """What it would cost to train every parameter of a quantized module, if that is possible."""
    if recipe.update == "full":
        return
    whole = ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)
    steps = (
        *_differentiate(recipe.override({"update": "full"}), Notes()),
        "tte-prune-backward", *_optimizer(recipe), *FUSIONS["none"].passes,
    )  # fmt: skip
    try:
        for step in steps:
            stages.run_step(whole, step, "full")
    except TTEError:
        return
    notes.full = training_cost(whole)


def _note_cost(module: ir.Module, notes: Notes) -> None:
    notes.training = Training(scheme=training_cost(module), full=notes.full)


def lower(module: ir.Module, target: Target) -> ir.Module:
    """A copy of the planned module with its kernels as functions for `target`."""
    lowered = _copy(module, module.body)
    for name in module.operation.attributes:
        lowered.operation.attributes[name] = module.operation.attributes[name]
    stages.run_step(lowered, target.lowering, "lowered")
    return lowered


def _copy(module: ir.Module, ops: Iterable[ir.OpView]) -> ir.Module:
    """A new module with copies of some of the ops of another."""
    with ir.Location.unknown(module.context):
        copy = ir.Module.create()
    for op in ops:
        copy.body.append(op.operation.clone())
    return copy


def kernel_sources(lowered: ir.Module) -> list[KernelSource]:
    """What `iree-compile` reads: the kernels of a lowered module."""
    lowered.context.allow_unregistered_dialects = True
    libraries = (op for op in lowered.body if op.operation.name == "builtin.module")
    module = _copy(lowered, libraries)
    stages.run_step(module, "tte-export-hal", "exported")
    return read_sources(module)


def _autodiff(recipe: Recipe) -> str:
    # tte-residual turns rounding to nearest into its own.
    rounding = "nearest" if recipe.rounding == "residual" else recipe.rounding
    options = f"loss={recipe.loss} rounding={rounding} seed={recipe.seed}"
    options += f" bias-multiplier={recipe.bias_multiplier!r}"
    return f"tte-autodiff{{{options}}}"


def _optimizer(recipe: Recipe) -> Iterator[str]:
    """The passes that give the trained parameters state beside them."""
    if recipe.batch > 1:
        yield f"tte-accumulate{{batch={recipe.batch}}}"
    if recipe.momentum:
        yield f"tte-momentum{{factor={recipe.momentum!r}}}"
    if recipe.rounding == "residual":
        yield f"tte-residual{{bits={recipe.residual_bits}}}"


def _calibrate(module: ir.Module, recipe: Recipe, images: data.Dataset | None) -> None:
    if _is_quantized(module):
        return
    if images is None:
        raise TTEError("a network in f32 needs calibration images (--calibration)")
    scale, offset = recipe.input.scale, recipe.input.offset
    shape = _input_type(module).shape
    data.check_network(data.Dataset(images.images, None), tuple(shape), 0, "calibration")
    count = min(len(images), _CALIBRATION_IMAGES)
    known = (offset, offset + _PIXEL_MAXIMUM * scale) if images.images.dtype == "uint8" else None
    calibrate(module, (images.real(i, scale, offset) for i in range(count)), known)


def _quantize(module: ir.Module) -> None:
    if not _is_quantized(module):
        stages.run_step(module, "tte-quantize", "quantized")


def _is_quantized(module: ir.Module) -> bool:
    return not isinstance(_input_type(module).element_type, ir.F32Type)


def _input_type(module: ir.Module) -> ir.RankedTensorType:
    type_ = ir.TypeAttr(find_forward(module).attributes["function_type"]).value
    return ir.RankedTensorType(ir.FunctionType(type_).inputs[0])
