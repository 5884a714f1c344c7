# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print what pyproject.toml asks for: to build, to run, and the extras that ./dev needs (torch
itself it installs by exact version before); with --extra NAME, those of one extra."""

import argparse
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib


def requirements(pyproject: dict) -> list[str]:
    """Requirement lines of the build system, of the project and of the extras but "bench"."""
    project = pyproject["project"]
    extras = [
        line
        for extra, lines in project["optional-dependencies"].items()
        if extra != "bench"
        for line in lines
    ]
    return (
        pyproject["build-system"]["requires"]
        + ["cmake", "ninja"]
        + project["dependencies"]
        + extras
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--extra")
    extra = parser.parse_args().extra
    root = Path(__file__).resolve().parent.parent
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    lines = (
        pyproject["project"]["optional-dependencies"][extra] if extra else requirements(pyproject)
    )
    print("\n".join(lines))
