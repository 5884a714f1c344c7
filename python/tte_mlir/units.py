# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes with units."""

import re

from tte_mlir.errors import TTEError

_UNITS = {
    "": 1, "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30,
}  # fmt: skip


def parse_size(text: str | int) -> int:
    """Bytes of "256KiB", "1.5 MB" or "4096"."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    factor = _UNITS.get(match[2].upper()) if match else None
    if factor is None:
        raise TTEError(f"'{text}' is not a size, expected a number and B, KB, KiB, MB or MiB")
    size = float(match[1]) * factor
    if size != int(size):
        raise TTEError(f"'{text}' is not a whole number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """ "256 KiB", or the bytes where they are no round number of KiB."""
    return f"{size // 1024} KiB" if size % 1024 == 0 and size else f"{size} bytes"
