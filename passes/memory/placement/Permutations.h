// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A PQ-tree (Booth and Lueker, "Testing for the Consecutive Ones Property", 1976): all orders of a
// set of items in which given subsets are consecutive. Knows nothing of sizes.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_PERMUTATIONS_H
#define TTE_PASSES_MEMORY_PLACEMENT_PERMUTATIONS_H

#include <bitset>
#include <vector>

namespace tte::placement {

/// Decisions by number, for what follows from them.
using Reasons = std::bitset<1024>;

class Permutations {
public:
  /// All orders of `items`.
  explicit Permutations(const std::vector<int> &items);

  /// Keeps the orders in which the items with `isMember` are consecutive, as `decision` wants it.
  /// False where none is left: `reasons` then gains the earlier decisions that exclude it, and the
  /// tree is of no use any more.
  bool makeConsecutive(const std::vector<char> &isMember, unsigned decision, Reasons &reasons);

  /// Puts `items`, in any order, where the items with `isMember` are. They must have been made
  /// consecutive last.
  void replace(const std::vector<char> &isMember, const std::vector<int> &items, unsigned decision);

  /// An order whose items follow each other by `key`, as far as they differ in it. There must be
  /// one.
  std::vector<int> sortBy(const std::vector<int> &key) const;

private:
  enum class Kind : char { Leaf, Any, Fixed }; // Any: P-node, Fixed: Q-node
  enum class Share : char { None, Some, All }; // of the members among the leaves below
  struct Node {
    Kind kind = Kind::Leaf;
    Share share = Share::None;
    int item = -1;
    int child = -1;  // first of them
    int next = -1;   // sibling
    Reasons reasons; // decisions that hold the leaves together
  };
  using Children = std::vector<int>;

  int addNode(Kind kind, const Children &children, const Reasons &reasons);
  int makeAny(const Children &children, const Reasons &reasons);
  int makeFixed(const Children &children, const Reasons &reasons);
  int makeLeaves(const std::vector<int> &items, const Reasons &reasons);
  Children getChildren(int node) const;
  void setChildren(int node, const Children &children);
  void assign(int node, int from);
  void release(int node);
  Share countMembers(int node, const std::vector<char> &isMember);
  void collectReasons(int node, Reasons &reasons) const;
  bool linearize(int node, Children &sequence, const Reasons &reasons);
  bool reduceFixed(int node, const Reasons &reasons);
  bool reduceAny(int node, const Reasons &reasons);
  bool replaceMembers(int node, int by, unsigned decision);
  int sortNode(int node, const std::vector<int> &key, std::vector<int> &order) const;

  std::vector<Node> nodes;
  std::vector<int> unused;
  int root;
};

} // namespace tte::placement

#endif // TTE_PASSES_MEMORY_PLACEMENT_PERMUTATIONS_H
