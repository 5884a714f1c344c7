# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The mark on a global that says which of its channels train.

`tte.update` is for channels that follow each other. Others are listed in `tte.channels` until
`permute_channels` has brought them together or `split_parameters` has made a parameter of each run.
"""

from __future__ import annotations

from collections.abc import Collection

import mlir.ir as ir
from mlir.dialects import ml_program

from tte_mlir.dialects import tte
from tte_mlir.passes.channel_order import runs

_RANGE, _LIST = "tte.update", "tte.channels"


def read(parameter: ml_program.GlobalOp) -> frozenset[int]:
    """The channels that train."""
    attributes = parameter.operation.attributes
    if _LIST in attributes:
        return frozenset(ir.DenseI64ArrayAttr(attributes[_LIST]))
    if _RANGE in attributes:
        offset, size = tte.update_range(attributes[_RANGE])
        return frozenset(range(offset, offset + size))
    return frozenset()


def write(parameter: ml_program.GlobalOp, channels: Collection[int]) -> None:
    """Marks that `channels`, and no others, train."""
    attributes, context = parameter.operation.attributes, parameter.operation.context
    for name in (_RANGE, _LIST):
        if name in attributes:
            del attributes[name]
    found = runs(channels)
    if len(found) == 1:
        attributes[_RANGE] = tte.update_attr(context, *found[0])
    elif found:
        attributes[_LIST] = ir.DenseI64ArrayAttr.get(sorted(channels), context)
