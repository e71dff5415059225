// A libFuzzer target: whatever the bytes are, the analysis of them neither crashes nor contradicts
// itself.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "analysis/analyze.hpp"
#include "analysis/ema.hpp"
#include "analysis/runs.hpp"
#include "analysis/serialize.hpp"
#include "analysis/state.hpp"
#include "analysis/valley.hpp"
#include "check.hpp"

using namespace clrfast::analysis;

namespace {

void check_analysis(const State& state) {
  if (cells_with_loss(state) < kFewestCells) return;
  const Analysis analysis = analyze(state);
  const Suggestion& s = analysis.findings.suggestion;
  CHECK(analysis.findings.fit.loss.size() == analysis.points.size());
  if (s.max_lr != s.max_lr) {
    CHECK(s.base_lr != s.base_lr && s.confidence == Confidence::kLow && !s.reasons.empty());
    return;
  }
  CHECK(0 < s.base_lr && s.base_lr < s.max_lr);
  CHECK(s.max_lr_interval.low <= s.max_lr && s.max_lr <= s.max_lr_interval.high);
  CHECK(s.base_lr_interval.low <= s.base_lr && s.base_lr <= s.base_lr_interval.high);
}

void check_round_trip(const State& state) {
  CHECK(state.rows() >= 0 && state.rows() <= kMostRows);
  const std::string saved = to_bytes(state);
  CHECK(to_bytes(from_bytes(saved.data(), saved.size())) == saved);
}

// Whatever a state grows by, it can be saved and read, or what refuses to be added changes nothing.
template <typename Add>
bool grows(State& state, const Add& add) {
  const std::string before = to_bytes(state);
  try {
    add(state);
  } catch (const std::invalid_argument&) {
    CHECK(to_bytes(state) == before);
    return false;
  }
  check_round_trip(state);
  return true;
}

void check_growth(State state, std::int64_t step) {
  const double lr = 0.1, loss = 1;
  grows(state, [&](State& s) { s.add(column_of(&lr), column_of(&loss), 1, step); });
  grows(state, [&](State& s) { s.add(column_of(&lr), column_of(&loss), 1, s.next_step()); });
  grows(state, [&](State& s) { s.put(s, step); });
  grows(state, [&](State& s) { s.put(State(s), s.next_step()); });
  int doublings = 0;
  while (grows(state, [](State& s) { s.merge(State(s)); })) CHECK(++doublings < 60);
}

void try_bytes(const char* bytes, std::size_t size) {
  State state;
  try {
    state = from_bytes(bytes, size);
  } catch (const std::invalid_argument& error) {
    CHECK(size < 8 || std::memcmp(bytes, "clrfast", 7) != 0 || bytes[7] == 2 ||
          std::string(error.what()).find("of format") != std::string::npos);
    return;
  }
  CHECK(bytes[7] == 2);
  check_round_trip(state);
  check_analysis(state);
  std::int64_t step = 0;
  std::memcpy(&step, bytes + size - sizeof step, sizeof step);
  if (!state.empty()) check_growth(std::move(state), step);
}

template <typename T>
std::vector<T> numbers(const char* bytes, std::size_t size) {
  std::vector<T> values(size / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes, values.size() * sizeof(T));
  return values;
}

// Any losses; rates that the bytes put on a ramp, or anywhere.
void try_rows(const char* bytes, std::size_t size, bool ramp) {
  const std::vector<float> loss = numbers<float>(bytes, size);
  std::vector<double> lr = numbers<double>(bytes, size);
  lr.resize(loss.size(), 0.1);
  for (std::size_t i = 0; ramp && i < lr.size(); ++i)
    lr[i] = std::exp(-12 + 0.05 * static_cast<double>(i));
  const Column rates = column_of(lr.data());
  const Column losses{loss.data(), sizeof(float), true};

  State whole;
  const std::size_t bad = whole.add(rates, losses, loss.size(), 0, 2);
  if (bad == kNoRow) {
    CHECK(whole.rows() == static_cast<std::int64_t>(loss.size()));
    check_analysis(whole);
    State parts, second;
    const std::size_t cut = loss.size() / 3;
    second.add(rates.from(cut), losses.from(cut), loss.size() - cut,
               static_cast<std::int64_t>(cut));
    parts.add(rates, losses, cut, 0);
    parts.merge(second);
    CHECK(parts.rows() == whole.rows() && parts.nonfinite() == whole.nonfinite());
    CHECK(parts.cells().size() == whole.cells().size());
    check_round_trip(whole);
    std::vector<double> wide(loss.begin(), loss.end());
    State same;
    CHECK(same.add(rates, column_of(wide.data()), wide.size(), 0, 2) == kNoRow);
    CHECK(to_bytes(same) == to_bytes(whole));
  } else {
    CHECK(whole.empty());
  }
  analyze_runs(rates, losses, {0, loss.size() / 2, loss.size()}, 1);

  std::vector<double> smoothed(loss.size());
  Ema(0.98).run(losses, loss.size(), smoothed.data());
  std::vector<double> wide(loss.begin(), loss.end()), wide_smoothed(loss.size());
  Ema(0.98).run(column_of(wide.data()), wide.size(), wide_smoothed.data());
  CHECK(wide.empty() ||
        std::memcmp(smoothed.data(), wide_smoothed.data(), wide.size() * sizeof(double)) == 0);
  CHECK(longest_descent(losses, loss.size()).length <= loss.size());
}

// A good state, of which the bytes say what to damage, its format among it: place and new value in
// turn.
void try_damage(const char* bytes, std::size_t size) {
  std::vector<double> lr, loss;
  for (int i = 0; i < 60; ++i) {
    lr.push_back(std::exp(-6 + 0.1 * i));
    loss.push_back(i < 55 ? 3 - 0.02 * i : std::nan(""));
  }
  State state;
  state.add(column_of(lr.data()), column_of(loss.data()), lr.size(), 0);
  std::string saved = to_bytes(state);
  for (std::size_t i = 0; i + 2 < size; i += 3) {
    const auto place =
        static_cast<unsigned char>(bytes[i]) * 256U + static_cast<unsigned char>(bytes[i + 1]);
    saved[place % saved.size()] = bytes[i + 2];
  }
  try_bytes(saved.data(), saved.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const char* bytes = reinterpret_cast<const char*>(data) + 1;
  switch (data[0] % 4) {
    case 0:
      try_bytes(bytes, size - 1);
      break;
    case 1:
      try_rows(bytes, size - 1, false);
      break;
    case 2:
      try_rows(bytes, size - 1, true);
      break;
    default:
      try_damage(bytes, size - 1);
  }
  return 0;
}
