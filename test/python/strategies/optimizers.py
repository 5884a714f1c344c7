# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizers: the passes that give trained parameters state of their own."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def optimizers(draw: st.DrawFn) -> list[str]:
    """Accumulation, momentum and residuals, each or not, in their order; at least one."""
    passes = [
        draw(st.none() | st.integers(2, 3).map("tte-accumulate{{batch={}}}".format)),
        draw(st.none() | st.sampled_from([0.25, 0.9]).map("tte-momentum{{factor={}}}".format)),
        draw(st.none() | st.integers(2, 8).map("tte-residual{{bits={}}}".format)),
    ]
    return [text for text in passes if text] or ["tte-momentum"]
