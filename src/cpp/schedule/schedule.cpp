#include "schedule/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

namespace clrfast {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kExact = 0x1p53;  // whole numbers up to here are exact
constexpr double kShortest = 0x1p-20;
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
  if (curve.shape == Shape::exponential &&
      std::abs(std::log2(curve.start) - std::log2(curve.end)) > 2000.0) {
    fail("start and end of an exponential curve must be within 2**2000 of each other, got " +
         text(curve.start) + " and " + text(curve.end));
  }
  if (curve.shape == Shape::power_law) {
    if (!(curve.start > 0.0)) fail("start of a power law must be > 0, got " + text(curve.start));
    if (!(curve.param < 0.0 && curve.param >= -16.0)) {
      fail("param of a power law must be < 0 and at least -16, got " + text(curve.param));
    }
  }
  if (curve.shape == Shape::power && !(curve.param > 0.0 && curve.param <= kExact)) {
    fail("param of a power must be > 0 and at most 2**53, got " + text(curve.param));
  }
  if (curve.shape == Shape::inverse_root && !(curve.param > 0.0 && std::isfinite(curve.param))) {
    fail("param of an inverse root must be > 0 and finite, got " + text(curve.param));
  }
}

struct Starts {
  std::vector<std::int64_t>
      steps;         // where the cycles begin, and where the last one ends if all fit
  Wide last_length;  // otherwise how long the last one is, which no 64-bit step outlasts
};

Starts cycle_starts(double length, double mult, std::int64_t cycles) {
  constexpr double kLast = 9.2e18;
  constexpr double kLongest = 0x1p200;  // no 64-bit step moves along such a cycle in the last bit
  Starts starts{{0}, {}};
  const bool whole = mult == std::floor(mult);
  Wide exact = length;  // a whole number of steps is multiplied without rounding
  for (std::int64_t c = 0; cycles == 0 || c < cycles; ++c) {
    const Wide now =
        whole ? exact : Wide(std::floor(length * std::pow(mult, static_cast<double>(c)) + 0.5));
    const std::int64_t begin = starts.steps.back();
    if (static_cast<double>(begin) + now.hi > kLast) {
      starts.last_length = now.hi < kLongest ? now : Wide(kLongest);
      break;
    }
    starts.steps.push_back(begin + static_cast<std::int64_t>(now.hi) +
                           static_cast<std::int64_t>(now.lo));
    exact = exact * mult;
    if (starts.steps.size() > kMostStarts) {
      fail("cycle_mult must be 1 or so large that a million cycles outlast every step, got " +
           text(mult));
    }
  }
  return starts;
}

// The first step that is in a cycle of more steps than a double counts.
std::uint64_t first_long_cycle(const Starts& starts) {
  for (std::size_t c = 1; c < starts.steps.size(); ++c) {
    if (static_cast<double>(starts.steps[c] - starts.steps[c - 1]) > kExact) {
      return static_cast<std::uint64_t>(starts.steps[c - 1]);
    }
  }
  return starts.last_length.hi > kExact ? static_cast<std::uint64_t>(starts.steps.back()) : kNever;
}

bool is_whole(const Wide& steps) { return steps.hi == std::floor(steps.hi) && steps.lo == 0.0; }

void check(const Scaling& scaling) {
  if (!(scaling.gamma > 0.0) || std::isinf(scaling.gamma)) {
    fail("gamma must be > 0 and finite, got " + text(scaling.gamma));
  }
  if (!std::isfinite(scaling.floor)) fail("floor must be finite, got " + text(scaling.floor));
  for (double factor : scaling.factors) {
    if (!std::isfinite(factor)) fail("factors must be finite, got " + text(factor));
  }
}

void check(const Map& map) {
  if (!std::isfinite(map.scale)) fail("scale must be finite, got " + text(map.scale));
  if (!std::isfinite(map.shift)) fail("shift must be finite, got " + text(map.shift));
  if (!(map.low <= map.high)) {
    fail("low must be <= high, got " + text(map.low) + " and " + text(map.high));
  }
}

}  // namespace

Schedule::Schedule(std::vector<Piece> pieces, std::int64_t cycles, double cycle_mult,
                   Scaling scaling, Map map)
    : pieces_(std::move(pieces)),
      cycle_mult_(cycle_mult),
      scaling_(std::move(scaling)),
      map_(map),
      evaluator_{} {
  if (pieces_.empty()) fail("pieces must not be empty");
  if (cycles < 0) fail("cycles must be >= 0, got " + std::to_string(cycles));
  if (!(cycle_mult >= 1.0) || std::isinf(cycle_mult)) {
    fail("cycle_mult must be >= 1 and finite, got " + text(cycle_mult));
  }
  check(scaling_);
  check(map_);
  Wide length;
  bool whole = true;
  for (Piece& piece : pieces_) {
    if (std::isinf(length.hi)) fail("only the last piece can last forever");
    if (!(std::abs(piece.until.lo) <= std::abs(piece.until.hi) * 0x1p-53)) {
      fail("rest must be what until lost to rounding, got " + text(piece.until.lo));
    }
    if (piece.nested) {
      piece.curve = {Shape::constant, 0.0, 0.0};
      levels_ = std::max(levels_, piece.nested->levels_ + 1);
      all_pieces_ += piece.nested->all_pieces_;
    }
    check(piece.curve, (piece.until - length).hi);
    piece.first = length;
    length = piece.until;
    whole = whole && is_whole(length);
  }
  all_pieces_ += pieces_.size();
  if (levels_ > kMostLevels) {
    fail("schedules must be nested at most " + std::to_string(kMostLevels) + " deep, got " +
         std::to_string(levels_));
  }
  if (all_pieces_ > kMostPieces) {
    fail("a schedule must have at most 2**24 pieces, got " + std::to_string(all_pieces_));
  }
  if (levels_ > 1 && !whole) {
    fail("pieces beside a nested schedule must last a whole number of steps, got " +
         text(length.hi));
  }
  if (std::isinf(length.hi) ? cycles != 1 : length.hi > kExact) {
    fail("the pieces must last at most 2**53 steps to be repeated, got " + text(length.hi));
  }
  if (cycles != 1 && length.hi < kShortest) {
    fail("the pieces must last at least 2**-20 steps to be repeated, got " + text(length.hi));
  }
  Evaluator& e = evaluator_;
  e.total = kInfinity;
  e.whole_until = whole ? kNever : 0;
  if (cycle_mult > 1.0) {
    if (!is_whole(length)) {
      fail("the pieces must last a whole number of steps where cycle_mult is not 1, got " +
           text(length.hi));
    }
    Starts starts = cycle_starts(length.hi, cycle_mult, cycles);
    e.whole_until = pieces_.size() == 1 ? first_long_cycle(starts) : 0;
    e.last_length = starts.last_length;
    starts_ = std::move(starts.steps);
    if (cycles != 0 && e.last_length.hi == 0.0) e.total = Wide::whole(starts_.back());
  } else if (cycles != 0) {
    const Wide total = length * static_cast<double>(cycles);
    if (total.hi <= kExact) e.total = total;  // else further than is counted
  }
  e.whole_total = kNever;
  if (std::isfinite(e.total.hi)) {  // both summands are whole where the first is beyond 2^53
    e.whole_total = static_cast<std::uint64_t>(std::ceil(e.total.hi)) +
                    static_cast<std::uint64_t>(static_cast<std::int64_t>(std::ceil(e.total.lo)));
  }
  e.pieces = pieces_.data();
  e.count = pieces_.size();
  e.length = length;
  e.cycles = cycles;
  e.starts = starts_.empty() ? nullptr : starts_.data();
  e.start_count = starts_.size();
  e.per = scaling_.per;
  e.gamma = scaling_.gamma;
  e.factors = scaling_.factors.empty() ? nullptr : scaling_.factors.data();
  e.factor_count = scaling_.factors.size();
  e.floor = scaling_.floor;
  e.map = map_;
  if (!map_.changes_nothing()) {  // what it makes stays finite
    constexpr double kMost = std::numeric_limits<double>::max();
    e.map.low = std::max(map_.low, -kMost);
    e.map.high = std::min(map_.high, kMost);
  }
  e.plain_cycle = whole && cycles == 0 && starts_.empty() && levels_ == 1 &&
                  map_.changes_nothing() && e.per == Per::none && e.count <= 2;
}

bool operator==(const Schedule& a, const Schedule& b) {
  const auto same_curve = [](const Curve& x, const Curve& y) {
    return x.shape == y.shape && x.start == y.start && x.end == y.end && x.param == y.param;
  };
  const auto same_piece = [&](const Piece& x, const Piece& y) {
    if (!(x.until == y.until)) return false;
    if (!x.nested || !y.nested) return x.nested == y.nested && same_curve(x.curve, y.curve);
    return x.nested == y.nested || *x.nested == *y.nested;
  };
  const Scaling &s = a.scaling(), &t = b.scaling();
  const Map &m = a.map(), &o = b.map();
  return a.cycles() == b.cycles() && a.cycle_mult() == b.cycle_mult() && s.per == t.per &&
         s.gamma == t.gamma && s.floor == t.floor && s.factors == t.factors && m.scale == o.scale &&
         m.shift == o.shift && m.low == o.low && m.high == o.high &&
         std::equal(a.pieces().begin(), a.pieces().end(), b.pieces().begin(), b.pieces().end(),
                    same_piece);
}

}  // namespace clrfast
