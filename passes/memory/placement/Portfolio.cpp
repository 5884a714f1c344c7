// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Portfolio.h"
#include "BottomUpSearch.h"
#include "PerfectSearch.h"

#include <algorithm>
#include <thread>

using namespace tte::placement;

static constexpr int64_t kShortRun = 4'000'000; // effort
static constexpr size_t kMostItems = 3000;      // more are only placed quickly

std::vector<int64_t> tte::placement::placeQuickly(const Problem &problem) {
  std::vector<int64_t> best;
  FailureCount none(problem);
  for (Preference preference : {Preference::Size, Preference::Area, Preference::Length,
                                Preference::Demand, Preference::DemandArea}) {
    std::vector<int64_t> offsets = placeFirstFit(problem, rankItems(problem, preference, 0, none));
    if (best.empty() || problem.getHeight(offsets) < problem.getHeight(best))
      best = std::move(offsets);
  }
  return best;
}

/// 1, 1, 2, 1, 1, 2, 4, 1, …
static int64_t getLuby(unsigned index) {
  for (unsigned k = 1;; ++k) {
    if (index + 1 == (1u << k) - 1)
      return int64_t(1) << (k - 1);
    if (index + 1 < (1u << k) - 1)
      return getLuby(index + 1 - (1u << (k - 1)));
  }
}

namespace {
/// One of two that search at once, each with strategies of its own.
class Lane {
public:
  Lane(const Problem &problem, int64_t capacity, unsigned number)
      : problem(problem), capacity(capacity), number(number), failures(problem),
        perfect(isPerfect(problem, capacity)) {}

  void search(Effort effort);

  Outcome outcome = Outcome::Undecided;
  std::vector<int64_t> offsets;

private:
  const Problem &problem;
  int64_t capacity;
  unsigned number, runs = 0;
  FailureCount failures;
  bool perfect;
};
} // namespace

void Lane::search(Effort effort) {
  unsigned run = runs++;
  if (perfect) {
    SweepStrategy strategy{/*forwards=*/number == 0, /*seed=*/run};
    outcome = searchPerfect(problem, strategy, effort, offsets);
    return;
  }
  // By rule first, then mostly by what failed before.
  constexpr Preference rules[2][2] = {{Preference::Length, Preference::Area},
                                      {Preference::Demand, Preference::DemandArea}};
  constexpr Preference learned[2] = {Preference::Failures, Preference::LongFailures};
  Preference preference = run % 3 == 0 ? rules[number][run / 3 % 2] : learned[number];
  std::vector<int64_t> failed;
  outcome = searchBottomUp(problem, capacity, rankItems(problem, preference, run / 2, failures),
                           effort, offsets, failed);
  failures.add(failed);
}

Outcome tte::placement::searchPortfolio(const Problem &problem, int64_t capacity,
                                        const Limits &limits, std::vector<int64_t> &offsets) {
  if (problem.getLargestDemand() > capacity)
    return Outcome::Infeasible;
  if (problem.items.size() > kMostItems)
    return Outcome::Undecided;
  Lane first(problem, capacity, 0), second(problem, capacity, 1);
  int64_t left = limits.effort;
  for (unsigned round = 0; left > 0; ++round) {
    int64_t effort = std::min(left, kShortRun * getLuby(round));
    left -= 2 * effort;
    // The second ends with the first, not the other way round, so that the result is the same.
    std::atomic<bool> never = false, decided = false;
    std::thread other([&] { second.search({effort, &decided, limits.deadline}); });
    first.search({effort, &never, limits.deadline});
    decided = first.outcome != Outcome::Undecided;
    other.join();
    for (Lane *lane : {&first, &second}) {
      if (lane->outcome == Outcome::Undecided)
        continue;
      offsets = std::move(lane->offsets);
      return lane->outcome;
    }
    if (limits.deadline && std::chrono::steady_clock::now() >= *limits.deadline)
      break;
  }
  return Outcome::Undecided;
}
