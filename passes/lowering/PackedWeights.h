// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order of the bytes of frozen weights in flash, where kernels want another than that of the
// tensor.
#ifndef TTE_LOWERING_PACKEDWEIGHTS_H
#define TTE_LOWERING_PACKEDWEIGHTS_H

#include "KernelBuilder.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"

namespace tte {

/// int8 weights [products][outputs] packed for products of pairs: for outputs n and n + 1, words
/// of the weights of two products each,
///   byte 0: (low, n), byte 1: (low, n + 1), byte 2: (high, n), byte 3: (high, n + 1),
/// so that sxtb16 gives the pair of n, and of n + 1 after a rotation by 8. Four products 4q + i
/// make the pairs (low, high) = (4q, 4q + 2), (4q + 1, 4q + 3), as sxtb16 widens four inputs; two
/// that are left make one, three the pair (0, 2). A product without a partner is a row of bytes
/// behind all pairs. As many bytes as before.
struct PairPacking {
  int64_t products, outputs;

  /// For a weight of a convolution (not depthwise) or dense layer, whose last dimension are the
  /// outputs; none where these are odd.
  static std::optional<PairPacking> get(mlir::Type weight);

  /// Where the byte of a weight lies: the pairs of outputs n and n + 1 (n even) begin at
  /// n * (products / 2 * 2).
  int64_t byteOf(int64_t product, int64_t output) const;
  mlir::DenseElementsAttr pack(mlir::DenseElementsAttr weights) const;
};

/// Packs the frozen weights of `module` where all kernels that read them take them packed, and
/// marks the inputs of these kernels; to be called before they are lowered.
void packWeights(mlir::ModuleOp module);

/// Whether calls pass packed weights for this argument of a kernel.
bool isPacked(mlir::BlockArgument input);
/// Says that they do.
void markPacked(mlir::BlockArgument input);

} // namespace tte

#endif // TTE_LOWERING_PACKEDWEIGHTS_H
