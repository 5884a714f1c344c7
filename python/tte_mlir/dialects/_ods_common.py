# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What generated builders import relative to themselves, shared with the `mlir` package."""

from mlir.dialects._ods_common import *  # noqa: F403
from mlir.dialects._ods_common import _cext  # noqa: F401
