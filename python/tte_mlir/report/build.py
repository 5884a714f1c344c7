# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""report.json from the memory plan and the sizes of the linked image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .plan import Plan
from .schema import Flash, Macs, Op, Report, Sram, Training


def build_report(
    plan: Plan,
    *,
    model: str,
    target: str,
    sram: Sram | None = None,
    flash: Flash | None = None,
    kernels: Sequence[str] = (),
    code: Mapping[str, int] | None = None,
    training: Training | None = None,
    remarks: Sequence[str] = (),
) -> Report:
    """The report of `plan`; `sram` and `flash` are measured on the linked image.

    `kernels` names the function of each call of the training step ("" for checks), `code` says
    how many bytes each function has.
    """
    step = plan.step
    names = kernels or [""] * len(step.calls)
    code = code or {}
    ops = tuple(
        Op(
            name=call.name,
            kind=call.kind,
            family=call.family,
            shape=call.shape,
            phase=call.phase,
            macs=call.macs,
            output_bytes=call.output_bytes,
            offset=call.offset,
            live_bytes=step.live_bytes(call.index),
            kernel=kernel or None,
            code_bytes=code.get(kernel),
        )
        for call, kernel in zip(step.calls, names, strict=True)
    )
    forward = sum(op.macs for op in ops if op.phase == "forward")
    return Report(
        model=model,
        target=target,
        sram=sram,
        flash=flash,
        schedule=step.schedule,
        arena=plan.arena,
        macs=Macs(forward=forward, backward=sum(op.macs for op in ops) - forward),
        training=training,
        remarks=tuple(remarks),
        ops=ops,
    )
