# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How many perfect packings are proved, and how fast; and CSV files of others.

With files as arguments, as those of MiniMalloc's benchmarks, each is placed within --capacity.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from perfect_packings import generate

from tte_mlir import placement
from tte_mlir.errors import TTEError
from tte_mlir.units import parse_size

SIZES = (100, 200, 300, 400, 500)  # buffers
REQUIRED = 0.9  # share that must be proved
LIMIT = 60.0  # seconds for each
_EFFORT = 10**12  # the time limit ends the search


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--capacity", help="of the files, in bytes")
@click.option("--seeds", default=8, show_default=True, help="packings of each size")
@click.option("--duration", default=1000, show_default=True, help="of the packings; short is hard")
@click.option("--seconds", default=LIMIT, show_default=True, help="time limit of each")
def main(files: tuple[Path, ...], capacity: str | None, seeds: int, duration: int, seconds: float):
    """Prints a line each and exits with status 1 where too few are solved."""
    try:
        if files:
            limit = None if capacity is None else parse_size(capacity)
            solved = [place_file(path, limit, seconds) for path in files]
        else:
            solved = [
                place_packing(size, seed, duration, seconds)
                for size in SIZES
                for seed in range(1, seeds + 1)
            ]
    except TTEError as error:
        print(f"bench-placement: {error}", file=sys.stderr)
        sys.exit(1)
    print(f"{sum(solved)} of {len(solved)} solved within {seconds:g} s each")
    sys.exit(sum(solved) < REQUIRED * len(solved))


def place_packing(size: int, seed: int, duration: int, seconds: float) -> bool:
    packing = generate(size, seed, duration=duration)
    found, taken = place(packing.buffers, packing.height, seconds)
    solved = found.proved and found.height == packing.height
    show(f"{size} buffers, seed {seed}", found, taken, solved)
    return solved


def place_file(path: Path, capacity: int | None, seconds: float) -> bool:
    """Solved: within the capacity, or proved minimal where there is none."""
    buffers = placement.read_csv(path)
    found, taken = place(buffers, capacity, seconds)
    solved = found.proved if capacity is None else found.height <= capacity
    show(f"{path.name}, {len(buffers)} buffers", found, taken, solved)
    return solved


def place(buffers, capacity: int | None, seconds: float) -> tuple[placement.Placement, float]:
    start = time.perf_counter()
    found = placement.place(buffers, capacity=capacity, effort=_EFFORT, time_limit=seconds)
    return found, time.perf_counter() - start


def show(what: str, found: placement.Placement, taken: float, solved: bool) -> None:
    proof = "proved" if found.proved else "not proved"
    print(
        f"{what}: height {found.height:,}, lower bound {found.lower_bound:,}, {proof}, "
        f"{'solved' if solved else 'NOT SOLVED'} in {taken:.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
