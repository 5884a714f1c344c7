# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions a MAC of each family of kernels over a grid of shapes on the emulated Cortex-M7.

No shape may be much slower than its family's median. Writes docs/kernel-shapes.md; keeps every
count in build/bench/kernels.jsonl, so that a run that ends early goes on where it was and one
after a change measures what has changed.
"""

from __future__ import annotations

import sys

import click
from networks import ROOT
from rich.console import Console
from rich.progress import track

from tte_mlir.errors import TTEError

from .grid import grid
from .measure import Counts, measure
from .page import offenders, page


@click.command(help=__doc__.splitlines()[0])
@click.option("--family", help="only families whose name begins so")
@click.option("--list", "lists", is_flag=True, help="print every shape")
@click.option("--write/--no-write", default=True, help="write docs/kernel-shapes.md")
def main(family: str | None, lists: bool, write: bool) -> None:
    """Measures, prints, writes; exit status 1 where a shape is too slow."""
    shapes = [shape for shape in grid() if shape.family.startswith(family or "")]
    if not shapes:
        raise click.ClickException(f"no family begins with '{family}'")
    counts = Counts(ROOT / "build" / "bench" / "kernels.jsonl")
    try:
        found = list(
            track(
                measure(shapes, counts),
                f"{len(shapes)} shapes",
                len(shapes),
                console=Console(stderr=True),
            )
        )
    except TTEError as error:
        raise click.ClickException(str(error)) from None
    if lists:
        for one in sorted(found, key=lambda one: (one.family, one.shape.text)):
            print(f"{one.cost:7.2f}  {one.family}  {one.shape.text}")
    text = page(found)
    print(text)
    if write and not family:
        (ROOT / "docs" / "kernel-shapes.md").write_text(text)
    sys.exit(1 if offenders(found) else 0)


if __name__ == "__main__":
    main()
