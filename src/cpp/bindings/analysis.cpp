#include "bindings/common.hpp"
// common.hpp stays first: it must precede every other include.
#include <pybind11/stl.h>

#include "analysis/analyze.hpp"
#include "analysis/ema.hpp"
#include "analysis/state.hpp"

namespace clrfast {
namespace {

using analysis::State;

// One-dimensional float64, contiguous; the Python layer converts what is not.
using RateArray = py::array_t<double, py::array::c_style>;
using LossArray = py::array_t<double, py::array::c_style>;

template <typename T>
py::array_t<T> to_array(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::object or_none(double value) {
  return value == value ? py::object(py::float_(value)) : py::object(py::none());
}

// The index of the first rate that is not positive and finite, or None once all rows are added.
py::object add(State& state, const RateArray& lr, const LossArray& loss, std::int64_t first_step) {
  if (lr.ndim() != 1 || loss.ndim() != 1 || lr.size() != loss.size())
    throw py::value_error("lr and loss must be one-dimensional and of equal length");
  std::size_t bad;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    bad = state.add(lr.data(), loss.data(), static_cast<std::size_t>(lr.size()), first_step);
  }
  return bad == analysis::kAllGood ? py::object(py::none()) : py::object(py::int_(bad));
}

py::dict analyze(const State& state) {
  analysis::Analysis a;
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    a = analysis::analyze(state);
  }
  using namespace py::literals;
  const char* const names[] = {"low", "medium", "high"};
  const analysis::Suggestion& s = a.suggestion;
  const auto pair = [](const analysis::Interval& i) { return py::make_tuple(i.low, i.high); };
  return py::dict("curve"_a = py::dict(
                      "x"_a = to_array(a.curve.x), "loss"_a = to_array(a.curve.loss),
                      "loss_se"_a = to_array(a.curve.loss_se), "slope"_a = to_array(a.curve.slope),
                      "slope_se"_a = to_array(a.curve.slope_se), "window"_a = a.curve.window),
                  "phases"_a = py::dict("plateau_end_lr"_a = or_none(a.phases.plateau_end_lr),
                                        "steepest_lr"_a = or_none(a.phases.steepest_lr),
                                        "min_lr"_a = or_none(a.phases.min_lr),
                                        "turn_lr"_a = or_none(a.phases.turn_lr),
                                        "divergence_lr"_a = or_none(a.phases.divergence_lr)),
                  "suggestion"_a = py::dict("base_lr"_a = s.base_lr, "max_lr"_a = s.max_lr,
                                            "base_lr_interval"_a = pair(s.base_lr_interval),
                                            "max_lr_interval"_a = pair(s.max_lr_interval),
                                            "confidence"_a = names[static_cast<int>(s.confidence)],
                                            "reasons"_a = py::tuple(py::cast(s.reasons))));
}

py::array_t<double> ema(const LossArray& loss, double beta) {
  py::array_t<double> smoothed(loss.size());
  double* out = smoothed.mutable_data();
  {
    const py::gil_scoped_release unlocked;  // from here on no Python object is touched
    analysis::Ema average{beta};
    average.run(loss.data(), static_cast<std::size_t>(loss.size()), out);
  }
  return smoothed;
}

}  // namespace

void bind_analysis(py::module_& m) {
  py::class_<State>(m, "State", "Statistics of a log on the absolute grid of ln(lr).")
      .def(py::init<>())
      .def("add", &add, py::arg("lr").noconvert(), py::arg("loss").noconvert(),
           py::arg("first_step"))
      .def("merge", &State::merge, py::arg("other"))
      .def("analyze", &analyze)
      .def_property_readonly("cells_with_loss", &analysis::cells_with_loss)
      .def_property_readonly("rows", &State::rows)
      .def_property_readonly("nonfinite", &State::nonfinite)
      .def_property_readonly("lowest_lr", &State::lowest_lr)
      .def_property_readonly("highest_lr", &State::highest_lr);
  m.attr("FEWEST_CELLS") = analysis::kFewestCells;
  m.def("ema", &ema, py::arg("loss").noconvert(), py::arg("beta"));
}

}  // namespace clrfast
