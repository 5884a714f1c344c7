# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run a pipeline one pass at a time and interpret the module before and after each pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from mlir import ir
from mlir.passmanager import PassManager

from tte_mlir.dialects import tte
from tte_mlir.reference import Interpreter
from tte_mlir.reference.training import TrainingRun

Behaviour = dict[str, np.ndarray]
Check = Callable[[Behaviour, Behaviour, ir.Module], None]


@dataclass(frozen=True)
class Session:
    """What to run: real inputs, labels and a learning rate."""

    inputs: Sequence[np.ndarray]
    labels: Sequence[int] = ()
    learning_rate: float = 0.05

    def behaviour(self, module: ir.Module) -> Behaviour:
        """Everything that a caller of the program can see, by name."""
        run = TrainingRun(module)
        inputs = [run.stored(x) for x in self.inputs]
        seen = {f"scores {i}": run.infer(x) for i, x in enumerate(inputs)}
        if not run.trains:
            return seen
        for i, (x, label) in enumerate(zip(inputs, self.labels, strict=False)):
            result = run.train_step(x, label, self.learning_rate)
            seen[f"step {i}: loss"] = np.float32(result.loss)
            seen[f"step {i}: scores"] = result.scores
            seen |= {f"step {i}: state {name}": array for name, array in run.state.items()}
        return seen


@dataclass(frozen=True)
class Same:
    """The behaviour stays the same, bit for bit, but for what a pass is there to change.

    `adds` and `drops` allow results to come and go; `only` keeps the comparison to the results
    whose name starts with one of the prefixes.
    """

    adds: bool = False
    drops: bool = False
    only: tuple[str, ...] = ("",)
    tolerance: float = 0.0  # of f32 results, relative to the largest element

    def __call__(self, before: Behaviour, after: Behaviour, module: ir.Module) -> None:
        assert self.adds or after.keys() <= before.keys(), f"new: {after.keys() - before.keys()}"
        assert self.drops or before.keys() <= after.keys(), f"lost: {before.keys() - after.keys()}"
        for name in [name for name in before if name in after and name.startswith(self.only)]:
            _assert_equal(name, before[name], after[name], self.tolerance)


def skip_check(before: Behaviour, after: Behaviour, module: ir.Module) -> None:
    """For passes that change every result; their own tests say how."""


def pruned_check(before: Behaviour, after: Behaviour, module: ir.Module) -> None:
    """What trains moves as it did, and a state that trains in a range is that range."""
    offsets = {
        state_name(op.parameter): [0] if op.origin is None else tte.origin(op.origin)[1]
        for op in Interpreter(module).lookup("train_step").regions[0].blocks[0]
        if isinstance(op, tte.SGDOp)
    }
    states = {name.partition("state ")[2] for name in after if "state " in name}
    assert states == offsets.keys()
    expected = {
        name: _box(before[name], array.shape, max(offsets.get(name.partition("state ")[2], [0])))
        for name, array in after.items()
    }
    Same(only=("scores", "step 0"))(expected, after, module)


# What the passes change; all others must keep every result. The first pass of a group decides.
CHECKS: Mapping[str, Check] = {
    "tte-quantize": skip_check,
    "tte-autodiff": Same(adds=True),
    "tte-prune-backward": pruned_check,
    "tte-qas": Same(only=("scores", "step 0: loss", "step 0: scores")),
    # What the optimizer keeps changes the states, but nothing of the forward pass before.
    "tte-accumulate": Same(adds=True, only=("scores", "step 0: loss", "step 0: scores")),
    "tte-momentum": Same(adds=True, only=("scores", "step 0: loss", "step 0: scores")),
    "tte-residual": Same(adds=True, only=("scores", "step 0: loss", "step 0: scores")),
}


# The passes that complete a stage of the compiler, and which one (`tte-verify-stage`).
STAGES: Mapping[str, str] = {
    "tte-quantize": "quantized",
    "tte-autodiff": "autodiff",
    "tte-prune-backward": "pruned",
    "tte-form-dispatches": "dispatched",
    "tte-plan-memory": "planned",
}


@dataclass
class Pipeline:
    """Passes to run one after the other, in textual form, and what to verify after each."""

    passes: Sequence[str]
    checks: Mapping[str, Check] = field(default_factory=dict)

    def run(self, module: ir.Module, session: Session) -> None:
        """Transform `module` in place; fails at the pass after which a result differs."""
        before = session.behaviour(module)
        stage, quantized = "imported", False
        for text in self.passes:
            run_pass(module, text)
            stage = STAGES.get(pass_name(text), stage)
            quantized |= stage == "quantized"
            run_pass(
                module, f"tte-verify-stage{{stage={stage} quantized={str(quantized).lower()}}}"
            )
            after = session.behaviour(module)
            check = {**CHECKS, **self.checks}.get(pass_name(text), Same())
            try:
                check(before, after, module)
            except AssertionError as error:
                raise AssertionError(f"{text} changed the program: {error}") from error
            before = after


def state_name(parameter: ir.Value) -> str:
    """The name of the state that an argument of a function holds."""
    argument = ir.BlockArgument(parameter)
    attributes = argument.owner.owner.opview.arg_attrs[argument.arg_number]
    return ir.FlatSymbolRefAttr(attributes["tte.state"]).value


def run_pass(module: ir.Module, text: str) -> None:
    """Run one pass or nested pipeline, given as text, and verify."""
    with module.context:
        PassManager.parse(f"builtin.module({text})").run(module.operation)
    module.operation.verify()


def pass_name(text: str) -> str:
    """`p`, the first pass, of `p`, `p{options}` and `func.func(p,q)`."""
    inner = text.removeprefix("func.func(")
    return inner.split("{")[0].split(",")[0].rstrip(")")


def _box(array: np.ndarray, shape: Sequence[int], offset: int) -> np.ndarray:
    """The part of `array` with the given shape, at `offset` where the shapes differ."""
    return array[
        tuple(
            slice(offset, offset + size) if size < whole else slice(None)
            for size, whole in zip(shape, array.shape, strict=True)
        )
    ]


def _assert_equal(name: str, before: np.ndarray, after: np.ndarray, tolerance: float) -> None:
    assert before.dtype == after.dtype, f"{name}: {before.dtype} became {after.dtype}"
    assert before.size == after.size, f"{name}: {before.shape} became {after.shape}"
    before, after = before.reshape(-1), after.reshape(-1)
    if before.dtype.kind == "f" and tolerance:
        limit = tolerance * max(float(np.abs(before).max(initial=0)), 1e-30)
        worst = float(np.abs(before - after).max(initial=0))
        assert worst <= limit, f"{name}: off by {worst}, allowed {limit}"
        return
    different = np.flatnonzero(before != after)
    assert not different.size, (
        f"{name}: {different.size} of {before.size} elements differ, the first at "
        f"{different[0]}: {before[different[0]]} became {after[different[0]]}"
    )
