// Elements to byte planes and back; the loops are in planes_kernels.hpp. Contract: elements.hpp.
#include "elements.hpp"

#include <array>

#define TENSORHUB_KERNELS "planes_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

void split_some(const std::uint8_t* from, std::size_t begin, std::size_t end, std::size_t width, bool moved,
                std::uint8_t* const* planes) {
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t k = 0; k < width; ++k) planes[k][i] = from[i * width + k];
    if (moved) {
      const std::uint8_t high = planes[width - 1][i], low = planes[width - 2][i];
      planes[width - 1][i] = static_cast<std::uint8_t>(high << 1 | low >> 7);
      planes[width - 2][i] = static_cast<std::uint8_t>((high & 0x80) | (low & 0x7f));
    }
  }
}

void merge_some(const std::uint8_t* const* planes, std::size_t begin, std::size_t end, std::size_t width, bool moved,
                std::uint8_t* out) {
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t k = 0; k < width; ++k) out[i * width + k] = planes[k][i];
    if (moved) {
      const std::uint8_t high = planes[width - 1][i], low = planes[width - 2][i];
      out[i * width + width - 1] = static_cast<std::uint8_t>((low & 0x80) | high >> 1);
      out[i * width + width - 2] = static_cast<std::uint8_t>(high << 7 | (low & 0x7f));
    }
  }
}

}  // namespace

void split_elements(const std::uint8_t* from, std::size_t count, std::size_t width, bool moved,
                    std::uint8_t* const* planes) {
  const bool has_vectors = width == 2 || width == 4 || width == 8;
  if (has_vectors) {
    (width == 2   ? TENSORHUB_DISPATCH(planes_split2)
     : width == 4 ? TENSORHUB_DISPATCH(planes_split4)
                  : TENSORHUB_DISPATCH(planes_split8))(from, moved, planes, count / 64);
  }
  split_some(from, has_vectors ? count / 64 * 64 : 0, count, width, moved, planes);
}

void merge_elements(const std::uint8_t* const* planes, std::size_t count, std::size_t width, bool moved,
                    std::uint8_t* out) {
  const bool has_vectors = width == 2 || width == 4 || width == 8;
  if (has_vectors) {
    (width == 2   ? TENSORHUB_DISPATCH(planes_merge2)
     : width == 4 ? TENSORHUB_DISPATCH(planes_merge4)
                  : TENSORHUB_DISPATCH(planes_merge8))(planes, moved, out, count / 64);
  }
  merge_some(planes, has_vectors ? count / 64 * 64 : 0, count, width, moved, out);
}

}  // namespace tensorhub
