# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The sliding window of convolutions and pools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Kernel, strides, padding [top, bottom, left, right] and dilations of a 2-D window."""

    kernel: Sequence[int]
    strides: Sequence[int]
    padding: Sequence[int]
    dilations: Sequence[int] = (1, 1)

    def padded(self, tensor: np.ndarray, value: float = 0) -> np.ndarray:
        """`tensor` (n, h, w, c) with `value` around it."""
        top, bottom, left, right = self.padding
        margins = ((0, 0), (top, bottom), (left, right), (0, 0))
        return np.pad(tensor, margins, constant_values=value)

    def interior(self, padded: np.ndarray) -> np.ndarray:
        """The view of a padded tensor without the padding."""
        top, bottom, left, right = self.padding
        return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]

    def taps(self, padded: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """For each tap (i, j) of the kernel, the view (n, oh, ow, c) of what it touches."""
        extents = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        rows, columns = (padded.shape[d + 1] - extents[d] + 1 for d in range(2))
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                y, x = i * self.dilations[0], j * self.dilations[1]
                yield (
                    i,
                    j,
                    padded[:, y : y + rows : self.strides[0], x : x + columns : self.strides[1]],
                )
