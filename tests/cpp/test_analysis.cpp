#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis/analyze.hpp"
#include "analysis/ema.hpp"
#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"
#include "analysis/parallel.hpp"
#include "analysis/runs.hpp"
#include "analysis/serialize.hpp"
#include "analysis/state.hpp"
#include "analysis/valley.hpp"
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

std::size_t add(State& state, const Log& log, std::size_t from, std::size_t to,
                unsigned threads = 1) {
  return state.add(column_of(&log.lr[from]), column_of(&log.loss[from]), to - from,
                   static_cast<std::int64_t>(from), threads);
}

State state_of(const Log& log) {
  State state;
  CHECK(add(state, log, 0, log.lr.size()) == kNoRow);
  return state;
}

void check_same(const State& one, const State& other) {
  CHECK(one.rows() == other.rows() && one.nonfinite() == other.nonfinite());
  CHECK(one.lowest_lr() == other.lowest_lr() && one.highest_lr() == other.highest_lr());
  CHECK(one.origin() == other.origin() && one.cells().size() == other.cells().size());
  for (std::size_t i = 0; i < one.cells().size(); ++i) {
    const Cell& a = one.cells()[i];
    const Cell& b = other.cells()[i];
    CHECK(a.count == b.count && a.nonfinite == b.nonfinite);
    CHECK(a.first == b.first && a.last == b.last);
    CHECK(a.lowest == b.lowest && a.highest == b.highest);
    CHECK(near(a.x, b.x, 1e-13) && near(a.loss, b.loss, 1e-13));
  }
}

void cells_hold_what_their_edges_say() {
  for (const double lr : {kLowestRate, 1e-5, 0.1, 0.9999999999999999, 1.0, 1.5, kHighestRate}) {
    const auto cell = cell_of(lr);
    CHECK(cell >= kLowestCell && cell <= kHighestCell);
    CHECK(cell_edge(cell) <= lr && lr < cell_edge(cell + 1));
    const double offset = cell_offset(lr, inverse_centre(cell));
    CHECK(std::fabs(cell_centre(cell) + offset - std::log(lr)) < 1e-9);
  }
  for (std::int64_t cell = kLowestCell; cell <= kHighestCell; ++cell)
    CHECK(cell_of(cell_edge(cell)) == cell);
  const double edge = cell_edge(-100);
  CHECK(cell_centre(-101) + cell_offset(std::nextafter(edge, 0), inverse_centre(-101)) <
        cell_centre(-100) + cell_offset(edge, inverse_centre(-100)));
}

void a_bad_rate_changes_nothing() {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, 1e-320, std::nan(""), infinity}) {
    for (const std::size_t row : {std::size_t{0}, std::size_t{700}, std::size_t{150000}}) {
      Log log = valley_log(200000, 1e-3, 1, 0.1);
      log.lr[row] = bad;
      State state;
      CHECK(add(state, log, 0, log.lr.size(), 2) == row);
      CHECK(state.empty());
    }
  }
}

void a_state_holds_the_means_of_its_cells() {
  Log log = valley_log(3000, 1e-3, 1, 0.1);
  log.loss[7] = NAN;
  log.loss[2222] = -INFINITY;
  log.loss[2999] = 1e101;
  const State state = state_of(log);
  CHECK(state.rows() == 3000 && state.nonfinite() == 3);
  for (std::size_t i = 0; i < state.cells().size(); ++i) {
    const std::int64_t index = state.origin() + static_cast<std::int64_t>(i);
    double count = 0, x = 0, loss = 0;
    for (std::size_t row = 0; row < log.lr.size(); ++row) {
      if (cell_of(log.lr[row]) != index || !(std::fabs(log.loss[row]) <= kLargestLoss)) continue;
      ++count;
      x += std::log(log.lr[row]);
      loss += log.loss[row];
    }
    const Cell& cell = state.cells()[i];
    CHECK(static_cast<double>(cell.count) == count);
    if (count == 0) continue;
    CHECK(near(cell.loss, loss / count, 1e-13));
    CHECK(near(cell_centre(index) + cell.x, x / count, 1e-9));
  }
}

void merged_states_equal_one_state() {
  Log log = valley_log(300000, 1e-3, 1, 0.1);
  log.loss[70] = NAN;
  log.loss[299990] = INFINITY;
  const State whole = state_of(log);
  State parts, threads;
  for (const std::size_t start : {200000U, 0U, 100000U}) {  // in no order
    State part;
    add(part, log, start, start + 100000);
    parts.merge(part);
  }
  check_same(whole, parts);
  add(threads, log, 0, 300000, 3);
  check_same(whole, threads);
  parts.merge(parts);
  CHECK(parts.rows() == 600000);
}

void parts_that_counted_from_zero_are_put_in_a_row() {
  Log log = valley_log(3000, 1e-3, 1, 0.1);
  log.loss[2000] = NAN;
  log.lr[999] = log.lr[0];  // leaves empty cells between the two in the second part
  State all =
      state_of(Log{{log.lr.begin(), log.lr.begin() + 999}, {log.loss.begin(), log.loss.end()}});
  State part;
  CHECK(part.add(column_of(&log.lr[999]), column_of(&log.loss[999]), 2001, 0) == kNoRow);
  all.put(part, 999);
  check_same(state_of(log), all);
  CHECK(all.next_step() == 3000);
  State back;
  back.put(all, -999);
  for (const Cell& cell : back.cells()) {
    CHECK(cell.empty() ? cell.first == Cell{}.first && cell.last == Cell{}.last
                       : cell.first >= -999 && cell.last <= 2000);
  }
}

template <typename Call>
bool refused(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void rows_and_steps_have_bounds() {
  const Log log = valley_log(100, 1e-3, 1, 0.1);
  const Column lr = column_of(log.lr.data()), loss = column_of(log.loss.data());
  State many = state_of(log);
  int doublings = 0;
  for (; !refused([&] { many.merge(State(many)); }); ++doublings) CHECK(doublings < 60);
  CHECK(many.rows() == std::int64_t{100} << doublings && many.rows() <= kMostRows);
  const std::string before = to_bytes(many);
  CHECK(refused([&] { many.put(many, 0); }));
  CHECK(to_bytes(from_bytes(before.data(), before.size())) == before);
  while (many.rows() <= kMostRows - 100) {  // fill it up with smaller and smaller states
    State fitting = state_of(log);
    while (fitting.rows() * 2 <= kMostRows - many.rows()) fitting.merge(State(fitting));
    many.merge(fitting);
  }
  const std::string full = to_bytes(many);
  CHECK(refused([&] { many.add(lr, loss, 100, 0); }) && to_bytes(many) == full);
  CHECK(to_bytes(from_bytes(full.data(), full.size())) == full);

  for (const std::int64_t end : {kMostRows, -kMostRows}) {
    State state;
    const std::int64_t first = end > 0 ? end - 100 : end;
    CHECK(state.add(lr, loss, 100, first) == kNoRow);
    const std::string bytes = to_bytes(state);
    CHECK(to_bytes(from_bytes(bytes.data(), bytes.size())) == bytes);
    const std::int64_t beyond = end > 0 ? 1 : -1;
    CHECK(refused([&] { state.add(lr, loss, 100, first + beyond); }));
    CHECK(refused([&] { state.put(state, beyond); }));
    CHECK(refused([&] { State().put(State(end), beyond); }));
    CHECK(refused([&] { state.add(lr, loss, 1, std::numeric_limits<std::int64_t>::min()); }));
    CHECK(refused([&] { state.add(lr, loss, 1, std::numeric_limits<std::int64_t>::max()); }));
    CHECK(to_bytes(state) == bytes);
    CHECK(State(end).next_step() == end);
  }
}

void columns_of_any_layout_give_the_same() {
  const Log log = valley_log(3000, 1e-3, 1, 0.1);
  std::vector<double> backwards(log.lr.rbegin(), log.lr.rend());
  std::vector<float> table;
  Log rounded;
  for (std::size_t i = 0; i < log.lr.size(); ++i) {
    for (int copy = 0; copy < 3; ++copy) table.push_back(static_cast<float>(log.loss[i]));
    rounded.loss.push_back(table.back());
  }
  rounded.lr = log.lr;
  State state;
  const std::ptrdiff_t step = -static_cast<std::ptrdiff_t>(sizeof(double));
  state.add({&backwards.back(), step, false}, {table.data(), 3 * sizeof(float), true}, 3000, 0);
  check_same(state, state_of(rounded));
}

// Every combination, dense or not, aligned or not: to the last bit.
void rows_of_float32_give_the_bits_of_float64() {
  Log log = valley_log(20000, 1e-3, 1, 0.1);
  log.loss[70] = log.loss[12345] = NAN;
  std::vector<float> lr(log.lr.begin(), log.lr.end()), loss(log.loss.begin(), log.loss.end());
  log.lr.assign(lr.begin(), lr.end());
  log.loss.assign(loss.begin(), loss.end());
  const std::string wanted = to_bytes(state_of(log));
  std::vector<double> average(loss.size()), single_average(loss.size());
  Ema(0.98).run(column_of(log.loss.data()), loss.size(), average.data());
  std::string shifted(sizeof(float) * loss.size() + 1, ' ');
  std::memcpy(&shifted[1], loss.data(), sizeof(float) * loss.size());
  const Column dense{loss.data(), sizeof(float), true};
  CHECK(dense.dense_single());
  const Column unaligned{&shifted[1], sizeof(float), true};
  CHECK(!unaligned.dense_single());
  for (const Column& losses : {dense, unaligned, column_of(log.loss.data())}) {
    for (const Column& rates : {Column{lr.data(), sizeof(float), true}, column_of(log.lr.data())}) {
      State state;
      CHECK(state.add(rates, losses, lr.size(), 0) == kNoRow);
      CHECK(to_bytes(state) == wanted);
    }
    Ema(0.98).run(losses, loss.size(), single_average.data());
    CHECK(std::memcmp(average.data(), single_average.data(), sizeof(double) * loss.size()) == 0);
  }
}

void bytes_round_trip() {
  Log log = valley_log(500, 1e-3, 1, 0.1);
  log.loss[400] = NAN;
  const State state = state_of(log);
  const std::string bytes = to_bytes(state);
  check_same(state, from_bytes(bytes.data(), bytes.size()));
  CHECK(to_bytes(from_bytes(bytes.data(), bytes.size())) == bytes);
  CHECK(refused([&] { from_bytes(bytes.data(), bytes.size() - 1); }));
  CHECK(from_bytes(bytes.data(), bytes.size()).next_step() == 500);
}

void another_format_is_named() {
  std::string bytes = to_bytes(state_of(valley_log(500, 1e-3, 1, 0.1)));
  const auto error = [&](char format) {
    bytes[7] = format;
    try {
      from_bytes(bytes.data(), bytes.size());
    } catch (const std::invalid_argument& refusal) {
      return std::string(refusal.what());
    }
    return std::string();
  };
  CHECK(error('\2').empty());
  CHECK(error('\3') ==
        "data is a State of format 3, written by a newer clrfast: this one reads up to 2");
  CHECK(error('\1') == "data is a State of format 1, which no release wrote: this one reads 2");
  bytes.resize(8);  // whatever follows: a newer format may be anything
  CHECK(error('\377').find("format 255, written by a newer") != std::string::npos);
}

// As far as the digits of the losses go: here they have them all.
void a_constant_added_to_all_losses_changes_nothing() {
  for (const double fall : {1e-3, 1e3}) {  // and one that the log does not reach
    Log log = valley_log(3000, fall, 1, 0.02);
    for (double& loss : log.loss) loss = std::ldexp(std::round(std::ldexp(loss, 20)), -20);
    const Analysis plain = analyze(state_of(log));
    for (const double offset : {1e9, -1e9, 1e6}) {
      Log moved = log;
      for (double& loss : moved.loss) loss += offset;
      const Analysis other = analyze(state_of(moved));
      const Suggestion &a = plain.findings.suggestion, &b = other.findings.suggestion;
      CHECK(near(std::log(a.max_lr), std::log(b.max_lr), 1e-6));
      CHECK(near(std::log(a.base_lr), std::log(b.base_lr), 1e-6));
      CHECK(a.confidence == b.confidence && a.reasons == b.reasons);
      for (std::size_t i = 0; i < plain.points.size(); ++i) {
        CHECK(std::fabs(plain.findings.fit.loss[i] + offset - other.findings.fit.loss[i]) < 1e-6);
        CHECK(std::fabs(plain.findings.fit.slope[i] - other.findings.fit.slope[i]) < 5e-6);
      }
    }
  }
}

// What float64 rounds off is no fall.
void rounding_is_no_fall() {
  Log log = valley_log(3000, 1e-3, 1, 0);
  for (double& loss : log.loss) loss = 1e9 + 1e-8 * loss;  // an ulp is 1.2e-7
  const Suggestion found = analyze(state_of(log)).findings.suggestion;
  CHECK(std::isnan(found.max_lr) && found.confidence == Confidence::kLow);
}

void a_log_that_turns_back_is_no_range_test() {
  const Log up = valley_log(1000, 1e-3, 1, 0.05);
  const auto reason_of = [](const Log& log) {
    const Suggestion found = analyze(state_of(log)).findings.suggestion;
    return std::isnan(found.max_lr) ? found.reasons.front() : std::string();
  };
  Log there_and_back = up, twice = up;
  there_and_back.lr.insert(there_and_back.lr.end(), up.lr.rbegin(), up.lr.rend());
  there_and_back.loss.insert(there_and_back.loss.end(), up.loss.begin(), up.loss.end());
  twice.lr.insert(twice.lr.end(), up.lr.begin(), up.lr.end());
  twice.loss.insert(twice.loss.end(), up.loss.begin(), up.loss.end());
  CHECK(reason_of(up).empty() && reason_of(twice).empty());
  CHECK(reason_of(there_and_back).find("rises and then falls again") != std::string::npos);
}

void rates_may_lie_anywhere_in_the_grid() {
  for (const double first : {kLowestRate, 1.015e-300, 1.05e-300, 0.9e300, kHighestRate}) {
    Log log;
    log.lr = {first, 0.1};
    log.loss = {1, 2};
    const std::string bytes = to_bytes(state_of(log));
    const State state = from_bytes(bytes.data(), bytes.size());
    int held = 0;
    for (const Cell& cell : state.cells()) held += cell.last >= cell.first;
    CHECK(held == 2);
  }
}

void what_a_part_throws_comes_back_after_all_have_ended() {
  std::vector<int> done(4);
  CHECK(refused([&] {
    in_parallel(4, [&](std::size_t k) {
      if (k % 2 == 1) throw std::invalid_argument("odd");
      done[k] = 1;
    });
  }));
  CHECK(done[0] == 1 && done[2] == 1);
}

void a_line_is_fitted_exactly() {
  Points points;
  for (int i = 0; i < 200; ++i) {
    const double x = -9 + 0.04 * i + 0.01 * (i % 3);
    points.x.push_back(x);
    points.loss.push_back(1e6 + 3 * x);  // a large offset must not cost digits of the slope
    points.rows.push_back(1 + i % 4);
  }
  for (const double window : {0.05, 0.7, 100.0}) {
    const Fit fitted = fit(points, window);
    for (std::size_t i = 0; i < points.size(); ++i) {
      CHECK(near(fitted.slope[i], 3, 1e-7));
      CHECK(near(fitted.loss[i], points.loss[i], 1e-14));
      CHECK(fitted.slope_se[i] < 1e-7);
    }
  }
}

void a_huge_loss_costs_no_digits_beyond_the_window() {
  Points points;
  for (int i = 0; i < 400; ++i) {
    points.x.push_back(0.04 * i);
    points.loss.push_back(3 * points.x.back());
    points.rows.push_back(3);
  }
  for (const std::size_t spike : {std::size_t{0}, std::size_t{5}, std::size_t{150}}) {
    Points spiked = points;
    spiked.loss[spike] = 1e12;
    const std::vector<double> losses = fit(spiked, 0.7).loss;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (std::fabs(points.x[i] - points.x[spike]) > 0.7)
        CHECK(std::fabs(losses[i] - points.loss[i]) < 1e-11);
    }
  }
}

void phases_are_where_they_were_put() {
  const Analysis analysis = analyze(state_of(valley_log(2000, 1e-3, 1, 0.02)));
  const Phases& p = analysis.findings.phases;
  CHECK(std::fabs(std::log(p.steepest_lr / 1e-3)) < 0.5);
  CHECK(p.plateau_end_lr < p.steepest_lr && p.steepest_lr < p.min_lr);
  CHECK(p.min_lr < p.turn_lr && p.turn_lr < p.divergence_lr);
  const Suggestion& s = analysis.findings.suggestion;
  CHECK(s.base_lr < s.max_lr && s.max_lr < p.turn_lr);
  CHECK(s.max_lr_interval.low <= s.max_lr && s.max_lr <= s.max_lr_interval.high);
  CHECK(s.base_lr_interval.low <= s.base_lr && s.base_lr <= s.base_lr_interval.high);
}

void the_average_is_that_of_its_recurrence() {
  Log log = valley_log(20000, 1e-3, 1, 0.3);
  log.loss[0] = log.loss[9000] = NAN;
  log.loss[15000] = INFINITY;
  for (const double beta : {0.0, 0.9, 0.98, 0.9999}) {
    std::vector<double> smoothed(20000);
    Ema ema(beta);
    ema.run(column_of(log.loss.data()), 12345, smoothed.data());
    ema.run(column_of(&log.loss[12345]), 20000 - 12345, &smoothed[12345]);
    double average = 0, weight = 0;
    for (std::size_t i = 0; i < 20000; ++i) {
      if (std::isfinite(log.loss[i])) {
        average = beta * average + (1 - beta) * log.loss[i];
        weight = beta * weight + (1 - beta);
      }
      CHECK(i == 0 ? std::isnan(smoothed[i]) : near(smoothed[i], average / weight, 1e-13));
    }
  }
}

void runs_get_the_answers_they_would_get_alone() {
  Log all;
  std::vector<std::size_t> offsets{0};
  for (int run = 0; run < 40; ++run) {
    const Log log = valley_log(200 + run, 1e-3 * (1 + 0.05 * run), 1, 0.05);
    all.lr.insert(all.lr.end(), log.lr.begin(), log.lr.end());
    all.loss.insert(all.loss.end(), log.loss.begin(), log.loss.end());
    offsets.push_back(all.lr.size());
  }
  offsets.push_back(all.lr.size());  // a run of no rows
  const Column lr = column_of(all.lr.data());
  const Column loss = column_of(all.loss.data());
  const RunTable table = analyze_runs(lr, loss, offsets, 2);
  CHECK(table.bad_row == kNoRow && table.lines.size() == 41);
  for (std::size_t run = 0; run < 40; ++run) {
    State state;
    state.add(lr.from(offsets[run]), loss.from(offsets[run]), offsets[run + 1] - offsets[run], 0);
    const Suggestion alone = analyze(state).findings.suggestion;
    CHECK(table.lines[run].suggestion.max_lr == alone.max_lr);
    CHECK(table.lines[run].suggestion.base_lr == alone.base_lr);
    CHECK(line_of(state).suggestion.max_lr == alone.max_lr);
    CHECK(table.lines[run].rows == static_cast<std::int64_t>(200 + run));
  }
  CHECK(std::isnan(table.lines[40].suggestion.max_lr) && table.lines[40].rows == 0);
  all.lr[5000] = 0;
  CHECK(analyze_runs(lr, loss, offsets, 2).bad_row == 5000);
}

// What depends on rates and rows alone is kept from one fit to the next.
void losses_over_the_same_rates_are_fitted_as_if_alone() {
  const Log one = valley_log(1000, 1e-3, 1, 0.05), other = valley_log(1000, 1e-2, 2, 0.2);
  const Points points = analyze(state_of(one)).points;
  const std::vector<double> losses = analyze(state_of(other)).points.loss;
  const Regression first(points, 1.8);
  const Fit wide = first.fit(points.loss), alone = first.refined(points.loss, wide);
  const Regression second(points, 1.8);
  second.refined(losses, second.fit(losses));
  const Fit again = second.refined(points.loss, second.fit(points.loss));
  for (const auto column : {&Fit::loss, &Fit::loss_se, &Fit::slope, &Fit::slope_se, &Fit::lever})
    CHECK(alone.*column == again.*column && alone.*column != wide.*column);
}

void the_longest_descent_is_found() {
  const double loss[] = {5, 9, 4, NAN, 8, 3, 7, 7, 6, 9};
  const Descent descent = longest_descent(column_of(loss), 10);
  CHECK(descent.length == 4 && descent.end == 8);  // 9 8 7 6
  CHECK(longest_descent(column_of(loss), 0).length == 0);
}

}  // namespace

int main() {
  cells_hold_what_their_edges_say();
  a_bad_rate_changes_nothing();
  a_state_holds_the_means_of_its_cells();
  merged_states_equal_one_state();
  parts_that_counted_from_zero_are_put_in_a_row();
  rows_and_steps_have_bounds();
  columns_of_any_layout_give_the_same();
  rows_of_float32_give_the_bits_of_float64();
  bytes_round_trip();
  another_format_is_named();
  rates_may_lie_anywhere_in_the_grid();
  a_log_that_turns_back_is_no_range_test();
  what_a_part_throws_comes_back_after_all_have_ended();
  a_line_is_fitted_exactly();
  a_huge_loss_costs_no_digits_beyond_the_window();
  phases_are_where_they_were_put();
  a_constant_added_to_all_losses_changes_nothing();
  rounding_is_no_fall();
  the_average_is_that_of_its_recurrence();
  runs_get_the_answers_they_would_get_alone();
  losses_over_the_same_rates_are_fitted_as_if_alone();
  the_longest_descent_is_found();
}
