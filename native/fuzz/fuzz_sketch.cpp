// Fuzz target: the sketch kernels, whose samples come from facts in packs.
//
// First byte: element width; then two sketches and a mask, repeated from the input where it is short.
#include <array>
#include <cstdlib>
#include <vector>

#include "tensorhub/sketch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 17) return 0;
  constexpr std::array<std::size_t, 4> kWidths = {1, 2, 4, 8};
  const std::size_t width = kWidths[data[0] % kWidths.size()];
  std::array<std::array<std::uint8_t, tensorhub::kSketchNbytes>, 3> filled;
  for (std::size_t i = 0; i < filled.size(); ++i)
    for (std::size_t k = 0; k < tensorhub::kSketchNbytes; ++k)
      filled[i][k] = data[1 + (i * tensorhub::kSketchNbytes + k) % (size - 1)];
  const auto& [sample, query, mask] = filled;

  std::array<std::uint8_t, tensorhub::kSignatureNbytes> signature{}, query_signature{}, signature_mask{};
  tensorhub::sketch_signature(sample, width, signature);
  tensorhub::sketch_signature(query, width, query_signature);
  tensorhub::sketch_signature(mask, width, signature_mask);
  const tensorhub::SketchBlocks signatures{{signature.data()}, {1}}, sketches{{sample.data()}, {1}};
  const auto hits = tensorhub::sketch_nearest(signatures, sketches, {query, mask, query_signature, signature_mask}, 4, 4);
  if (hits.size() != 1 || hits[0].distance > 8 * tensorhub::kSketchNbytes) std::abort();

  std::vector<float> features(width * tensorhub::kFeaturesPerPlane);
  tensorhub::sketch_features(sample, query, mask, width, features);
  for (const float value : features)
    if (!(value >= 0.0F && value <= 8.001F)) std::abort();

  std::uint64_t rows = 0, row_nelems = 0;
  for (std::size_t k = 0; k < 8; ++k) {
    rows = rows << 8 | data[1 + k];
    row_nelems = row_nelems << 8 | data[9 + k];
  }
  std::vector<std::uint64_t> positions(tensorhub::kSketchNbytes / width);
  tensorhub::sketch_positions(rows >> (data[1] % 64), row_nelems >> (data[9] % 64), positions);
  return 0;
}
