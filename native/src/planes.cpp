// Byte planes and friends: size checks, dispatch, and the portable bodies.
//
// Duty: the functions of planes.hpp. The portable loops are written so that a compiler vectorises the fixed widths
// (NEON's interleaved loads and stores fit them); AVX2 has its own file because compilers do that shuffle badly.
#include "tensorhub/planes.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <string>

#include "planes_avx2.hpp"
#include "tensorhub/error.hpp"

namespace tensorhub {
namespace {

constexpr const char* kFixCaller = "Give buffers of the sizes that the function names.";

void require_size(const char* thing, std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error(ErrorKind::kShapeMismatch, thing, std::to_string(expected) + " bytes", std::to_string(found) + " bytes",
              kFixCaller);
}

void require_apart(const char* thing, Bytes in, MutableBytes out) {
  if (in.empty() || out.empty()) return;
  const std::less_equal<const std::uint8_t*> not_after;  // a total order, also across objects
  if (not_after(in.data() + in.size(), out.data()) || not_after(out.data() + out.size(), in.data())) return;
  throw Error(ErrorKind::kUsage, thing, "an output apart from the inputs", "overlapping buffers",
              "Give the output memory of its own.");
}

void require_width(std::size_t width) {
  if (width != 0) return;
  throw Error(ErrorKind::kUsage, "element width", "at least 1", "0", "Give the bytes per element.");
}

// memcpy that allows null pointers of empty spans.
void copy(const std::uint8_t* from, std::size_t nbytes, std::uint8_t* to) {
  if (nbytes != 0) std::memcpy(to, from, nbytes);
}

#ifdef TENSORHUB_HAS_AVX2
bool has_avx2() {
  static const bool supported = __builtin_cpu_supports("avx2") != 0;
  return supported;
}
#endif

// kWidth 0 means that the width is known at run time only.
template <std::size_t kWidth, bool kXor>
void split_from(const std::uint8_t* in, const std::uint8_t* prediction, std::size_t run_width, std::size_t first,
                std::size_t count, std::uint8_t* out) {
  const std::size_t width = kWidth == 0 ? run_width : kWidth;
  for (std::size_t plane = 0; plane < width; ++plane) {
    for (std::size_t i = first; i < count; ++i) {
      std::uint8_t value = in[i * width + plane];
      if constexpr (kXor) value = static_cast<std::uint8_t>(value ^ prediction[i * width + plane]);
      out[plane * count + i] = value;
    }
  }
}

template <std::size_t kWidth, bool kXor>
void merge_from(const std::uint8_t* planes, const std::uint8_t* prediction, std::size_t run_width, std::size_t first,
                std::size_t count, std::uint8_t* out) {
  const std::size_t width = kWidth == 0 ? run_width : kWidth;
  for (std::size_t i = first; i < count; ++i) {
    for (std::size_t plane = 0; plane < width; ++plane) {
      std::uint8_t value = planes[plane * count + i];
      if constexpr (kXor) value = static_cast<std::uint8_t>(value ^ prediction[i * width + plane]);
      out[i * width + plane] = value;
    }
  }
}

template <std::size_t kWidth, bool kXor>
void split_fixed(const std::uint8_t* in, const std::uint8_t* prediction, std::size_t count, std::uint8_t* out) {
  std::size_t done = 0;
#ifdef TENSORHUB_HAS_AVX2
  if (has_avx2()) done = avx2::split<kWidth, kXor>(in, prediction, count, out);
#endif
  split_from<kWidth, kXor>(in, prediction, kWidth, done, count, out);
}

template <std::size_t kWidth, bool kXor>
void merge_fixed(const std::uint8_t* planes, const std::uint8_t* prediction, std::size_t count, std::uint8_t* out) {
  std::size_t done = 0;
#ifdef TENSORHUB_HAS_AVX2
  if (has_avx2()) done = avx2::merge<kWidth, kXor>(planes, prediction, count, out);
#endif
  merge_from<kWidth, kXor>(planes, prediction, kWidth, done, count, out);
}

void xor_run(const std::uint8_t* a, const std::uint8_t* b, std::size_t nbytes, std::uint8_t* out) {
  for (std::size_t i = 0; i < nbytes; ++i) out[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
}

template <bool kXor>
void split_any(Bytes in, Bytes prediction, std::size_t width, MutableBytes out) {
  const std::size_t count = width == 1 ? 0 : in.size() / width, body = count * width;  // width 1 is all tail
  const std::uint8_t* p = kXor ? prediction.data() : nullptr;
  switch (width) {
    case 2: split_fixed<2, kXor>(in.data(), p, count, out.data()); break;
    case 4: split_fixed<4, kXor>(in.data(), p, count, out.data()); break;
    case 8: split_fixed<8, kXor>(in.data(), p, count, out.data()); break;
    default: split_from<0, kXor>(in.data(), p, width, 0, count, out.data());
  }
  if constexpr (kXor) {
    xor_run(in.data() + body, p + body, in.size() - body, out.data() + body);
  } else {
    copy(in.data() + body, in.size() - body, out.data() + body);
  }
}

template <bool kXor>
void merge_any(Bytes planes, Bytes prediction, std::size_t width, MutableBytes out) {
  const std::size_t count = width == 1 ? 0 : planes.size() / width, body = count * width;
  const std::uint8_t* p = kXor ? prediction.data() : nullptr;
  switch (width) {
    case 2: merge_fixed<2, kXor>(planes.data(), p, count, out.data()); break;
    case 4: merge_fixed<4, kXor>(planes.data(), p, count, out.data()); break;
    case 8: merge_fixed<8, kXor>(planes.data(), p, count, out.data()); break;
    default: merge_from<0, kXor>(planes.data(), p, width, 0, count, out.data());
  }
  if constexpr (kXor) {
    xor_run(planes.data() + body, p + body, planes.size() - body, out.data() + body);
  } else {
    copy(planes.data() + body, planes.size() - body, out.data() + body);
  }
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

#ifdef TENSORHUB_HAS_AVX2
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
  split_any<false>(in, {}, width, out);
}

void merge_planes(Bytes planes, std::size_t width, MutableBytes out) {
  check_planes(planes, width, out);
  merge_any<false>(planes, {}, width, out);
}

void xor_split_planes(Bytes target, Bytes prediction, std::size_t width, MutableBytes out) {
  check_planes(target, width, out);
  check_prediction(target, prediction, out);
  split_any<true>(target, prediction, width, out);
}

void merge_planes_xor(Bytes planes, Bytes prediction, std::size_t width, MutableBytes out) {
  check_planes(planes, width, out);
  check_prediction(planes, prediction, out);
  merge_any<true>(planes, prediction, width, out);
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
#ifdef TENSORHUB_HAS_AVX2
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
