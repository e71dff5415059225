// Writing one number into a tensor in host memory, without a call of torch's dispatcher.
#pragma once

#include "bindings/common.hpp"
#include "bindings/outcome.hpp"

namespace clrfast {

// Torch gives a tensor other memory when it is shared with another process, pickled by
// multiprocessing, or assigned to `.data`, and frees what it had. So no address is kept: each
// tensor is asked in each step, and nothing runs between its answer and the write.
class HostTensors {
 public:
  // Imports torch.
  HostTensors();

  // Before a row of writes: stale where a mode of torch intercepts what tensors are asked (as under
  // `with torch.device(...)`), since its Python code would then run between answer and write.
  Outcome check() const;
  // Stale where `tensor` is not a plain float32 or float64 tensor in host memory.
  Outcome write(PyObject* tensor, double value) const;

 private:
  py::object type_, float32_, float64_;
  py::object has_torch_function_, anything_;
  py::object is_cpu_, dtype_, data_ptr_;  // the descriptors, so that no instance can replace them
};

}  // namespace clrfast
