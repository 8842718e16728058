// Python face of sketch.hpp: checks sizes, releases the GIL, holds no logic.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tensorhub/sketch.hpp"

namespace nb = nanobind;

namespace tensorhub::bindings {
namespace {

using Bytes1 = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes2 = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <typename T>
nb::ndarray<nb::numpy, T> to_numpy(std::unique_ptr<T[]> data, std::initializer_list<std::size_t> shape) {
  T* raw = data.release();
  nb::capsule owner(raw, [](void* pointer) noexcept { delete[] static_cast<T*>(pointer); });
  return nb::ndarray<nb::numpy, T>(raw, shape, owner);
}

template <std::size_t Nbytes>
std::span<const std::uint8_t, Nbytes> fixed(const Bytes1& bytes, const char* name) {
  if (bytes.shape(0) != Nbytes) throw std::invalid_argument(std::string(name) + " has a wrong length");
  return std::span<const std::uint8_t, Nbytes>(bytes.data(), Nbytes);
}

void check_width(std::size_t element_width) {
  if (element_width != 1 && element_width != 2 && element_width != 4 && element_width != 8) {
    throw std::invalid_argument("element_width must be 1, 2, 4 or 8");
  }
}

// The first `count` rows of the blocks; keeps the arrays alive through `arrays`.
SketchBlocks to_blocks(const nb::list& list, std::size_t count, std::size_t row_nbytes, std::vector<Bytes2>& arrays) {
  SketchBlocks blocks;
  for (nb::handle item : list) {
    Bytes2 array = nb::cast<Bytes2>(item);
    if (array.shape(1) != row_nbytes) throw std::invalid_argument("a block has a wrong row length");
    const std::size_t nrows = std::min<std::size_t>(count, array.shape(0));
    blocks.rows.push_back(array.data());
    blocks.nrows.push_back(nrows);
    arrays.push_back(std::move(array));
    count -= nrows;
  }
  if (count != 0) throw std::invalid_argument("fewer rows than counted");
  return blocks;
}

nb::ndarray<nb::numpy, std::uint64_t> positions(std::uint64_t nrows, std::uint64_t row_nelems, std::size_t nbuckets) {
  if (nbuckets < 1 || nbuckets > kSketchNbytes) throw std::invalid_argument("nbuckets must be 1 to 512");
  auto out = std::make_unique<std::uint64_t[]>(nbuckets);
  {
    nb::gil_scoped_release release;
    sketch_positions(nrows, row_nelems, std::span(out.get(), nbuckets));
  }
  return to_numpy(std::move(out), {nbuckets});
}

nb::ndarray<nb::numpy, std::uint8_t> signature(const Bytes1& values, std::size_t element_width) {
  check_width(element_width);
  const auto view = fixed<kSketchNbytes>(values, "values");
  auto out = std::make_unique<std::uint8_t[]>(kSignatureNbytes);
  sketch_signature(view, element_width, std::span<std::uint8_t, kSignatureNbytes>(out.get(), kSignatureNbytes));
  return to_numpy(std::move(out), {kSignatureNbytes});
}

nb::tuple nearest(const nb::list& signatures, const nb::list& sketches, std::size_t count, const Bytes1& values,
                  const Bytes1& mask, const Bytes1& query_signature, const Bytes1& signature_mask,
                  std::size_t coarse_keep, std::size_t keep) {
  std::vector<Bytes2> arrays;
  const SketchBlocks signature_blocks = to_blocks(signatures, count, kSignatureNbytes, arrays);
  const SketchBlocks sketch_blocks = to_blocks(sketches, count, kSketchNbytes, arrays);
  const SketchQuery query{fixed<kSketchNbytes>(values, "values"), fixed<kSketchNbytes>(mask, "mask"),
                          fixed<kSignatureNbytes>(query_signature, "query_signature"),
                          fixed<kSignatureNbytes>(signature_mask, "signature_mask")};
  std::vector<SketchHit> hits;
  {
    nb::gil_scoped_release release;
    hits = sketch_nearest(signature_blocks, sketch_blocks, query, coarse_keep, keep);
  }
  auto slots = std::make_unique<std::int64_t[]>(hits.size());
  auto distances = std::make_unique<std::uint32_t[]>(hits.size());
  for (std::size_t index = 0; index < hits.size(); ++index) {
    slots[index] = static_cast<std::int64_t>(hits[index].slot);
    distances[index] = hits[index].distance;
  }
  return nb::make_tuple(to_numpy(std::move(slots), {hits.size()}), to_numpy(std::move(distances), {hits.size()}));
}

nb::ndarray<nb::numpy, float> features(const Bytes2& samples, const Bytes1& query, const Bytes1& mask,
                                       std::size_t element_width) {
  check_width(element_width);
  if (samples.shape(1) != kSketchNbytes) throw std::invalid_argument("samples must have rows of 512 bytes");
  const auto query_view = fixed<kSketchNbytes>(query, "query");
  const auto mask_view = fixed<kSketchNbytes>(mask, "mask");
  const std::size_t count = samples.shape(0), width = element_width * kFeaturesPerPlane;
  auto out = std::make_unique<float[]>(count * width);
  {
    nb::gil_scoped_release release;
    for (std::size_t row = 0; row < count; ++row) {
      sketch_features(SketchView(samples.data() + row * kSketchNbytes, kSketchNbytes), query_view, mask_view,
                      element_width, std::span(out.get() + row * width, width));
    }
  }
  return to_numpy(std::move(out), {count, element_width, kFeaturesPerPlane});
}

}  // namespace

void bind_sketch(nb::module_& module) {
  using namespace nb::literals;
  module.def("sketch_positions", &positions, "nrows"_a, "row_nelems"_a, "nbuckets"_a,
             "Flat element index of each bucket's sample, uint64; 2**64 - 1 where the tensor is empty.");
  module.def("sketch_signature", &signature, "values"_a, "element_width"_a,
             "The 64-byte signature of 512 sample bytes.");
  module.def("sketch_nearest", &nearest, "signatures"_a, "sketches"_a, "count"_a, "values"_a, "mask"_a,
             "query_signature"_a, "signature_mask"_a, "coarse_keep"_a, "keep"_a,
             "Slots (int64) and bit distances (uint32) of the nearest sketches, nearest first.");
  module.def("sketch_features", &features, "samples"_a, "query"_a, "mask"_a, "element_width"_a,
             "Per sample and byte plane of sample XOR query: zero fraction, bit entropy, byte entropy (float32).");
}

}  // namespace tensorhub::bindings
