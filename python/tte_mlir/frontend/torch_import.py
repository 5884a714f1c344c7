# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From PyTorch to the `tte` dialect, through torch-mlir's importer.

torch-mlir turns the exported program into its `torch` dialect without decomposing anything; the
walk below hands each op to the converter of its name (`torch_ops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import mlir.ir as ir
import numpy as np
import torch
import torch_mlir.ir as torch_ir
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_importer import FxImporter, FxImporterHooks, GraphNodeImporter

from tte_mlir.errors import TTEError
from tte_mlir.frontend import torch_export
from tte_mlir.frontend.graph import GraphBuilder, Parameter, Tensor
from tte_mlir.frontend.torch_ops import (
    BATCH_NORMS,
    CONVERTERS,
    LINEAR_OPERATORS,
    Affine,
    Conversion,
    batch_norm_affine,
)

_PARAMETER = "parameter "


def import_torch(
    model: torch.nn.Module | ExportedProgram,
    input_shape: Sequence[int] | None,
    context: ir.Context,
) -> ir.Module:
    """Imports a network with one f32 input into a module with the function ``@forward``.

    `input_shape` is PyTorch's (1, channels, height, width); the function's argument is NHWC.
    Parameters become ``ml_program.global`` under their qualified names: convolution weights in
    HWIO, dense weights (in, out). Batch norm is folded into the layer before it. Raises TTEError
    with the module path and the operator for whatever the dialect cannot express.
    """
    program = torch_export.export(model, input_shape)
    torch_export.check_supported(program, {*CONVERTERS, "getitem"})
    _check_signature(program)
    raw, parameters = _to_torch_mlir(program)
    with context, ir.Location.unknown():
        return _Walk(raw, parameters).run()


def _check_signature(program: ExportedProgram) -> None:
    inputs = [s for s in program.graph_signature.input_specs if s.kind == InputKind.USER_INPUT]
    outputs = program.graph_signature.user_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise TTEError(
            f"the network has {len(inputs)} inputs and {len(outputs)} outputs, expected one of each"
        )
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name == inputs[0].arg.name:
            if not isinstance(value, torch.Tensor) or value.dtype != torch.float32:
                kind = getattr(value, "dtype", type(value).__name__)
                raise TTEError(f"input {node.name}: is {kind}, expected torch.float32")
            if value.dim() == 0 or value.shape[0] != 1:
                raise TTEError(
                    f"input {node.name}: has shape {tuple(value.shape)}, expected a batch of 1"
                )


class _NamedParameters(FxImporterHooks):
    """Gives literals the qualified name of their parameter, and keeps the numbers."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def resolve_input(self, importer: GraphNodeImporter, value: torch.Tensor, info):  # noqa: ANN001, ANN201
        """Imports the very object `value`: the importer identifies literals by it."""
        name = info.input_spec.target
        self.arrays[name] = value.detach().cpu().to(torch.float32).numpy()
        with torch_ir.Location.name(_PARAMETER + name):
            return importer._import_literal(value, info)


class _LocatedNodes(GraphNodeImporter):
    """Gives ops the path of their module as location."""

    def _import_torch_op_overload(self, loc, node, concrete_target=None) -> None:  # noqa: ANN001
        loc = torch_ir.Location.name(torch_export.module_path(node), context=self._c)
        super()._import_torch_op_overload(loc, node, concrete_target)


def _to_torch_mlir(program: ExportedProgram) -> tuple[torch_ir.Module, dict[str, np.ndarray]]:
    context = torch_ir.Context()
    torch_dialect.register_dialect(context)
    hooks = _NamedParameters()
    importer = FxImporter(context=context, hooks=hooks, graph_node_importer_cls=_LocatedNodes)
    importer.import_program(program, func_name="forward")
    return importer.module, hooks.arrays


class _Walk:
    """Converts the ops of torch-mlir's function in their order."""

    def __init__(self, raw: torch_ir.Module, parameters: dict[str, np.ndarray]) -> None:
        self._raw = raw  # owns the IR that the walk reads
        function = next(op for op in raw.body.operations if op.operation.name == "func.func")
        self._block = function.regions[0].blocks[0]
        self._parameters = parameters
        self._values: dict[torch_ir.Value, object] = {}
        self._norm_of: dict[torch_ir.Value, torch_ir.Operation] = {}

    def run(self) -> ir.Module:
        argument = self._block.arguments[0]
        builder = GraphBuilder(_shape(argument))
        self._values[argument] = builder.input
        with builder.insertion_point:
            for view in self._block.operations:
                op = view.operation
                if op.name == "func.return":
                    result = self._values[op.operands[0]]
                    if not isinstance(result, Tensor):
                        raise TTEError("the network's result does not depend on its input")
                    return builder.finish(result)
                if op.name == "torch.overwrite.tensor.contents":
                    continue  # the network overwrites its input; nobody reads it afterwards
                if op.name == "torch.copy.to_vtensor":
                    self._values[op.results[0]] = self._values[op.operands[0]]
                elif op.name.startswith(("torch.constant.", "torch.prim.", "torch.vtensor.")):
                    self._values[op.results[0]] = self._constant(op)
                else:
                    self._convert(builder, op)
        raise AssertionError("a function without a return")

    def _constant(self, op: torch_ir.Operation) -> object:
        if op.name == "torch.prim.ListConstruct":
            return [self._values[operand] for operand in op.operands]
        if op.name == "torch.constant.none":
            return None
        if op.name == "torch.vtensor.literal":
            name = _module(op)
            if name.startswith(_PARAMETER):
                name = name.removeprefix(_PARAMETER)
                return Parameter(name, self._parameters[name])
            return _Unsupported("a constant tensor")
        if op.name.startswith("torch.constant."):
            return op.attributes["value"].value
        return _Unsupported(op.name)

    def _convert(self, builder: GraphBuilder, op: torch_ir.Operation) -> None:
        operator = _operator(op)
        conversion = Conversion(builder, _module(op), operator, _shape(op.results[0]))
        arguments = [self._values[operand] for operand in op.operands]
        if operator not in CONVERTERS:  # torch-mlir may choose another overload
            raise TTEError(f"{conversion.module}: operator {operator} is not supported")
        for argument in arguments:
            if isinstance(argument, _Unsupported):
                raise conversion.refuse(f"of {argument.what} is not supported")
        if operator in BATCH_NORMS and self._is_folded(op):
            result = arguments[0]
        else:
            if operator in LINEAR_OPERATORS and (norm := self._following_norm(op)):
                conversion = replace(conversion, norm=norm)
            if not isinstance(arguments[0], Tensor):
                raise conversion.refuse("of a value that is not computed from the input")
            with ir.Location.name(conversion.module):
                result = CONVERTERS[operator](conversion, *arguments)
        self._values[op.results[0]] = result

    def _following_norm(self, op: torch_ir.Operation) -> Affine | None:
        """The batch norm that alone reads the result of `op`."""
        uses = list(op.results[0].uses)
        if len(uses) != 1:
            return None
        norm = uses[0].owner.operation
        operator = _operator(norm)
        if operator not in BATCH_NORMS or norm.operands[0] != op.results[0]:
            return None
        conversion = Conversion(None, _module(norm), operator, _shape(norm.results[0]))
        return batch_norm_affine(conversion, *(self._argument(v) for v in norm.operands[1:]))

    def _argument(self, value: torch_ir.Value) -> object:
        """The value of an operand that the walk may not have reached yet."""
        if value in self._values:
            return self._values[value]
        return self._constant(value.owner.operation)

    def _is_folded(self, norm: torch_ir.Operation) -> bool:
        value = norm.operands[0]
        if isinstance(value, torch_ir.BlockArgument) or len(list(value.uses)) != 1:
            return False
        return _operator(value.owner.operation) in LINEAR_OPERATORS


@dataclass(frozen=True)
class _Unsupported:
    """An argument that no converter takes."""

    what: str


def _module(op: torch_ir.Operation) -> str:
    return op.location.name_str


def _operator(op: torch_ir.Operation) -> str:
    """PyTorch's name of the operator; torch-mlir wraps those it has no op for."""
    name = op.attributes["name"].value if op.name == "torch.operator" else op.name
    return name.removeprefix("torch.")


def _shape(value: torch_ir.Value) -> tuple[int, ...]:
    """The static shape of a ``!torch.vtensor<[1,3,8,8],f32>``."""
    sizes = str(value.type).partition("[")[2].partition("]")[0]
    return tuple(int(size) for size in sizes.split(",") if size)
