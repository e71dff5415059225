// What a _core.Schedule is made of and can be taken apart into: Curve, Piece, Scaling and Map. Each
// is immutable, made with keywords and read by name; the schedule checks the values.
#include <array>
#include <utility>

#include "bindings/schedule_type.hpp"

namespace clrfast {

void bind_schedule_parts(py::module_& m);

namespace {

template <class Value>
using Name = std::pair<const char*, Value>;

constexpr std::array<Name<Shape>, 10> kShapes{{{"constant", Shape::constant},
                                               {"linear", Shape::linear},
                                               {"cosine", Shape::cosine},
                                               {"welch", Shape::welch},
                                               {"power", Shape::power},
                                               {"1-sqrt", Shape::root},
                                               {"rex", Shape::rex},
                                               {"exponential", Shape::exponential},
                                               {"inverse_sqrt", Shape::inverse_root},
                                               {"power_law", Shape::power_law}}};

constexpr std::array<Name<Per>, 3> kPer{
    {{"none", Per::none}, {"cycle", Per::cycle}, {"step", Per::step}}};

template <class Names>
auto named(const Names& names, const std::string& what, const std::string& name) {
  std::string allowed;
  for (const auto& [known, value] : names) {
    if (name == known) return value;
    allowed += (allowed.empty() ? "'" : ", '") + std::string(known) + "'";
  }
  throw std::invalid_argument(what + " must be one of " + allowed + ", got '" + name + "'");
}

template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  for (const auto& [known, other] : names) {
    if (other == value) return known;
  }
  return "";
}

}  // namespace

void bind_schedule_parts(py::module_& m) {
  using namespace py::literals;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();

  py::class_<Curve>(m, "Curve", "How a value goes from `start` to `end`; see schedule/curve.hpp.")
      .def(py::init([](const std::string& shape, double start, double end, double param) {
             return Curve{named(kShapes, "shape", shape), start, end, param};
           }),
           "shape"_a, "start"_a, "end"_a, "param"_a = 0.0)
      .def_property_readonly("shape", [](const Curve& c) { return name_of(kShapes, c.shape); })
      .def_readonly("start", &Curve::start)
      .def_readonly("end", &Curve::end)
      .def_readonly("param", &Curve::param);

  py::class_<Piece>(m, "Piece",
                    "A curve, or the first steps of a nested schedule, up to the step `until`.\n\n"
                    "`rest` is what `until` lost to rounding.")
      .def(py::init([](double until, const Curve& curve, double rest) {
             return Piece{{until, rest}, curve, nullptr};
           }),
           "until"_a, "curve"_a, py::kw_only(), "rest"_a = 0.0)
      .def(py::init([](double until, const py::object& nested) {
             return Piece{until, {}, schedule_of(nested)};
           }),
           "until"_a, py::kw_only(), "nested"_a)
      .def_property_readonly("until", [](const Piece& p) { return p.until.hi; })
      .def_property_readonly("rest", [](const Piece& p) { return p.until.lo; })
      .def_property_readonly(
          "curve",
          [](const Piece& p) -> py::object { return p.nested ? py::none() : py::cast(p.curve); })
      .def_property_readonly("nested", [](const Piece& p) -> py::object {
        return p.nested ? wrapped(p.nested) : py::none();
      });

  py::class_<Scaling>(
      m, "Scaling",
      "How the distance of a value from `floor` changes `per` 'cycle' or 'step'.\n\n"
      "It is multiplied by gamma ** index, or by the factor of that index.")
      .def(py::init(
               [](const std::string& per, double gamma, double floor, std::vector<double> factors) {
                 return Scaling{named(kPer, "per", per), gamma, std::move(factors), floor};
               }),
           "per"_a = "none", py::kw_only(), "gamma"_a = 1.0, "floor"_a = 0.0,
           "factors"_a = py::tuple())
      .def_property_readonly("per", [](const Scaling& s) { return name_of(kPer, s.per); })
      .def_readonly("gamma", &Scaling::gamma)
      .def_readonly("floor", &Scaling::floor)
      .def_property_readonly("factors",
                             [](const Scaling& s) { return py::tuple(py::cast(s.factors)); });

  py::class_<Map>(m, "Map",
                  "What happens to a value last: clamp(value * scale + shift, low, high).")
      .def(py::init([](double scale, double shift, double low, double high) {
             return Map{scale, shift, low, high};
           }),
           py::kw_only(), "scale"_a = 1.0, "shift"_a = 0.0, "low"_a = -kInfinity,
           "high"_a = kInfinity)
      .def_readonly("scale", &Map::scale)
      .def_readonly("shift", &Map::shift)
      .def_readonly("low", &Map::low)
      .def_readonly("high", &Map::high)
      .def_property_readonly("changes_nothing", &Map::changes_nothing);
}

}  // namespace clrfast
