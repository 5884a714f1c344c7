// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_NETWORK_OPS_TD
#define TTE_NETWORK_OPS_TD

include "tte/IR/TTEOpBase.td"

class TTE_NetworkOp<string mnemonic, list<Trait> traits = []>
    : TTE_Op<mnemonic, [Pure, DeclareOpInterfaceMethods<TTE_GradientOpInterface>] # traits>;

def TTE_Conv2DOp : TTE_NetworkOp<"conv2d", [AttrSizedOperandSegments,
    TTE_AffineOpInterface, TTE_ClampingOpInterface,
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Two-dimensional convolution, grouped or depthwise";
  let description = [{
    input (n, h, w, ci), weights (kh, kw, ci / groups, co), bias (co),
    result (n, oh, ow, co) with
    oh = (h + top + bottom - dh * (kh - 1) - 1) / sh + 1, ow alike:

        acc[n, y, x, o] = bias[o] + sum over i, j, c of
            (input[n, y * sh + i * dh - top, x * sw + j * dw - left, g * ci / groups + c] - z_x)
            * weights[i, j, c, o]        with g = o / (co / groups)

    Taps outside the input contribute nothing. Depthwise is groups = ci = co.

    The weight is given in one or more parts, concatenated along the input
    channels (dimension 2; for depthwise convolutions along the channels,
    dimension 3): the slice that trains lies in RAM, the rest in flash. Only
    ungrouped and depthwise convolutions may have several parts.

    `strides` [sh, sw], `padding` [top, bottom, left, right], `dilations`
    [dh, dw].

    f32: all operands are f32; the result is acc clamped to `clamp`.
    Quantized: input i8 (scale s_x, zero point z_x), weights i8 per output
    channel (s_w[o]), bias i32 (s_x * s_w[o]); acc is i32.
    * i8 result (s_y, z_y): TOSA 1.0 RESCALE with a single rounding,

          clamp(((acc * m[o] + (1 << (shift[o] - 1))) >> shift[o]) + z_y)

      in 64 bits, where s_x * s_w[o] / s_y = m[o] * 2^-shift[o] is computed in
      f64, m[o] is rounded half away from zero to [2^30, 2^31), and
      2 <= shift[o] <= 62 (smaller factors shift m[o] right, rounding half up).
      The range is `clamp`, else the storage range of the result.
    * f32 result: f32(acc) * f32(s_x * s_w[o]), clamped to `clamp`.
  }];
  let arguments = (ins TTE_Tensor:$input, Variadic<TTE_Tensor>:$weights,
                       Optional<TTE_Tensor>:$bias,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$groups,
                       OptionalAttr<TTE_ClampAttr>:$clamp);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $input `weights` `(` $weights `)` (`bias` `(` $bias^ `)`)?
    (`strides` $strides^)? (`padding` $padding^)? (`dilations` $dilations^)?
    (`groups` $groups^)? (`clamp` $clamp^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool isDepthwise();
    int64_t getWeightAxis() { return isDepthwise() ? 3 : 2; }
    bool allowsWeightParts() { return getGroups() == 1 || isDepthwise(); }
  }];
}

def TTE_DenseOp : TTE_NetworkOp<"dense", [AttrSizedOperandSegments,
    TTE_AffineOpInterface, TTE_ClampingOpInterface,
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Fully connected layer";
  let description = [{
    input (n, ci), weights (ci, co), bias (co), result (n, co):

        acc[n, o] = bias[o] + sum over c of (input[n, c] - z_x) * weights[c, o]

    Element types, parts of the weight (along dimension 0) and the way from acc
    to the result are those of `tte.conv2d`.
  }];
  let arguments = (ins TTE_Tensor:$input, Variadic<TTE_Tensor>:$weights,
                       Optional<TTE_Tensor>:$bias,
                       OptionalAttr<TTE_ClampAttr>:$clamp);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $input `weights` `(` $weights `)` (`bias` `(` $bias^ `)`)? (`clamp` $clamp^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getWeightAxis() { return 0; }
    bool allowsWeightParts() { return true; }
  }];
}

def TTE_AddOp : TTE_NetworkOp<"add", [Commutative, TTE_ClampingOpInterface]> {
  let summary = "Elementwise sum";
  let description = [{
    result = clamp(lhs + rhs), shapes alike. Residual connections in the forward
    pass, accumulation of gradients in the backward pass (f32).

    Quantized (i8, a + b -> y): with ratios r_a = s_a / s_y and r_b = s_b / s_y in f64,
    shift is the largest number in [1, 30] such that
    max(r_a, r_b) * 2^shift rounds to at most 2^21, m = round(r * 2^shift),

        clamp((((q_a - z_a) * m_a + (q_b - z_b) * m_b + (1 << (shift - 1))) >> shift) + z_y)

    in i32, with one rounding; round is half away from zero.
  }];
  let arguments = (ins TTE_Tensor:$lhs, TTE_Tensor:$rhs, OptionalAttr<TTE_ClampAttr>:$clamp);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`clamp` $clamp^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

class TTE_PoolOp<string mnemonic> : TTE_NetworkOp<mnemonic, [TTE_KeepsScale]> {
  let arguments = (ins TTE_Tensor:$input, DenseI64ArrayAttr:$kernel,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = [{
    $input `kernel` $kernel (`strides` $strides^)? (`padding` $padding^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_AvgPool2DOp : TTE_PoolOp<"avg_pool2d"> {
  let summary = "Average pooling";
  let description = [{
    input (n, h, w, c), result (n, oh, ow, c): the mean over the taps of a
    `kernel` [kh, kw] window that lie inside the input (padding is not
    counted). Sizes as in `tte.conv2d`. Quantized: input and result have one
    type, and with the sum S of the count stored values the result is
    floor((2 S + count) / (2 count)).
  }];
}

def TTE_MaxPool2DOp : TTE_PoolOp<"max_pool2d"> {
  let summary = "Maximum pooling";
  let description = [{
    input (n, h, w, c), result (n, oh, ow, c): the maximum over the taps of a
    `kernel` [kh, kw] window that lie inside the input. Quantized: input and
    result have one type.
  }];
}

def TTE_ClampOp : TTE_NetworkOp<"clamp", [AllTypesMatch<["input", "result"]>, TTE_KeepsScale,
    TTE_ClampingOpInterface]> {
  let summary = "Clamp to a range; ReLU is <0.0, inf>, ReLU6 <0.0, 6.0>";
  let description = [{
    result = min(max(input, range.min), range.max), in the stored domain.
  }];
  let arguments = (ins TTE_Tensor:$input, TTE_ClampAttr:$range);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = "$input $range attr-dict `:` type($input)";
  let extraClassDeclaration = [{
    ::tte::ClampAttr getClampAttr() { return getRangeAttr(); }
    void setClampAttr(::tte::ClampAttr clamp) { setRangeAttr(clamp); }
  }];
}

def TTE_ReshapeOp : TTE_NetworkOp<"reshape", [TTE_KeepsScale]> {
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    Element type and number of elements stay. Types quantized per axis keep the
    axis; its size must not change. Flattening is reshaping to (n, h * w * c).
  }];
  let arguments = (ins TTE_Tensor:$input);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def TTE_SliceOp : TTE_NetworkOp<"slice", [TTE_KeepsScale]> {
  let summary = "A box of a tensor";
  let description = [{
    result[i...] = input[i + offsets...]; the box has the shape of the result.
    A type quantized per axis keeps the scales of the channels in the box.
  }];
  let arguments = (ins TTE_Tensor:$input, DenseI64ArrayAttr:$offsets);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = "$input `offsets` $offsets attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def TTE_PermuteOp : TTE_NetworkOp<"permute", [TTE_KeepsScale]> {
  let summary = "Permute dimensions";
  let description = [{
    Dimension d of the result is dimension `permutation[d]` of the input. The
    axis of a type quantized per axis moves along.
  }];
  let arguments = (ins TTE_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs TTE_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def TTE_QuantizeOp : TTE_NetworkOp<"quantize"> {
  let summary = "f32 to the grid";
  let description = [{
    q = clamp(round_half_even(x / f32(scale)) + zero_point) to the storage
    range. Gradient: straight through where the stored q lies strictly inside
    the storage range.
  }];
  let arguments = (ins TTE_FloatTensor:$input);
  let results = (outs TTE_QuantTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_DequantizeOp : TTE_NetworkOp<"dequantize"> {
  let summary = "The grid to f32";
  let description = [{
    x = f32(scale) * f32(q - zero_point).
  }];
  let arguments = (ins TTE_QuantTensor:$input);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif // TTE_NETWORK_OPS_TD
