#include "bindings/common.hpp"
// common.hpp stays first: it must precede every other include.
#include <algorithm>
#include <mutex>

#include "analysis/analyze.hpp"
#include "analysis/column.hpp"
#include "analysis/ema.hpp"
#include "analysis/runs.hpp"
#include "analysis/serialize.hpp"
#include "analysis/smooth.hpp"
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

py::object or_none(double value) {
  return value == value ? py::object(py::float_(value)) : py::object(py::none());
}

// A state that several threads may use at once.
class SharedState {
 public:
  SharedState() = default;
  explicit SharedState(State state) : state_(std::move(state)) {}

  State copy() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return state_;
  }

  void merge(const State& other) {
    const std::lock_guard<std::mutex> lock(mutex_);
    state_.merge(other);
  }

  std::size_t add(const Column& lr, const Column& loss, std::size_t rows, std::int64_t first_step,
                  unsigned threads) {
    if (rows > 1) {  // the lock is held for the merge alone
      State added;
      const std::size_t bad = added.add(lr, loss, rows, first_step, threads);
      if (bad == analysis::kNoRow) merge(added);
      return bad;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    return state_.add(lr, loss, rows, first_step, 1);
  }

 private:
  mutable std::mutex mutex_;
  State state_;
};

// The index of the first row with a bad rate, or None once all rows are added.
py::object add(SharedState& state, const py::array& lr, const py::array& loss,
               std::int64_t first_step, unsigned threads) {
  const Column rates = column_of(lr);
  const Column losses = column_of(loss);
  const std::size_t rows = rows_of(lr, loss);
  std::size_t bad;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    bad = state.add(rates, losses, rows, first_step, threads);
  }
  return bad == analysis::kNoRow ? py::object(py::none()) : py::object(py::int_(bad));
}

// Whether the rate was one; if not, nothing was added.
bool add_row(SharedState& state, double lr, double loss, std::int64_t step) {
  return state.add(analysis::column_of(&lr), analysis::column_of(&loss), 1, step, 1) ==
         analysis::kNoRow;
}

void merge(SharedState& state, const SharedState& other, std::int64_t shift) {
  State added = other.copy();
  added.shift_steps(shift);
  state.merge(added);
}

py::bytes to_bytes(const SharedState& state) { return analysis::to_bytes(state.copy()); }

std::unique_ptr<SharedState> from_bytes(const py::bytes& data) {
  const auto bytes = static_cast<std::string_view>(data);
  return std::make_unique<SharedState>(analysis::from_bytes(bytes.data(), bytes.size()));
}

// How much there is, and between which rates.
py::dict extent(const SharedState& shared) {
  const State state = shared.copy();
  using namespace py::literals;
  return py::dict("rows"_a = state.rows(), "nonfinite"_a = state.nonfinite(),
                  "lowest_lr"_a = state.lowest_lr(), "highest_lr"_a = state.highest_lr());
}

py::dict curve_dict(const analysis::Points& points, const analysis::Curve& curve) {
  using namespace py::literals;
  return py::dict("x"_a = to_array(points.x), "loss"_a = to_array(curve.loss),
                  "loss_se"_a = to_array(curve.loss_se), "slope"_a = to_array(curve.slope),
                  "slope_se"_a = to_array(curve.slope_se));
}

py::dict fit(const SharedState& state, double window) {
  analysis::Points points;
  analysis::Curve curve;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    points = analysis::points_of(state.copy());
    curve = analysis::fit(points, window);
  }
  return curve_dict(points, curve);
}

py::dict analyze(const SharedState& state) {
  analysis::Analysis a;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    a = analysis::analyze(state.copy());
  }
  using namespace py::literals;
  const char* const names[] = {"low", "medium", "high"};
  const analysis::Phases& phases = a.findings.phases;
  const analysis::Suggestion& s = a.findings.suggestion;
  const auto interval = [](const analysis::Interval& i) {
    return i.low == i.low ? py::object(py::make_tuple(i.low, i.high)) : py::object(py::none());
  };
  return py::dict(
      "curve"_a = curve_dict(a.points, a.findings.curve), "lowest"_a = to_array(a.lowest),
      "highest"_a = to_array(a.highest), "window"_a = a.findings.window,
      "phases"_a = py::dict(
          "plateau_end_lr"_a = or_none(phases.plateau_end_lr),
          "steepest_lr"_a = or_none(phases.steepest_lr), "min_lr"_a = or_none(phases.min_lr),
          "turn_lr"_a = or_none(phases.turn_lr), "divergence_lr"_a = or_none(phases.divergence_lr)),
      "suggestion"_a =
          py::dict("base_lr"_a = or_none(s.base_lr), "max_lr"_a = or_none(s.max_lr),
                   "base_lr_interval"_a = interval(s.base_lr_interval),
                   "max_lr_interval"_a = interval(s.max_lr_interval),
                   "confidence"_a = names[static_cast<int>(s.confidence)],
                   "lower_bound"_a = s.lower_bound, "reasons"_a = py::tuple(py::cast(s.reasons))));
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

// The smoothed column, or the index of the first row with a bad rate.
py::object ema_by_half_life(const py::array& lr, const py::array& loss, double half_life) {
  const Column rates = column_of(lr);
  const Column losses = column_of(loss);
  const std::size_t rows = rows_of(lr, loss);
  py::array_t<double> smoothed(loss.size());
  double* out = smoothed.mutable_data();
  std::size_t bad;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    bad = analysis::ema_by_half_life(rates, losses, rows, half_life, out);
  }
  return bad == analysis::kNoRow ? py::object(std::move(smoothed)) : py::object(py::int_(bad));
}

py::array_t<double> running_median(const py::array& loss, std::size_t width) {
  const Column losses = column_of(loss);
  const auto rows = static_cast<std::size_t>(loss.size());
  py::array_t<double> smoothed(loss.size());
  double* out = smoothed.mutable_data();
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    analysis::running_median(losses, rows, width, out);
  }
  return smoothed;
}

// A line of the table as NumPy sees it; NaN where there is no such rate.
struct RunRecord {
  std::int64_t n, n_nonfinite;
  double base_lr, base_lr_low, base_lr_high, max_lr, max_lr_low, max_lr_high;
  double plateau_end_lr, steepest_lr, min_lr, turn_lr, divergence_lr;
  std::int8_t confidence;  // 0 low, 1 medium, 2 high
  bool lower_bound;
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
          s.lower_bound};
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

}  // namespace

void bind_analysis(py::module_& m) {
  PYBIND11_NUMPY_DTYPE(RunRecord, n, n_nonfinite, base_lr, base_lr_low, base_lr_high, max_lr,
                       max_lr_low, max_lr_high, plateau_end_lr, steepest_lr, min_lr, turn_lr,
                       divergence_lr, confidence, lower_bound);
  py::class_<SharedState>(m, "State", "Statistics of a log on the absolute grid of ln(lr).")
      .def(py::init<>())
      .def("add", &add, py::arg("lr"), py::arg("loss"), py::arg("first_step"), py::arg("threads"))
      .def("add_row", &add_row, py::arg("lr"), py::arg("loss"), py::arg("step"))
      .def("merge", &merge, py::arg("other"), py::arg("shift"))
      .def("extent", &extent)
      .def("fit", &fit, py::arg("window"))
      .def("analyze", &analyze)
      .def("to_bytes", &to_bytes)
      .def_static("from_bytes", &from_bytes, py::arg("data"));
  m.def("analyze_runs", &analyze_runs, py::arg("lr"), py::arg("loss"), py::arg("offsets"),
        py::arg("threads"));
  m.def("analyze_states", &analyze_states, py::arg("states"));
  m.def("ema", &ema, py::arg("loss"), py::arg("beta"));
  m.def("ema_by_half_life", &ema_by_half_life, py::arg("lr"), py::arg("loss"),
        py::arg("half_life"));
  m.def("running_median", &running_median, py::arg("loss"), py::arg("width"));
  m.def("longest_descent", &longest_descent, py::arg("loss"));
}

}  // namespace clrfast
