# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bytes behind the buffers of a planned program."""

from __future__ import annotations

import numpy as np
from mlir import ir

from ..dialects import tte

_POISON = 0xA5


class Memory:
    """One byte array a memory space, as large as the subspans of the module reach.

    Buffers are views into these bytes: a value that another one overwrites too early is wrong when
    it is read. Bytes that nothing has written hold a pattern, not zeros.
    """

    def __init__(self, module: ir.Module) -> None:
        sizes = {"arena": 0, "state": 0}
        for op in _walk(module.operation):
            if isinstance(op, tte.SubspanOp):
                space = tte.enum_keyword(op.space)
                end = op.offset.value + byte_size(op.buffer.type)
                sizes[space] = max(sizes[space], end)
        self.spaces = {name: np.full(size, _POISON, np.uint8) for name, size in sizes.items()}

    def view(self, space: str, offset: int, kind: ir.MemRefType) -> np.ndarray:
        """The buffer of a type at a byte offset; writing to it writes to the bytes."""
        window = self.spaces[space][offset : offset + byte_size(kind)]
        return window.view(numpy_type(kind.element_type)).reshape(kind.shape)


def poison(buffer: np.ndarray) -> None:
    """Overwrite a contiguous buffer that holds nothing."""
    buffer.reshape(-1).view(np.uint8)[:] = _POISON


def numpy_type(element: ir.Type) -> np.dtype:
    """The numpy type of f32 or of a signless integer of whole bytes."""
    return np.dtype(np.float32 if isinstance(element, ir.F32Type) else f"i{element.width // 8}")


def byte_size(kind: ir.MemRefType) -> int:
    """The bytes of a statically shaped memref."""
    return int(np.prod(kind.shape, dtype=np.int64)) * numpy_type(kind.element_type).itemsize


def _walk(op: ir.Operation):
    for region in op.regions:
        for block in region:
            for child in block:
                yield child
                yield from _walk(child.operation)
