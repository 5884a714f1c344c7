# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions a MAC of each family of kernels over a grid of shapes on the emulated Cortex-M7.

No shape may be much slower than its family's median. Writes docs/kernel-shapes.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from kernel_bench import Bench, Case
from networks import ROOT
from rich.console import Console
from test_lowered_kernels import Conv

from tte_mlir.errors import TTEError

LIMIT = 1.8
"""A shape may take so many times the instructions a MAC of its family's median."""
LEAST_MACS = 50_000
MOST_ELEMENTS = 1 << 16
"""Of an activation: what fits on a microcontroller."""
MAPS = (4, 8, 11, 16, 32, 64)
POINTWISE = ((8, 24), (16, 48), (24, 144), (48, 16), (48, 192), (96, 384), (144, 24), (384, 96))
DEPTHWISE = (8, 24, 48, 96, 384)
WINDOWS = (3, 5, 7)
_BATCH_BYTES = 2 << 20


@dataclass(frozen=True)
class Shape:
    """A case of the grid; `text` says its sizes."""

    family: str
    text: str
    case: Case
    bytes: int


@dataclass(frozen=True)
class Found:
    family: str
    text: str
    macs: int
    instructions: int

    @property
    def per_mac(self) -> float:
        return self.instructions / self.macs


def grid() -> Iterator[Shape]:
    """All shapes that are large enough to count."""
    for shape in (*_pointwise(), *_depthwise(), *_stems()):
        if shape.case.macs >= LEAST_MACS:
            yield shape


def _pointwise() -> Iterator[Shape]:
    for size in MAPS:
        for channels in POINTWISE:
            if size * size * max(channels) <= MOST_ELEMENTS:
                name = f"pointwise_{size}_{channels[0]}_{channels[1]}"
                yield from _shapes(Conv(name, size=(size, size), channels=channels), "1x1", size, 1)


def _depthwise() -> Iterator[Shape]:
    for window in WINDOWS:
        padding = (window // 2,) * 4
        for stride in (1, 2):
            for size in MAPS:
                for channels in DEPTHWISE:
                    if size * size * channels > MOST_ELEMENTS or size < window // 2 + stride:
                        continue
                    conv = Conv(
                        f"depthwise_{window}_{stride}_{size}_{channels}",
                        size=(size, size),
                        channels=(channels, channels),
                        kernel=window,
                        stride=stride,
                        padding=padding,
                        groups=channels,
                    )
                    family = f"depthwise {window}x{window}"
                    yield from _shapes(conv, family, size, stride)


def _stems() -> Iterator[Shape]:
    for size, channels in ((32, 8), (64, 16), (96, 16), (128, 16)):
        conv = Conv(
            f"stem_{size}_{channels}",
            size=(size, size),
            channels=(3, channels),
            kernel=3,
            stride=2,
            padding=(1,) * 4,
        )
        yield _shape("conv 3x3", conv, conv.forward(), size, 2, 1)


def _shapes(conv: Conv, family: str, size: int, stride: int) -> Iterator[Shape]:
    yield _shape(family, conv, conv.forward(), size, stride, 1)
    yield _shape(f"{family} input gradient", conv, conv.input_grad(), size, stride, 4)
    yield _shape(f"{family} weight gradient", conv, conv.update(), size, stride, 4)


def _shape(family: str, conv: Conv, case: Case, size: int, stride: int, width: int) -> Shape:
    _, height, _, outputs = conv.output_shape
    inputs = conv.weight_shapes[0][2] * conv.groups
    text = f"{size}x{size}x{inputs} -> {height}x{height}x{outputs}"
    weights = 1 << 16
    return Shape(family, text, case, width * (size**2 * inputs + height**2 * outputs) + weights)


def batches(shapes: Sequence[Shape]) -> Iterator[list[Shape]]:
    """Groups that fit into the board's memory together."""
    batch: list[Shape] = []
    for shape in shapes:
        if batch and sum(other.bytes for other in batch) + shape.bytes > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(shape)
    yield batch


def measure(batch: Sequence[Shape]) -> Iterator[Found]:
    """Compiles and runs the shapes of a batch in one image."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench("", [shape.case for shape in batch])
        counts = bench.count_instructions(Path(directory))
    for shape in batch:
        yield Found(shape.family, shape.text, shape.case.macs, counts[shape.case.name])


def offenders(found: Sequence[Found]) -> list[Found]:
    """The shapes that are too slow for their family, the worst first."""
    medians = _medians(found)
    slow = [one for one in found if one.per_mac > LIMIT * medians[one.family]]
    return sorted(slow, key=lambda one: -one.per_mac / medians[one.family])


def _medians(found: Sequence[Found]) -> dict[str, float]:
    families: dict[str, list[float]] = {}
    for one in found:
        families.setdefault(one.family, []).append(one.per_mac)
    return {family: statistics.median(values) for family, values in families.items()}


def page(found: Sequence[Found]) -> str:
    """docs/kernel-shapes.md."""
    medians = _medians(found)
    lines = [
        "# Kernels over a grid of shapes",
        "",
        "Made by `./dev bench-kernels`: instructions a MAC on the emulated Cortex-M7, for maps of",
        f"{MAPS[0]} to {MAPS[-1]}, channels of {min(DEPTHWISE)} to {max(DEPTHWISE)}, windows of 3",
        f"to 7 and strides 1 and 2, shapes of {LEAST_MACS:,} MACs and more. Weight gradients have",
        "the update in them.",
        "",
        "| family | shapes | least | median | most | most / median | slowest shape |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for family, median in medians.items():
        members = sorted((one for one in found if one.family == family), key=lambda o: o.per_mac)
        least, most = members[0].per_mac, members[-1].per_mac
        lines.append(
            f"| {family} | {len(members)} | {least:.2f} | {median:.2f} | {most:.2f} | "
            f"{most / median:.2f} | {members[-1].text} |"
        )
    slow = offenders(found)
    lines += ["", f"Shapes above {LIMIT} x the median of their family: {len(slow) or 'none'}.", ""]
    if slow:
        lines.append("| family | shape | MACs | per MAC | / median |")
        lines.append("| --- | --- | ---: | ---: | ---: |")
    for one in slow:
        ratio = one.per_mac / medians[one.family]
        lines.append(
            f"| {one.family} | {one.text} | {one.macs:,} | {one.per_mac:.2f} | {ratio:.2f} |"
        )
    return "\n".join(lines).rstrip() + "\n"


@click.command(help=__doc__.splitlines()[0])
@click.option("--family", help="only families whose name begins so")
@click.option("--write/--no-write", default=True, help="write docs/kernel-shapes.md")
def main(family: str | None, write: bool) -> None:
    """Measures, prints, writes; exit status 1 where a shape is too slow."""
    shapes = [shape for shape in grid() if shape.family.startswith(family or "")]
    if not shapes:
        raise click.ClickException(f"no family begins with '{family}'")
    found: list[Found] = []
    try:
        with Console(stderr=True).status("start") as status:
            for batch in batches(shapes):
                status.update(f"{len(found)} of {len(shapes)} shapes: {batch[0].family}")
                found += measure(batch)
    except TTEError as error:
        raise click.ClickException(str(error)) from None
    text = page(found)
    print(text)
    if write and not family:
        (ROOT / "docs" / "kernel-shapes.md").write_text(text)
    sys.exit(1 if offenders(found) else 0)


if __name__ == "__main__":
    main()
