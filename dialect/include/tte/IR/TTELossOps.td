// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_LOSS_OPS_TD
#define TTE_LOSS_OPS_TD

include "tte/IR/TTEOpBase.td"

def TTE_OneHotOp : TTE_Op<"one_hot", [Pure]> {
  let summary = "Class numbers as indicator rows";
  let description = [{
    labels (n) i32, result (n, classes) f32: result[i, c] = 1 if c = labels[i], else 0.
  }];
  let arguments = (ins TTE_Labels:$labels);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$labels attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_SoftmaxCrossEntropyOp : TTE_Op<"softmax_cross_entropy", [Pure,
    DeclareOpInterfaceMethods<TTE_LossOpInterface>]> {
  let summary = "Cross entropy of the softmax of the scores, averaged over the batch";
  let description = [{
    scores (n, classes) f32, labels (n) i32, loss f32:

        loss = 1 / n * sum over i of (log(sum over c of exp(scores[i, c] - m_i)) + m_i - scores[i, labels[i]])

    with m_i the maximum of row i.
  }];
  let arguments = (ins TTE_FloatTensor:$scores, TTE_Labels:$labels);
  let results = (outs TTE_ScalarFloat:$loss);
  let assemblyFormat = "$scores `,` $labels attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_SoftmaxCrossEntropyGradOp : TTE_Op<"softmax_cross_entropy_grad", [Pure,
    AllTypesMatch<["scores", "result"]>]> {
  let summary = "Gradient of softmax_cross_entropy with respect to the scores";
  let description = [{
    result[i, c] = (softmax(scores[i])[c] - (c = labels[i])) / n.
  }];
  let arguments = (ins TTE_FloatTensor:$scores, TTE_Labels:$labels);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$scores `,` $labels attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TTE_MeanSquaredErrorOp : TTE_Op<"mean_squared_error", [Pure,
    AllTypesMatch<["prediction", "target"]>,
    DeclareOpInterfaceMethods<TTE_LossOpInterface>]> {
  let summary = "Mean of the squared differences over all elements";
  let description = [{
    prediction and target of one shape with N elements:
    loss = sum (prediction - target)^2 / N.
  }];
  let arguments = (ins TTE_FloatTensor:$prediction, TTE_FloatTensor:$target);
  let results = (outs TTE_ScalarFloat:$loss);
  let assemblyFormat = "$prediction `,` $target attr-dict `:` functional-type(operands, results)";
}

def TTE_MeanSquaredErrorGradOp : TTE_Op<"mean_squared_error_grad", [Pure,
    AllTypesMatch<["prediction", "target", "result"]>]> {
  let summary = "Gradient of mean_squared_error with respect to the prediction";
  let description = [{
    result = 2 * (prediction - target) / N.
  }];
  let arguments = (ins TTE_FloatTensor:$prediction, TTE_FloatTensor:$target);
  let results = (outs TTE_FloatTensor:$result);
  let assemblyFormat = "$prediction `,` $target attr-dict `:` functional-type(operands, results)";
}

#endif // TTE_LOSS_OPS_TD
