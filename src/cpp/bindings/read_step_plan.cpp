// Reading a plan from the Plan of lr_scheduler/_plan.py, whose attributes have the same names.
#include <algorithm>
#include <array>
#include <utility>

#include "bindings/step_plan.hpp"

namespace clrfast {

namespace {

constexpr std::array<std::pair<const char*, Held>, 3> kHeld{
    {{"number", Held::number},
     {"host tensor", Held::host_tensor},
     {"staged tensor", Held::staged_tensor}}};

Held held_from(const std::string& name) {
  for (const auto& [known, held] : kHeld) {
    if (name == known) return held;
  }
  throw std::invalid_argument("held must be number, host tensor or staged tensor, got " + name);
}

std::vector<py::object> elements_of(py::handle sequence) {
  std::vector<py::object> elements;
  for (py::handle element : sequence) {
    elements.push_back(py::reinterpret_borrow<py::object>(element));
  }
  return elements;
}

Place read_place(py::handle place) {
  PyObject* key = py::cast<py::str>(place.attr("key")).release().ptr();
  PyUnicode_InternInPlace(&key);
  return {py::reinterpret_steal<py::object>(key), place.attr("element").cast<Py_ssize_t>()};
}

PlannedCurve read_curve(py::handle curve, py::handle schedule_type) {
  const bool schedule = py::isinstance(curve, schedule_type);
  return {py::reinterpret_borrow<py::object>(curve),
          schedule ? &schedule_of(curve)->evaluator() : nullptr};
}

Target read_target(py::handle target, std::size_t curves) {
  Target read;
  if (target.is_none()) return read;
  const py::object mix = target.attr("mix");
  read.held = held_from(target.attr("held").cast<std::string>());
  read.base = mix.attr("base").cast<double>();
  read.weight[0] = mix.attr("weight").cast<double>();
  read.weight[1] = mix.attr("second_weight").cast<double>();
  read.curve[0] = mix.attr("curve").cast<std::size_t>();
  read.curve[1] = mix.attr("second_curve").cast<std::size_t>();
  if (read.held != Held::number) read.tensor = target.attr("tensor");
  if (std::max(read.curve[0], read.curve[1]) >= curves) {
    throw std::invalid_argument("a mix names a curve that is not there");
  }
  return read;
}

}  // namespace

std::unique_ptr<StepPlan> read_step_plan(py::handle from, py::handle schedule_type) {
  auto plan = std::make_unique<StepPlan>();
  plan->optimizer = from.attr("optimizer");
  plan->groups = elements_of(plan->optimizer.attr("param_groups"));
  for (const py::object& group : plan->groups) py::cast<py::dict>(group);
  for (py::handle place : from.attr("places")) plan->places.push_back(read_place(place));
  for (py::handle curve : from.attr("curves")) {
    plan->curves.push_back(read_curve(curve, schedule_type));
  }
  for (py::handle target : from.attr("targets")) {
    plan->targets.push_back(read_target(target, plan->curves.size()));
    if (plan->targets.back().held == Held::host_tensor && !plan->tensors) plan->tensors.emplace();
  }
  for (py::handle list : from.attr("watched_lists")) {
    plan->lists.push_back({py::reinterpret_borrow<py::object>(list), elements_of(list)});
  }
  plan->group_keys = elements_of(from.attr("group_keys"));
  for (const py::object& group : plan->groups) {
    for (const py::object& key : plan->group_keys) {
      plan->key_values.push_back(
          py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(group.ptr(), key.ptr())));
    }
  }
  plan->values = py::cast<py::array_t<double>>(from.attr("values"));
  plan->after = from.attr("after");
  plan->counts_restarts = from.attr("counts_restarts").cast<bool>();
  plan->last_step = from.attr("last_step").cast<std::int64_t>();
  const std::size_t targets = plan->groups.size() * plan->places.size();
  if (plan->targets.size() != targets || plan->values.size() != static_cast<py::ssize_t>(targets)) {
    throw std::invalid_argument("a plan needs a target and a value for each place of each group");
  }
  return plan;
}

}  // namespace clrfast
