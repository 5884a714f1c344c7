# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files of the product that are not Python: C sources, boards, the example firmware."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def path(name: str) -> Path:
    """The file or directory NAME, such as ``runtime/tte_runtime.c``.

    Installed packages carry it under ``tte_mlir/_data``; a source tree has it at its root.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"tte_mlir lacks its own file {name}")
