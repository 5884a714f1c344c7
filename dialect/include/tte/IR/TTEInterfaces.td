// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_INTERFACES_TD
#define TTE_INTERFACES_TD

include "mlir/IR/OpBase.td"

def TTE_GradientOpInterface : OpInterface<"GradientOpInterface"> {
  let cppNamespace = "::tte";
  let description = [{
    Ops that build their own vector-Jacobian product. Gradients are f32 and are
    of the real-valued loss with respect to the real value of the operand.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds one pure op (or a chain of them) per operand in `operands`, each
      the gradient of that operand given `outGrad`, the gradient of the op's
      single result. Returns them in the order of `operands`.
    }],
    "::llvm::SmallVector<::mlir::Value>", "buildGradients",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$outGrad,
         "::llvm::ArrayRef<::mlir::OpOperand *>":$operands)>
  ];
}

def TTE_LossOpInterface : OpInterface<"LossOpInterface"> {
  let cppNamespace = "::tte";
  let description = "Ops that reduce a prediction to a scalar loss.";
  let methods = [
    InterfaceMethod<"The operand that the network predicts.",
                    "::mlir::Value", "getPrediction">,
    InterfaceMethod<"Builds the gradient of the loss with respect to the prediction.",
                    "::mlir::Value", "buildPredictionGradient",
                    (ins "::mlir::OpBuilder &":$builder)>
  ];
}

def TTE_MacOpInterface : OpInterface<"MacOpInterface"> {
  let cppNamespace = "::tte";
  let description = [{
    Ops made of multiply-accumulates. The count is the one of the PyTorch
    shapes: products with padding are counted as if the input were there.
  }];
  let methods = [
    InterfaceMethod<"Multiply-accumulates of one execution.", "int64_t", "getMacs">
  ];
}

def TTE_StateUpdateOpInterface : OpInterface<"StateUpdateOpInterface"> {
  let cppNamespace = "::tte";
  let description = [{
    Ops whose result is the new value of a state operand and takes its place in
    memory. Every reader of the old value runs before them.
  }];
  let methods = [
    InterfaceMethod<"The operand that holds the old value.",
                    "::mlir::OpOperand &", "getStateOperand">,
    InterfaceMethod<[{
      The state changes only in the last of so many steps (step + 1 divisible by it, the step
      counted from 0); in the others the result is the old value.
    }], "int64_t", "getUpdatePeriod", (ins), /*methodBody=*/"",
        /*defaultImplementation=*/"return 1;">,
    InterfaceMethod<"The number of the step (tensor<i32>), which tells the last of a period.",
        "::mlir::Value", "getStepCounter">
  ];
}

def TTE_ClampingOpInterface : OpInterface<"ClampingOpInterface"> {
  let cppNamespace = "::tte";
  let description = [{
    Ops that can clamp their result to a range of its stored domain. A clamp
    after them needs no op of its own.
  }];
  let methods = [
    InterfaceMethod<"The range, or null.", "::tte::ClampAttr", "getClampAttr">,
    InterfaceMethod<"Sets the range.", "void", "setClampAttr", (ins "::tte::ClampAttr":$clamp)>
  ];
}

def TTE_WeightedOpInterface : OpInterface<"WeightedOpInterface"> {
  let cppNamespace = "::tte";
  let description = [{
    Ops that read a weight, given in parts concatenated along one axis: the
    input channels, or the channels of a depthwise convolution.
  }];
  let methods = [
    InterfaceMethod<"The parts of the weight.", "::mlir::MutableOperandRange",
                    "getWeightsMutable">,
    InterfaceMethod<"The axis along which the parts follow each other.", "int64_t",
                    "getWeightAxis">,
    InterfaceMethod<"Whether the weight may have several parts.", "bool", "allowsWeightParts">
  ];
}

def TTE_AffineOpInterface : OpInterface<"AffineOpInterface", [TTE_WeightedOpInterface]> {
  let cppNamespace = "::tte";
  let description = [{
    Layers: sums of products of an input and a weight (last dimension: output
    channels) plus a bias (output channels).
  }];
  let methods = [
    InterfaceMethod<"The activation.", "::mlir::Value", "getInput">,
    InterfaceMethod<"The bias, if there is one.", "::mlir::MutableOperandRange",
                    "getBiasMutable">
  ];
}

/// The result keeps the scale and zero point of the first operand.
def TTE_KeepsScale : NativeOpTrait<"KeepsScale"> {
  let cppNamespace = "::tte";
}

#endif // TTE_INTERFACES_TD
