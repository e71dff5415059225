#include "analysis/suggest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "analysis/grid.hpp"

namespace clrfast::analysis {
namespace {

// In this order: where the loss starts is read from the head, the first eighth of the log's span in
// ln(lr). The loss is fitted with all that lies far above the start capped, so that an explosion
// does not reach to the left. The course of the fit from the head on says how far it drops, where
// it is lowest and where it diverges. If it drops clearly, max_lr lies somewhat below the minimum:
// by the lag, the stretch that the ramp went on while the loss answered to a rate. If not, it is a
// guess from where the loss rises. All this is read from a fit in one wide window, whose minimum
// noise hardly moves; the curve that is shown, and the phases on it, follow the losses closer.
//
// The constants were measured on 28 training problems, and on 10 others that none was chosen by.
// The answer hardly depends on them: half or double of each costs about as much as another seed.

// The fit.
constexpr double kWindow = 0.8 * kDecade;  // its half-width ...
constexpr double kWindowShare = 0.25;      // ... at most this share of the log's span
constexpr double kCapShare = 0.5;          // losses end this share of the drop above the start ...
constexpr double kCapDeviations = 4;       // ... or, if more, so many deviations of a row

// The start.
constexpr double kHeadShare = 1.0 / 8;    // of the log's span
constexpr double kOutlierDeviations = 6;  // median deviations from the median, in the head

// The course.
constexpr double kBurstDeviations = 10;  // above the start, to the end: there it has exploded
constexpr double kDivergedShare = 0.5;   // of the deepest drop: a rise by it is divergence ...
constexpr double kDivergedAfter = 0.3;   // ... once this share of the deepest drop has been seen
constexpr double kOnsetShare = 0.1;      // of the drop: by it a fall or a rise has begun
constexpr double kSignificant = 3;       // standard errors that make a fall or a rise real ...
constexpr double kBeyondDoubt = 8;       // ... and so many leave no doubt

// A change by less than this share of the loss may be what its last digits, in float64, round off.
constexpr double kRounding = 1e-15;

// max_lr.
constexpr double kLagSteps = 6;              // until the loss answers to a rate
constexpr double kNearlyAll = 0.95;          // of the drop: where it is reached, ...
constexpr double kFurthest = 0.5 * kDecade;  // ... max_lr lies at most this far beyond

// The intervals.
constexpr double kSigmas = 2;                  // their half-width in standard errors ...
constexpr double kOtherSeed = 0.15 * kDecade;  // ... and by how much another seed moves a bound
constexpr double kWide = 1.2 * kDecade;        // an interval that says little

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Points from `begin` to `end`.
struct Head {
  std::size_t begin, end;
  double rows;
};

struct Level {
  double loss, variance;  // of one row
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// The mean loss in the head, stray cells pulled in.
Level level(const Points& points, const Head& head) {
  const auto at = [&](std::size_t i) {
    return points.loss.begin() + static_cast<std::ptrdiff_t>(i);
  };
  const double middle = median({at(head.begin), at(head.end)});
  std::vector<double> deviations;
  for (auto loss = at(head.begin); loss != at(head.end); ++loss)
    deviations.push_back(std::fabs(*loss - middle));
  const double reach = kOutlierDeviations * median(std::move(deviations));
  // A few points more than a short head has: the noise takes neighbours.
  const std::size_t end = std::min(points.size(), std::max(head.end, head.begin + 5));
  Points near;
  for (std::size_t i = head.begin; i < end; ++i) {
    near.x.push_back(points.x[i]);
    near.rows.push_back(points.rows[i]);
    near.loss.push_back(std::min(std::max(points.loss[i], middle - reach), middle + reach));
  }
  double above = 0;  // of the middle, so that a large offset costs no digits
  for (std::size_t i = 0; i < head.end - head.begin; ++i)
    above += (near.loss[i] - middle) * near.rows[i];
  double variance = 0;
  for (const double v : noise(near, 0, near.size())) variance += v;
  return {middle + above / head.rows, variance / static_cast<double>(near.size())};
}

// The heads to try, in this order. The second eighth of the span comes before the first where the
// loss is higher there: some recorders' averages start too low, and climb to the true level.
std::vector<Head> heads_of(const Points& points) {
  const std::size_t size = points.size();
  std::vector<double> rows(size + 1, 0.0);  // before each point
  for (std::size_t i = 0; i < size; ++i) rows[i + 1] = rows[i] + points.rows[i];
  const auto share = [&](double eighths) {
    const auto first = static_cast<double>(points.index.front());
    const double at =
        first + eighths * kHeadShare * (static_cast<double>(points.index.back()) - first);
    return static_cast<std::size_t>(std::lower_bound(points.index.begin(), points.index.end(), at,
                                                     [](std::int64_t index, double x) {
                                                       return static_cast<double>(index) < x;
                                                     }) -
                                    points.index.begin());
  };
  const auto with_rows = [&](double count) {  // the first end before which there are so many
    const auto end = std::lower_bound(rows.begin() + 1, rows.end(), count);
    return static_cast<std::size_t>(end - rows.begin());
  };
  const std::size_t end = std::max(share(1), with_rows(kFewestRows));
  const Head first{0, end, rows[end]};
  const std::size_t second_end = std::max(share(2), with_rows(rows[end] + kFewestRows));
  if (second_end >= size) return {first};
  const Head second{end, second_end, rows[second_end] - rows[end]};
  const Level low = level(points, first);
  const Level high = level(points, second);
  const double se = std::sqrt(low.variance / first.rows + high.variance / second.rows);
  if (high.loss - low.loss > kSignificant * se) return {second, first};
  return {first};
}

// How a curve goes down from its start.
struct Fall {
  std::size_t end;     // diverged; the number of points if it does not
  std::size_t lowest;  // before that
  double drop;         // from the start to there
};

// What becomes of the loss after a head.
struct Course {
  Head head;
  Level start;
  Points capped;  // what is fitted
  Fit fit;
  std::size_t burst;  // from here to the end, every cell is far above the start
  Fall fall;
  double significance;  // of its drop, in standard errors
  bool fell;
};

Fall fall_of(const std::vector<double>& f, std::size_t begin, double start) {
  const double deepest =
      start - *std::min_element(f.begin() + static_cast<std::ptrdiff_t>(begin), f.end());
  Fall fall{begin, begin, 0};
  double least = f[begin];
  for (; fall.end < f.size(); ++fall.end) {
    if (f[fall.end] < least) {
      least = f[fall.end];
      fall.lowest = fall.end;
    }
    if (f[fall.end] - least > kDivergedShare * deepest && start - least > kDivergedAfter * deepest)
      break;
  }
  fall.drop = start - least;
  return fall;
}

Course course_after(const Points& points, const Head& head, const Regression& regression) {
  Course course{};
  course.head = head;
  course.start = level(points, head);
  const double start = course.start.loss;
  const double rounding = kRounding * std::fabs(start);
  const double deviation = std::sqrt(course.start.variance);
  const std::size_t size = points.size();

  course.burst = size;
  while (course.burst > 0 &&
         points.loss[course.burst - 1] - start >
             kBurstDeviations * deviation / std::sqrt(points.rows[course.burst - 1]) + rounding)
    --course.burst;

  // Twice: the cap keeps an explosion from reaching to the left, and depends on how deep it goes.
  Points capped = points;
  for (double& loss : capped.loss) loss = std::min(loss, start);
  const std::vector<double> falls = regression.fit(capped.loss).loss;
  const double low =
      *std::min_element(falls.begin() + static_cast<std::ptrdiff_t>(head.begin), falls.end());
  const double cap = start + std::max(kCapShare * (start - low), kCapDeviations * deviation);
  for (std::size_t i = 0; i < size; ++i) capped.loss[i] = std::min(points.loss[i], cap);
  course.fit = regression.fit(capped.loss);

  course.capped = std::move(capped);
  course.fall = fall_of(course.fit.loss, head.begin, start);
  const std::size_t lowest = course.fall.lowest;
  const double se = std::sqrt(course.start.variance * (course.fit.lever[lowest] + 1 / head.rows));
  course.significance =
      course.fall.drop / std::max({se, rounding, std::numeric_limits<double>::min()});
  course.fell = course.significance >= kSignificant && lowest >= head.end;
  return course;
}

// How far in ln(lr) the ramp moved, below point `i`, while the loss answered to a rate.
double lag_at(const Points& points, const Circumstances& circumstances, std::size_t i) {
  const auto below =
      static_cast<std::size_t>(std::lower_bound(points.index.begin(), points.index.end(),
                                                points.index[i] - kCellsPerDecade) -
                               points.index.begin());
  const std::size_t j = std::min(below, i > 0 ? i - 1 : 0);
  const auto steps = static_cast<double>(circumstances.last[i] - circumstances.first[j]);
  if (!(steps > 0)) return 0;
  return std::min(kLagSteps * (points.x[i] - points.x[j]) / steps, kDecade);
}

double rate_or_none(double x) { return x < kInfinity ? std::exp(x) : kNone; }

Interval rates(double low, double high) { return {std::exp(low), std::exp(high)}; }

// base_lr for a peak: the plateau's end, between a tenth and a quarter of it. All in ln(lr).
double base_for(double plateau_end, double top) {
  return std::min(std::max(plateau_end, top - kDecade), top - std::log(4.0));
}

// Without a fall, the best guess lies a decade below where the loss rises.
void suggest_without_fall(const Points& points, const Circumstances& circumstances,
                          const Course& course, Findings& findings) {
  const std::size_t size = points.size();
  const std::vector<double>& f = course.fit.loss;
  const auto rises = [&](std::size_t i) {
    const double se =
        std::sqrt(course.start.variance * (course.fit.lever[i] + 1 / course.head.rows));
    return f[i] - course.start.loss > kSignificant * se + kRounding * std::fabs(course.start.loss);
  };
  std::size_t rise = 0;
  while (rise < size && !rises(rise)) ++rise;
  if (rise == size && course.burst < size) rise = course.burst;
  if (rise == size && circumstances.nonfinite_x == kInfinity) {
    findings.suggestion = no_suggestion("the loss neither falls nor rises clearly");
    return;
  }
  rise = std::min(rise, size - 1);
  findings.phases.turn_lr = std::exp(points.x[rise]);
  findings.phases.divergence_lr = rate_or_none(circumstances.nonfinite_x);
  const double top = points.x[rise] - lag_at(points, circumstances, rise) - kDecade;
  findings.suggestion = {
      std::exp(top - kDecade),
      std::exp(top),
      rates(top - 2 * kDecade, top),
      rates(top - kDecade, top + kDecade),
      Confidence::kLow,
      false,
      {rise < course.head.end
           ? "the loss rises at the lowest rates already: max_lr is a guess below them, test "
             "further down"
           : "the loss does not fall clearly: max_lr is a tenth of the rate at which it rises"}};
}

// The last point, from the head to the minimum, at which the band's edge is above the onset of the
// fall.
std::size_t last_above(const Course& course, const Fit& fit, const Fall& fall, double sigmas) {
  const double onset = course.start.loss - kOnsetShare * fall.drop;
  const std::size_t begin = course.head.begin;
  std::size_t i = fall.lowest + 1;
  while (i > begin && !(fit.loss[i - 1] + sigmas * fit.loss_se[i - 1] > onset)) --i;
  return i > begin ? i - 1 : begin;
}

// Where it has begun to rise; the number of points if it does not.
std::size_t turn_of(const Fit& fit, const Fall& fall) {
  const std::vector<double>&f = fit.loss, &se = fit.loss_se;
  const std::size_t lowest = fall.lowest;
  std::size_t turn = lowest;
  while (turn < f.size() &&
         !(f[turn] - f[lowest] >
           std::max(kOnsetShare * fall.drop, kSigmas * std::hypot(se[turn], se[lowest]))))
    ++turn;
  return turn;
}

// ln(lr) from where on it has diverged.
double divergence_of(const Points& points, const Circumstances& circumstances, const Course& course,
                     const Fall& fall) {
  if (fall.end < points.size()) return points.x[fall.end];
  if (course.burst < points.size()) return points.x[std::max(course.burst, fall.lowest)];
  return circumstances.nonfinite_x;
}

// Of the points from the lowest one to another, the one nearest to that other which noise does not
// tell from the lowest.
std::size_t lowest_near(const Fit& fit, std::size_t lowest, std::size_t other) {
  std::size_t i = other;
  while (i != lowest &&
         fit.loss[i] - fit.loss[lowest] > kSigmas * std::hypot(fit.loss_se[i], fit.loss_se[lowest]))
    i += i < lowest ? 1 : std::size_t(-1);
  return i;
}

// The phases are those of the curve that is shown, which follows sharp turns.
Phases phases_of(const Points& points, const Circumstances& circumstances, const Course& course,
                 const Fit& fit) {
  Fall fall = fall_of(fit.loss, course.head.begin, course.start.loss);
  fall.lowest = lowest_near(fit, fall.lowest, course.fall.lowest);
  const std::size_t plateau_end = last_above(course, fit, fall, 0);
  std::size_t steepest = plateau_end;
  for (std::size_t i = plateau_end; i <= fall.lowest; ++i) {
    if (fit.slope[i] < fit.slope[steepest]) steepest = i;
  }
  const std::size_t turn = turn_of(fit, fall);
  const auto rate = [&](std::size_t i) {
    return i < points.size() ? std::exp(points.x[i]) : kNone;
  };
  return {rate(plateau_end), rate(steepest), rate(fall.lowest), rate(turn),
          rate_or_none(divergence_of(points, circumstances, course, fall))};
}

// Whether the loss is on its way down within the head: its second half lies clearly lower.
bool falls_from_the_start(const Points& points, const Course& course) {
  const Head& head = course.head;
  double rows[2] = {}, losses[2] = {};
  for (std::size_t i = head.begin; i < head.end; ++i) {
    const int half = rows[0] + rows[1] < head.rows / 2 ? 0 : 1;
    rows[half] += points.rows[i];
    losses[half] += points.rows[i] * (points.loss[i] - course.start.loss);
  }
  if (rows[1] == 0) return false;
  const double fall = losses[0] / rows[0] - losses[1] / rows[1];
  const double se = std::sqrt(course.start.variance * (1 / rows[0] + 1 / rows[1]));
  return fall > std::max(kOnsetShare * course.fall.drop, kSignificant * se);
}

void suggest_after_fall(const Points& points, const Circumstances& circumstances,
                        const Course& course, Findings& findings) {
  const std::vector<double>&x = points.x, &f = course.fit.loss;
  const std::vector<double>&slope = course.fit.slope, &slope_se = course.fit.slope_se;
  const std::size_t size = points.size(), lowest = course.fall.lowest;
  const double drop = course.fall.drop;
  const auto above = [&](double sigmas) {
    return x[last_above(course, course.fit, course.fall, sigmas)];
  };
  const std::size_t plateau_end = last_above(course, course.fit, course.fall, 0);
  const std::size_t turn = turn_of(course.fit, course.fall);
  const double divergence = divergence_of(points, circumstances, course, course.fall);

  // Where the loss lies flat at its floor, the place of the minimum is an accident.
  std::size_t enough = plateau_end;
  while (f[enough] > f[lowest] + (1 - kNearlyAll) * drop) ++enough;
  const double shift =
      std::min(-lag_at(points, circumstances, lowest), x[enough] + kFurthest - x[lowest]);
  const double top = x[lowest] + shift;

  // The minimum is somewhere from where the slope is not clearly negative any more to where it is
  // clearly positive.
  std::size_t left = lowest;
  while (left > plateau_end && !(slope[left - 1] < -kSigmas * slope_se[left - 1])) --left;
  std::size_t right = lowest;
  while (right < course.fall.end && !(slope[right] > kSigmas * slope_se[right])) ++right;
  const double lowest_top = x[left] + shift - kOtherSeed;
  const double highest_top = x[std::min(right, size - 1)] + shift + kOtherSeed;

  std::vector<std::string> reasons;
  const bool still_falling = turn == size && divergence == kInfinity;
  if (still_falling)
    reasons.emplace_back(
        "the loss still falls at the highest rate: max_lr may be too low, test further up");
  if (course.significance < kBeyondDoubt)
    reasons.emplace_back(
        "the fall is small beside the noise: more steps or repeats would make it clear");
  if (highest_top - lowest_top > kWide)
    reasons.emplace_back("the minimum is flat or noisy: max_lr is known within a decade only");
  if (falls_from_the_start(points, course))
    reasons.emplace_back(
        "the loss falls from the lowest rate on: base_lr may be too high, test further down");
  if (course.head.begin > 0)
    reasons.emplace_back("the loss rises before it falls, as if its average started too low");
  const Confidence confidence = reasons.empty()       ? Confidence::kHigh
                                : reasons.size() == 1 ? Confidence::kMedium
                                                      : Confidence::kLow;
  findings.suggestion = {std::exp(base_for(x[plateau_end], top)),
                         std::exp(top),
                         rates(base_for(above(-kSigmas) - kOtherSeed, lowest_top),
                               base_for(above(kSigmas) + kOtherSeed, highest_top)),
                         rates(lowest_top, highest_top),
                         confidence,
                         still_falling,
                         std::move(reasons)};
}

}  // namespace

Suggestion no_suggestion(const char* reason) {
  const Interval none{kNone, kNone};
  return {kNone, kNone, none, none, Confidence::kLow, false, {reason}};
}

Findings suggest(const Points& points, const Circumstances& circumstances) {
  Findings findings{};
  const double span = points.size() > 0 ? points.x.back() - points.x.front() : 0;
  findings.window = std::max(kCellWidth, std::min(kWindow, kWindowShare * span));
  findings.phases = {kNone, kNone, kNone, kNone, rate_or_none(circumstances.nonfinite_x)};
  double rows = 0;
  for (const double count : points.rows) rows += count;
  if (rows < 2 * kFewestRows || static_cast<double>(points.size()) < kFewestRows) {
    findings.fit = fit(points, findings.window);
    findings.suggestion = no_suggestion(
        rows < 2 * kFewestRows ? "there are too few rows with a finite loss"
                               : "there are fewer than 8 rates, 4 % or more apart, with a finite "
                                 "loss: the rate hardly changes");
    return findings;
  }
  const Regression regression(points, findings.window);
  Course course{};
  for (const Head& head : heads_of(points)) {
    course = course_after(points, head, regression);
    if (course.fell) break;
  }
  findings.fit = regression.refined(course.capped.loss, course.fit);
  if (course.fell) {
    findings.phases = phases_of(points, circumstances, course, findings.fit);
    suggest_after_fall(points, circumstances, course, findings);
  } else {
    suggest_without_fall(points, circumstances, course, findings);
  }
  return findings;
}

}  // namespace clrfast::analysis
