// Python face of the codecs: borrows buffers, releases the GIL, holds no logic.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "buffer.hpp"
#include "tensorhub/error.hpp"
#include "tensorhub/joint.hpp"
#include "tensorhub/planes_codec.hpp"
#include "tensorhub/simd.hpp"
#include "tensorhub/ulp_delta.hpp"

namespace nb = nanobind;

namespace tensorhub::bindings {
namespace {

// Memory that a thread keeps for what its encoders write, before the exact size is known.
std::span<std::uint8_t> output_room(std::size_t nbytes) {
  static thread_local std::unique_ptr<std::uint8_t[]> memory;
  static thread_local std::size_t size = 0;
  if (size < nbytes) {
    memory = std::make_unique_for_overwrite<std::uint8_t[]>(nbytes);
    size = nbytes;
  }
  return {memory.get(), size};
}

// Encodes without the GIL, then copies what came out into a bytes object.
template <typename Encode>
nb::object encoded(std::size_t bound, Encode encode) {
  std::span<std::uint8_t> room;
  std::size_t nbytes = 0;
  {
    const nb::gil_scoped_release released;
    room = output_room(bound);
    nbytes = encode(room);
  }
  const nb::object out = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(nbytes)));
  if (!out.is_valid()) throw nb::python_error();
  char* to = PyBytes_AS_STRING(out.ptr());
  const nb::gil_scoped_release released;
  std::memcpy(to, room.data(), nbytes);
  return out;
}

PlanesEffort effort_of(unsigned effort) {
  if (effort > 2) throw Error(ErrorKind::kUsage, "effort", "0, 1 or 2", std::to_string(effort), "Choose one of them.");
  return static_cast<PlanesEffort>(effort);
}

FloatKind kind_of(unsigned kind) {
  if (kind > 2)
    throw Error(ErrorKind::kUsage, "kind of float", "0, 1 or 2", std::to_string(kind), "Choose one of them.");
  return static_cast<FloatKind>(kind);
}

// A plan as Python holds it between planning and encoding: opaque, of this process.
template <auto kEncode>
nb::object encode_against(nb::handle target, nb::handle prediction, std::size_t width, const UlpPlan* plan) {
  const InputBuffer t(target), p(prediction);
  return encoded(ulp_delta_bound(t.bytes().size(), width), [&](std::span<std::uint8_t> out) {
    return kEncode(t.bytes(), p.bytes(), width, plan ? *plan : plan_ulp_delta(t.bytes(), p.bytes(), width), out);
  });
}

template <auto kDecode>
void decode_against(nb::handle coded, nb::handle prediction, std::size_t width, nb::handle out) {
  const InputBuffer c(coded), p(prediction);
  const OutputBuffer o(out);
  const nb::gil_scoped_release released;
  kDecode(c.bytes(), p.bytes(), width, o.bytes());
}

template <auto kDecode>
void decode_alone(nb::handle coded, std::size_t width, nb::handle out) {
  const InputBuffer c(coded);
  const OutputBuffer o(out);
  const nb::gil_scoped_release released;
  kDecode(c.bytes(), width, o.bytes());
}

void bind_levels(nb::module_& module) {
  module.def(
      "simd_level", [] { return std::string(kSimdLevelNames[static_cast<std::size_t>(simd_level())]); },
      "Name of the vector instructions in use.");
  module.def(
      "simd_levels",
      [] {
        std::vector<std::string> names;
        for (std::size_t k = 0; k < kSimdLevelNames.size(); ++k)
          if (has_simd_level(static_cast<SimdLevel>(k))) names.emplace_back(kSimdLevelNames[k]);
        return names;
      },
      "Names of all that this processor has.");
  module.def(
      "set_simd_level",
      [](const std::string& name) {
        for (std::size_t k = 0; k < kSimdLevelNames.size(); ++k)
          if (kSimdLevelNames[k] == name) return set_simd_level(static_cast<SimdLevel>(k));
        throw Error(ErrorKind::kUsage, "SIMD path " + name, "the name of one", name, "See simd_levels().");
      },
      nb::arg("name"), "Use others from now on, in all threads; for tests and measurements.");
}

}  // namespace

void bind_codecs(nb::module_& module) {
  bind_levels(module);
  nb::class_<PlanesPlan>(module, "PlanesPlan", "What a look at a chunk promises.")
      .def_ro("nbytes", &PlanesPlan::nbytes, "Predicted size by planes.")
      .def_ro("moves_sign", &PlanesPlan::moves_sign, "Whether the exponent fills a plane without the sign.")
      .def_ro("subtracts", &PlanesPlan::subtracts, "Whether neighbours are subtracted.");
  nb::class_<UlpPlan>(module, "UlpPlan", "What a look at a chunk and its prediction promises.")
      .def_ro("nbytes", &UlpPlan::nbytes, "Predicted size by ulp_delta.")
      .def_ro("fast_nbytes", &UlpPlan::fast_nbytes, "Predicted size by ulp_delta_fast.");
  module.def(
      "plan_planes",
      [](nb::handle target, std::size_t width) {
        const InputBuffer t(target);
        const nb::gil_scoped_release released;
        return plan_planes(t.bytes(), width);
      },
      nb::arg("target"), nb::arg("width"), "Look at a sample of a chunk.");
  module.def(
      "encode_planes",
      [](nb::handle target, std::size_t width, unsigned effort, const PlanesPlan* plan) {
        const InputBuffer t(target);
        const PlanesEffort how = effort_of(effort);
        return encoded(planes_bound(t.bytes().size(), width),
                       [&](std::span<std::uint8_t> out) {
                         return encode_planes(t.bytes(), width, how, plan ? *plan : plan_planes(t.bytes(), width), out);
                       });
      },
      nb::arg("target"), nb::arg("width"), nb::arg("effort"), nb::arg("plan").none() = nb::none(),
      "Code a chunk in planes.");
  module.def("decode_planes", &decode_alone<decode_planes>, nb::arg("coded"), nb::arg("width"), nb::arg("out"),
             "Inverse of encode_planes.");
  module.def(
      "encode_joint",
      [](nb::handle target, unsigned kind) {
        const InputBuffer t(target);
        const FloatKind which = kind_of(kind);
        return encoded(joint_bound(t.bytes().size()),
                       [&](std::span<std::uint8_t> out) { return encode_joint(t.bytes(), which, out); });
      },
      nb::arg("target"), nb::arg("kind"), "Code a chunk of floats by joint symbols.");
  module.def("decode_joint", &decode_alone<decode_joint>, nb::arg("coded"), nb::arg("width"), nb::arg("out"),
             "Inverse of encode_joint.");
  module.def(
      "plan_ulp_delta",
      [](nb::handle target, nb::handle prediction, std::size_t width) {
        const InputBuffer t(target), p(prediction);
        const nb::gil_scoped_release released;
        return plan_ulp_delta(t.bytes(), p.bytes(), width);
      },
      nb::arg("target"), nb::arg("prediction"), nb::arg("width"), "Look at a sample of a chunk and its prediction.");
  module.def("encode_ulp_delta", &encode_against<encode_ulp_delta>, nb::arg("target"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("plan").none() = nb::none(), "Code a chunk by its ULP differences.");
  module.def("decode_ulp_delta", &decode_against<decode_ulp_delta>, nb::arg("coded"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("out"), "Inverse of encode_ulp_delta.");
  module.def("encode_ulp_delta_fast", &encode_against<encode_ulp_delta_fast>, nb::arg("target"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("plan").none() = nb::none(),
             "Code a chunk by its ULP differences, in 16 tokens.");
  module.def("decode_ulp_delta_fast", &decode_against<decode_ulp_delta_fast>, nb::arg("coded"), nb::arg("prediction"),
             nb::arg("width"), nb::arg("out"), "Inverse of encode_ulp_delta_fast.");
}

}  // namespace tensorhub::bindings
