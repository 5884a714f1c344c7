// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "BottomUpSearch.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

using namespace tte::placement;

static constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 4;

//===----------------------------------------------------------------------===//
// Orders, first fit
//===----------------------------------------------------------------------===//

void FailureCount::add(const std::vector<int64_t> &failures) {
  double all = 1;
  for (int64_t number : failures)
    all += double(number);
  for (size_t section = 0; section < shares.size(); ++section)
    shares[section] = 0.95 * shares[section] + double(failures[section]) / all;
}

double FailureCount::getSum(const Item &item) const {
  return std::accumulate(shares.begin() + item.begin, shares.begin() + item.end, 0.0);
}

double FailureCount::getLargest(const Item &item) const {
  return *std::max_element(shares.begin() + item.begin, shares.begin() + item.end);
}

std::vector<int> tte::placement::rankItems(const Problem &problem, Preference preference,
                                           unsigned seed, const FailureCount &failures) {
  std::vector<int64_t> demands;
  for (size_t section = 0; section < problem.sections.size(); ++section)
    demands.push_back(problem.getDemand(section));
  auto getKey = [&](const Item &item) -> std::pair<double, double> {
    double size = double(item.size), length = item.end - item.begin;
    double demand =
        double(*std::max_element(demands.begin() + item.begin, demands.begin() + item.end));
    switch (preference) {
    case Preference::Size:
      return {size, length};
    case Preference::Area:
      return {size * length, length};
    case Preference::Length:
      return {length, size};
    case Preference::Demand:
      return {demand, length};
    case Preference::DemandArea:
      return {demand, size * length};
    case Preference::Failures:
      return {failures.getSum(item), length};
    case Preference::LongFailures:
      return {(failures.getLargest(item) + 0.01) * length, length};
    }
    return {};
  };
  std::mt19937 random(seed);
  std::vector<std::pair<double, double>> keys;
  for (const Item &item : problem.items) {
    keys.push_back(getKey(item));
    if (seed)
      keys.back().first *= 0.7 + 0.6 * double(random()) / double(random.max());
  }
  std::vector<int> order(problem.items.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return keys[a] > keys[b]; });
  return order;
}

std::vector<int64_t> tte::placement::placeFirstFit(const Problem &problem,
                                                   const std::vector<int> &order) {
  std::vector<int64_t> offsets(problem.items.size(), -1);
  for (size_t i = 0; i < offsets.size(); ++i)
    offsets[i] = problem.items[i].fixed;
  std::vector<std::pair<int64_t, int64_t>> forbidden; // offsets strictly between
  for (int i : order) {
    if (offsets[i] >= 0)
      continue;
    forbidden.clear();
    for (const Neighbor &n : problem.neighbors[i]) {
      int64_t other = offsets[n.item];
      if (other < 0)
        continue;
      if (n.mayEqual) {
        forbidden.push_back({other - n.above, other});
        forbidden.push_back({other, other - n.below});
      } else if (other - n.above < other - n.below) {
        forbidden.push_back({other - n.above, other - n.below});
      }
    }
    std::sort(forbidden.begin(), forbidden.end());
    int64_t lowest = 0;
    for (auto [below, above] : forbidden) {
      if (lowest <= below)
        break;
      lowest = std::max(lowest, above);
    }
    offsets[i] = lowest;
  }
  return offsets;
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

namespace {

class Search {
public:
  Search(const Problem &problem, int64_t capacity, const std::vector<int> &order, Effort &effort,
         std::vector<int64_t> &failures)
      : problem(problem), capacity(capacity), effort(effort), failures(failures),
        rank(problem.items.size()), low(problem.items.size(), 0), offsets(problem.items.size(), -1),
        obstacles(problem.items.size()), isFree(problem.items.size(), false),
        needed(problem.sections.size(), 0), lowest(problem.sections.size(), kFar),
        fixed(problem.sections.size()) {
    for (size_t r = 0; r < order.size(); ++r)
      rank[order[r]] = r;
    for (size_t i = 0; i < problem.items.size(); ++i) {
      const Item &item = problem.items[i];
      offsets[i] = item.fixed;
      for (int s = item.begin; s < item.end; ++s) {
        if (item.fixed >= 0)
          fixed[s].push_back(i);
        else
          needed[s] += item.size;
      }
      for (const Neighbor &n : problem.neighbors[i]) {
        if (n.mayOverlap || problem.items[n.item].fixed >= 0)
          obstacles[i].push_back(n);
        isFree[i] = isFree[i] || n.mayOverlap;
        isExhaustive = isExhaustive && !n.mayOverlap;
      }
    }
  }

  Outcome run(std::vector<int64_t> &found) {
    Part part;
    for (size_t i = 0; i < problem.items.size(); ++i) {
      const Item &item = problem.items[i];
      if (item.fixed >= 0) {
        if (item.fixed + item.size > capacity)
          return Outcome::Infeasible;
        continue;
      }
      part.push_back(i);
      low[i] = settle(i, 0);
      if (low[i] + item.size > capacity)
        return Outcome::Infeasible;
    }
    std::sort(part.begin(), part.end(),
              [&](int a, int b) { return problem.items[a].begin < problem.items[b].begin; });
    if (!fits(part, 0))
      return Outcome::Infeasible;
    Outcome outcome = splitAndPlace(part, 0, -1);
    if (outcome == Outcome::Found)
      found = offsets;
    return outcome == Outcome::Infeasible && !isExhaustive ? Outcome::Undecided : outcome;
  }

private:
  using Part = std::vector<int>; // items to place, by their first section

  /// The lowest offset of `i` from `offset` on that is safe to what lies already, of those that it
  /// need not lie above.
  int64_t settle(int i, int64_t offset) const {
    for (bool moved = true; moved;) {
      moved = false;
      for (const Neighbor &n : obstacles[i]) {
        int64_t other = offsets[n.item];
        if (other < 0 || offset <= other - n.above || offset >= other - n.below ||
            (n.mayEqual && offset == other))
          continue;
        offset = n.mayEqual && offset < other ? other : other - n.below;
        moved = true;
      }
    }
    return offset;
  }

  bool raise(int i, int64_t to) {
    if (to <= low[i])
      return true;
    changes.push_back({i, low[i]});
    low[i] = settle(i, to);
    return low[i] + problem.items[i].size <= capacity;
  }

  void undo(size_t mark) {
    for (; changes.size() > mark; changes.pop_back())
      low[changes.back().first] = changes.back().second;
  }

  /// What is placed from now on lies at `bottom` or above; so an item that has room below it must
  /// rest on one that is not placed yet.
  int64_t getLeast(int i, int64_t bottom, int64_t nextTop) const {
    return low[i] >= bottom || isFree[i] ? low[i] : nextTop;
  }

  /// The lowest end of what may be placed next.
  int64_t getNextTop(const Part &part, int64_t bottom) const {
    int64_t top = kFar;
    for (int i : part)
      top = std::min(top, std::max(low[i], bottom) + problem.items[i].size);
    return top;
  }

  /// Whether each section has room for what it still needs above the lowest that can lie there.
  bool fits(const Part &part, int64_t bottom) {
    int64_t nextTop = getNextTop(part, bottom);
    for (int i : part) {
      const Item &item = problem.items[i];
      int64_t least = getLeast(i, bottom, nextTop);
      effort.left -= 1 + (item.end - item.begin) / 4;
      for (int s = item.begin; s < item.end; ++s)
        lowest[s] = std::min(lowest[s], least);
    }
    bool holds = true;
    for (int i : part) {
      const Item &item = problem.items[i];
      holds &= getLeast(i, bottom, nextTop) + item.size <= capacity;
      for (int s = item.begin; s < item.end; ++s) {
        if (lowest[s] == kFar)
          continue;
        int64_t end = lowest[s] + needed[s] - problem.shared[s];
        for (int other : fixed[s])
          if (offsets[other] >= lowest[s])
            end += problem.items[other].size;
        if (end > capacity) {
          holds = false;
          ++failures[s];
        }
        lowest[s] = kFar;
      }
    }
    return holds;
  }

  /// Parts that no lifetime holds together do not depend on each other.
  Outcome splitAndPlace(const Part &part, int64_t bottom, int lastRank) {
    std::vector<Part> parts;
    int end = -1;
    for (int i : part) {
      if (problem.items[i].begin >= end)
        parts.emplace_back();
      parts.back().push_back(i);
      end = std::max(end, problem.items[i].end);
    }
    if (parts.size() < 2)
      return place(part, bottom, lastRank);
    std::vector<std::pair<int64_t, size_t>> byNeed; // the fullest first
    for (size_t k = 0; k < parts.size(); ++k) {
      int64_t most = 0;
      for (int i : parts[k])
        for (int s = problem.items[i].begin; s < problem.items[i].end; ++s)
          most = std::max(most, low[i] + needed[s] - problem.shared[s]);
      byNeed.push_back({-most, k});
    }
    std::sort(byNeed.begin(), byNeed.end());
    Part placed;
    for (auto [unused, k] : byNeed) {
      Outcome outcome = place(parts[k], bottom, lastRank);
      if (outcome != Outcome::Found) {
        for (int i : placed)
          remove(i);
        return outcome;
      }
      placed.insert(placed.end(), parts[k].begin(), parts[k].end());
    }
    return Outcome::Found;
  }

  bool touchesPlacedPartner(int i) const {
    return isFree[i] && std::any_of(obstacles[i].begin(), obstacles[i].end(), [&](const auto &n) {
             return n.mayOverlap && offsets[n.item] >= 0;
           });
  }

  /// Items that may be placed next: not below the last one, and not so high that another would fit
  /// below.
  std::vector<int> listCandidates(const Part &part, int64_t bottom, int lastRank) const {
    int64_t nextTop = getNextTop(part, bottom);
    std::vector<int> candidates;
    for (int i : part)
      if (low[i] < nextTop &&
          (low[i] > bottom || (low[i] == bottom && rank[i] > lastRank) || touchesPlacedPartner(i)))
        candidates.push_back(i);
    std::sort(candidates.begin(), candidates.end(),
              [&](int a, int b) { return low[a] != low[b] ? low[a] < low[b] : rank[a] < rank[b]; });
    return candidates;
  }

  Outcome place(const Part &part, int64_t bottom, int lastRank) {
    if (part.empty())
      return Outcome::Found;
    if (effort.isSpent())
      return Outcome::Undecided;
    for (int i : listCandidates(part, bottom, lastRank)) {
      size_t mark = changes.size();
      Outcome outcome = placeItem(i, part, bottom, lastRank);
      if (outcome == Outcome::Found)
        return outcome;
      remove(i);
      undo(mark);
      if (outcome == Outcome::Undecided)
        return outcome;
    }
    return Outcome::Infeasible;
  }

  void remove(int i) {
    offsets[i] = -1;
    addNeed(i, problem.items[i].size);
  }

  void addNeed(int i, int64_t units) {
    for (int s = problem.items[i].begin; s < problem.items[i].end; ++s)
      needed[s] += units;
  }

  Outcome placeItem(int i, const Part &part, int64_t bottom, int lastRank) {
    offsets[i] = low[i];
    addNeed(i, -problem.items[i].size);
    effort.left -= problem.neighbors[i].size();
    for (const Neighbor &n : problem.neighbors[i])
      if (offsets[n.item] < 0 &&
          !raise(n.item, n.mayOverlap ? settle(n.item, low[n.item]) : offsets[i] + n.above))
        return Outcome::Infeasible;
    Part rest;
    rest.reserve(part.size());
    for (int j : part)
      if (j != i)
        rest.push_back(j);
    if (offsets[i] > bottom || (offsets[i] == bottom && rank[i] > lastRank)) {
      bottom = offsets[i];
      lastRank = rank[i];
    }
    return fits(rest, bottom) ? splitAndPlace(rest, bottom, lastRank) : Outcome::Infeasible;
  }

  const Problem &problem;
  int64_t capacity;
  Effort &effort;
  std::vector<int64_t> &failures; // by section
  std::vector<int> rank;
  std::vector<int64_t> low;                     // lowest offset that is still possible
  std::vector<int64_t> offsets;                 // of placed items, else -1
  std::vector<std::vector<Neighbor>> obstacles; // by item: those it may lie below once they lie
  std::vector<char> isFree;                     // whether it may overlap another
  std::vector<int64_t> needed;                  // by section: units of items not placed yet
  std::vector<int64_t> lowest;                  // by section; scratch of `fits`
  std::vector<std::vector<int>> fixed;          // by section
  std::vector<std::pair<int, int64_t>> changes; // of `low`
  bool isExhaustive = true;
};

} // namespace

Outcome tte::placement::searchBottomUp(const Problem &problem, int64_t capacity,
                                       const std::vector<int> &order, Effort &effort,
                                       std::vector<int64_t> &offsets,
                                       std::vector<int64_t> &failures) {
  failures.assign(problem.sections.size(), 0);
  return Search(problem, capacity, order, effort, failures).run(offsets);
}
