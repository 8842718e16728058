// What the tests of all codecs share: round trips on every SIMD path of the processor, in memory of exact size.
//
// Duty: encode and decode at both ends of guarded memory and in exact heap memory; require equal bytes on all paths.
// Not its duty: which chunks.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "guarded_memory.hpp"
#include "sample_data.hpp"
#include "tensorhub/error.hpp"
#include "tensorhub/simd.hpp"

namespace tensorhub {

/// What is being tested, for the message of a failure.
inline std::string& current_case() {
  static std::string text;
  return text;
}

inline void check(bool holds, const char* what) {
  if (holds) return;
  const auto path = kSimdLevelNames[static_cast<std::size_t>(simd_level())];
  std::fprintf(stderr, "failed: %s (%s; %.*s)\n", what, current_case().c_str(), static_cast<int>(path.size()),
               path.data());
  std::exit(1);
}

/// Portable first.
inline const std::vector<SimdLevel>& simd_levels() {
  static const std::vector<SimdLevel> found = [] {
    std::vector<SimdLevel> levels;
    for (std::size_t i = 0; i < kSimdLevelNames.size(); ++i)
      if (has_simd_level(static_cast<SimdLevel>(i))) levels.push_back(static_cast<SimdLevel>(i));
    return levels;
  }();
  return found;
}

/// Values or bytes at which steps, tiles, blocks and tables end.
inline constexpr std::size_t kSizes[] = {0,     1,     2,     31,    32,    33,     63,     64,
                                         65,    127,   128,   129,   1000,  4095,   4096,   4097,
                                         16383, 16384, 65535, 65536, 65537, 131071, 131072, 131073};

/// Whether a size is worth its time at this width; all sizes are at the widths that codecs are made for.
inline bool is_worth(std::size_t count, std::size_t width) {
  return count <= (width <= 2 ? 131073U : width == 4 || width == 8 ? 65537U : 4097U);
}

/// The rooms that codecs work in.
struct Rooms {
  static constexpr std::size_t kNbytes = std::size_t{8} << 20;
  GuardedMemory target{kNbytes}, prediction{kNbytes}, coded{kNbytes}, out{kNbytes};
};
inline Rooms& rooms() {
  static Rooms all;
  return all;
}

/// Encode and decode one chunk everywhere.
/// @param encode (target, prediction, out) to bytes written
/// @param decode (coded, prediction, out)
/// @return coded bytes
template <class Encode, class Decode>
Buffer check_round_trip(const Buffer& target, const Buffer& prediction, std::size_t bound, Encode encode,
                        Decode decode) {
  std::optional<Buffer> expected;
  for (const SimdLevel level : simd_levels()) {
    set_simd_level(level);
    for (const Place place : {Place::kBack, Place::kFront}) {
      const auto predicted = rooms().prediction.copy(place, prediction);
      const auto room = rooms().coded.lend(place, bound);
      const std::size_t nbytes = encode(rooms().target.copy(place, target), predicted, room);
      check(nbytes <= bound, "no more bytes than the bound");
      const Buffer coded(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(nbytes));
      if (!expected) expected = coded;
      check(coded == *expected, "the same bytes on all paths");
      const auto out = rooms().out.lend(place, target.size());
      std::fill(out.begin(), out.end(), std::uint8_t{0xA5});
      decode(rooms().coded.copy(place, coded), predicted, out);
      check(std::equal(out.begin(), out.end(), target.begin()), "round trip");
    }
    // On the heap the sanitizer sees single bytes on both sides; a vector of nothing is a null pointer.
    Buffer coded(bound), out(target.size());
    coded.resize(encode(std::span(target), std::span(prediction), std::span(coded)));
    coded.shrink_to_fit();
    check(coded == *expected, "the same bytes from the heap");
    decode(std::span<const std::uint8_t>(coded), std::span(prediction), std::span(out));
    check(out == target, "round trip on the heap");
  }
  return *expected;
}

/// What a decoder makes of bytes: nothing, if it refuses them.
template <class Decode>
std::optional<Buffer> decode_or_refuse(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> prediction,
                                       std::size_t nbytes, Place place, Decode decode) {
  const auto out = rooms().out.lend(place, nbytes);
  try {
    decode(rooms().coded.copy(place, coded), rooms().prediction.copy(place, prediction), out);
  } catch (const Error& error) {
    check(error.kind() == ErrorKind::kCorruptPack, "damage is reported as damage");
    return std::nullopt;
  }
  return Buffer(out.begin(), out.end());
}

/// Damage one chunk: every length of it, every byte of its first 128, then random ones. All paths say the same.
template <class Decode>
void check_damage(const Buffer& coded, const Buffer& prediction, std::size_t nbytes, std::uint64_t seed,
                  Decode decode) {
  Random random(seed);
  const std::size_t changes = std::min<std::size_t>(coded.size(), 128) + 100;
  for (std::size_t k = 0; k < coded.size() + changes; ++k) {
    Buffer damaged = coded;
    if (k < coded.size()) {
      damaged.resize(k);
    } else {
      const std::size_t number = k - coded.size();
      const std::size_t at = number < std::min<std::size_t>(coded.size(), 128) ? number : random.below(coded.size());
      damaged[at] = random.below(2) ? random.byte() : static_cast<std::uint8_t>(damaged[at] ^ 1U << random.below(8));
    }
    const Place place = k % 4 ? Place::kBack : Place::kFront;
    std::optional<Buffer> expected;
    for (const SimdLevel level : simd_levels()) {
      set_simd_level(level);
      const auto found = decode_or_refuse(damaged, prediction, nbytes, place, decode);
      if (level == SimdLevel::kPortable) expected = found;
      check(found == expected, "damage is the same on all paths");
    }
  }
}

/// Require a refusal of one kind.
template <class Body>
void check_refused(ErrorKind kind, const char* what, Body body) {
  try {
    body();
  } catch (const Error& error) {
    return check(error.kind() == kind, what);
  }
  check(false, what);
}

inline int report(const char* name) {
  std::printf("%s: ok (%zu paths)\n", name, simd_levels().size());
  return 0;
}

}  // namespace tensorhub
