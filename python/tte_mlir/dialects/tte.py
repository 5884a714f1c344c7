# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The `tte` dialect: op classes and builders. Importing it registers the dialect and the
passes with every later `mlir.ir.Context`."""

import mlir.ir as ir  # loads libMLIRPythonCAPI.so, which the extension links
from mlir._mlir_libs import _mlir, get_dialect_registry

from .._libs import _tte
from .._libs._tte import (  # noqa: F401
    allows_weight_parts,
    clamp_attr,
    enum_keyword,
    interval,
    macs,
    origin,
    origin_attr,
    place_buffers,
    range_attr,
    update_attr,
    update_range,
    weight_axis,
)
from ._tte_ops_gen import *  # noqa: F403

_mlir.globals.append_dialect_search_prefix("tte_mlir.dialects")
_tte.register_dialects(get_dialect_registry())


@ir.register_attribute_builder("TTE_Int64Attr", replace=True)
def _int64_attr(value: int, context: ir.Context) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64, context=context), value)
