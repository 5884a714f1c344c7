# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Proof, on every compile, that the memory plan is sound.

Shares nothing with the planner: it reads the planned IR by itself and replays each function on
an arena of bytes, each of which remembers what was written there last.
"""

from .checker import Violation, certify, check

__all__ = ["Violation", "certify", "check"]
