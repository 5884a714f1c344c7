# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a PyTorch module to an exported program of known, functional operators."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch.export import ExportedProgram
from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from tte_mlir.errors import TTEError


def export(
    model: torch.nn.Module | ExportedProgram, input_shape: Sequence[int] | None
) -> ExportedProgram:
    """Exports a module in evaluation mode for one f32 input of `input_shape` (batch first).

    In-place operators become functional ones. An exported program keeps the shape it has.
    """
    if not isinstance(model, ExportedProgram):
        if input_shape is None:
            raise TTEError("a PyTorch module needs an example input, or calibration data")
        model = _trace(copy.deepcopy(model).float().eval(), torch.zeros(tuple(input_shape)))
    if any(_is_in_place(node) for node in model.graph.nodes):
        with _quiet():
            model = model.run_decompositions({})
    return model


def module_path(node: Node) -> str:
    """The module that runs `node`, as ``features.0.1``; the node's own name at the root."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return path.removeprefix("L['self']").lstrip(".") or node.name


def operator_name(target: object) -> str:
    """``aten.conv2d`` or ``aten.add.Tensor``, as torch-mlir names its ops."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target).removesuffix(".default")
    return getattr(target, "__name__", str(target))


def check_supported(program: ExportedProgram, supported: Collection[str]) -> None:
    """Refuses dynamic shapes and operators that are not in `supported`."""
    for node in program.graph.nodes:
        where = module_path(node)
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and any(type(size) is not int for size in value.shape):
            what = "input" if node.op == "placeholder" else operator_name(node.target)
            raise TTEError(
                f"{where}: {what} has the dynamic shape {tuple(map(str, value.shape))}; "
                "export the network with static shapes"
            )
        if node.op == "get_attr":
            continue
        if node.op == "call_function" and operator_name(node.target) not in supported:
            raise TTEError(f"{where}: operator {operator_name(node.target)} is not supported")


def _trace(model: torch.nn.Module, example: torch.Tensor) -> ExportedProgram:
    names = {module: name for name, module in model.named_modules()}
    running: list[str] = []

    def enter(module: torch.nn.Module, _: object) -> None:
        if module in names:
            running.append(names[module])

    def leave(module: torch.nn.Module, _: object, __: object) -> None:
        if module in names:
            running.pop()

    hooks = (
        torch.nn.modules.module.register_module_forward_pre_hook(enter),
        torch.nn.modules.module.register_module_forward_hook(leave),
    )
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(model, (example,), strict=False)
    except Exception as error:  # whatever the user's forward() raises under tracing
        where = (running[-1] if running else "") or type(model).__name__
        if _is_data_dependent(error):
            reason = "control flow that depends on data is not supported"
        else:
            reason = f"cannot be traced: {type(error).__name__}: {_first_line(error)}"
        raise TTEError(f"{where}: {reason}") from None
    finally:
        for hook in hooks:
            hook.remove()


def _is_data_dependent(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, GuardOnDataDependentSymNode):
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def _is_in_place(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps PyTorch's warnings and traces off the terminal: errors say what matters."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        with suppress(Exception):
            logging.disable(previous)
