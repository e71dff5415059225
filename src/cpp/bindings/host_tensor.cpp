#include "bindings/host_tensor.hpp"

#include <cstdint>

namespace clrfast {

namespace {

py::object get(const py::object& descriptor, PyObject* tensor) {
  return py::reinterpret_steal<py::object>(
      Py_TYPE(descriptor.ptr())
          ->tp_descr_get(descriptor.ptr(), tensor, reinterpret_cast<PyObject*>(Py_TYPE(tensor))));
}

py::object call(const py::object& function, PyObject* argument) {
  return py::reinterpret_steal<py::object>(PyObject_CallOneArg(function.ptr(), argument));
}

// Tensors without memory, as those inside of torch.func's transforms, raise a RuntimeError.
Outcome refused() {
  if (!PyErr_ExceptionMatches(PyExc_RuntimeError)) return Outcome::failed;
  PyErr_Clear();
  return Outcome::stale;
}

}  // namespace

HostTensors::HostTensors() {
  const py::module_ torch = py::module_::import("torch");
  type_ = torch.attr("Tensor");
  float32_ = torch.attr("float32");
  float64_ = torch.attr("float64");
  has_torch_function_ = py::module_::import("torch.overrides").attr("has_torch_function");
  anything_ = py::make_tuple(py::none());  // modes intercept whatever the arguments are
  is_cpu_ = type_.attr("is_cpu");
  dtype_ = type_.attr("dtype");
  data_ptr_ = type_.attr("data_ptr");
  for (const py::object& descriptor : {is_cpu_, dtype_}) {
    if (Py_TYPE(descriptor.ptr())->tp_descr_get == nullptr) {
      throw py::type_error("torch.Tensor.is_cpu and dtype must be descriptors");
    }
  }
}

Outcome HostTensors::check() const {
  const py::object intercepted = call(has_torch_function_, anything_.ptr());
  if (!intercepted) return Outcome::failed;
  return intercepted.ptr() == Py_False ? Outcome::done : Outcome::stale;
}

Outcome HostTensors::write(PyObject* tensor, double value) const {
  if (reinterpret_cast<PyObject*>(Py_TYPE(tensor)) != type_.ptr()) return Outcome::stale;
  const py::object is_cpu = get(is_cpu_, tensor);
  if (!is_cpu) return refused();
  if (is_cpu.ptr() != Py_True) return Outcome::stale;
  const py::object dtype = get(dtype_, tensor);
  if (!dtype) return refused();
  const bool single = dtype.ptr() == float32_.ptr();
  if (!single && dtype.ptr() != float64_.ptr()) return Outcome::stale;
  const py::object address = call(data_ptr_, tensor);
  if (!address) return refused();
  void* memory = PyLong_AsVoidPtr(address.ptr());
  if (memory == nullptr) return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
  if (single) {
    *static_cast<float*>(memory) = static_cast<float>(value);
  } else {
    *static_cast<double*>(memory) = value;
  }
  return Outcome::done;
}

}  // namespace clrfast
