# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mirror a package by symbolic links: `link_tree.py SOURCE DESTINATION`."""

import sys
from pathlib import Path


def link_tree(source: Path, destination: Path) -> None:
    """Link every file of `source` into the same place under `destination`; drop stale links."""
    for link in destination.rglob("*"):
        if link.is_symlink() and not link.exists():
            link.unlink()
    for path in source.rglob("*"):
        if "__pycache__" in path.parts or path.is_dir():
            continue
        link = destination / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to(path)


if __name__ == "__main__":
    link_tree(Path(sys.argv[1]), Path(sys.argv[2]))
