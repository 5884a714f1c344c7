// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_UPDATE_OPS_TD
#define TTE_UPDATE_OPS_TD

include "tte/IR/TTEOpBase.td"

def TTE_ScaleGradientOp : TTE_Op<"scale_gradient", [Pure,
    AllTypesMatch<["gradient", "result"]>]> {
  let summary = "Multiply a gradient by a power of the scales of its parameter";
  let description = [{
    result[..., o] = gradient[..., o] * f32(s[o]^power), where s are the scales of the quantized
    element type `grid` (per tensor, or per axis along its axis), power in f64.

    The gradient of a parameter in its integer grid is s * G (power 1).
    Quantization-aware scaling multiplies it by s^-2 (MCUNetV3, section 2.2,
    G' = G_q * s^-2), which folds to power -1: then a plain step in the grid is
    the step of real-valued SGD. Power 0 folds away.
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, TypeAttr:$grid, TTE_Int64Attr:$power);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `by` `scale` `of` $grid `to` `the` $power attr-dict `:` type($gradient)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def TTE_SGDOp : TTE_Op<"sgd", [Pure, AllTypesMatch<["parameter", "result"]>,
    DeclareOpInterfaceMethods<TTE_StateUpdateOpInterface, ["getUpdatePeriod"]>]> {
  let summary = "Stochastic gradient descent";
  let description = [{
    parameter and gradient (f32) of one shape, learning_rate and step scalars.
    With v = -(learning_rate * multiplier) * gradient in f32 (each product rounds):

    * f32 parameter: result = parameter + v.
    * quantized: result = min(max(q + r, storage min), storage max), where r is v
      rounded to an integer, after v has been clamped to +-2^30:
      `nearest` rounds half to even; `stochastic` is floor(v + u) with u uniform in [0, 1);
      `residual` rounds to nearest on a grid 2^bits times finer, see below.
      i32 parameters always round to nearest.

    The generator is counter-based: with the 32-bit mixing function mix (lowbias32:
    x ^= x >> 16; x *= 0x7feb352d; x ^= x >> 15; x *= 0x846ca68b; x ^= x >> 16),

        u = (mix(index * 0x9e3779b9 + mix(step * 0x85ebca6b + stream)) >> 8) * 2^-24

    in wrapping 32-bit arithmetic, where index is the row-major index in the full
    parameter (`origin`, by default the parameter itself) and `stream` stands for
    the seed and the parameter's name. The discardable attribute `tte.places` of an
    update whose channels were permuted lists, for each dimension, the place in the
    full parameter of each element (an empty list: as `origin` says).

    `residual` (i8 parameters only) keeps `bits` (2 to 8) further bits of the parameter in a
    state of its own, an i8 an element whatever `bits`: the parameter and its residual r in
    [-2^(bits-1), 2^(bits-1)) stand for the number f = q * 2^bits + r of the finer grid. Then

        f' = min(max(f + round_half_even(v * 2^bits), min * 2^bits), max * 2^bits)
        result = floor((f' + 2^(bits-1)) / 2^bits)

    and `tte.sgd_residual` gives r' = f' - result * 2^bits.

    With a `period` N the parameter changes only in the last of N steps, when step + 1 is
    divisible by N (unsigned): otherwise result = parameter.
  }];
  let arguments = (ins TTE_Tensor:$parameter, TTE_FloatTensor:$gradient,
                       TTE_ScalarFloat:$learning_rate, TTE_ScalarInt:$step,
                       Optional<TTE_LowBits>:$residual,
                       TTE_RoundingAttr:$rounding, I32Attr:$stream,
                       OptionalAttr<TTE_OriginAttr>:$origin,
                       OptionalAttr<TTE_Int64Attr>:$bits,
                       DefaultValuedAttr<F32Attr, "::llvm::APFloat(1.0f)">:$multiplier,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$period);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $parameter `,` $gradient `rate` $learning_rate `step` $step `` $rounding
    `stream` $stream (`origin` $origin^)? (`low` $residual^ `bits` $bits)?
    (`times` $multiplier^)? (`every` $period^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_SGDResidualOp : TTE_Op<"sgd_residual", [Pure, AllTypesMatch<["residual", "result"]>,
    DeclareOpInterfaceMethods<TTE_StateUpdateOpInterface, ["getUpdatePeriod"]>]> {
  let summary = "The low bits that a step of gradient descent leaves";
  let description = [{
    The new residual r' of the `tte.sgd` with rounding `residual` of the same operands and
    attributes: what its result leaves of the parameter on the finer grid. Both read the old
    parameter and the old residual, so they run in one dispatch.
  }];
  let arguments = (ins TTE_QuantTensor:$parameter, TTE_LowBits:$residual,
                       TTE_FloatTensor:$gradient, TTE_ScalarFloat:$learning_rate,
                       TTE_ScalarInt:$step, TTE_Int64Attr:$bits,
                       DefaultValuedAttr<F32Attr, "::llvm::APFloat(1.0f)">:$multiplier,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$period);
  let results = (outs TTE_LowBits:$result);
  let assemblyFormat = [{
    $parameter `low` $residual `bits` $bits `,` $gradient `rate` $learning_rate `step` $step
    (`times` $multiplier^)? (`every` $period^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_MomentumOp : TTE_Op<"momentum", [Pure, AllTypesMatch<["velocity", "gradient", "result"]>,
    DeclareOpInterfaceMethods<TTE_StateUpdateOpInterface, ["getUpdatePeriod"]>]> {
  let summary = "A decaying sum of gradients";
  let description = [{
    result = factor * velocity + gradient in f32, product and sum rounded each
    (heavy-ball momentum as torch.optim.SGD has it, without dampening). With a `period` N
    the velocity changes only when step + 1 is divisible by N, as in `tte.sgd`.
  }];
  let arguments = (ins TTE_FloatTensor:$velocity, TTE_FloatTensor:$gradient,
                       TTE_ScalarInt:$step, F32Attr:$factor,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$period);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $velocity `,` $gradient `factor` $factor `step` $step (`every` $period^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_AccumulateOp : TTE_Op<"accumulate", [Pure, AllTypesMatch<["sum", "gradient", "result"]>,
    DeclareOpInterfaceMethods<TTE_StateUpdateOpInterface>]> {
  let summary = "The mean of the gradients of a batch, a step at a time";
  let description = [{
    With g = gradient * f32(1 / batch): result = g in the first step of a batch, when step is
    divisible by `batch` (unsigned), else sum + g, in f32, each operation rounded. After the last
    step of a batch the result is the mean over its steps. What the sum was before the first
    does not matter.
  }];
  let arguments = (ins TTE_FloatTensor:$sum, TTE_FloatTensor:$gradient, TTE_ScalarInt:$step,
                       TTE_Int64Attr:$batch);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $sum `,` $gradient `step` $step `batch` $batch attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_CheckFiniteOp : TTE_Op<"check_finite", [Pure]> {
  let summary = "Pass values on if all of them are finite, else fail the step";
  let description = [{
    Results are the operands. If an element is an infinity or not a number, the
    step ends with an error. Every update depends on a result of this op, hence
    a failed step has written nothing to the state.
  }];
  let arguments = (ins Variadic<TTE_FloatTensor>:$values);
  let results = (outs Variadic<TTE_FloatTensor>:$results);
  let assemblyFormat = "$values attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif // TTE_UPDATE_OPS_TD
