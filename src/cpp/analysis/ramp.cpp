#include "analysis/ramp.hpp"

#include <cstdint>

namespace clrfast::analysis {
namespace {

// A ramp comes to the cells it passes in the order of their rates, and so does each repeat of it,
// the last one too. Who goes up and down again leaves them in the other order. Rows in no order
// have neither.
// Each further ramp may leave two neighbours in the other order, where it begins or ends.
constexpr std::int64_t kFewestEntered = 8;  // cells that were left and entered again
constexpr double kInOrder = 0.9;  // of their neighbours, so many were first entered in order ...
constexpr double kTurned = 0.05;  // ... and more than so many left for good in the other one, ...
constexpr std::int64_t kFewestTurned = 3;  // ... and no fewer than these

constexpr double kHeld = 0.5;             // of all rows, in one cell: that is no ramp
constexpr std::int64_t kFewestHeld = 32;  // rows in it

struct Order {
  std::int64_t neighbours = 0;
  std::int64_t entered_rising = 0, left_rising = 0;
};

// Of the cells that were left and entered again.
Order order_of(const State& state) noexcept {
  Order order;
  const Cell* before = nullptr;
  for (const Cell& cell : state.cells()) {
    if (cell.empty() || cell.last - cell.first < cell.count + cell.nonfinite) continue;
    if (before != nullptr) {
      ++order.neighbours;
      order.entered_rising += cell.first > before->first;
      order.left_rising += cell.last > before->last;
    }
    before = &cell;
  }
  return order;
}

}  // namespace

const char* no_range_test(const State& state) noexcept {
  for (const Cell& cell : state.cells()) {
    const std::int64_t rows = cell.count + cell.nonfinite;
    if (rows >= kFewestHeld &&
        static_cast<double>(rows) > kHeld * static_cast<double>(state.rows()))
      return "most rows have one and the same rate, as in a training: this is no range test";
  }
  const Order order = order_of(state);
  if (order.neighbours + 1 < kFewestEntered) return nullptr;
  const auto share = [&](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(order.neighbours);
  };
  const auto turned = [&](std::int64_t count) {
    return count >= kFewestTurned && share(count) > kTurned;
  };
  const double rising = share(order.entered_rising);
  if (rising >= kInOrder && turned(order.neighbours - order.left_rising))
    return "the rate rises and then falls again over the steps, as in a training: this is no range "
           "test";
  if (rising <= 1 - kInOrder && turned(order.left_rising))
    return "the rate falls and then rises again over the steps, as in a training: this is no range "
           "test";
  return nullptr;
}

}  // namespace clrfast::analysis
