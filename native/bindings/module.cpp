// Assembles the compiled core's Python module. Only this folder knows Python; each kernel has its own bind file.
#include <nanobind/nanobind.h>

#include "tensorhub/error.hpp"

namespace nb = nanobind;

namespace tensorhub::bindings {
void bind_codecs(nb::module_& module);
void bind_planes(nb::module_& module);
void bind_sketch(nb::module_& module);
void bind_statistics(nb::module_& module);

namespace {

// The one translator: finds the class of the same name in tensorhub.errors. Runs with the GIL held.
void translate_error(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    const std::string_view name = error.class_name();
    const nb::object type = nb::module_::import_("tensorhub.errors").attr(nb::str(name.data(), name.size()));
    const auto text = [](const std::string& part) { return nb::str(part.data(), part.size()); };
    const nb::object value = type(text(error.thing()), nb::arg("expected") = text(error.expected()),
                                  nb::arg("found") = text(error.found()), nb::arg("action") = text(error.action()));
    PyErr_SetObject(type.ptr(), value.ptr());
  }
}

nb::tuple error_class_names() {
  nb::list names;
  for (const std::string_view name : kErrorClassNames) names.append(nb::str(name.data(), name.size()));
  return nb::tuple(names);
}

}  // namespace
}  // namespace tensorhub::bindings

NB_MODULE(_core, module) {
  using namespace tensorhub::bindings;
  module.doc() = "Kernels of TensorHub: plain functions over bytes; they release the GIL.";
  nb::register_exception_translator(translate_error);
  module.def("error_class_names", &error_class_names, "Names of the classes in tensorhub.errors that kernels raise.");
  bind_codecs(module);
  bind_planes(module);
  bind_sketch(module);
  bind_statistics(module);
}
