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
// it is lowest and where it diverges. If it drops clearly, max_lr is the mean of what two witnesses
// say. One is the minimum, by the lag: the stretch that the ramp went on while the loss answered to
// a rate. It is read from a fit in one wide window, where noise hardly moves it. The other is the
// rise, read from the curve that follows the losses closer, and is shown: the best rates lie some
// way below it. If the loss does not drop clearly, max_lr is a guess from where it rises.
//
// The constants were measured on the tuning part of benchmarks/suggestion_rules, and are judged on
// the other one. The answer hardly depends on them: half or double of each costs about as much as
// another seed.

// The fit.
constexpr double kWindow = 0.8 * kDecade;  // its half-width ...
constexpr double kWindowShare = 0.25;      // ... at most this share of the log's span
constexpr double kCapShare = 0.5;          // losses end this share of the drop above the start ...
constexpr double kCapDeviations = 4;       // ... or, if more, so many deviations of a row

// The start.
constexpr double kHeadShare = 1.0 / 8;    // of the log's span
constexpr double kLastTryRows = 16;       // of the head that is tried last
constexpr double kOutlierDeviations = 6;  // median deviations from the median, in the head

// The course.
constexpr double kBurstDeviations = 10;  // above the start, to the end: there it has exploded
constexpr double kDivergedShare = 0.5;   // of the deepest drop: a rise by it is divergence ...
constexpr double kDivergedAfter = 0.3;   // ... once this share of the deepest drop has been seen
constexpr double kOnsetShare = 0.1;      // of the drop: by it a fall or a rise has begun
constexpr double kSignificant = 3.5;     // standard errors that make a fall or a rise real ...
constexpr double kBeyondDoubt = 8;       // ... and so many leave no doubt
constexpr double kStudent = 3.2;     // over degrees of freedom: how much wider few rows make that
constexpr double kMostShared = 0.9;  // of a row's noise by its neighbour

// A change by less than this share of the loss may be what its last digits, in float64, round off.
constexpr double kRounding = 1e-15;

// max_lr.
constexpr double kAlmost = 0.05;               // of the drop above the minimum is the floor ...
constexpr double kFurthest = 0.5 * kDecade;    // ... of which so much counts if no rise ends it
constexpr double kLagSteps = 6;                // until the loss answers to a rate ...
constexpr double kLongestLag = 0.6 * kDecade;  // ... over no more than this
constexpr double kLeastRise = 0.01;            // of the drop: less is no rise
constexpr double kExploded = 0.25;             // of the drop: no rate for training is so far up
constexpr double kHalfway = 0.5;               // of its height is where a rise lies
constexpr double kBelowRise = 0.6 * kDecade;   // the best rates lie this far below the rise ...
constexpr double kLagsBelowRise = 2;           // ... and so many lags
constexpr double kLongLag = 0.4 * kDecade;     // the lag of a ramp too short to be sure of
constexpr double kLittleSaid = 0.5 * kDecade;  // the lag of a ramp too short for the rise to count

// The intervals.
constexpr double kSigmas = 2;  // their half-width in standard errors ...
constexpr double kOtherSeed =
    0.15 * kDecade;                       // ... and by how much another seed moves base_lr, ...
constexpr double kBelow = 0.4 * kDecade;  // ... how far below max_lr the best rate lies, ...
constexpr double kAbove = 0.5 * kDecade;  // ... and how far above, beside the lag
constexpr double kApart = kDecade;        // of the witnesses: too far to be sure
constexpr double kWide = 0.9 * kDecade;   // a minimum that says little

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
// loss is higher there: some recorders' averages start too low, and climb to the true level. The
// last one has a fixed number of rows: it is longer on short logs, whose start needs more rows, and
// shorter on long ones, which may fall within their first eighth.
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
  const std::size_t last_end = with_rows(kLastTryRows);
  std::vector<Head> heads{first};
  if (last_end != end && last_end < size) heads.push_back({0, last_end, rows[last_end]});
  if (second_end >= size) return heads;
  const Head second{end, second_end, rows[second_end] - rows[end]};
  const Level low = level(points, first);
  const Level high = level(points, second);
  const double se = std::sqrt(low.variance / first.rows + high.variance / second.rows);
  if (high.loss - low.loss > kSignificant * se) heads.insert(heads.begin(), second);
  return heads;
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
  std::size_t plateau_end;
  double variance;      // of one row, as means of many rows have it
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

// The last point, from the head to the minimum, at which the band's edge is above the onset of the
// fall.
std::size_t last_above(const Course& course, const Fit& fit, const Fall& fall, double sigmas) {
  const double onset = course.start.loss - kOnsetShare * fall.drop;
  const std::size_t begin = course.head.begin;
  std::size_t i = fall.lowest + 1;
  while (i > begin && !(fit.loss[i - 1] + sigmas * fit.loss_se[i - 1] > onset)) --i;
  return i > begin ? i - 1 : begin;
}

// The variance of one row as far as means of many have it, up to the plateau's end: how far the
// losses lie off the fit, and how much of that neighbours share, which differences between them do
// not show.
double variance_of_means(const Course& course, double window) {
  const Points& points = course.capped;
  const std::size_t size = std::min(
      points.size(), std::max(course.plateau_end + 1, static_cast<std::size_t>(kFewestRows)));
  double squares = 0, products = 0, before = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const double off = std::sqrt(points.rows[i]) * (points.loss[i] - course.fit.loss[i]);
    squares += off * off;
    products += off * before;
    before = off;
  }
  if (!(squares > 0)) return 0;
  const auto count = static_cast<double>(size);
  const double fitted = 2 + (points.x[size - 1] - points.x[0]) / window;
  // No more than what chance alone would hardly give.
  const double shared = products / squares - 1 / std::sqrt(count);
  const double share = std::min(std::max(shared, 0.0), kMostShared);
  const double free = std::max(count - fitted, 2.0);
  const double few = 1 + kStudent / free;
  return squares / free * few * few * (1 + share) / (1 - share);
}

Course course_after(const Points& points, const Head& head, const Regression& regression,
                    double window) {
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
  course.plateau_end = last_above(course, course.fit, course.fall, 0);
  course.variance = std::max(course.start.variance, variance_of_means(course, window));
  const std::size_t lowest = course.fall.lowest;
  const double se = std::sqrt(course.variance * (course.fit.lever[lowest] + 1 / head.rows));
  course.significance =
      course.fall.drop / std::max({se, rounding, std::numeric_limits<double>::min()});
  course.fell = course.significance >= kSignificant && lowest >= head.end;
  return course;
}

// How far in ln(lr) the ramp moved, below point `i`, while the loss answered to a rate. Its steps
// there are told from its rows, so that neither their order nor repeats count.
double lag_at(const Points& points, const Circumstances& circumstances, std::size_t i) {
  const auto below =
      static_cast<std::size_t>(std::lower_bound(points.index.begin(), points.index.end(),
                                                points.index[i] - kCellsPerDecade) -
                               points.index.begin());
  const std::size_t j = std::min(below, i > 0 ? i - 1 : 0);
  const auto& [first, last, nonfinite_x] = circumstances;
  double all = 0, between = 0;  // rows
  for (std::size_t k = 0; k < points.size(); ++k) {
    all += points.rows[k];
    if (j < k && k <= i) between += points.rows[k];
  }
  const auto steps = static_cast<double>(*std::max_element(last.begin(), last.end()) -
                                         *std::min_element(first.begin(), first.end()) + 1) *
                     between / all;
  if (!(steps > 0)) return 0;
  return std::min(kLagSteps * (points.x[i] - points.x[j]) / steps, kLongestLag);
}

double rate_or_none(double x) { return x < kInfinity ? std::exp(x) : kNone; }

Interval rates(double low, double high) { return {std::exp(low), std::exp(high)}; }

// base_lr for a peak: the plateau's end, between a tenth and a quarter of it. All in ln(lr).
double base_for(double plateau_end, double top) {
  return std::min(std::max(plateau_end, top - kDecade), top - std::log(4.0));
}

// Without a fall, the guess is what the rise alone says.
void suggest_without_fall(const Points& points, const Circumstances& circumstances,
                          const Course& course, Findings& findings) {
  const std::size_t size = points.size();
  const std::vector<double>& f = course.fit.loss;
  const auto above = [&](std::size_t i) { return f[i] - course.start.loss; };
  std::size_t highest = course.head.begin;
  for (std::size_t i = highest; i < size; ++i) {
    if (f[i] > f[highest]) highest = i;
  }
  const double se = std::sqrt(course.variance * (course.fit.lever[highest] + 1 / course.head.rows));
  std::size_t rise = course.burst;
  if (above(highest) > kSignificant * se + kRounding * std::fabs(course.start.loss)) {
    rise = highest;
    while (rise > 0 && above(rise - 1) > kHalfway * above(highest)) --rise;
  }
  if (rise == size && circumstances.nonfinite_x == kInfinity) {
    findings.suggestion = no_suggestion("the loss neither falls nor rises clearly");
    return;
  }
  rise = std::min(rise, size - 1);
  findings.phases.turn_lr = std::exp(points.x[rise]);
  findings.phases.divergence_lr = rate_or_none(circumstances.nonfinite_x);
  const double lag = lag_at(points, circumstances, rise);
  const double top = points.x[rise] - kBelowRise - kLagsBelowRise * lag;
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
           : "the loss does not fall clearly: max_lr is a guess from where it rises"}};
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

// From where on, to the end, it lies above its minimum by half of the height that it rises to: a
// lone spike is no rise, and a collapse to chance level is one, however far the loss fell before.
// The number of points if it does not rise by much.
std::size_t rise_of(const Fit& fit, const Fall& fall) {
  const std::vector<double>&f = fit.loss, &se = fit.loss_se;
  const std::size_t lowest = fall.lowest;
  const auto above = [&](std::size_t i) { return f[i] - f[lowest]; };
  const auto surely = [&](std::size_t i) { return kSignificant * std::hypot(se[i], se[lowest]); };
  std::size_t highest = lowest, rise = f.size();
  for (std::size_t i = lowest; i < f.size(); ++i) {
    if (f[i] > f[highest]) highest = i;
  }
  if (above(highest) <= std::max(surely(highest), kLeastRise * fall.drop)) return rise;
  const double height = std::min(above(highest), fall.drop);
  while (rise > lowest + 1 && above(rise - 1) > std::max(kHalfway * height, surely(rise - 1)))
    --rise;
  return rise;
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
  const std::size_t turn = std::min({turn_of(fit, fall), rise_of(fit, fall), fall.end});
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

// What the two witnesses say of max_lr. All but `endless` in ln(lr).
struct Witnesses {
  double lag;
  double by_minimum, by_rise;  // by_rise is infinite if there is no rise
  double top;                  // what both say together
  bool endless;                // no rise ends the floor
  bool returns;                // from an explosion, to fall once more
};

Witnesses witnesses_of(const Points& points, const Circumstances& circumstances,
                       const Course& course, const Fit& shown) {
  const std::vector<double>&x = points.x, &f = course.fit.loss;
  const std::size_t lowest = course.fall.lowest, plateau_end = course.plateau_end;
  const double lag = lag_at(points, circumstances, lowest);
  const Fall fall = fall_of(shown.loss, course.head.begin, course.start.loss);
  const std::size_t risen = rise_of(shown, fall);
  const double rise = risen < points.size() ? x[risen] : circumstances.nonfinite_x;
  // Where the loss lies flat at its floor, the place of the minimum is an accident: the floor's
  // middle is none. A floor that no rise ends may go on forever.
  const double almost = f[lowest] + kAlmost * course.fall.drop;
  const std::size_t floor_end = std::min(course.fall.end, risen);
  std::size_t left = lowest, right = lowest, reached = plateau_end;
  while (left > plateau_end && f[left - 1] <= almost) --left;
  while (right + 1 < floor_end && f[right + 1] <= almost) ++right;
  while (reached < lowest && shown.loss[reached] > shown.loss[fall.lowest] + kAlmost * fall.drop)
    ++reached;
  // After a fall so deep that the window carries it past a rise, there is only what is shown.
  if (x[lowest] > rise) left = right = fall.lowest;
  const double middle = (x[left] + x[right]) / 2;
  const bool endless = rise == kInfinity && middle - lag > x[reached] + kFurthest;
  const double by_minimum = endless ? x[reached] + kFurthest : middle - lag;
  const double by_rise = rise - kBelowRise - kLagsBelowRise * lag;
  const double weight = rise < kInfinity ? std::max(0.0, 1 - lag / kLittleSaid) / 2 : 0;
  const double both = weight > 0 ? by_minimum + weight * (by_rise - by_minimum) : by_minimum;
  const double top = std::min(both, x[right]);
  // The wide window may carry the fall past an explosion, and the rate into it.
  const auto at = static_cast<std::size_t>(std::lower_bound(x.begin(), x.end(), top) - x.begin());
  if (at > fall.lowest && at < points.size() &&
      shown.loss[at] - shown.loss[fall.lowest] > kExploded * fall.drop)
    return {lag, by_minimum, by_rise, x[fall.lowest] - lag, endless, true};
  return {lag, by_minimum, by_rise, top, endless, false};
}

void suggest_after_fall(const Points& points, const Circumstances& circumstances,
                        const Course& course, Findings& findings) {
  const std::vector<double>& x = points.x;
  const std::vector<double>&slope = course.fit.slope, &slope_se = course.fit.slope_se;
  const std::size_t size = points.size(), lowest = course.fall.lowest;
  const std::size_t plateau_end = course.plateau_end;
  const auto above = [&](double sigmas) {
    return x[last_above(course, course.fit, course.fall, sigmas)];
  };
  const double divergence = divergence_of(points, circumstances, course, course.fall);

  const auto [lag, by_minimum, by_rise, top, endless, returns] =
      witnesses_of(points, circumstances, course, findings.fit);
  const double shift = top - x[lowest];

  // The minimum is somewhere from where the slope is not clearly negative any more to where it is
  // clearly positive.
  std::size_t left = lowest;
  while (left > plateau_end && !(slope[left - 1] < -kSigmas * slope_se[left - 1])) --left;
  std::size_t right = lowest;
  while (right < course.fall.end && !(slope[right] > kSigmas * slope_se[right])) ++right;
  right = std::min(right, size - 1);
  const double lowest_top = x[left] + shift - kBelow;
  const double highest_top = x[right] + shift + kAbove + lag;

  std::vector<std::string> reasons;
  const bool still_falling =
      std::isnan(findings.phases.turn_lr) && divergence == kInfinity && !endless;
  if (endless)
    reasons.emplace_back(
        "the loss stays at its floor up to the highest rate: max_lr is the least that reaches it");
  if (still_falling)
    reasons.emplace_back(
        "the loss still falls at the highest rate: max_lr may be too low, test further up");
  if (course.significance < kBeyondDoubt)
    reasons.emplace_back(
        "the fall is small beside the noise: more steps or repeats would make it clear");
  if (lag > kLongLag)
    reasons.emplace_back(
        "the test has few steps for its decades: max_lr is probably too low, more steps would "
        "place it");
  if (x[right] - x[left] > kWide && !endless)
    reasons.emplace_back("the minimum is flat or noisy: max_lr is known within a decade only");
  if (by_rise < kInfinity && std::fabs(by_rise - by_minimum) > kApart)
    reasons.emplace_back("the minimum and the rise suggest rates that differ tenfold");
  if (returns)
    reasons.emplace_back(
        "the loss explodes and comes back: max_lr is below the explosion, where it is lowest "
        "first");
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
  const std::vector<Head> heads = heads_of(points);
  Course course = course_after(points, heads.front(), regression, findings.window);
  for (std::size_t i = 1; i < heads.size() && !course.fell; ++i) {
    Course other = course_after(points, heads[i], regression, findings.window);
    if (other.fell) course = std::move(other);
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
