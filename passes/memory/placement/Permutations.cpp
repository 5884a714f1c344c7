// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Permutations.h"

#include <algorithm>
#include <array>

using namespace tte::placement;

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

Permutations::Permutations(const std::vector<int> &items) { root = makeLeaves(items, Reasons()); }

int Permutations::addNode(Kind kind, const Children &children, const Reasons &reasons) {
  int node = nodes.size();
  if (unused.empty()) {
    nodes.emplace_back();
  } else {
    node = unused.back();
    unused.pop_back();
    nodes[node] = Node();
  }
  nodes[node].kind = kind;
  nodes[node].reasons = reasons;
  setChildren(node, children);
  return node;
}

int Permutations::makeAny(const Children &children, const Reasons &reasons) {
  return children.size() == 1 ? children.front() : addNode(Kind::Any, children, reasons);
}

/// Two children in a fixed order, which may be reversed, are two in any order.
int Permutations::makeFixed(const Children &children, const Reasons &reasons) {
  return children.size() < 3 ? makeAny(children, reasons) : addNode(Kind::Fixed, children, reasons);
}

int Permutations::makeLeaves(const std::vector<int> &items, const Reasons &reasons) {
  Children leaves;
  for (int item : items) {
    leaves.push_back(addNode(Kind::Leaf, {}, Reasons()));
    nodes[leaves.back()].item = item;
  }
  return makeAny(leaves, reasons);
}

Permutations::Children Permutations::getChildren(int node) const {
  Children children;
  for (int child = nodes[node].child; child >= 0; child = nodes[child].next)
    children.push_back(child);
  return children;
}

void Permutations::setChildren(int node, const Children &children) {
  int *link = &nodes[node].child;
  for (int child : children) {
    *link = child;
    link = &nodes[child].next;
  }
  *link = -1;
}

/// Makes `node` what `from` is, in its own place.
void Permutations::assign(int node, int from) {
  int next = nodes[node].next;
  nodes[node] = nodes[from];
  nodes[node].next = next;
  unused.push_back(from);
}

void Permutations::release(int node) {
  for (int child : getChildren(node))
    release(child);
  unused.push_back(node);
}

//===----------------------------------------------------------------------===//
// Reduction
//===----------------------------------------------------------------------===//

Permutations::Share Permutations::countMembers(int node, const std::vector<char> &isMember) {
  if (nodes[node].kind == Kind::Leaf)
    return nodes[node].share = isMember[nodes[node].item] ? Share::All : Share::None;
  bool some = false, all = true;
  for (int child = nodes[node].child; child >= 0; child = nodes[child].next) {
    Share share = countMembers(child, isMember);
    some |= share != Share::None;
    all &= share == Share::All;
  }
  return nodes[node].share = all ? Share::All : some ? Share::Some : Share::None;
}

/// The decisions that hold together what has some members, at and below `node`.
void Permutations::collectReasons(int node, Reasons &reasons) const {
  if (nodes[node].share != Share::Some)
    return;
  reasons |= nodes[node].reasons;
  for (int child = nodes[node].child; child >= 0; child = nodes[child].next)
    collectReasons(child, reasons);
}

/// Appends what is below `node` in such an order that the members come last.
bool Permutations::linearize(int node, Children &sequence, const Reasons &reasons) {
  if (nodes[node].share != Share::Some) {
    sequence.push_back(node);
    return true;
  }
  Children children = getChildren(node);
  if (nodes[node].kind == Kind::Fixed) {
    if (nodes[children.front()].share == Share::All || nodes[children.back()].share == Share::None)
      std::reverse(children.begin(), children.end());
    Share reached = Share::None;
    for (int child : children) {
      Share share = nodes[child].share;
      if (share < reached || (share == Share::Some && reached == Share::Some))
        return false;
      reached = share;
      if (!linearize(child, sequence, reasons))
        return false;
    }
    unused.push_back(node);
    return true;
  }
  std::array<Children, 3> by;
  for (int child : children)
    by[int(nodes[child].share)].push_back(child);
  auto &[none, some, all] = by;
  if (some.size() > 1)
    return false;
  if (!none.empty())
    sequence.push_back(makeAny(none, reasons));
  if (!some.empty() && !linearize(some.front(), sequence, reasons))
    return false;
  if (!all.empty()) {
    sequence.push_back(makeAny(all, reasons));
    nodes[sequence.back()].share = Share::All;
  }
  unused.push_back(node);
  return true;
}

/// Members must be in the middle: none, some, all, some, none.
bool Permutations::reduceFixed(int node, const Reasons &reasons) {
  Children sequence;
  enum { Before, Within, After } phase = Before;
  for (int child : getChildren(node)) {
    Share share = nodes[child].share;
    if (share == Share::None) {
      if (phase == Within)
        phase = After;
      sequence.push_back(child);
      continue;
    }
    if (phase == After)
      return false;
    Children part;
    if (!linearize(child, part, reasons))
      return false;
    if (share == Share::Some && phase == Within) {
      std::reverse(part.begin(), part.end());
      phase = After;
    } else {
      phase = Within;
    }
    sequence.insert(sequence.end(), part.begin(), part.end());
  }
  setChildren(node, sequence);
  nodes[node].reasons |= reasons;
  return true;
}

/// Members move together, between the two children that have some.
bool Permutations::reduceAny(int node, const Reasons &reasons) {
  std::array<Children, 3> by;
  for (int child : getChildren(node))
    by[int(nodes[child].share)].push_back(child);
  auto &[none, some, all] = by;
  if (some.size() > 2)
    return false;
  Children sequence;
  if (!some.empty() && !linearize(some[0], sequence, reasons))
    return false;
  if (!all.empty())
    sequence.push_back(makeAny(all, reasons));
  if (some.size() == 2) {
    Children part;
    if (!linearize(some[1], part, reasons))
      return false;
    sequence.insert(sequence.end(), part.rbegin(), part.rend());
  }
  int group = makeFixed(sequence, reasons);
  if (none.empty()) {
    assign(node, group);
    nodes[node].reasons |= reasons;
  } else {
    none.push_back(group);
    setChildren(node, none);
  }
  return true;
}

bool Permutations::makeConsecutive(const std::vector<char> &isMember, unsigned decision,
                                   Reasons &reasons) {
  Share share = countMembers(root, isMember);
  int node = root; // the lowest with all members
  while (share == Share::Some) {
    int only = -1, withMembers = 0;
    for (int child = nodes[node].child; child >= 0; child = nodes[child].next)
      if (nodes[child].share != Share::None) {
        ++withMembers;
        only = child;
      }
    if (withMembers > 1)
      break;
    node = only;
    share = nodes[node].share;
  }
  if (share != Share::Some)
    return true;
  Reasons why;
  if (nodes[node].kind == Kind::Fixed)
    why = nodes[node].reasons;
  for (int child = nodes[node].child; child >= 0; child = nodes[child].next)
    collectReasons(child, why);
  Reasons now = why;
  now.set(decision);
  if (nodes[node].kind == Kind::Fixed ? reduceFixed(node, now) : reduceAny(node, now))
    return true;
  reasons |= why;
  return false;
}

/// Replaces the run of children that are members, here or below.
bool Permutations::replaceMembers(int node, int by, unsigned decision) {
  if (nodes[node].share == Share::All) {
    for (int child : getChildren(node))
      release(child);
    assign(node, by);
    return true;
  }
  nodes[node].reasons.set(decision);
  Children before, after;
  bool found = false;
  for (int child : getChildren(node)) {
    switch (nodes[child].share) {
    case Share::None:
      (found ? after : before).push_back(child);
      break;
    case Share::Some:
      return replaceMembers(child, by, decision);
    case Share::All:
      release(child);
      found = true;
      break;
    }
  }
  before.push_back(by);
  before.insert(before.end(), after.begin(), after.end());
  setChildren(node, before);
  if (before.size() == 2)
    nodes[node].kind = Kind::Any;
  return found;
}

void Permutations::replace(const std::vector<char> &isMember, const std::vector<int> &items,
                           unsigned decision) {
  countMembers(root, isMember);
  Reasons reasons;
  reasons.set(decision);
  replaceMembers(root, makeLeaves(items, reasons), decision);
}

//===----------------------------------------------------------------------===//
// Orders
//===----------------------------------------------------------------------===//

/// Appends the leaves below; returns the least key among them.
int Permutations::sortNode(int node, const std::vector<int> &key, std::vector<int> &order) const {
  if (nodes[node].kind == Kind::Leaf) {
    order.push_back(nodes[node].item);
    return key[nodes[node].item];
  }
  std::vector<std::pair<int, std::vector<int>>> parts;
  for (int child = nodes[node].child; child >= 0; child = nodes[child].next) {
    std::vector<int> leaves;
    int least = sortNode(child, key, leaves);
    parts.push_back({least, std::move(leaves)});
  }
  if (nodes[node].kind == Kind::Any)
    std::stable_sort(parts.begin(), parts.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
  else if (parts.front().first > parts.back().first)
    std::reverse(parts.begin(), parts.end());
  int least = parts.front().first;
  for (const auto &[first, leaves] : parts) {
    least = std::min(least, first);
    order.insert(order.end(), leaves.begin(), leaves.end());
  }
  return least;
}

std::vector<int> Permutations::sortBy(const std::vector<int> &key) const {
  std::vector<int> order;
  sortNode(root, key, order);
  return order;
}
