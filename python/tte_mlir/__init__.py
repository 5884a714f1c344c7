# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tte-mlir: compiles neural networks so that microcontrollers train them."""
