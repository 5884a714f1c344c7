// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "WeightParts.h"
#include "PackedWeights.h"

using namespace mlir;
using namespace tte;

SmallVector<WeightPart> tte::getWeightParts(KernelEmitter &kernel, ValueRange weights,
                                            int64_t axis) {
  SmallVector<WeightPart> parts;
  int64_t begin = 0;
  for (Value weight : weights) {
    int64_t size = cast<RankedTensorType>(weight.getType()).getDimSize(axis);
    auto argument = dyn_cast<BlockArgument>(weight);
    parts.push_back(
        {kernel.bufferOf(weight), weight.getType(), begin, size, argument && isPacked(argument)});
    begin += size;
  }
  return parts;
}

std::optional<Table> tte::addScaleTable(KernelEmitter &kernel, ValueRange weights, int64_t axis) {
  if (!getQuantizedElement(weights.front().getType()))
    return std::nullopt;
  return kernel.addTable(llvm::map_to_vector(getOutputScales(weights, axis),
                                             [](double scale) { return float(scale); }));
}
