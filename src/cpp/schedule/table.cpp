#include "schedule/table.hpp"

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

namespace clrfast {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kExact = 9007199254740992.0;  // 2^53: whole numbers up to here are exact
constexpr std::size_t kMostStarts = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

void check(const Curve& curve, double length) {
  if (!(length > 0.0)) fail("pieces must each last longer than 0 steps, got " + text(length));
  if (std::isinf(length) ? !endless(curve.shape) : length > kExact) {
    fail("pieces must each last at most 2**53 steps, got " + text(length));
  }
  if (!std::isfinite(curve.start)) fail("start must be finite, got " + text(curve.start));
  if (!std::isfinite(curve.end)) fail("end must be finite, got " + text(curve.end));
  if (!std::isfinite(curve.end - curve.start)) {
    fail("end - start must be finite, got " + text(curve.end) + " - " + text(curve.start));
  }
  if (curve.shape == Shape::exponential && !(curve.start > 0.0 && curve.end > 0.0)) {
    fail("start and end of an exponential curve must be > 0, got " + text(curve.start) + " and " +
         text(curve.end));
  }
  if ((curve.shape == Shape::power || curve.shape == Shape::inverse_root) &&
      !(curve.param > 0.0 && std::isfinite(curve.param))) {
    fail("param must be > 0 and finite, got " + text(curve.param));
  }
}

struct Starts {
  std::vector<std::int64_t>
      steps;                 // where the cycles begin, and where the last one ends if all fit
  double last_length = 0.0;  // otherwise how long the last one is, which no 64-bit step outlasts
};

Starts cycle_starts(double length, double mult, std::int64_t cycles) {
  constexpr double kLast = 9.2e18;
  Starts starts{{0}};
  const bool whole = mult == std::floor(mult);
  auto exact = static_cast<std::int64_t>(length);
  for (std::int64_t c = 0; cycles == 0 || c < cycles; ++c) {
    // A whole number of steps is multiplied in integers as long as it fits.
    const double rounded = std::floor(length * std::pow(mult, static_cast<double>(c)) + 0.5);
    if (static_cast<double>(starts.steps.back()) + rounded > kLast) {
      starts.last_length = rounded;
      break;
    }
    const std::int64_t now = whole ? exact : static_cast<std::int64_t>(rounded);
    starts.steps.push_back(starts.steps.back() + now);
    if (whole && rounded * mult < kLast) exact *= static_cast<std::int64_t>(mult);
    if (starts.steps.size() > kMostStarts) {
      fail("cycle_mult must be 1 or so large that a million cycles outlast every step, got " +
           text(mult));
    }
  }
  return starts;
}

}  // namespace

Table::Table(std::vector<Piece> pieces, std::int64_t cycles, double cycle_mult, Scaling scaling,
             Map map)
    : pieces_(std::move(pieces)), cycle_mult_(cycle_mult), scaling_(std::move(scaling)), view_{} {
  if (pieces_.empty()) fail("pieces must not be empty");
  if (cycles < 0) fail("cycles must be >= 0, got " + std::to_string(cycles));
  if (!(cycle_mult >= 1.0) || std::isinf(cycle_mult)) {
    fail("cycle_mult must be >= 1 and finite, got " + text(cycle_mult));
  }
  if (!(scaling_.gamma > 0.0) || std::isinf(scaling_.gamma)) {
    fail("gamma must be > 0 and finite, got " + text(scaling_.gamma));
  }
  if (!std::isfinite(scaling_.floor)) fail("floor must be finite, got " + text(scaling_.floor));
  for (double factor : scaling_.factors) {
    if (!std::isfinite(factor)) fail("factors must be finite, got " + text(factor));
  }
  if (!std::isfinite(map.scale)) fail("scale must be finite, got " + text(map.scale));
  if (!std::isfinite(map.offset)) fail("offset must be finite, got " + text(map.offset));
  if (!(map.low <= map.high)) {
    fail("low must be <= high, got " + text(map.low) + " and " + text(map.high));
  }
  double length = 0.0;
  bool integral = true;
  bool nested = false;
  for (Piece& piece : pieces_) {
    if (piece.nested) piece.curve = {Shape::constant, 0.0, 0.0};
    if (std::isinf(length)) fail("only the last piece can last forever");
    check(piece.curve, piece.until - length);
    piece.first = length;
    length = piece.until;
    nested = nested || piece.nested != nullptr;
    integral = integral && (length == std::floor(length));
  }
  if (nested && !integral) fail("pieces beside a nested table must last a whole number of steps");
  if (std::isinf(length) ? cycles != 1 : length > kExact) {
    fail("the pieces must last at most 2**53 steps to be repeated, got " + text(length));
  }
  double total = kInfinity;
  if (cycle_mult > 1.0) {
    if (length != std::floor(length)) {
      fail("the pieces must last a whole number of steps where cycle_mult is not 1, got " +
           text(length));
    }
    Starts starts = cycle_starts(length, cycle_mult, cycles);
    starts_ = std::move(starts.steps);
    view_.last_length = starts.last_length;
    if (cycles != 0 && starts.last_length == 0.0) total = static_cast<double>(starts_.back());
  } else if (cycles != 0) {
    total = length * static_cast<double>(cycles);
    if (total > kExact) total = kInfinity;  // further than a step can be told from the next
  }
  view_.pieces = pieces_.data();
  view_.count = pieces_.size();
  view_.length = length;
  view_.integral = integral;
  view_.cycles = cycles;
  view_.total = total;
  view_.starts = starts_.empty() ? nullptr : starts_.data();
  view_.start_count = starts_.size();
  view_.per = scaling_.per;
  view_.gamma = scaling_.gamma;
  view_.factors = scaling_.factors.empty() ? nullptr : scaling_.factors.data();
  view_.factor_count = scaling_.factors.size();
  view_.floor = scaling_.floor;
  view_.map = map;
  const bool unmapped =
      map.scale == 1.0 && map.offset == 0.0 && std::isinf(map.low) && std::isinf(map.high);
  view_.plain_cycle = integral && cycles == 0 && starts_.empty() && !nested && unmapped &&
                      scaling_.per == Scaling::Per::none && pieces_.size() <= 2;
}

}  // namespace clrfast
