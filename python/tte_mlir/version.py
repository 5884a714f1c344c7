# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The version of tte-mlir, installed or in a source tree."""

import re
from importlib import metadata

from tte_mlir.backend import resources


def version() -> str:
    """As 0.1.0."""
    try:
        return metadata.version("tte-mlir")
    except metadata.PackageNotFoundError:
        text = resources.path("pyproject.toml").read_text()
        found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
        assert found
        return found[1]
