// Fuzz target: merge_nonzero, whose bitmap comes from coded bytes.
//
// First two bytes: length of the output; then the bitmap; the rest: the values. Either the bitmap fits, and splitting
// the output gives the same bitmap where no value is zero; or the decoder refuses, and has written nothing.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tensorhub/error.hpp"
#include "tensorhub/planes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Buffer = std::vector<std::uint8_t>;
  if (size < 2) return 0;
  const std::size_t nbytes = (data[0] | std::size_t{data[1]} << 8) % 4096;
  const std::size_t bitmap_nbytes = (nbytes + 7) / 8;
  if (size - 2 < bitmap_nbytes) return 0;
  const Buffer bitmap(data + 2, data + 2 + bitmap_nbytes);
  Buffer values(data + 2 + bitmap_nbytes, data + size);
  std::size_t set = 0;
  for (const auto byte : bitmap) set += static_cast<std::size_t>(__builtin_popcount(byte));
  // Half of the inputs get the right number of values, or none would be decoded.
  if (data[0] & 1) values.resize(set, 1);
  Buffer out(nbytes, 0xA5);
  try {
    tensorhub::merge_nonzero(bitmap, values, out);
  } catch (const tensorhub::Error&) {
    if (std::any_of(out.begin(), out.end(), [](auto byte) { return byte != 0xA5; })) std::abort();
    return 0;
  }
  if (std::find(values.begin(), values.end(), 0) != values.end()) return 0;
  Buffer bitmap_again(bitmap_nbytes), values_again(nbytes);
  const std::size_t count = tensorhub::split_nonzero(out, bitmap_again, values_again);
  values_again.resize(count);
  if (bitmap_again != bitmap || values_again != values) std::abort();
  return 0;
}
