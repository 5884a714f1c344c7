// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "PerfectSearch.h"
#include "Permutations.h"

#include <algorithm>
#include <array>
#include <random>
#include <unordered_map>

using namespace tte::placement;

bool tte::placement::isPerfect(const Problem &problem, int64_t capacity) {
  for (size_t s = 0; s < problem.sections.size(); ++s) {
    int64_t bytes = 0;
    for (int i : problem.sections[s])
      bytes += problem.items[i].size;
    if (bytes != capacity || problem.shared[s])
      return false;
  }
  return std::all_of(problem.items.begin(), problem.items.end(),
                     [](const Item &item) { return item.fixed < 0; });
}

namespace {

using Set = uint64_t; // of items that end, or that begin, at one time

constexpr int kMostItems = 60;           // in a set
constexpr size_t kMostSubsets = 1 << 15; // listed of one set
constexpr size_t kMostExchanges = 5000;  // listed of one time

int count(Set set) { return __builtin_popcountll(set); }

/// Items that end and items of the same bytes that take their place.
struct Exchange {
  Set ending, beginning;
};

/// What happens between two sections.
struct Event {
  std::vector<int> ending, beginning;
  std::vector<Exchange> exchanges; // those of few items first
};

class Sweep {
public:
  Sweep(const Problem &problem, const SweepStrategy &strategy, Effort &effort)
      : problem(problem), strategy(strategy), effort(effort), isMember(problem.items.size(), 0),
        random(strategy.seed) {}

  Outcome run(std::vector<int64_t> &offsets) {
    listEvents();
    for (size_t time = 1; time + 1 < events.size(); ++time)
      if (!listExchanges(events[time]))
        return Outcome::Undecided;
    Outcome outcome = search();
    if (outcome == Outcome::Found)
      offsets = readOffsets();
    if (outcome == Outcome::Infeasible && !isComplete)
      return Outcome::Undecided;
    return outcome;
  }

private:
  //===--- what may take whose place -------------------------------------------------------------//

  void listEvents() {
    int sections = problem.sections.size();
    events.resize(sections + 1);
    for (size_t i = 0; i < problem.items.size(); ++i) {
      const Item &item = problem.items[i];
      events[strategy.forwards ? item.begin : sections - item.end].beginning.push_back(i);
      events[strategy.forwards ? item.end : sections - item.begin].ending.push_back(i);
    }
  }

  static Set getAll(const std::vector<int> &items) { return (Set(1) << items.size()) - 1; }

  std::vector<int> getItems(const std::vector<int> &items, Set set) const {
    std::vector<int> members;
    for (; set; set &= set - 1)
      members.push_back(items[__builtin_ctzll(set)]);
    return members;
  }

  /// Appends the subsets of up to `most` of the items from `first` on, added to `set`.
  void listSubsets(const std::vector<int> &items, size_t first, int most, Set set, int64_t bytes,
                   std::vector<std::pair<int64_t, Set>> &subsets) {
    subsets.push_back({bytes, set});
    for (size_t k = first; most > 0 && k < items.size(); ++k)
      listSubsets(items, k + 1, most - 1, set | Set(1) << k, bytes + problem.items[items[k]].size,
                  subsets);
  }

  /// All subsets with their bytes, or where they are too many the small ones.
  std::vector<std::pair<int64_t, Set>> listSubsets(const std::vector<int> &items) {
    int most = 0;
    double number = 1, layer = 1; // subsets of up to `most` items, of `most` items
    int n = items.size();
    while (most < n && number + layer * (n - most) / (most + 1) <= kMostSubsets) {
      layer = layer * (n - most) / (most + 1);
      number += layer;
      ++most;
    }
    isComplete &= most == n;
    std::vector<std::pair<int64_t, Set>> subsets;
    listSubsets(items, 0, most, 0, 0, subsets);
    return subsets;
  }

  bool listExchanges(Event &event) {
    if (event.ending.size() > kMostItems || event.beginning.size() > kMostItems)
      return false;
    std::unordered_map<int64_t, std::vector<Set>> fillings;
    for (auto [bytes, set] : listSubsets(event.beginning))
      if (set)
        fillings[bytes].push_back(set);
    std::vector<Exchange> &exchanges = event.exchanges;
    Set allEnding = getAll(event.ending), allBeginning = getAll(event.beginning);
    for (auto [bytes, set] : listSubsets(event.ending)) {
      auto found = fillings.find(bytes);
      if (!set || found == fillings.end())
        continue;
      for (Set filling : found->second)
        if (set != allEnding || filling != allBeginning)
          exchanges.push_back({set, filling});
    }
    sortExchanges(exchanges);
    if (exchanges.size() > kMostExchanges) {
      exchanges.resize(kMostExchanges);
      isComplete = false;
    }
    exchanges.push_back({allEnding, allBeginning});
    return true;
  }

  /// Those of few items first: others of as many bytes are more likely so by chance. A seed moves
  /// each a little.
  void sortExchanges(std::vector<Exchange> &exchanges) {
    std::vector<std::pair<double, size_t>> keys;
    for (const Exchange &exchange : exchanges) {
      double noise = strategy.seed ? 2.0 * random() / random.max() : 0;
      keys.push_back({count(exchange.ending) + count(exchange.beginning) + noise, keys.size()});
    }
    std::sort(keys.begin(), keys.end());
    std::vector<Exchange> sorted;
    for (auto [unused, k] : keys)
      sorted.push_back(exchanges[k]);
    exchanges = std::move(sorted);
  }

  //===--- search --------------------------------------------------------------------------------//

  /// A point of the search: one of `choices` must be taken, which all contain one item that ends.
  struct State {
    size_t time;
    Set ending, beginning; // not exchanged yet at that time
    Permutations orders;
    std::vector<Exchange> choices;
    size_t next;
    Permutations chosen; // `orders` with the items that end in `exchange` consecutive
    Exchange exchange;
    unsigned firstOfTime; // the first state of this time
    Reasons conflict;     // decisions that excluded choices
  };

  /// The exchanges of the item with the fewest, among what is left.
  std::vector<Exchange> listChoices(const Event &event, Set ending, Set beginning) {
    std::vector<Exchange> left;
    std::array<int, kMostItems> number{};
    for (const Exchange &exchange : event.exchanges) {
      if ((exchange.ending & ~ending) || (exchange.beginning & ~beginning))
        continue;
      left.push_back(exchange);
      for (Set set = exchange.ending; set; set &= set - 1)
        ++number[__builtin_ctzll(set)];
    }
    effort.left -= event.exchanges.size() / 8;
    if (left.empty() || left.back().ending != ending || left.back().beginning != beginning) {
      left.push_back({ending, beginning}); // whatever is left as a whole
      for (Set set = ending; set; set &= set - 1)
        ++number[__builtin_ctzll(set)];
    }
    int fewest = __builtin_ctzll(ending);
    for (Set set = ending; set; set &= set - 1)
      if (number[__builtin_ctzll(set)] < number[fewest])
        fewest = __builtin_ctzll(set);
    left.erase(std::remove_if(left.begin(), left.end(),
                              [&](const Exchange &e) { return !(e.ending >> fewest & 1); }),
               left.end());
    return left;
  }

  void push(size_t time, Set ending, Set beginning, Permutations orders, unsigned firstOfTime) {
    std::vector<Exchange> choices = listChoices(events[time], ending, beginning);
    states.push_back({time,
                      ending,
                      beginning,
                      orders,
                      std::move(choices),
                      0,
                      std::move(orders),
                      {},
                      firstOfTime,
                      {}});
  }

  static unsigned getDecision(size_t state) {
    return std::min<size_t>(state, Reasons().size() - 1);
  }

  /// Takes back the states that have no part in why the last one failed.
  void jumpBack() {
    Reasons conflict = states.back().conflict;
    for (size_t k = states.back().firstOfTime; k + 1 < states.size(); ++k)
      conflict.set(getDecision(k));
    states.pop_back();
    while (!states.empty() && !conflict.test(getDecision(states.size() - 1)))
      states.pop_back();
    if (states.empty())
      return;
    if (states.size() <= conflict.size())
      conflict.reset(states.size() - 1);
    states.back().conflict |= conflict;
  }

  Outcome search() {
    Permutations start(events.front().beginning);
    size_t last = events.size() - 1; // everything ends there
    if (last == 1)
      return final = events.front().beginning, Outcome::Found;
    push(1, getAll(events[1].ending), getAll(events[1].beginning), start, 0);
    while (!states.empty()) {
      if (effort.isSpent())
        return Outcome::Undecided;
      State &state = states.back();
      if (state.next == state.choices.size()) {
        jumpBack();
        continue;
      }
      state.exchange = state.choices[state.next++];
      state.chosen = state.orders;
      effort.left -= 100;
      const Event &event = events[state.time];
      unsigned decision = getDecision(states.size() - 1);
      std::vector<int> ending = getItems(event.ending, state.exchange.ending);
      for (int i : ending)
        isMember[i] = 1;
      bool holds = state.chosen.makeConsecutive(isMember, decision, state.conflict);
      Permutations after = state.chosen;
      if (holds)
        after.replace(isMember, getItems(event.beginning, state.exchange.beginning), decision);
      for (int i : ending)
        isMember[i] = 0;
      if (!holds)
        continue;
      Set endingLeft = state.ending & ~state.exchange.ending;
      Set beginningLeft = state.beginning & ~state.exchange.beginning;
      size_t time = state.time;
      unsigned firstOfTime = state.firstOfTime;
      if ((endingLeft == 0) != (beginningLeft == 0))
        continue;
      if (endingLeft == 0) {
        if (++time == last) {
          final = after.sortBy(std::vector<int>(problem.items.size(), 0));
          return Outcome::Found;
        }
        endingLeft = getAll(events[time].ending);
        beginningLeft = getAll(events[time].beginning);
        firstOfTime = states.size();
      }
      push(time, endingLeft, beginningLeft, std::move(after), firstOfTime);
    }
    return Outcome::Infeasible;
  }

  //===--- the placement -------------------------------------------------------------------------//

  /// Goes back from the last order to an order of each time, and adds up sizes.
  std::vector<int64_t> readOffsets() {
    std::vector<int64_t> offsets(problem.items.size(), -1);
    std::vector<int> order = final;
    addOffsets(order, offsets);
    std::vector<int> key(problem.items.size(), 0);
    for (size_t k = states.size(); k-- > 0;) {
      const State &state = states[k];
      const Event &event = events[state.time];
      for (size_t position = 0; position < order.size(); ++position)
        key[order[position]] = position;
      int place = order.size();
      for (int i : getItems(event.beginning, state.exchange.beginning))
        place = std::min(place, key[i]);
      for (int i : getItems(event.ending, state.exchange.ending))
        key[i] = place;
      order = state.chosen.sortBy(key);
      addOffsets(order, offsets);
    }
    return offsets;
  }

  void addOffsets(const std::vector<int> &order, std::vector<int64_t> &offsets) const {
    int64_t offset = 0;
    for (int i : order) {
      offsets[i] = offset;
      offset += problem.items[i].size;
    }
  }

  const Problem &problem;
  const SweepStrategy &strategy;
  Effort &effort;
  std::vector<Event> events; // by time: 0 is where everything begins
  bool isComplete = true;    // whether all exchanges are listed
  std::vector<char> isMember;
  std::mt19937 random;
  std::vector<State> states;
  std::vector<int> final;
};

} // namespace

Outcome tte::placement::searchPerfect(const Problem &problem, const SweepStrategy &strategy,
                                      Effort &effort, std::vector<int64_t> &offsets) {
  return Sweep(problem, strategy, effort).run(offsets);
}
