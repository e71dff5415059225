#include "bindings/common.hpp"
// common.hpp stays first: it must precede every other include.
#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>

#include "analysis/analyze.hpp"
#include "analysis/column.hpp"
#include "analysis/ema.hpp"
#include "analysis/runs.hpp"
#include "analysis/serialize.hpp"
#include "analysis/state.hpp"
#include "analysis/valley.hpp"
#include "simd/cpu.hpp"

namespace clrfast {
namespace {

using analysis::Column;
using analysis::State;

// One-dimensional float64 or float32 in native byte order, of any stride; checked here because a
// wrong one would be read as something else.
Column column_of(const py::array& values) {
  const bool single = py::isinstance<py::array_t<float>>(values);
  if (values.ndim() != 1 || !(single || py::isinstance<py::array_t<double>>(values)))
    throw py::type_error("a column must be a one-dimensional array of float64 or float32");
  return {values.data(), values.strides(0), single};
}

std::size_t rows_of(const py::array& lr, const py::array& loss) {
  if (lr.size() != loss.size()) throw py::value_error("lr and loss must be of equal length");
  return static_cast<std::size_t>(lr.size());
}

template <typename T>
py::array_t<T> to_array(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

// A state that several threads may use at once.
class SharedState {
 public:
  explicit SharedState(State state) : state_(std::move(state)) {}

  State copy() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return state_;
  }

  void merge(const State& other) {
    const std::lock_guard<std::mutex> lock(mutex_);
    state_.merge(other);
  }

  void append(const State& other) {
    const std::lock_guard<std::mutex> lock(mutex_);
    state_.put(other, state_.next_step());
  }

  // Without a first step, the rows follow those before.
  std::size_t add(const Column& lr, const Column& loss, std::size_t rows,
                  std::optional<std::int64_t> first_step, unsigned threads) {
    if (rows == 1) {
      const std::lock_guard<std::mutex> lock(mutex_);
      return state_.add(lr, loss, 1, first_step.value_or(state_.next_step()));
    }
    State added;
    const std::size_t bad = added.add(lr, loss, rows, 0, threads);
    if (bad != analysis::kNoRow) return bad;
    const std::lock_guard<std::mutex> lock(mutex_);
    state_.put(added, first_step.value_or(state_.next_step()));
    return analysis::kNoRow;
  }

 private:
  mutable std::mutex mutex_;
  State state_;
};

// The index of the first row with a bad rate, or none once all rows are added.
std::optional<std::size_t> add(SharedState& state, const py::array& lr, const py::array& loss,
                               std::optional<std::int64_t> step, unsigned threads) {
  const Column rates = column_of(lr);
  const Column losses = column_of(loss);
  const std::size_t rows = rows_of(lr, loss);
  const py::gil_scoped_release unlocked;  // from here on no Python object is touched
  const std::size_t bad = state.add(rates, losses, rows, step, threads);
  return bad == analysis::kNoRow ? std::nullopt : std::optional<std::size_t>(bad);
}

// Whether the rate can be one; if not, nothing was added.
bool add_row(SharedState& state, double lr, double loss, std::optional<std::int64_t> step) {
  return state.add(analysis::column_of(&lr), analysis::column_of(&loss), 1, step, 1) ==
         analysis::kNoRow;
}

py::bytes to_bytes(const SharedState& state) { return analysis::to_bytes(state.copy()); }

std::unique_ptr<SharedState> from_bytes(const py::bytes& data) {
  const auto bytes = static_cast<std::string_view>(data);
  return std::make_unique<SharedState>(analysis::from_bytes(bytes.data(), bytes.size()));
}

// A local linear regression, and where it was made.
struct FittedCurve {
  std::vector<double> x;
  analysis::Fit fit;
};

FittedCurve fit(const SharedState& state, double window) {
  const py::gil_scoped_release unlocked;  // from here on no Python object is touched
  analysis::Points points = analysis::points_of(state.copy());
  analysis::Fit fitted = analysis::fit(points, window);
  return {std::move(points.x), std::move(fitted)};
}

analysis::Analysis analyze(const SharedState& state) {
  const py::gil_scoped_release unlocked;  // from here on no Python object is touched
  return analysis::analyze(state.copy());
}

py::array_t<double> ema(const py::array& loss, double beta) {
  const Column losses = column_of(loss);
  const auto rows = static_cast<std::size_t>(loss.size());
  py::array_t<double> smoothed(loss.size());
  double* out = smoothed.mutable_data();
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    analysis::Ema(beta).run(losses, rows, out);
  }
  return smoothed;
}

// A line of the table as NumPy sees it; NaN where there is no such rate.
struct RunRecord {
  std::int64_t n, n_nonfinite;
  double base_lr, base_lr_low, base_lr_high, max_lr, max_lr_low, max_lr_high;
  double plateau_end_lr, steepest_lr, min_lr, turn_lr, divergence_lr;
  std::int8_t confidence;  // 0 low, 1 medium, 2 high
  bool still_falling;
};

RunRecord record_of(const analysis::RunLine& line) {
  const analysis::Suggestion& s = line.suggestion;
  const analysis::Phases& p = line.phases;
  return {line.rows,
          line.nonfinite,
          s.base_lr,
          s.base_lr_interval.low,
          s.base_lr_interval.high,
          s.max_lr,
          s.max_lr_interval.low,
          s.max_lr_interval.high,
          p.plateau_end_lr,
          p.steepest_lr,
          p.min_lr,
          p.turn_lr,
          p.divergence_lr,
          static_cast<std::int8_t>(s.confidence),
          s.still_falling};
}

py::array_t<RunRecord> records_of(const std::vector<analysis::RunLine>& lines) {
  py::array_t<RunRecord> records(static_cast<py::ssize_t>(lines.size()));
  std::transform(lines.begin(), lines.end(), records.mutable_data(), record_of);
  return records;
}

// One record a run, or the index of the first row with a bad rate.
py::object analyze_runs(const py::array& lr, const py::array& loss,
                        const std::vector<std::size_t>& offsets, unsigned threads) {
  const Column rates = column_of(lr);
  const Column losses = column_of(loss);
  if (offsets.empty() || offsets.back() > rows_of(lr, loss) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw py::value_error("offsets must ascend from 0 to the number of rows");
  analysis::RunTable table;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    table = analysis::analyze_runs(rates, losses, offsets, threads);
  }
  if (table.bad_row != analysis::kNoRow) return py::int_(table.bad_row);
  return records_of(table.lines);
}

// The same of runs whose rows are gone.
py::array_t<RunRecord> analyze_states(const std::vector<const SharedState*>& states) {
  std::vector<analysis::RunLine> lines(states.size());
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    std::transform(states.begin(), states.end(), lines.begin(),
                   [](const SharedState* state) { return analysis::line_of(state->copy()); });
  }
  return records_of(lines);
}

// (length, end)
py::tuple longest_descent(const py::array& loss) {
  const Column losses = column_of(loss);
  const auto rows = static_cast<std::size_t>(loss.size());
  analysis::Descent descent;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    descent = analysis::longest_descent(losses, rows);
  }
  return py::make_tuple(descent.length, descent.end);
}

// What is no number here is None in Python.
std::optional<double> or_none(double value) {
  return value == value ? std::optional<double>(value) : std::nullopt;
}

std::optional<std::pair<double, double>> or_none(const analysis::Interval& interval) {
  if (interval.low != interval.low) return std::nullopt;
  return std::pair(interval.low, interval.high);
}

// Makes a property of what a member of T holds, converted by a function.
template <typename T, typename Member, typename Convert>
auto property(Member T::* member, Convert convert) {
  return [member, convert](const T& of) { return convert(of.*member); };
}

void bind_findings(py::module_& m) {
  const auto array = [](const std::vector<double>& values) { return to_array(values); };
  const auto rate = [](double value) { return or_none(value); };
  const auto interval = [](const analysis::Interval& value) { return or_none(value); };

  py::class_<FittedCurve> curve(m, "FittedCurve", "A local linear regression; arrays of float64.");
  curve.def_property_readonly("x", property(&FittedCurve::x, array));
  const auto fitted = [&](const char* name, std::vector<double> analysis::Fit::* member) {
    curve.def_property_readonly(
        name, [member](const FittedCurve& of) { return to_array(of.fit.*member); });
  };
  fitted("loss", &analysis::Fit::loss);
  fitted("loss_se", &analysis::Fit::loss_se);
  fitted("slope", &analysis::Fit::slope);
  fitted("slope_se", &analysis::Fit::slope_se);

  using analysis::Phases;
  py::class_<Phases>(m, "Phases", "Rates, or None.")
      .def_property_readonly("plateau_end_lr", property(&Phases::plateau_end_lr, rate))
      .def_property_readonly("steepest_lr", property(&Phases::steepest_lr, rate))
      .def_property_readonly("min_lr", property(&Phases::min_lr, rate))
      .def_property_readonly("turn_lr", property(&Phases::turn_lr, rate))
      .def_property_readonly("divergence_lr", property(&Phases::divergence_lr, rate));

  using analysis::Suggestion;
  const auto confidence = [](analysis::Confidence value) {
    const char* const names[] = {"low", "medium", "high"};
    return names[static_cast<int>(value)];
  };
  const auto reasons = [](const std::vector<std::string>& values) {
    return py::tuple(py::cast(values));
  };
  py::class_<Suggestion>(m, "Suggestion", "Rates and intervals, or None.")
      .def_property_readonly("base_lr", property(&Suggestion::base_lr, rate))
      .def_property_readonly("max_lr", property(&Suggestion::max_lr, rate))
      .def_property_readonly("base_lr_interval", property(&Suggestion::base_lr_interval, interval))
      .def_property_readonly("max_lr_interval", property(&Suggestion::max_lr_interval, interval))
      .def_property_readonly("confidence", property(&Suggestion::confidence, confidence))
      .def_readonly("still_falling", &Suggestion::still_falling)
      .def_property_readonly("reasons", property(&Suggestion::reasons, reasons));

  using analysis::Analysis;
  py::class_<Analysis>(m, "Analysis", "What was found in one log.")
      .def_readonly("rows", &Analysis::rows)
      .def_readonly("nonfinite", &Analysis::nonfinite)
      .def_readonly("lowest_lr", &Analysis::lowest_lr)
      .def_readonly("highest_lr", &Analysis::highest_lr)
      .def_property_readonly(
          "curve", [](const Analysis& a) { return FittedCurve{a.points.x, a.findings.fit}; })
      .def_property_readonly("lowest", property(&Analysis::lowest, array))
      .def_property_readonly("highest", property(&Analysis::highest, array))
      .def_property_readonly("window", [](const Analysis& a) { return a.findings.window; })
      .def_property_readonly("phases", [](const Analysis& a) { return a.findings.phases; })
      .def_property_readonly("suggestion", [](const Analysis& a) { return a.findings.suggestion; });
}

}  // namespace

void bind_analysis(py::module_& m) {
  PYBIND11_NUMPY_DTYPE(RunRecord, n, n_nonfinite, base_lr, base_lr_low, base_lr_high, max_lr,
                       max_lr_low, max_lr_high, plateau_end_lr, steepest_lr, min_lr, turn_lr,
                       divergence_lr, confidence, still_falling);
  bind_findings(m);
  py::class_<SharedState>(m, "State", "Statistics of a log on the absolute grid of ln(lr).")
      .def(py::init([](std::int64_t first_step) {
             return std::make_unique<SharedState>(State(first_step));
           }),
           py::arg("first_step") = 0)
      .def("add", &add, py::arg("lr"), py::arg("loss"), py::arg("step"), py::arg("threads"))
      .def("add_row", &add_row, py::arg("lr"), py::arg("loss"), py::arg("step"))
      .def(
          "merge", [](SharedState& state, const SharedState& other) { state.merge(other.copy()); },
          py::arg("other"))
      .def(
          "append",
          [](SharedState& state, const SharedState& other) { state.append(other.copy()); },
          py::arg("other"))
      .def_property_readonly("rows", [](const SharedState& s) { return s.copy().rows(); })
      .def_property_readonly("lr_range",
                             [](const SharedState& s) {
                               const State state = s.copy();
                               return std::pair(state.lowest_lr(), state.highest_lr());
                             })
      .def("fit", &fit, py::arg("window"))
      .def("analyze", &analyze)
      .def("to_bytes", &to_bytes)
      .def_static("from_bytes", &from_bytes, py::arg("data"));
  m.def("analyze_runs", &analyze_runs, py::arg("lr"), py::arg("loss"), py::arg("offsets"),
        py::arg("threads"));
  m.def("analyze_states", &analyze_states, py::arg("states"));
  m.def("ema", &ema, py::arg("loss"), py::arg("beta"));
  m.def("longest_descent", &longest_descent, py::arg("loss"));
}

}  // namespace clrfast
