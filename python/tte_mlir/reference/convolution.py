# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped convolution and its two transposes as one matrix product a tap, in f64.

Layouts: x (n, h, w, ci), weights (kh, kw, ci / groups, co), y (n, oh, ow, co); output channel o
belongs to group o // (co / groups).
"""

from __future__ import annotations

import numpy as np

from .window import Window


def convolve(x: np.ndarray, weights: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """y = x * weights."""
    padded, total = window.padded(x), 0.0
    for i, j, view in window.taps(padded):
        total = total + _product(view, weights[i, j], groups)
    return total


def input_gradient(
    dy: np.ndarray, weights: np.ndarray, window: Window, groups: int, shape: tuple[int, ...]
) -> np.ndarray:
    """dL/dx of the shape (n, h, w, ci) from dL/dy."""
    padded = window.padded(np.zeros(shape))
    for i, j, view in window.taps(padded):
        view += _product(dy, _transposed(weights[i, j], groups), groups)
    return window.interior(padded)


def weight_gradient(x: np.ndarray, dy: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """dL/dweights from x and dL/dy."""
    inputs, outputs = x.shape[-1] // groups, dy.shape[-1] // groups
    result = np.empty((*window.kernel, inputs, dy.shape[-1]))
    dy_of_group = dy.reshape(-1, groups, outputs).transpose(1, 0, 2)
    for i, j, view in window.taps(window.padded(x)):
        if inputs == outputs == 1:
            result[i, j, 0] = np.einsum("nyxc,nyxc->c", view, dy)
            continue
        x_of_group = view.reshape(-1, groups, inputs).transpose(1, 2, 0)
        result[i, j] = (x_of_group @ dy_of_group).transpose(1, 0, 2).reshape(inputs, -1)
    return result


def _product(x: np.ndarray, matrix: np.ndarray, groups: int) -> np.ndarray:
    """x (..., ci) times matrix (ci / groups, co), group by group."""
    inputs, outputs = matrix.shape
    if groups == 1:
        return x @ matrix
    if inputs == 1 and outputs == groups:
        return x * matrix[0]
    x_of_group = x.reshape(-1, groups, inputs).transpose(1, 0, 2)
    matrix_of_group = matrix.reshape(inputs, groups, outputs // groups).transpose(1, 0, 2)
    product = x_of_group @ matrix_of_group
    return product.transpose(1, 0, 2).reshape(*x.shape[:-1], outputs)


def _transposed(matrix: np.ndarray, groups: int) -> np.ndarray:
    """(ci / groups, co) to (co / groups, ci), group by group."""
    inputs, outputs = matrix.shape
    of_group = matrix.reshape(inputs, groups, outputs // groups)
    return of_group.transpose(2, 1, 0).reshape(outputs // groups, groups * inputs)
