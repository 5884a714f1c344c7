# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What to say when a model does not fit."""

from __future__ import annotations

from .plan import FunctionPlan, Plan


def overflow_message(plan: Plan, needed: int, budget: int, largest: int = 3) -> str:
    """One line: by how many bytes `needed` exceeds `budget`, whether that is proved, the `largest`
    tensors alive at the peak with why they are, and what would make it fit. For TTEError."""
    function = plan.largest
    peak = function.peak()
    tensors = ", ".join(
        f"{value.name} {value.size:,} B ({function.reason(value, peak)})"
        for value in function.live(peak)[:largest]
    )
    return (
        f"the model needs {needed:,} B of SRAM, {needed - budget:,} B more than the budget of "
        f"{budget:,} B: arena {plan.arena.bytes:,} B, state {plan.state_bytes:,} B; "
        f"{_proof(plan, needed, budget)}; largest at the peak (call {peak}, "
        f"{function.describe(peak)} in {function.name}): {tensors}; {_advice(plan)}"
    )


def _proof(plan: Plan, needed: int, budget: int) -> str:
    """Whether another order or placement could do with the budget."""
    bound = max(function.schedule.lower_bound for function in plan.functions.values())
    least = needed - plan.arena.bytes + bound
    if least > budget:
        return f"no order of its calls needs less than {least:,} B (proved)"
    return f"not proved to need more than {least:,} B"


def _advice(plan: Plan) -> str:
    """What lowers the part that dominates."""
    if plan.state_bytes > plan.arena.bytes:
        return "train fewer weights (--update last:K or bias)"
    forward = plan.functions.get("forward")
    if forward is not None and forward.arena.bytes >= plan.arena.bytes:
        return "inference alone needs this arena: lower the input resolution or the width"
    return f"{_advice_for_training(plan.largest)} or lower the input resolution"


def _advice_for_training(function: FunctionPlan) -> str:
    peak = function.peak()
    kept = [
        value
        for value in function.live(peak)
        if value.phase == "forward" and peak not in value.uses and value.last > peak
    ]
    kept_bytes = sum(value.size for value in kept)
    if kept_bytes * 4 >= function.live_bytes(peak):
        return (
            f"{kept_bytes:,} B of the peak are kept for weight gradients of later calls: train "
            "fewer layers, or layers nearer to the output (--update last:K or bias),"
        )
    return "train fewer layers (--update last:K or bias)"
