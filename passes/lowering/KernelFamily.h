// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Families of kernels. One family, one file in families/.
#ifndef TTE_LOWERING_KERNELFAMILY_H
#define TTE_LOWERING_KERNELFAMILY_H

#include "KernelEmitter.h"
#include "tte/Passes/Overlap.h"

namespace tte {

/// How often and in which order a kernel finishes the elements of its results.
enum class Visits {
  Unknown,  ///< nothing is promised
  Once,     ///< each element once
  Ascending ///< each element once, in row-major order
};

/// Emits the loops of kernels whose region has one root op, which the family knows, and beside it
/// elementwise ops on its result. What a family promises of its traversal holds for the kernels
/// of all targets: a memory plan is the same for all of them.
class KernelFamily {
public:
  virtual ~KernelFamily() = default;
  virtual bool matches(mlir::Operation *root) const = 0;
  virtual void emit(mlir::Operation *root, KernelEmitter &kernel) const = 0;
  /// Bytes of the arena that the kernel works in beside its operands and results.
  virtual int64_t getScratchBytes(mlir::Operation *root) const { return 0; }
  /// How the result of the root may lie over operand `operand` of the root (see `getOverlap` of
  /// dispatches).
  virtual std::optional<Overlap> getOverlap(mlir::Operation *root, unsigned operand) const {
    return std::nullopt;
  }
  /// Whether the kernel reads operand `operand` of the root, an int8 weight, as `PairPacking` where
  /// it is marked so (see `isPacked`).
  virtual bool takesPackedWeight(mlir::Operation *root, unsigned operand) const { return false; }
  /// How the kernel visits the elements of the root's result. Operands of the elementwise ops
  /// beside the root are read as an element is finished.
  virtual Visits getVisits(mlir::Operation *root) const { return Visits::Unknown; }
};

/// A family of one op.
template <typename OpT> class OpFamily : public KernelFamily {
public:
  bool matches(mlir::Operation *root) const override { return llvm::isa<OpT>(root); }
  void emit(mlir::Operation *root, KernelEmitter &kernel) const override {
    emit(llvm::cast<OpT>(root), kernel);
  }
  virtual void emit(OpT root, KernelEmitter &kernel) const = 0;
};

using FamilyList = llvm::SmallVector<std::unique_ptr<KernelFamily>>;

void addConvForwardFamily(FamilyList &families);
void addPanelInputGradientFamily(FamilyList &families);
void addConvInputGradientFamily(FamilyList &families);
void addConvWeightGradientFamily(FamilyList &families);
void addDepthwiseInputGradientFamily(FamilyList &families);
void addDepthwiseForwardFamily(FamilyList &families);
void addDepthwiseWeightGradientFamily(FamilyList &families);
void addBiasGradientFamily(FamilyList &families);
void addPoolingFamilies(FamilyList &families);
void addDataMovementFamilies(FamilyList &families);
void addLossFamilies(FamilyList &families);
void addClampMaskFamily(FamilyList &families);

/// All families, made once.
const FamilyList &getKernelFamilies();

/// The family of `root`, or null.
const KernelFamily *findFamily(mlir::Operation *root);

/// The one op of a region that is not elementwise, null where all are. Emits an error on `owner`
/// where the region cannot be lowered as one kernel.
mlir::FailureOr<mlir::Operation *> findRoot(mlir::Operation *owner, mlir::Region &region);

/// Bytes of an element of the tensor `value` as stored.
int64_t getElementBytes(mlir::Value value);

/// The lag of a kernel that reads and writes element by element, ascending: `readBytes` an element
/// of the operand, `writtenBytes` an element of the result.
int64_t getElementwiseLag(int64_t elements, int64_t readBytes, int64_t writtenBytes);

/// The kernel of a region of elementwise ops.
void emitElementwiseKernel(KernelEmitter &kernel);

} // namespace tte

#endif // TTE_LOWERING_KERNELFAMILY_H
