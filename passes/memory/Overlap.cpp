// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/Passes/Overlap.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;
using namespace tte;

bool Overlap::allows(int64_t operandOffset, int64_t operandBytes, int64_t resultOffset,
                     int64_t resultBytes) const {
  int64_t operandEnd = operandOffset + operandBytes, resultEnd = resultOffset + resultBytes;
  if (operandEnd <= resultOffset || resultEnd <= operandOffset)
    return true;
  switch (traversal) {
  case Traversal::Ascending:
    return operandOffset - resultOffset >= lag;
  case Traversal::Descending:
    return resultEnd - operandEnd >= lag;
  case Traversal::Exact:
    return operandOffset == resultOffset;
  }
  llvm_unreachable("all traversals are handled");
}

/// The least multiple of `alignment` that is not below `value`, which may be negative.
static int64_t alignUp(int64_t value, int64_t alignment) {
  return divideCeilSigned(value, alignment) * alignment;
}

int64_t Overlap::getExtent(int64_t operandBytes, int64_t resultBytes, int64_t alignment) const {
  int64_t operand = alignUp(operandBytes, alignment), result = alignUp(resultBytes, alignment);
  int64_t larger = std::max(operand, result), extent = larger;
  // The least distance that is safe, from the result up to the operand or the other way round.
  if (traversal == Traversal::Ascending)
    extent = std::max(larger, operand + alignUp(lag, alignment));
  else if (traversal == Traversal::Descending)
    extent = std::max(larger, result + alignUp(lag + operandBytes - resultBytes, alignment));
  return std::min(extent, operand + result);
}

std::optional<Overlap> tte::intersect(std::optional<Overlap> lhs, std::optional<Overlap> rhs) {
  if (!lhs || !rhs)
    return std::nullopt;
  if (lhs->traversal == rhs->traversal)
    return Overlap{lhs->traversal, std::max(lhs->lag, rhs->lag)};
  return std::nullopt;
}
