// Byte planes in one buffer, and small kernels beside them: size checks and plain loops.
//
// Duty: the functions of planes.hpp, which the codecs of the first generation are made of. Not its duty: the shuffles;
// elements.cpp has them for all codecs.
#include "tensorhub/planes.hpp"

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "elements.hpp"
#include "require.hpp"
#include "scratch.hpp"
#include "simd/paths.hpp"
#include "tensorhub/error.hpp"

namespace tensorhub {
namespace {

void require_width(std::size_t width) {
  if (width != 0) return;
  throw Error(ErrorKind::kUsage, "element width", "at least 1", "0", "Give the bytes per element.");
}

// memcpy that allows null pointers of empty spans.
void copy(const std::uint8_t* from, std::size_t nbytes, std::uint8_t* to) {
  if (nbytes != 0) std::memcpy(to, from, nbytes);
}

void xor_run(const std::uint8_t* a, const std::uint8_t* b, std::size_t nbytes, std::uint8_t* out) {
  for (std::size_t i = 0; i < nbytes; ++i) out[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
}

// Where the planes of `count` elements lie in one buffer.
template <typename Byte>
std::vector<Byte*> plane_starts(Byte* planes, std::size_t count, std::size_t width) {
  std::vector<Byte*> starts(width);
  for (std::size_t k = 0; k < width; ++k) starts[k] = planes + k * count;
  return starts;
}

void check_planes(Bytes in, std::size_t width, MutableBytes out) {
  require_width(width);
  require_size("planes output", in.size(), out.size());
  require_apart("planes output", in, out);
}

void check_prediction(Bytes in, Bytes prediction, MutableBytes out) {
  require_size("prediction", in.size(), prediction.size());
  require_apart("planes output", prediction, out);
}

// Written once, compiled twice: with and without the POPCNT instruction.
[[gnu::always_inline]] inline std::uint64_t popcount_run(const std::uint8_t* a, const std::uint8_t* b,
                                                         std::size_t nbytes) {
  std::uint64_t total = 0;
  std::size_t i = 0;
  for (; i + 8 <= nbytes; i += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    total += static_cast<std::uint64_t>(std::popcount(x ^ y));
  }
  for (; i < nbytes; ++i) total += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(a[i] ^ b[i])));
  return total;
}

#if TENSORHUB_X86
__attribute__((target("popcnt"))) std::uint64_t popcount_run_hardware(const std::uint8_t* a, const std::uint8_t* b,
                                                                      std::size_t nbytes) {
  return popcount_run(a, b, nbytes);
}
#endif

std::size_t count_bits(Bytes in) {
  std::size_t total = 0;
  for (const std::uint8_t byte : in) total += static_cast<std::size_t>(std::popcount(byte));
  return total;
}

void check_sign_planes(MutableBytes high, MutableBytes low) {
  require_size("low plane", high.size(), low.size());
  require_apart("low plane", high, low);
}

}  // namespace

void split_planes(Bytes in, std::size_t width, MutableBytes out) {
  check_planes(in, width, out);
  const std::size_t count = in.size() / width, body = count * width;
  split_elements(in.data(), count, width, false, plane_starts(out.data(), count, width).data());
  copy(in.data() + body, in.size() - body, out.data() + body);
}

void merge_planes(Bytes planes, std::size_t width, MutableBytes out) {
  check_planes(planes, width, out);
  const std::size_t count = planes.size() / width, body = count * width;
  merge_elements(plane_starts(planes.data(), count, width).data(), count, width, false, out.data());
  copy(planes.data() + body, planes.size() - body, out.data() + body);
}

void xor_split_planes(Bytes target, Bytes prediction, std::size_t width, MutableBytes out) {
  check_planes(target, width, out);
  check_prediction(target, prediction, out);
  const auto difference = scratch<std::uint8_t>(ScratchSlot::kWords, target.size());
  xor_run(target.data(), prediction.data(), target.size(), difference.data());
  split_planes(difference, width, out);
}

void merge_planes_xor(Bytes planes, Bytes prediction, std::size_t width, MutableBytes out) {
  check_planes(planes, width, out);
  check_prediction(planes, prediction, out);
  merge_planes(planes, width, out);
  xor_run(out.data(), prediction.data(), out.size(), out.data());
}

void xor_bytes(Bytes a, Bytes b, MutableBytes out) {
  require_size("second operand", a.size(), b.size());
  require_size("XOR output", a.size(), out.size());
  require_apart("XOR output", a, out);
  require_apart("XOR output", b, out);
  xor_run(a.data(), b.data(), a.size(), out.data());
}

std::uint64_t xor_popcount(Bytes a, Bytes b) {
  require_size("second operand", a.size(), b.size());
#if TENSORHUB_X86
  static const bool supported = __builtin_cpu_supports("popcnt") != 0;
  if (supported) return popcount_run_hardware(a.data(), b.data(), a.size());
#endif
  return popcount_run(a.data(), b.data(), a.size());
}

bool equal_bytes(Bytes a, Bytes b) {
  require_size("second operand", a.size(), b.size());
  return a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0;
}

void move_sign_down(MutableBytes high, MutableBytes low) {
  check_sign_planes(high, low);
  std::uint8_t* const __restrict top = high.data();
  std::uint8_t* const __restrict next = low.data();
  for (std::size_t i = 0; i < high.size(); ++i) {
    const std::uint8_t h = top[i], l = next[i];
    top[i] = static_cast<std::uint8_t>(h << 1 | l >> 7);
    next[i] = static_cast<std::uint8_t>((h & 0x80) | (l & 0x7f));
  }
}

void move_sign_up(MutableBytes high, MutableBytes low) {
  check_sign_planes(high, low);
  std::uint8_t* const __restrict top = high.data();
  std::uint8_t* const __restrict next = low.data();
  for (std::size_t i = 0; i < high.size(); ++i) {
    const std::uint8_t h = top[i], l = next[i];
    top[i] = static_cast<std::uint8_t>((l & 0x80) | h >> 1);
    next[i] = static_cast<std::uint8_t>(h << 7 | (l & 0x7f));
  }
}

std::size_t split_nonzero(Bytes in, MutableBytes bitmap, MutableBytes values) {
  require_size("bitmap", (in.size() + 7) / 8, bitmap.size());
  if (values.size() < in.size()) require_size("values", in.size(), values.size());
  require_apart("bitmap", in, bitmap);
  require_apart("values", in, values);
  require_apart("values", bitmap, values);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < in.size(); i += 8) {
    const std::size_t stop = in.size() - i < 8 ? in.size() - i : 8;
    unsigned bits = 0;
    for (std::size_t k = 0; k < stop; ++k) {
      const std::uint8_t value = in[i + k];
      const unsigned is_set = value != 0;
      values[taken] = value;  // overwritten by the next one where it is zero: no branch to mispredict
      taken += is_set;
      bits |= is_set << k;
    }
    bitmap[i / 8] = static_cast<std::uint8_t>(bits);
  }
  return taken;
}

void merge_nonzero(Bytes bitmap, Bytes values, MutableBytes out) {
  require_size("bitmap", (out.size() + 7) / 8, bitmap.size());
  require_apart("output", bitmap, out);
  require_apart("output", values, out);
  const std::size_t set = count_bits(bitmap), unused = bitmap.size() * 8 - out.size();
  const bool has_stray_bit = unused != 0 && (bitmap.back() >> (8 - unused)) != 0;
  if (set != values.size() || has_stray_bit) {
    throw Error(ErrorKind::kCorruptPack, "non-zero bytes of a plane", std::to_string(values.size()) + " bits in the bitmap",
                has_stray_bit ? "a bit beyond the last byte" : std::to_string(set) + " bits",
                "Run `tensorhub verify`; the chunk is damaged.");
  }
  std::size_t taken = 0;
  for (std::size_t i = 0; i < out.size(); i += 8) {
    const std::size_t stop = out.size() - i < 8 ? out.size() - i : 8;
    const unsigned bits = bitmap[i / 8];
    if (taken + 8 <= values.size()) {  // a value may be read even where it is not taken: no branch
      for (std::size_t k = 0; k < stop; ++k) {
        const unsigned is_set = bits >> k & 1u;
        out[i + k] = static_cast<std::uint8_t>(values[taken] & (0u - is_set));
        taken += is_set;
      }
    } else {
      for (std::size_t k = 0; k < stop; ++k) out[i + k] = (bits >> k & 1u) != 0 ? values[taken++] : std::uint8_t{0};
    }
  }
}

}  // namespace tensorhub
