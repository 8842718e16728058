// A stream: one plane of bytes, coded by whichever coder suits it.
//
// Duty: choose a coder from a histogram, code, and decode piece by piece, whatever the coder.
// Not its duty: how streams lie in a chunk (planes_codec.cpp).
// Invariants: a coded stream is never longer than its bytes; modes are on disk and never reused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "tensorhub/cascade.hpp"
#include "tensorhub/planes_codec.hpp"
#include "tensorhub/small_rans.hpp"
#include "tensorhub/trimmed.hpp"
#include "tensorhub/wide_rans.hpp"

namespace tensorhub {

enum class StreamMode : std::uint8_t {
  kRaw = 0,
  kConstant = 1,
  kTrimmed = 2,
  kCascade = 3,
  kSmallRans = 4,
  kWideRans = 5
};

inline constexpr std::size_t kStreamWorkNbytes = kCascadeWorkNbytes + 64;
static_assert(kStreamWorkNbytes >= wide_rans_work_nbytes(1));

/// Room that encode_stream needs.
std::size_t stream_bound(std::size_t nbytes);

struct CodedStream {
  StreamMode mode;
  std::size_t nbytes;
};

/// Whether a quick look says that no coder here gains from a plane's histogram.
bool is_noise(std::span<const std::uint8_t> plane);

/// Code a plane; `out` has stream_bound() bytes. The plane may lie at the start of `out`, if is_noise() of it is true.
CodedStream encode_stream(std::span<const std::uint8_t> plane, PlanesEffort effort, std::span<std::uint8_t> out);

/// Decodes a stream of any mode.
class StreamDecoder {
 public:
  /// @param work kStreamWorkNbytes, aligned to 64, the decoder's alone as long as it lives
  /// @throws Error (kCorruptPack)
  StreamDecoder(std::uint8_t mode, std::span<const std::uint8_t> coded, std::size_t count,
                const std::uint8_t* readable_end, std::uint8_t* work);

  /// Where the next `count` bytes are: in the coded bytes themselves, or in `tile`, which has room for a multiple
  /// of 128. `count` is a multiple of 128, or what is left.
  const std::uint8_t* next(std::uint8_t* tile, std::size_t count);

  void finish() const;

 private:
  struct Raw {
    const std::uint8_t* at;
  };
  struct Constant {
    std::uint8_t value;
  };
  std::variant<Raw, Constant, TrimmedDecoder, CascadeDecoder, SmallRansDecoder, WideRansDecoder> decoder_;
};

}  // namespace tensorhub
