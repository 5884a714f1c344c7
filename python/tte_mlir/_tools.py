# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Entry points of the native tools that the package carries."""

import os
import sys
from pathlib import Path


def tte_opt() -> None:
    """Replace this process by the package's `tte-opt`."""
    tool = Path(__file__).parent / "bin" / "tte-opt"
    os.execv(tool, [str(tool), *sys.argv[1:]])
