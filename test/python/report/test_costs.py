# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What training a layer costs, in a network counted by hand."""

import io

import pytest
from modules import parse
from rich.console import Console

from tte_mlir import pipeline, stages
from tte_mlir.passes.update_scheme import mark_updates
from tte_mlir.recipe import Recipe
from tte_mlir.report import Report, render
from tte_mlir.report.costs import training_cost
from tte_mlir.report.schema import Arena, LayerCost, Macs, Schedule, Training, TrainingCost

NETWORK = """
ml_program.global private @a.weight(dense<1.0> : tensor<4x3xf32>) : tensor<4x3xf32>
ml_program.global private @a.bias(dense<1.0> : tensor<3xf32>) : tensor<3xf32>
ml_program.global private @b.weight(dense<1.0> : tensor<3x2xf32>) : tensor<3x2xf32>
func.func @forward(%x: tensor<1x4xf32> {tte.role = #tte.role<input>}) -> tensor<1x2xf32> {
  %w0 = ml_program.global_load_const @a.weight : tensor<4x3xf32>
  %b0 = ml_program.global_load_const @a.bias : tensor<3xf32>
  %w1 = ml_program.global_load_const @b.weight : tensor<3x2xf32>
  %0 = tte.dense %x weights(%w0) bias(%b0) clamp <0.0, inf>
    : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("a")
  %1 = tte.dense %0 weights(%w1) : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32> loc("b")
  return %1 : tensor<1x2xf32>
}
"""

# (state bytes, saved bytes, MACs backward) of a layer
COSTS = {
    "last:0": {"b": (24, 12, 6)},  # saves its input, and has no gradient of it
    "bias": {"a": (12, 0, 0), "b": (24, 12, 12)},  # its input, for its weight and the mask
    "full": {"a": (60, 16, 12), "b": (24, 12, 12)},
}


@pytest.mark.parametrize("scheme", COSTS)
def test_costs(scheme: str):
    module = parse(NETWORK)
    mark_updates(module, scheme)
    notes = pipeline.Notes()
    planning = pipeline.planning(Recipe(update=scheme), None, notes)
    names = [stage.name for stage in planning]
    for stage in planning[names.index("differentiated") : names.index("scheduled")]:
        for step in stage.steps:
            stages.run_step(module, step, stage.name)
    found = {
        layer.name: (layer.state_bytes, layer.saved_bytes, layer.macs_backward)
        for layer in training_cost(module).layers
    }
    found.pop("loss", None)
    assert found == COSTS[scheme]
    assert notes.training.scheme == training_cost(module)
    assert (notes.training.full is None) == (scheme == "full")
    if notes.training.full is not None:
        assert notes.training.full.state_bytes == 84


def test_the_table_shows_layers_and_what_is_saved():
    scheme = TrainingCost(
        state_bytes=24,
        saved_bytes=12,
        macs_backward=6,
        layers=(LayerCost(name="b", state_bytes=24, saved_bytes=12, macs_backward=6),),
    )
    full = TrainingCost(state_bytes=96, saved_bytes=48, macs_backward=24)
    report = Report(
        model="net",
        target="host",
        schedule=Schedule(peak_live=1, lower_bound=1, optimal=True),
        arena=Arena(bytes=1, lower_bound=1, optimal=True),
        macs=Macs(forward=1, backward=1),
        training=Training(scheme=scheme, full=full),
        remarks=("a.weight: lies in 2 runs",),
        ops=(),
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(report))
    text = " ".join(console.export_text().split())
    assert "b │ 24 │ 12 │ 6 │" in text
    assert "every parameter (full) │ 96 │ 48 │ 24 │" in text
    assert "saved by the scheme │ 75% │ 75% │ 75% │" in text
    assert "remark: a.weight: lies in 2 runs" in text
