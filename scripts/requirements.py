# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print what pyproject.toml asks for: to build, to run, and all extras but torch itself,
which ./dev installs by exact version before."""

from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib


def requirements(pyproject: dict) -> list[str]:
    """Requirement lines of the build system, of the project and of its extras."""
    project = pyproject["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return (
        pyproject["build-system"]["requires"]
        + ["cmake", "ninja"]
        + project["dependencies"]
        + extras
    )


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    print("\n".join(requirements(tomllib.loads((root / "pyproject.toml").read_text()))))
