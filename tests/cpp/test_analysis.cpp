#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "analysis/analyze.hpp"
#include "analysis/ema.hpp"
#include "analysis/grid.hpp"
#include "analysis/state.hpp"
#include "check.hpp"

using namespace clrfast::analysis;

namespace {

bool near(double a, double b, double tolerance = 1e-9) {
  return std::fabs(a - b) <= tolerance * (1 + std::fabs(a) + std::fabs(b));
}

struct Log {
  std::vector<double> lr, loss;
};

// Flat, then falling around `fall`, then rising around `rise`; with reproducible noise.
Log valley_log(int rows, double fall, double rise, double noise) {
  std::mt19937 generator(7);
  std::normal_distribution<double> normal(0, noise);
  Log log;
  for (int i = 0; i < rows; ++i) {
    const double x = std::log(1e-6) + std::log(1e7) * i / (rows - 1.0);
    const double down = 1 / (1 + std::exp(-2 * (x - std::log(fall))));
    const double up = std::exp(1.5 * (x - std::log(rise)));
    log.lr.push_back(std::exp(x));
    log.loss.push_back(2 - 1.5 * down + up + normal(generator));
  }
  return log;
}

void cells_hold_what_their_edges_say() {
  for (double lr : {5e-324, 1e-300, 1e-5, 0.1, 0.9999999999999999, 1.0, 1.5, 1e300,
                    std::numeric_limits<double>::max()}) {
    const auto cell = cell_of(lr);
    CHECK(cell_edge(cell) <= lr && lr < cell_edge(cell + 1));
  }
  for (std::int64_t cell = -400; cell < 100; ++cell) CHECK(cell_of(cell_edge(cell)) == cell);
}

void a_bad_rate_changes_nothing() {
  State state;
  const double loss[] = {1, 2, 3};
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const double lr[] = {0.1, 0.2, bad};
    CHECK(state.add(lr, loss, 3, 0) == 2);
    CHECK(state.empty());
  }
}

void merged_states_equal_one_state() {
  Log log = valley_log(1000, 1e-3, 1, 0.1);
  log.loss[700] = NAN;
  log.loss[990] = INFINITY;
  State whole, parts;
  whole.add(log.lr.data(), log.loss.data(), 1000, 0);
  for (std::size_t start : {600, 0, 300, 900}) {  // in no order
    const std::size_t rows = start == 900 ? 100 : 300;
    State part;
    part.add(&log.lr[start], &log.loss[start], rows, static_cast<std::int64_t>(start));
    parts.merge(part);
  }
  CHECK(parts.rows() == 1000 && parts.nonfinite() == 2);
  CHECK(parts.origin() == whole.origin() && parts.cells().size() == whole.cells().size());
  for (std::size_t i = 0; i < whole.cells().size(); ++i) {
    const Cell& a = whole.cells()[i];
    const Cell& b = parts.cells()[i];
    CHECK(a.count == b.count && a.nonfinite == b.nonfinite);
    CHECK(a.first == b.first && a.last == b.last);
    CHECK(a.lowest == b.lowest && a.highest == b.highest);
    CHECK(near(a.x, b.x) && near(a.loss, b.loss));
    CHECK(near(a.xx, b.xx) && near(a.xl, b.xl) && near(a.ll, b.ll));
  }
}

void a_line_is_fitted_exactly() {
  Log log;
  for (int i = 0; i < 200; ++i) {
    const double x = -9 + 0.04 * i;
    log.lr.push_back(std::exp(x));
    log.loss.push_back(1e6 + 3 * x);  // a large offset must not cost digits of the slope
  }
  State state;
  state.add(log.lr.data(), log.loss.data(), log.lr.size(), 0);
  const Curve curve = fit_curve(state, 0.7, INFINITY);
  for (std::size_t i = 0; i < curve.size(); ++i) {
    CHECK(near(curve.slope[i], 3, 1e-8));
    CHECK(near(curve.loss[i], 1e6 + 3 * curve.x[i], 1e-14));
  }
}

void phases_are_where_they_were_put() {
  const Log log = valley_log(2000, 1e-3, 1, 0.02);
  State state;
  state.add(log.lr.data(), log.loss.data(), log.lr.size(), 0);
  const Analysis analysis = analyze(state);
  const Phases& p = analysis.phases;
  CHECK(std::fabs(std::log(p.steepest_lr / 1e-3)) < 0.5);
  CHECK(p.plateau_end_lr < p.steepest_lr && p.steepest_lr < p.min_lr);
  CHECK(p.min_lr < p.turn_lr && p.turn_lr < p.divergence_lr);
  const Suggestion& s = analysis.suggestion;
  CHECK(s.base_lr < s.max_lr && s.max_lr < p.min_lr);
  CHECK(s.max_lr_interval.low <= s.max_lr && s.max_lr <= s.max_lr_interval.high);
  CHECK(s.base_lr_interval.low <= s.base_lr && s.base_lr <= s.base_lr_interval.high);
  CHECK(s.confidence == Confidence::kHigh && s.reasons.empty());
}

void the_average_is_unbiased_and_steps_over_nan() {
  const double loss[] = {4, NAN, 4, INFINITY, 4};
  double smoothed[5];
  Ema average{0.98};
  average.run(loss, 2, smoothed);
  average.run(loss + 2, 3, smoothed + 2);
  for (double value : smoothed) CHECK(near(value, 4, 1e-15));
}

}  // namespace

int main() {
  cells_hold_what_their_edges_say();
  a_bad_rate_changes_nothing();
  merged_states_equal_one_state();
  a_line_is_fitted_exactly();
  phases_are_where_they_were_put();
  the_average_is_unbiased_and_steps_over_nan();
}
