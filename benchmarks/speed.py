# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of an inference and of a training step, by kind of kernel; time on the host.

Three int8 backbones with their 49 KB schemes. Instructions are counted by the emulators and
repeat exactly; times are of this machine. Writes docs/speed.md and build/bench/speed.json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import click
import numpy as np
from networks import CLASSES, ROOT, checkpoint, compile_scheme
from networks import SCHEMES as SCHEMES_DIRECTORY
from rich.console import Console

from tte_mlir import profiling
from tte_mlir.backend.device import Device, Record
from tte_mlir.errors import TTEError

SCHEMES = ("mcunet-49kb", "mbv2-49kb", "proxyless-49kb")
TARGETS = ("cortex-m7", "cortex-m4")
HOST_SCHEMES = ("mcunet-49kb", "mcunet-99kb")
HOST_LIMIT_MS = 8.0
COMPILE_SCHEME, COMPILE_TARGET = "mcunet-49kb", "cortex-m7"
COLD_LIMIT_S, WARM_LIMIT_S = 45, 5


@dataclass(frozen=True)
class Bar:
    """What is asked for, in instructions a MAC: required, and the goal."""

    kind: str
    required: float
    goal: float


BARS = (
    Bar("1x1", 1.4, 1.15),
    Bar("depthwise 3x3", 2.8, 2.1),
    Bar("depthwise 5x5", 1.7, 1.3),
    Bar("depthwise 7x7", 1.5, 1.1),
    Bar("conv 3x3", 1.9, 1.4),
    Bar("1x1 input gradient", 2.0, 1.6),
    Bar("depthwise input gradient", 3.0, 2.2),
    Bar("weight gradient", 2.4, 1.8),
)
# Of MCUNet with the 49 KB scheme on the Cortex-M7: millions of instructions, KB of flash.
REQUIRED = {"inference": 38.0, "step": 60.0, "kernels": 100.0, "flash": 600.0}
GOAL = {"inference": 30.0, "step": 45.0}
RELEASED_ENGINE = {"inference": 65.0, "step": 106.4, "kernels": 64.0, "flash": 656.0}


@dataclass
class Cost:
    """Sums over the calls of one kind."""

    instructions: int = 0
    macs: int = 0

    @property
    def per_mac(self) -> float:
        return self.instructions / self.macs


@dataclass
class Measured:
    """One network on one board."""

    scheme: str
    target: str
    inference: int
    step: int
    flash: int
    kernels: int
    macs: int
    kinds: dict[str, Cost] = field(default_factory=dict)


@dataclass
class HostTime:
    """CPU time of a training step on one core, in milliseconds."""

    scheme: str
    median: float
    least: float
    steps: int


@dataclass
class CompileTime:
    """Wall-clock seconds of `ttec compile`, with an empty cache of kernels and with a full one."""

    cold: float
    warm: float


def kind_of(family: str) -> str:
    """Families that are held against one number are of one kind."""
    if " + " in family:
        return family
    if family.endswith("weight gradient") and not family.startswith("dense"):
        return "weight gradient"
    if family.startswith("depthwise") and family.endswith("input gradient"):
        return "depthwise input gradient"
    return family


def measure(scheme: str, target: str) -> Measured:
    """Compiles and runs one network."""
    with tempfile.TemporaryDirectory() as directory:
        program = compile_scheme(scheme, target, "4MiB").save(directory)
        flash = program.report.flash
        assert flash is not None
        with program.emulator() as device:
            inference = device.execute(_record(device)).instructions
            step = device.execute(_record(device, trains=True)).instructions
        found = Measured(scheme, target, inference, step, flash.total, flash.kernels, 0)
        for call in profiling.profile(program):
            cost = found.kinds.setdefault(kind_of(call.family), Cost())
            cost.instructions += call.instructions
            cost.macs += call.macs
            found.macs += call.macs
        return found


def time_host(scheme: str, steps: int) -> HostTime:
    """Times steps of the simulator, the process kept on one core."""
    with compile_scheme(scheme, "host").simulator() as device:
        times = list(_step_times(device, steps))
    return HostTime(scheme, statistics.median(times), min(times), steps)


def _step_times(device: Device, steps: int, warm_up: int = 3) -> Iterator[float]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        record = _record(device, trains=True)
        for step in range(warm_up + steps):
            # CPU time: others on this core do not count, though they cost us the caches.
            begin = time.thread_time()
            device.execute(record)
            if step >= warm_up:
                yield 1e3 * (time.thread_time() - begin)
    finally:
        os.sched_setaffinity(0, allowed)


def time_compile() -> CompileTime:
    """Times processes that compile COMPILE_SCHEME, from the checkpoint to the library."""
    network = COMPILE_SCHEME.partition("-")[0]
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable, "-m", "tte_mlir.cli", "compile", str(checkpoint(network)),
            f"--classes={CLASSES}", f"--update={SCHEMES_DIRECTORY / COMPILE_SCHEME}.yaml",
            f"--target={COMPILE_TARGET}", "--sram=4MiB", f"--output={directory}/out",
        ]  # fmt: skip
        times = []
        for _ in range(2):
            begin = time.monotonic()
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                env=os.environ | {"TTE_CACHE_DIR": f"{directory}/cache"},
            )
            times.append(time.monotonic() - begin)
    return CompileTime(*times)


def _record(device: Device, trains: bool = False) -> Record:
    pixels = np.random.default_rng(0).integers(0, 256, device.interface.input_shape, np.uint8)
    return Record(pixels, label=0, learning_rate=0.01 if trains else None)


# The page


def page(
    boards: Sequence[Measured], hosts: Sequence[HostTime], compiled: CompileTime | None
) -> str:
    """docs/speed.md."""
    parts = ["# Speed", _INTRODUCTION]
    targets = list(dict.fromkeys(found.target for found in boards))
    for target in targets:
        of_target = [found for found in boards if found.target == target]
        parts += [f"## {target}", _totals(of_target), _kinds(of_target)]
    if hosts:
        parts += ["## host", _HOST_TEXT, _host_times(hosts)]
    if compiled:
        parts += ["## Compilation", _COMPILE_TEXT, _compile_times(compiled)]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """Made by `./dev bench-speed`: the int8 backbones of MCUNetV3 with their 49 KB
schemes (`examples/schemes`), a fresh classifier of ten classes, batch 1. Instructions are those
of the emulated boards, the same in every run; they are not cycles. `required` and `goal` are what
this project asks of MCUNet on the Cortex-M7; the released engine is Tiny Training Engine's own
example of the same network and scheme, built with its own flags, on the same emulator."""

_HOST_TEXT = f"""CPU time of one training step on one core, on the machine that made this page:
shared and noisy, so the median and the least of all steps. At most {HOST_LIMIT_MS:g} ms are
asked for."""


_COMPILE_TEXT = f"""Seconds of `ttec compile` for {COMPILE_SCHEME} on {COMPILE_TARGET}, from the
checkpoint to the linked firmware and the simulator, on the two shared cores that made this page.
Objects of kernels are cached by content."""


def _totals(found: Sequence[Measured]) -> str:
    rows = []
    for one in found:
        rows.append(
            [
                one.scheme,
                f"{one.inference / 1e6:.1f}",
                f"{one.step / 1e6:.1f}",
                f"{one.macs / 1e6:.1f}",
                f"{one.step / one.macs:.2f}",
                f"{one.kernels / 1024:.0f}",
                f"{one.flash / 1024:.0f}",
            ]
        )
    if found[0].target == "cortex-m7":
        bars = (
            ("mcunet-49kb, required", REQUIRED),
            ("mcunet-49kb, goal", GOAL),
            ("mcunet-49kb, released engine", RELEASED_ENGINE),
        )
        for name, bar in bars:
            rows.append(
                [
                    f"*{name}*",
                    f"{bar['inference']:g}",
                    f"{bar['step']:g}",
                    "",
                    "",
                    f"{bar['kernels']:g}" if "kernels" in bar else "",
                    f"{bar['flash']:g}" if "flash" in bar else "",
                ]
            )
    head = (
        "network and scheme",
        "inference, M",
        "training step, M",
        "M MACs a step",
        "per MAC",
        "kernels, KiB",
        "flash, KiB",
    )
    return _markdown(head, rows)


def _kinds(found: Sequence[Measured]) -> str:
    """Instructions a MAC, and the share of the step."""
    bars = {bar.kind: bar for bar in BARS}
    present = dict.fromkeys(kind for one in found for kind in one.kinds)
    weight = {
        kind: sum(one.kinds[kind].instructions for one in found if kind in one.kinds)
        for kind in present
    }
    others = sorted((kind for kind in present if kind not in bars), key=lambda kind: -weight[kind])
    rows = []
    for kind in (*(kind for kind in bars if kind in present), *others):
        row = [kind]
        for one in found:
            cost = one.kinds.get(kind)
            row.append("" if cost is None else _cell(cost, one.step))
        bar = bars.get(kind)
        row += [f"{bar.required:g}", f"{bar.goal:g}"] if bar else ["", ""]
        rows.append(row)
    head = ("instructions a MAC (share of the step)", *(one.scheme for one in found))
    return _markdown((*head, "required", "goal"), rows)


def _cell(cost: Cost, step: int) -> str:
    share = f"{cost.instructions / step:.1%}"
    return f"{cost.per_mac:.2f} ({share})" if cost.macs else f"({share})"


def _host_times(hosts: Sequence[HostTime]) -> str:
    rows = [
        [time.scheme, f"{time.median:.2f}", f"{time.least:.2f}", f"{time.steps}"] for time in hosts
    ]
    return _markdown(("network and scheme", "median, ms", "least, ms", "steps"), rows)


def _compile_times(compiled: CompileTime) -> str:
    rows = [
        ["empty cache", f"{compiled.cold:.1f}", f"{COLD_LIMIT_S}"],
        ["the same kernels", f"{compiled.warm:.1f}", f"{WARM_LIMIT_S}"],
    ]
    return _markdown(("", "seconds", "required"), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@click.command(help=__doc__.splitlines()[0])
@click.option("--scheme", "schemes", multiple=True, help="as mcunet-49kb (default: three)")
@click.option("--target", "targets", multiple=True, help="as cortex-m7 (default: M7 and M4)")
@click.option("--host/--no-host", default=True, help="time the host as well")
@click.option("--compile/--no-compile", "compiles", default=True, help="time the compiler as well")
@click.option("--host-steps", default=40, show_default=True)
@click.option("--write/--no-write", default=True, help="write docs/speed.md")
def main(
    schemes: tuple[str, ...],
    targets: tuple[str, ...],
    host: bool,
    compiles: bool,
    host_steps: int,
    write: bool,
) -> None:
    """Measures, prints, writes."""
    console = Console(stderr=True)
    boards, hosts, compiled = [], [], None
    try:
        with console.status("start") as status:
            for target in targets or TARGETS:
                for scheme in schemes or SCHEMES:
                    status.update(f"{scheme} on {target}")
                    boards.append(measure(scheme, target))
            for scheme in HOST_SCHEMES if host else ():
                status.update(f"{scheme} on the host")
                hosts.append(time_host(scheme, host_steps))
            if compiles:
                status.update("the compiler")
                compiled = time_compile()
    except TTEError as error:
        raise click.ClickException(str(error)) from None
    text = page(boards, hosts, compiled)
    print(text)
    if write:
        (ROOT / "docs" / "speed.md").write_text(text)
        out = ROOT / "build" / "bench"
        out.mkdir(parents=True, exist_ok=True)
        results = {"boards": list(map(asdict, boards)), "host": list(map(asdict, hosts))}
        if compiled:
            results["compile"] = asdict(compiled)
        (out / "speed.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
