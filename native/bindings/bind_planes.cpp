// Python face of planes.hpp: borrows buffers, releases the GIL, holds no logic.
#include <nanobind/nanobind.h>

#include "buffer.hpp"
#include "tensorhub/planes.hpp"

namespace nb = nanobind;

namespace tensorhub::bindings {
namespace {

template <auto kKernel>
void one_input(nb::handle input, std::size_t width, nb::handle output) {
  const InputBuffer in(input);
  const OutputBuffer out(output);
  const nb::gil_scoped_release released;
  kKernel(in.bytes(), width, out.bytes());
}

template <auto kKernel>
void two_inputs(nb::handle first, nb::handle second, std::size_t width, nb::handle output) {
  const InputBuffer a(first), b(second);
  const OutputBuffer out(output);
  const nb::gil_scoped_release released;
  kKernel(a.bytes(), b.bytes(), width, out.bytes());
}

template <auto kKernel>
void in_place(nb::handle first, nb::handle second) {
  const OutputBuffer a(first), b(second);
  const nb::gil_scoped_release released;
  kKernel(a.bytes(), b.bytes());
}

}  // namespace

void bind_planes(nb::module_& module) {
  module.def("split_planes", &one_input<split_planes>, nb::arg("data"), nb::arg("width"), nb::arg("out"),
             "Split elements into byte planes; the tail follows verbatim.");
  module.def("merge_planes", &one_input<merge_planes>, nb::arg("planes"), nb::arg("width"), nb::arg("out"),
             "Inverse of split_planes.");
  module.def("xor_split_planes", &two_inputs<xor_split_planes>, nb::arg("target"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("out"), "Split the XOR of two buffers into byte planes.");
  module.def("merge_planes_xor", &two_inputs<merge_planes_xor>, nb::arg("planes"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("out"), "Inverse of xor_split_planes.");
  module.def("move_sign_down", &in_place<move_sign_down>, nb::arg("high"), nb::arg("low"),
             "Exchange a float's sign with the exponent's lowest bit, in place.");
  module.def("move_sign_up", &in_place<move_sign_up>, nb::arg("high"), nb::arg("low"), "Inverse of move_sign_down.");
  module.def(
      "xor_bytes",
      [](nb::handle first, nb::handle second, nb::handle output) {
        const InputBuffer a(first), b(second);
        const OutputBuffer out(output);
        const nb::gil_scoped_release released;
        xor_bytes(a.bytes(), b.bytes(), out.bytes());
      },
      nb::arg("a"), nb::arg("b"), nb::arg("out"), "XOR two buffers.");
  module.def(
      "xor_popcount",
      [](nb::handle first, nb::handle second) {
        const InputBuffer a(first), b(second);
        const nb::gil_scoped_release released;
        return xor_popcount(a.bytes(), b.bytes());
      },
      nb::arg("a"), nb::arg("b"), "Count the bits in which two buffers differ.");
  module.def(
      "equal_bytes",
      [](nb::handle first, nb::handle second) {
        const InputBuffer a(first), b(second);
        const nb::gil_scoped_release released;
        return equal_bytes(a.bytes(), b.bytes());
      },
      nb::arg("a"), nb::arg("b"), "Whether two buffers hold the same bytes.");
  module.def(
      "split_nonzero",
      [](nb::handle input, nb::handle bitmap, nb::handle values) {
        const InputBuffer in(input);
        const OutputBuffer map(bitmap), out(values);
        const nb::gil_scoped_release released;
        return split_nonzero(in.bytes(), map.bytes(), out.bytes());
      },
      nb::arg("data"), nb::arg("bitmap"), nb::arg("values"), "Split into a bitmap and the non-zero bytes.");
  module.def(
      "merge_nonzero",
      [](nb::handle bitmap, nb::handle values, nb::handle output) {
        const InputBuffer map(bitmap), in(values);
        const OutputBuffer out(output);
        const nb::gil_scoped_release released;
        merge_nonzero(map.bytes(), in.bytes(), out.bytes());
      },
      nb::arg("bitmap"), nb::arg("values"), nb::arg("out"), "Inverse of split_nonzero.");
}

}  // namespace tensorhub::bindings
