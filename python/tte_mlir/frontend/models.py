# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models by the name that the command line gives them."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import mlir.ir as ir

from tte_mlir import stages
from tte_mlir.dialects import tte  # noqa: F401  (registers the dialect)
from tte_mlir.errors import TTEError
from tte_mlir.frontend.calibration import find_forward
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint


@dataclass(frozen=True)
class Checkpoint:
    """An MCUNetV3 int8 checkpoint; with `classes` it gets a fresh classifier, drawn with `seed`."""

    path: Path
    classes: int | None = None
    seed: int = 0


def load(specification: str, classes: int | None = None, seed: int = 0) -> Any:
    """What MODEL names: a PyTorch module, an exported program, a checkpoint, or the path of a
    ``.mlir``.

    MODEL is ``file.py:callable``, ``file.pt2``, ``file.pkl`` or ``file.mlir``. The callable gets
    `classes` as ``num_classes``, a checkpoint a fresh classifier drawn with `seed`.
    """
    path, _, function = specification.partition(":")
    if path.endswith(".py"):
        return _call(Path(path), function, classes)
    if path.endswith(".pkl"):
        return Checkpoint(Path(specification), classes, seed)
    if classes is not None:
        raise TTEError(f"{specification}: only file.py:callable and .pkl can be given --classes")
    if not Path(specification).exists():
        raise TTEError(f"{specification}: no such model")
    if specification.endswith(".mlir"):
        return Path(specification)
    if specification.endswith(".pt2"):
        return _load_exported(Path(specification))
    raise TTEError(
        f"{specification}: unknown kind of model, expected file.py:callable, .pt2, .pkl, .mlir"
    )


def name_of(specification: str) -> str:
    """A C identifier for the network: the callable's or the file's name."""
    path, _, function = specification.partition(":")
    name = re.sub(r"\W", "_", function or Path(path).stem, flags=re.ASCII)
    return f"n{name}" if name[:1].isdigit() else name


def import_model(model: Any, input_shape: Sequence[int] | None, context: ir.Context) -> ir.Module:
    """The stage "imported" of anything that `load` returns, or of a module of this context.

    `input_shape` is (1, channels, height, width); a ``.mlir``, a checkpoint and an exported
    program have their own.
    """
    if isinstance(model, ir.Module):
        return check_imported(model)
    if isinstance(model, Checkpoint):
        return load_checkpoint(model.path, model.classes, model.seed, context)
    if isinstance(model, Path):
        return check_imported(_parse(model, context))
    require_torch()
    from tte_mlir.frontend.torch_import import import_torch

    return import_torch(model, input_shape, context)


def check_imported(module: ir.Module) -> ir.Module:
    """Refuses a module without ``@forward`` from one tensor of rank 4 to scores (1, classes)."""
    forward = find_forward(module)
    type_ = ir.FunctionType(ir.TypeAttr(forward.attributes["function_type"]).value)
    arguments = (
        ir.ArrayAttr(forward.attributes["arg_attrs"]) if "arg_attrs" in forward.attributes else []
    )
    roles = [str(a["tte.role"]) for a in map(ir.DictAttr, arguments) if "tte.role" in a]
    if len(type_.inputs) != 1 or roles != ["#tte.role<input>"]:
        raise TTEError("@forward must take one argument, {tte.role = #tte.role<input>}")
    shapes = [
        list(t.shape) if isinstance(t, ir.RankedTensorType) else None
        for t in (*type_.inputs, *type_.results)
    ]
    if len(shapes) != 2 or None in shapes:
        raise TTEError("@forward must take and return one tensor")
    if len(shapes[0]) != 4 or shapes[0][0] != 1:
        raise TTEError(f"the network takes {shapes[0]}, expected [1, height, width, channels]")
    if len(shapes[1]) != 2 or shapes[1][0] != 1:
        raise TTEError(f"the network returns scores of shape {shapes[1]}, expected [1, classes]")
    return module


def require_torch() -> None:
    """Says which extra to install where PyTorch or torch-mlir is missing."""
    for package in ("torch", "torch_mlir"):
        if importlib.util.find_spec(package) is None:
            raise TTEError(
                f"the Python package {package.replace('_', '-')} is missing: install PyTorch's CPU "
                "build, then tte-mlir[torch]"
            )


def _parse(path: Path, context: ir.Context) -> ir.Module:
    try:
        return ir.Module.parseFile(str(path), context)
    except ir.MLIRError as error:
        message = stages.explain(error)
        named = message.startswith(str(path))
        raise TTEError(message if named else f"{path}: {message}") from None
    except (OSError, ValueError) as error:
        raise TTEError(f"{path}: {error}") from None


def _load_exported(path: Path) -> Any:
    require_torch()
    import torch

    try:
        return torch.export.load(path)
    except Exception as error:  # zip, JSON, pickle and version errors alike
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TTEError(f"{path}: truncated or not an exported program ({reason})") from None


def _call(path: Path, function: str, classes: int | None) -> Any:
    if not function:
        raise TTEError(f"{path}: name a callable that returns the model, as {path}:make_model")
    require_torch()
    module = _import(path)
    if not callable(getattr(module, function, None)):
        raise TTEError(f"{path}: has no callable '{function}'")
    factory: Callable[..., Any] = getattr(module, function)
    arguments = {} if classes is None else {"num_classes": classes}
    if classes is not None and "num_classes" not in inspect.signature(factory).parameters:
        raise TTEError(f"{path}:{function}: takes no num_classes, leave --classes out")
    import torch

    try:
        model = factory(**arguments)
    except Exception as error:  # the user's own code
        raise _their_error(f"{path}:{function}", error) from None
    if not isinstance(model, torch.nn.Module | torch.export.ExportedProgram):
        raise TTEError(f"{path}:{function}: returned {type(model).__name__}, expected a module")
    return model


def _import(path: Path) -> ModuleType:
    """Imports a file whose neighbours it may import."""
    if not path.exists():
        raise TTEError(f"{path}: no such file")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    directory = str(path.resolve().parent)
    sys.path.insert(0, directory)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # the user's own code
        raise _their_error(str(path), error) from None
    finally:
        sys.path.remove(directory)
    return module


def _their_error(where: str, error: Exception) -> TTEError:
    reason = (str(error).strip().splitlines() or ["no message"])[0]
    return TTEError(f"{where}: {type(error).__name__}: {reason}")
