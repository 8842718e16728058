// Assembles the compiled core's Python module. Only this folder knows Python; each kernel has its own bind file.
#include <nanobind/nanobind.h>

namespace tensorhub::bindings {
void bind_planes(nanobind::module_& module);
void bind_sketch(nanobind::module_& module);
}  // namespace tensorhub::bindings

NB_MODULE(_core, module) {
  module.doc() = "Kernels of TensorHub: plain functions over bytes; they release the GIL.";
  tensorhub::bindings::bind_planes(module);
  tensorhub::bindings::bind_sketch(module);
}
