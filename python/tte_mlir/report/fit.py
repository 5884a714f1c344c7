# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What to say when a model does not fit."""

from __future__ import annotations

from .plan import Plan


def overflow_message(plan: Plan, needed: int, budget: int, largest: int = 3) -> str:
    """One line: by how many bytes `needed` exceeds `budget`, the `largest` tensors alive at the
    peak, and what would make it fit. For TTEError."""
    function = plan.largest
    peak = function.peak()
    call = function.calls[peak]
    where = f"{call.kind} of {call.name}" if call.name else call.kind
    tensors = ", ".join(f"{value.name} {value.size:,} B" for value in function.live(peak)[:largest])
    return (
        f"the model needs {needed:,} B of SRAM, {needed - budget:,} B more than the budget of "
        f"{budget:,} B: arena {plan.arena.bytes:,} B, state {plan.state_bytes:,} B; largest at "
        f"the peak ({where} in {function.name}): {tensors}; {_advice(plan)}"
    )


def _advice(plan: Plan) -> str:
    """What lowers the part that dominates."""
    if plan.state_bytes > plan.arena.bytes:
        return "train fewer weights (--update last:K or bias)"
    forward = plan.functions.get("forward")
    if forward is not None and forward.arena.bytes >= plan.arena.bytes:
        return "inference alone needs this arena: lower the input resolution or the width"
    return "train fewer layers (--update last:K or bias) or lower the input resolution"
