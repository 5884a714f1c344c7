// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In place as a distance: where a kernel may write its result over an operand that it reads for
// the last time.
#ifndef TTE_PASSES_OVERLAP_H
#define TTE_PASSES_OVERLAP_H

#include <cstdint>
#include <optional>

namespace mlir {
class Operation;
}

namespace tte {

class DispatchOp;

/// Placements of an operand and a result, in bytes, at which the kernel reads each byte of the
/// operand before it writes another over it. Disjoint ones are always safe.
struct Overlap {
  enum class Traversal {
    Ascending,  ///< safe where offset(operand) - offset(result) >= lag
    Descending, ///< safe where end(result) - end(operand) >= lag
    Exact       ///< safe where the offsets are equal; the lag says nothing
  };
  Traversal traversal = Traversal::Exact;
  int64_t lag = 0; ///< may be negative

  bool operator==(const Overlap &other) const {
    return traversal == other.traversal && lag == other.lag;
  }

  /// Whether these placements are safe.
  bool allows(int64_t operandOffset, int64_t operandBytes, int64_t resultOffset,
              int64_t resultBytes) const;

  /// The bytes from the lower begin to the higher end of both where they lie as close as this
  /// allows, at offsets that are multiples of `alignment`. At most the sum of the aligned sizes.
  int64_t getExtent(int64_t operandBytes, int64_t resultBytes, int64_t alignment = 1) const;
};

/// What is safe for two operands in the same bytes; none where only disjoint placements are.
std::optional<Overlap> intersect(std::optional<Overlap> lhs, std::optional<Overlap> rhs);

/// How result `result` of `dispatch` may lie over its operand `operand`; none where they must be
/// disjoint. Holds for the kernels of every target. Each answers for itself: the operand dies with
/// the dispatch, and all other values that live then are disjoint from both.
std::optional<Overlap> getOverlap(DispatchOp dispatch, unsigned operand, unsigned result);

/// The same for the one result of a kernel that computes `op` alone.
std::optional<Overlap> getOverlap(mlir::Operation *op, unsigned operand);

} // namespace tte

#endif // TTE_PASSES_OVERLAP_H
