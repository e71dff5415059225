// The schedule core without Python: every shape, every path of the evaluator, under the sanitizers.
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "schedule/cyclic.hpp"
#include "schedule/schedule.hpp"

using namespace clrfast;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Piece piece(double until, Shape shape, double start, double end, double param = 0.0) {
  return {until, {shape, start, end, param}, nullptr};
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Arrays, single calls and whole steps given as doubles must tell the same story.
void check_paths(const Schedule& schedule, std::int64_t from) {
  constexpr std::size_t n = 500;
  std::vector<double> wide(n);
  std::vector<float> narrow(n);
  schedule.evaluator().fill(from, n, wide.data());
  schedule.evaluator().fill(from, n, narrow.data());
  for (std::size_t i = 0; i < n; ++i) {
    const double value = schedule.evaluator().at(from + static_cast<std::int64_t>(i));
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
                      Shape::rex, Shape::exponential}) {
    for (double length : {1.0, 2.0, 7.0, 1000.0, 12.25}) {
      for (bool rising : {true, false}) {
        const double low = 0.1, high = 0.7;
        const Schedule schedule(
            {piece(length, shape, rising ? low : high, rising ? high : low, 2.5)}, 1, 1.0, {}, {});
        CHECK(schedule.evaluator().at(std::int64_t{0}) == (rising ? low : high));
        CHECK(schedule.evaluator().at(std::int64_t{1} << 40) == (rising ? high : low));
        double before = schedule.evaluator().at(std::int64_t{0});
        for (double at = 0.25; at < length + 2; at += 0.25) {
          const double value = schedule.evaluator().at(at);
          CHECK(rising ? value >= before : value <= before);
          before = value;
        }
        check_paths(schedule, 0);
      }
    }
  }
}

void cycles_are_exact_far_away() {
  const Schedule schedule({piece(3, Shape::linear, 0.0, 1.0), piece(7, Shape::cosine, 1.0, 0.0)}, 0,
                          1.0, {}, {});
  const std::int64_t far = (std::numeric_limits<std::int64_t>::max() / 7) * 7 - 7 * 1000;
  for (std::int64_t k = 0; k < 14; ++k) {
    CHECK(same(schedule.evaluator().at(far + k), schedule.evaluator().at(k)));
  }
  check_paths(schedule, far);
  check_paths(schedule, 5);
}

void stretched_cycles_restart_on_time() {
  for (double mult : {1.1, 1.5, 2.0, 3.0}) {
    Scaling scaling;
    scaling.per = Per::cycle;
    scaling.gamma = 0.5;
    const Schedule schedule({piece(10, Shape::cosine, 1.0, 0.0)}, 0, mult, scaling, {});
    std::int64_t start = 0;
    for (int cycle = 0; cycle < 12; ++cycle) {
      CHECK(schedule.evaluator().at(start) == std::ldexp(1.0, -cycle));
      start += static_cast<std::int64_t>(std::floor(10 * std::pow(mult, cycle) + 0.5));
    }
    check_paths(schedule, 0);
  }
  const Schedule pair({piece(10, Shape::linear, 0.0, 1.0), piece(15, Shape::welch, 1.0, 0.0)}, 4,
                      1.5, {}, {});
  check_paths(pair, 0);
  CHECK(pair.evaluator().at(std::int64_t{1} << 30) == 0.0);
}

void schedules_nest() {
  auto inner = std::make_shared<const Schedule>(
      std::vector<Piece>{piece(3, Shape::linear, 0.2, 1.0), piece(6, Shape::linear, 1.0, 0.2)}, 0,
      1.0, Scaling{}, Map{});
  const Piece nested{8, {}, inner};
  Scaling scaling;
  scaling.per = Per::cycle;
  scaling.gamma = 0.5;
  const Schedule schedule({nested, piece(12, Shape::root, 0.5, 0.1)}, 3, 1.0, scaling,
                          {2.0, 0.1, 0.0, 1.5});
  CHECK(schedule.evaluator().at(std::int64_t{3}) == 1.5);  // clamped
  CHECK(schedule.evaluator().at(std::int64_t{15}) ==
        0.5 * 2.0 * 1.0 + 0.1);  // the second cycle, halved
  check_paths(schedule, 0);
}

void two_paths_agree() {
  // Whole steps are counted in integers, the same steps as doubles in Wide numbers.
  for (Shape shape : {Shape::linear, Shape::cosine, Shape::welch, Shape::power, Shape::root,
                      Shape::rex, Shape::exponential}) {
    const Schedule schedule({piece(9, shape, 0.1, 0.7, 1.5), piece(16, shape, 0.7, 0.1, 1.5)}, 0,
                            1.0, {}, {});
    for (std::int64_t step = 0; step < 100; ++step) {
      CHECK(
          same(schedule.evaluator().at(step), schedule.evaluator().at(static_cast<double>(step))));
    }
  }
}

void fractional_cycles_do_not_drift() {
  const Wide period = sum(2000.1, 999.7);
  CHECK(period.lo != 0.0);  // the sum is no double
  const Division once = divide(Wide::whole(std::numeric_limits<std::int64_t>::max()), period);
  const Wide back = period * static_cast<double>(once.times) + once.rest;
  CHECK(back.hi == 0x1p63);
  CHECK(once.rest.hi >= 0.0 && once.rest < period);
  const Division none = divide(Wide(0.0), period);
  CHECK(none.times == 0 && none.rest == Wide(0.0));
  const Division many = divide(Wide::whole(std::int64_t{1} << 62), Wide(0x1p-20));
  CHECK(many.rest == Wide(0.0));
  // A step that is a multiple of the period begins a cycle exactly.
  const Cyclic c{0.0, 1.0, 0.375, 0.375, Shape::linear, Per::none, 1.0};
  CHECK(cyclic_at(c, std::int64_t{3} << 60) == 0.0);
  CHECK(cyclic_at(c, (std::int64_t{3} << 60) + 1) == 1.0 - 0.125 / 0.375);
}

void growth_stays_finite() {
  Scaling grows;
  grows.per = Per::step;
  grows.gamma = 1.5;
  grows.floor = 0.1;
  const Schedule schedule({piece(3, Shape::linear, 0.1, 1.0), piece(6, Shape::cosine, 1.0, 0.1)}, 0,
                          1.0, grows, {1e300, 1.0});
  check_paths(schedule, 0);
  check_paths(schedule, 1000000);
  CHECK(schedule.evaluator().at(std::int64_t{6000000}) == 0.1 * 1e300 + 1.0);
  const Schedule far({piece(10, Shape::cosine, 1.0, 0.0)}, 0, 1e300, {}, {});
  check_paths(far, 0);
  CHECK(far.evaluator().at(std::int64_t{1} << 62) == 1.0);
  const Schedule steep({piece(100, Shape::exponential, 1e-200, 1e200)}, 1, 1.0, {}, {});
  check_paths(steep, 0);
  CHECK(steep.evaluator().at(std::int64_t{0}) == 1e-200);
  CHECK(steep.evaluator().at(std::int64_t{100}) == 1e200);
}

std::shared_ptr<const Schedule> nested_in(const std::shared_ptr<const Schedule>& inner) {
  return std::make_shared<const Schedule>(
      std::vector<Piece>{{3.0, {}, inner}, piece(5, Shape::linear, 0.2, 1.0)}, 2, 1.0, Scaling{},
      Map{0.5, 0.1});
}

void depth_and_size_are_bounded() {
  auto schedule = std::make_shared<const Schedule>(
      std::vector<Piece>{piece(3, Shape::linear, 0, 1)}, 1, 1.0, Scaling{}, Map{});
  for (int level = 1; level < Schedule::kMostLevels; ++level) schedule = nested_in(schedule);
  check_paths(*schedule, 0);
  CHECK(refused([&] { nested_in(schedule); }));
  auto twice = std::make_shared<const Schedule>(std::vector<Piece>{piece(1, Shape::linear, 0, 1)},
                                                1, 1.0, Scaling{}, Map{});
  const auto doubled = [&] {
    const double length = 2.0 * static_cast<double>(twice->total_steps());
    return std::make_shared<const Schedule>(
        std::vector<Piece>{{length / 2, {}, twice}, {length, {}, twice}}, 1, 1.0, Scaling{}, Map{});
  };
  for (int level = 0; level < 22; ++level) twice = doubled();
  CHECK(refused([&] {
    for (int level = 0; level < 3; ++level) twice = doubled();
  }));
}

void nonsense_is_refused() {
  const auto schedule = [](Piece p, std::int64_t cycles, double mult) {
    return [=] { Schedule({p}, cycles, mult, {}, {}); };
  };
  CHECK(refused(schedule(piece(0, Shape::linear, 0, 1), 1, 1)));
  CHECK(refused(schedule(piece(kInfinity, Shape::linear, 0, 1), 1, 1)));
  CHECK(refused(schedule(piece(kInfinity, Shape::constant, 1, 1), 0, 1)));
  CHECK(refused(schedule(piece(5, Shape::linear, 0, std::nan("")), 1, 1)));
  CHECK(refused(schedule(piece(5, Shape::exponential, 0, 1), 1, 1)));
  CHECK(refused(schedule(piece(5, Shape::power, 0, 1, -1), 1, 1)));
  CHECK(refused(schedule(piece(5, Shape::linear, 0, 1), -1, 1)));
  CHECK(refused(schedule(piece(5, Shape::linear, 0, 1), 0, 0.5)));
  CHECK(refused(schedule(piece(5.5, Shape::linear, 0, 1), 0, 2)));
  CHECK(refused(schedule(piece(5, Shape::linear, 0, 1), 0, 1.0 + 1e-9)));
  CHECK(refused([] { Schedule({}, 1, 1, {}, {}); }));
}

}  // namespace

int main() {
  shapes_meet_their_ends();
  cycles_are_exact_far_away();
  stretched_cycles_restart_on_time();
  schedules_nest();
  two_paths_agree();
  fractional_cycles_do_not_drift();
  growth_stays_finite();
  depth_and_size_are_bounded();
  nonsense_is_refused();
}
