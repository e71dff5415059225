// The schedule core without Python: every shape, every path of the evaluator, under the sanitizers.
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "schedule/table.hpp"

using namespace clrfast;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Piece piece(double until, Shape shape, double start, double end, double param = 0.0) {
  return {until, {shape, start, end, param}, nullptr};
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Arrays, single calls and whole steps given as doubles must tell the same story.
void check_paths(const Table& table, std::int64_t from) {
  constexpr std::size_t n = 500;
  std::vector<double> wide(n);
  std::vector<float> narrow(n);
  table.view().fill(from, n, wide.data());
  table.view().fill(from, n, narrow.data());
  for (std::size_t i = 0; i < n; ++i) {
    const double value = table.view().at(from + static_cast<std::int64_t>(i));
    CHECK(std::isfinite(value));
    CHECK(same(value, wide[i]));
    CHECK(static_cast<float>(value) == narrow[i]);
  }
}

template <class Make>
bool refused(Make make) {
  try {
    make();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void shapes_meet_their_ends() {
  for (Shape shape : {Shape::linear, Shape::cosine, Shape::welch, Shape::power, Shape::root,
                      Shape::exponential}) {
    for (double length : {1.0, 2.0, 7.0, 1000.0, 12.25}) {
      for (bool rising : {true, false}) {
        const double low = 0.1, high = 0.7;
        const Table table({piece(length, shape, rising ? low : high, rising ? high : low, 2.5)}, 1,
                          1.0, {}, {});
        CHECK(table.view().at(std::int64_t{0}) == (rising ? low : high));
        CHECK(table.view().at(std::int64_t{1} << 40) == (rising ? high : low));
        double before = table.view().at(std::int64_t{0});
        for (double at = 0.25; at < length + 2; at += 0.25) {
          const double value = table.view().at(at);
          CHECK(rising ? value >= before : value <= before);
          before = value;
        }
        check_paths(table, 0);
      }
    }
  }
}

void cycles_are_exact_far_away() {
  const Table table({piece(3, Shape::linear, 0.0, 1.0), piece(7, Shape::cosine, 1.0, 0.0)}, 0, 1.0,
                    {}, {});
  const std::int64_t far = (std::numeric_limits<std::int64_t>::max() / 7) * 7 - 7 * 1000;
  for (std::int64_t k = 0; k < 14; ++k) {
    CHECK(same(table.view().at(far + k), table.view().at(k)));
  }
  check_paths(table, far);
  check_paths(table, 5);
}

void stretched_cycles_restart_on_time() {
  for (double mult : {1.1, 1.5, 2.0, 3.0}) {
    Scaling scaling;
    scaling.per = Scaling::Per::cycle;
    scaling.gamma = 0.5;
    const Table table({piece(10, Shape::cosine, 1.0, 0.0)}, 0, mult, scaling, {});
    std::int64_t start = 0;
    for (int cycle = 0; cycle < 12; ++cycle) {
      CHECK(table.view().at(start) == std::ldexp(1.0, -cycle));
      start += static_cast<std::int64_t>(std::floor(10 * std::pow(mult, cycle) + 0.5));
    }
    check_paths(table, 0);
  }
  const Table pair({piece(10, Shape::linear, 0.0, 1.0), piece(15, Shape::welch, 1.0, 0.0)}, 4, 1.5,
                   {}, {});
  check_paths(pair, 0);
  CHECK(pair.view().at(std::int64_t{1} << 30) == 0.0);
}

void tables_nest() {
  auto inner = std::make_shared<const Table>(
      std::vector<Piece>{piece(3, Shape::linear, 0.2, 1.0), piece(6, Shape::linear, 1.0, 0.2)}, 0,
      1.0, Scaling{}, Map{});
  const Piece nested{8, {}, inner};
  Scaling scaling;
  scaling.per = Scaling::Per::cycle;
  scaling.gamma = 0.5;
  const Table table({nested, piece(12, Shape::root, 0.5, 0.1)}, 3, 1.0, scaling,
                    {2.0, 0.1, 0.0, 1.5});
  CHECK(table.view().at(std::int64_t{3}) == 1.5);                     // clamped
  CHECK(table.view().at(std::int64_t{15}) == 0.5 * 2.0 * 1.0 + 0.1);  // the second cycle, halved
  check_paths(table, 0);
}

void nonsense_is_refused() {
  const auto table = [](Piece p, std::int64_t cycles, double mult) {
    return [=] { Table({p}, cycles, mult, {}, {}); };
  };
  CHECK(refused(table(piece(0, Shape::linear, 0, 1), 1, 1)));
  CHECK(refused(table(piece(kInfinity, Shape::linear, 0, 1), 1, 1)));
  CHECK(refused(table(piece(kInfinity, Shape::constant, 1, 1), 0, 1)));
  CHECK(refused(table(piece(5, Shape::linear, 0, std::nan("")), 1, 1)));
  CHECK(refused(table(piece(5, Shape::exponential, 0, 1), 1, 1)));
  CHECK(refused(table(piece(5, Shape::power, 0, 1, -1), 1, 1)));
  CHECK(refused(table(piece(5, Shape::linear, 0, 1), -1, 1)));
  CHECK(refused(table(piece(5, Shape::linear, 0, 1), 0, 0.5)));
  CHECK(refused(table(piece(5.5, Shape::linear, 0, 1), 0, 2)));
  CHECK(refused(table(piece(5, Shape::linear, 0, 1), 0, 1.0 + 1e-9)));
  CHECK(refused([] { Table({}, 1, 1, {}, {}); }));
}

}  // namespace

int main() {
  shapes_meet_their_ends();
  cycles_are_exact_far_away();
  stretched_cycles_restart_on_time();
  tables_nest();
  nonsense_is_refused();
}
