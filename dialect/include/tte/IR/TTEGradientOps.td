// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_GRADIENT_OPS_TD
#define TTE_GRADIENT_OPS_TD

include "tte/IR/TTEOpBase.td"

// Gradients are f32 and of the real-valued loss with respect to real values.
// A sum has one f32 accumulator per element of the result that starts at zero
// and takes its products in the order the description gives, the outermost
// index named first, each by a fused multiply-add; scales multiply last.

class TTE_GradientOp<string mnemonic, list<Trait> traits = []>
    : TTE_Op<mnemonic, [Pure] # traits>;

def TTE_Conv2DInputGradOp : TTE_GradientOp<"conv2d_input_grad", [TTE_WeightedOpInterface,
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Gradient of conv2d with respect to its input";
  let description = [{
    gradient (n, oh, ow, co) f32, weights as in `tte.conv2d` (all parts), result
    (n, h, w, ci) f32:

        result[n, a, b, c] = sum over i, j, o with y * sh + i * dh - top = a, x * sw + j * dw - left = b of
            gradient[n, y, x, o] * (f32(s_w[o]) * f32(weights[i, j, c, o]))

    The order of the sum is i, j, o (depthwise: i, j).
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, Variadic<TTE_Tensor>:$weights,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$groups);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `weights` `(` $weights `)` (`strides` $strides^)? (`padding` $padding^)?
    (`dilations` $dilations^)? (`groups` $groups^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool isDepthwise();
    int64_t getWeightAxis() { return isDepthwise() ? 3 : 2; }
    bool allowsWeightParts() { return getGroups() == 1 || isDepthwise(); }
  }];
}

def TTE_Conv2DWeightGradOp : TTE_GradientOp<"conv2d_weight_grad", [
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Gradient of conv2d with respect to a range of its weight";
  let description = [{
    input (n, h, w, ci) f32 or i8, gradient (n, oh, ow, co) f32, result
    (kh, kw, size, co) f32, the input channels [offset, offset + size):

        result[i, j, c, o] = f32(s_x) * sum over n, y, x of
            f32(input[n, y * sh + i * dh - top, x * sw + j * dw - left, offset + c] - z_x) * gradient[n, y, x, o]

    Depthwise (groups = ci = co): result (kh, kw, 1, size), the channels
    [offset, offset + size) of input and gradient. Other grouped convolutions
    have the whole range. For an f32 input s_x = 1 and z_x = 0.
  }];
  let arguments = (ins TTE_Tensor:$input, TTE_FloatTensor:$gradient,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<TTE_Int64Attr, "1">:$groups,
                       DefaultValuedAttr<TTE_Int64Attr, "0">:$offset);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gradient (`strides` $strides^)? (`padding` $padding^)?
    (`dilations` $dilations^)? (`groups` $groups^)? (`offset` $offset^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool isDepthwise();
  }];
}

def TTE_DenseInputGradOp : TTE_GradientOp<"dense_input_grad", [TTE_WeightedOpInterface,
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Gradient of dense with respect to its input";
  let description = [{
    gradient (n, co) f32, weights (ci, co) in parts, result (n, ci) f32:
    result[n, c] = sum over o of gradient[n, o] * (f32(s_w[o]) * f32(weights[c, o])).
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, Variadic<TTE_Tensor>:$weights);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `weights` `(` $weights `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getWeightAxis() { return 0; }
    bool allowsWeightParts() { return true; }
  }];
}

def TTE_DenseWeightGradOp : TTE_GradientOp<"dense_weight_grad", [
    DeclareOpInterfaceMethods<TTE_MacOpInterface>]> {
  let summary = "Gradient of dense with respect to a range of its weight";
  let description = [{
    input (n, ci) f32 or i8, gradient (n, co) f32, result (size, co) f32:
    result[c, o] = f32(s_x) * sum over n of f32(input[n, offset + c] - z_x) * gradient[n, o].
  }];
  let arguments = (ins TTE_Tensor:$input, TTE_FloatTensor:$gradient,
                       DefaultValuedAttr<TTE_Int64Attr, "0">:$offset);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gradient (`offset` $offset^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_BiasGradOp : TTE_GradientOp<"bias_grad"> {
  let summary = "Gradient of conv2d and dense with respect to the bias";
  let description = [{
    gradient (..., co) f32, result (co) f32: the sum over all leading indices,
    in row-major order, one accumulator per channel (plain additions).
  }];
  let arguments = (ins TTE_FloatTensor:$gradient);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$gradient attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_AvgPool2DGradOp : TTE_GradientOp<"avg_pool2d_grad"> {
  let summary = "Gradient of avg_pool2d";
  let description = [{
    gradient (n, oh, ow, c), result (n, h, w, c), both f32: each element gets
    the sum, over the windows that hold it in row-major order, of
    gradient / count of that window.
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, DenseI64ArrayAttr:$kernel,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `kernel` $kernel (`strides` $strides^)? (`padding` $padding^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_MaxPool2DGradOp : TTE_GradientOp<"max_pool2d_grad"> {
  let summary = "Gradient of max_pool2d";
  let description = [{
    input (n, h, w, c), gradient (n, oh, ow, c) f32, result (n, h, w, c) f32: the gradient of a window is added to
    its first maximum in row-major order; windows in row-major order.
  }];
  let arguments = (ins TTE_Tensor:$input, TTE_FloatTensor:$gradient, DenseI64ArrayAttr:$kernel,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $gradient `kernel` $kernel (`strides` $strides^)? (`padding` $padding^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_ClampGradOp : TTE_GradientOp<"clamp_grad", [AllTypesMatch<["gradient", "result"]>]> {
  let summary = "Gradient through a clamped or saturated value";
  let description = [{
    gradient f32 and output (f32 or quantized) of one shape:
    result = gradient where range.min < output < range.max in the stored
    domain, else 0. The mask is defined on the stored output (DESIGN 4), so it
    needs no memory while the output lives.
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, TTE_Tensor:$output, TTE_ClampAttr:$range);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `,` $output $range attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def TTE_ClampMaskOp : TTE_GradientOp<"clamp_mask"> {
  let summary = "The mask of clamp_grad as packed bits";
  let description = [{
    output with N elements, result tensor<ceil(N / 8) x i8>: bit e % 8 of byte
    e / 8 is 1 where range.min < output[e] < range.max, e the row-major index.
    Bits past N are 0.
  }];
  let arguments = (ins TTE_Tensor:$output, TTE_ClampAttr:$range);
  let results = (outs TTE_BitMask:$mask);
  let assemblyFormat = "$output $range attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_ApplyMaskOp : TTE_GradientOp<"apply_mask", [AllTypesMatch<["gradient", "result"]>]> {
  let summary = "Keep a gradient where the bit of a packed mask is set";
  let description = [{
    result[e] = gradient[e] where bit e of mask is 1, else 0 (`tte.clamp_mask`).
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, TTE_BitMask:$mask);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $mask attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_SliceGradOp : TTE_GradientOp<"slice_grad"> {
  let summary = "Gradient of slice";
  let description = [{
    result[i + offsets...] = gradient[i...], and 0 outside the box.
  }];
  let arguments = (ins TTE_FloatTensor:$gradient, DenseI64ArrayAttr:$offsets);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `offsets` $offsets attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // TTE_GRADIENT_OPS_TD
