# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Passes written in Python: functions that change a module, for `tte_mlir.stages`."""
