// Fuzz target: the inverse of the byte planes, plain and against a prediction, and of the sign move.
//
// Any bytes are valid planes, so the property is stronger than "does not crash": splitting what was merged gives the
// input back. First byte: element width; the rest: planes, and for the second form half of it the prediction.
#include <cstdlib>
#include <vector>

#include "tensorhub/planes.hpp"

namespace {

using Buffer = std::vector<std::uint8_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t width = data[0] % 20 + 1;
  const Buffer planes(data + 1, data + size);
  Buffer merged(planes.size()), again(planes.size());
  tensorhub::merge_planes(planes, width, merged);
  tensorhub::split_planes(merged, width, again);
  require(again == planes);

  const std::size_t half = planes.size() / 2;
  const Buffer coded(planes.begin(), planes.begin() + static_cast<std::ptrdiff_t>(half));
  const Buffer prediction(planes.begin() + static_cast<std::ptrdiff_t>(half),
                          planes.begin() + static_cast<std::ptrdiff_t>(2 * half));
  Buffer decoded(half), recoded(half);
  tensorhub::merge_planes_xor(coded, prediction, width, decoded);
  tensorhub::xor_split_planes(decoded, prediction, width, recoded);
  require(recoded == coded);

  Buffer high = coded, low = prediction;
  tensorhub::move_sign_up(high, low);
  tensorhub::move_sign_down(high, low);
  require(high == coded && low == prediction);
  return 0;
}
