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
    DeclareOpInterfaceMethods<TTE_StateUpdateOpInterface>]> {
  let summary = "Stochastic gradient descent";
  let description = [{
    parameter and gradient (f32) of one shape, learning_rate and step scalars.
    With v = -learning_rate * gradient in f32 (one rounding):

    * f32 parameter: result = parameter + v.
    * quantized: result = min(max(q + r, storage min), storage max), where r is v
      rounded to an integer, after v has been clamped to +-2^30:
      `nearest` rounds half to even; `stochastic` is floor(v + u) with u uniform in [0, 1).
      i32 parameters always round to nearest.

    The generator is counter-based: with the 32-bit mixing function mix (lowbias32:
    x ^= x >> 16; x *= 0x7feb352d; x ^= x >> 15; x *= 0x846ca68b; x ^= x >> 16),

        u = (mix(index * 0x9e3779b9 + mix(step * 0x85ebca6b + stream)) >> 8) * 2^-24

    in wrapping 32-bit arithmetic, where index is the row-major index in the full
    parameter (`origin`, by default the parameter itself) and `stream` stands for
    the seed and the parameter's name.
  }];
  let arguments = (ins TTE_Tensor:$parameter, TTE_FloatTensor:$gradient,
                       TTE_ScalarFloat:$learning_rate, TTE_ScalarInt:$step,
                       TTE_RoundingAttr:$rounding, I32Attr:$stream,
                       OptionalAttr<TTE_OriginAttr>:$origin);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $parameter `,` $gradient `rate` $learning_rate `step` $step `` $rounding
    `stream` $stream (`origin` $origin^)? attr-dict `:` functional-type(operands, results)
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
