# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the elements of a parameter lie in the original one, of which channels were taken in part
or in another order: what `tte.origin`, `tte.places` and `tte.part_of` of a global say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import mlir.ir as ir
from mlir.dialects import ml_program

from tte_mlir.dialects import tte


@dataclass(frozen=True)
class Origin:
    """Element (i, j, ...) of a parameter is element (places[0][i], places[1][j], ...) of the one
    called `name`, of shape `shape`."""

    name: str
    shape: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(parameter: ml_program.GlobalOp) -> Origin:
        """What the attributes of a global say; without any it is the original."""
        attributes = parameter.operation.attributes
        own = ir.RankedTensorType(attributes["type"].value).shape
        shape, offsets = own, [0] * len(own)
        if "tte.origin" in attributes:
            shape, offsets = tte.origin(attributes["tte.origin"])
        places = [range(offset, offset + size) for offset, size in zip(offsets, own, strict=True)]
        if "tte.places" in attributes:
            lists = ir.ArrayAttr(attributes["tte.places"])
            places = [list(given) or p for given, p in zip(lists, places, strict=True)]
        name = parameter.sym_name.value
        if "tte.part_of" in attributes:
            name = ir.StringAttr(attributes["tte.part_of"]).value
        return Origin(name, tuple(shape), tuple(map(tuple, places)))

    def take(self, dimension: int, indices: Sequence[int]) -> Origin:
        """That of the parameter whose index i along a dimension was `indices[i]` here."""
        places = list(self.places)
        places[dimension] = tuple(places[dimension][index] for index in indices)
        return replace(self, places=tuple(places))

    def note(self, parameter: ml_program.GlobalOp) -> None:
        """Writes the attributes of a global."""
        operation, context = parameter.operation, parameter.operation.context
        ranges = [list(p) == list(range(p[0], p[0] + len(p))) for p in self.places]
        offsets = [p[0] if is_range else 0 for p, is_range in zip(self.places, ranges, strict=True)]
        operation.attributes["tte.origin"] = tte.origin_attr(context, list(self.shape), offsets)
        if not all(ranges):
            lists = [
                [] if is_range else list(p) for p, is_range in zip(self.places, ranges, strict=True)
            ]
            operation.attributes["tte.places"] = ir.ArrayAttr.get(
                [ir.DenseI64ArrayAttr.get(each, context) for each in lists], context
            )
        if self.name != parameter.sym_name.value:
            operation.attributes["tte.part_of"] = ir.StringAttr.get(self.name, context)
