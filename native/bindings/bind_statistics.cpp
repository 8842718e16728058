// Python face of statistics.hpp: borrows the buffer, releases the GIL, holds no logic.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include <tuple>

#include "buffer.hpp"
#include "tensorhub/statistics.hpp"

namespace nb = nanobind;

namespace tensorhub::bindings {

void bind_statistics(nb::module_& module) {
  module.def(
      "byte_statistics",
      [](nb::handle input, std::size_t pieces, std::size_t piece_nbytes) {
        const InputBuffer in(input);
        const nb::gil_scoped_release released;
        const ByteStatistics found = byte_statistics(in.bytes(), pieces, piece_nbytes);
        return std::make_tuple(found.total, found.zeros, found.distinct, found.entropy_bits);
      },
      nb::arg("data"), nb::arg("pieces"), nb::arg("piece_nbytes"),
      "Total, zeros, distinct values and entropy in bits per byte of a spread sample.");
}

}  // namespace tensorhub::bindings
