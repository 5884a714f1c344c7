# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers and places in files, as locations of ops name them."""

import mlir.ir as ir


def layer(op: ir.Operation) -> str:
    """The module path in the location of an op, else the op's name."""
    return _name(op.location) or op.name


def _name(location: ir.Location) -> str:
    """The first name in a location, where ops that were fused have several."""
    if location.is_a_name():
        return location.name_str
    parts = location.locations if location.is_a_fused() else ()
    return next(filter(None, map(_name, parts)), "")


def describe(location: ir.Location) -> str:
    """A module path, or FILE:LINE:COLUMN, or nothing for an unknown location."""
    if location.is_a_name():
        return location.name_str
    if location.is_a_file():
        return f"{location.filename}:{location.start_line}:{location.start_col}"
    return ""
