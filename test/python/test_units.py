# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes with units."""

import pytest

from tte_mlir.errors import TTEError
from tte_mlir.units import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256KiB", 262144),
        ("4 MiB", 4 << 20),
        ("1.5kib", 1536),
        ("64kB", 64000),
        ("100 B", 100),
        ("4096", 4096),
        (17, 17),
    ],
)
def test_sizes(text: str | int, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KiB", "12 parsecs", "-1", "1.0001KiB", "0x10"])
def test_refusals(text: str):
    with pytest.raises(TTEError, match="is not a"):
        parse_size(text)
