# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The stages of a training program, in their order."""

from __future__ import annotations

from collections.abc import Iterator
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

_DISPATCH = (
    "canonicalize,cse",
    "func.func(tte-pack-masks,tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches)",
)
_PIXEL_MAXIMUM = 255
_CALIBRATION_IMAGES = 128
"""The first so many images calibrate: ranges hardly grow with more."""


@dataclass
class Notes:
    """What passes find out beside their work."""

    remarks: list[str] = field(default_factory=list)
    training: Training | None = None


def planning(
    recipe: Recipe, images: data.Dataset | None, notes: Notes | None = None
) -> list[Stage]:
    """The stages from "imported" to "planned"; they are the same for every target. With `notes`
    they also say what training costs."""
    notes, measures = notes or Notes(), notes is not None
    full: list[TrainingCost] = []
    return [
        Stage("fused", ("func.func(tte-fuse-clamp)", "canonicalize,cse")),
        Stage("calibrated", (lambda module: _calibrate(module, recipe, images),)),
        Stage("quantized", (_quantize,)),
        Stage("differentiated", (
            *((lambda module: full.extend(_full_cost(module, recipe)),) if measures else ()),
            *_differentiate(recipe, notes),
        )),
        Stage("pruned", ("tte-prune-backward",)),
        Stage("scaled", ("func.func(tte-qas)",) if recipe.qas else ()),
        Stage("optimizer", tuple(_optimizer(recipe))),
        Stage("dispatched", (
            *_DISPATCH,
            *((lambda module: _note_cost(module, notes, full),) if measures else ()),
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


def _full_cost(module: ir.Module, recipe: Recipe) -> list[TrainingCost]:
    """What it would cost to train every parameter of a quantized module, if that is possible."""
    if recipe.update == "full":
        return []
    whole = ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)
    steps = (
        *_differentiate(recipe.override({"update": "full"}), Notes()),
        "tte-prune-backward", *_optimizer(recipe), *_DISPATCH,
    )  # fmt: skip
    try:
        for step in steps:
            stages.run_step(whole, step, "full")
    except TTEError:
        return []
    return [training_cost(whole)]


def _note_cost(module: ir.Module, notes: Notes, full: list[TrainingCost]) -> None:
    notes.training = Training(scheme=training_cost(module), full=full[0] if full else None)


def lower(module: ir.Module, target: Target) -> ir.Module:
    """A copy of the planned module with its kernels as functions for `target`."""
    lowered = ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)
    stages.run_step(lowered, target.lowering, "lowered")
    return lowered


def kernel_sources(lowered: ir.Module) -> list[KernelSource]:
    """What `iree-compile` reads: the kernels of a lowered module."""
    context = lowered.context
    context.allow_unregistered_dialects = True
    with ir.Location.unknown(context):
        module = ir.Module.create()
    for op in lowered.body:
        if op.operation.name == "builtin.module":
            module.body.append(op.operation.clone())
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
