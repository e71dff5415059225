// The table of contents of clrfast._core: one bind_* function for each subject.
#include "bindings/common.hpp"
#include "simd/cpu.hpp"

namespace {

// What this build is and which of its instruction sets runs, for reports of defects.
pybind11::dict build_config() {
  pybind11::dict config;
  config["cpu_level"] = clrfast::simd::name(clrfast::simd::cpu_level());
#if defined(__VERSION__)
  config["compiler"] = __VERSION__;
#elif defined(_MSC_VER)
  config["compiler"] = "MSVC " PYBIND11_TOSTRING(_MSC_VER);
#endif
  config["pybind11"] = PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(
      PYBIND11_VERSION_MINOR) "." PYBIND11_TOSTRING(PYBIND11_VERSION_PATCH);
#ifdef NDEBUG
  config["build_type"] = "release";
#else
  config["build_type"] = "debug";
#endif
  return config;
}

}  // namespace

// A free-threaded interpreter turns its GIL on for this module, since mod_gil_not_used() is not
// declared: a step compares what a list holds now with what it held, and takes borrowed references
// from dictionaries, which is safe only as long as no other thread changes them in between.
PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled core of clrfast. Use the names that the clrfast package exports.";
  m.def("build_config", build_config,
        "The compiler, the build type and the CPU level ('base', 'v3' or 'v4') of the compiled "
        "core.");
  clrfast::bind_schedule(m);
  clrfast::bind_stepper(m);
  clrfast::bind_analysis(m);
  clrfast::bind_events(m);
}
