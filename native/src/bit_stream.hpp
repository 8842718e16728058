// Bits in bytes, lowest first.
//
// Invariant: the reader never reads past its end; a caller asks `is_past_end` when it is done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tensorhub {

/// Appends up to 56 bits at a time; needs 8 bytes of room past the last.
class BitWriter {
 public:
  explicit BitWriter(std::uint8_t* to) : begin_(to), to_(to) {}
  void put(std::uint64_t value, unsigned nbits) {
    held_ |= value << filled_;
    filled_ += nbits;
    std::memcpy(to_, &held_, 8);
    to_ += filled_ / 8;
    held_ >>= filled_ & ~7U;
    filled_ &= 7;
  }
  /// @return bytes written
  std::size_t finish() { return static_cast<std::size_t>(to_ - begin_) + (filled_ ? 1 : 0); }

 private:
  std::uint8_t *begin_, *to_;
  std::uint64_t held_ = 0;
  unsigned filled_ = 0;
};

/// Gives up to 56 bits at a time; zeros past the end.
class BitReader {
 public:
  BitReader() = default;
  explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint64_t get(unsigned nbits) {
    const std::size_t at = position_ / 8;
    std::uint64_t word = 0;
    if (at + 8 <= bytes_.size()) {
      std::memcpy(&word, bytes_.data() + at, 8);
    } else if (at < bytes_.size()) {
      std::memcpy(&word, bytes_.data() + at, bytes_.size() - at);
    }
    word = word >> (position_ & 7) & ((std::uint64_t{1} << nbits) - 1);
    position_ += nbits;
    return word;
  }
  /// Whether `nbytes` more can be read by get_unchecked, which looks at 8 bytes at a time.
  bool has(std::size_t nbytes) const { return position_ / 8 + nbytes + 8 <= bytes_.size(); }
  /// As get(), without asking whether there are so many.
  std::uint64_t get_unchecked(unsigned nbits) {
    std::uint64_t word;
    std::memcpy(&word, bytes_.data() + position_ / 8, 8);
    word = word >> (position_ & 7) & ((std::uint64_t{1} << nbits) - 1);
    position_ += nbits;
    return word;
  }
  /// Bytes begun; more than there are where the reader ran past the end.
  std::size_t used_nbytes() const { return (position_ + 7) / 8; }
  /// Whether the bits after the last one read are zeros up to the end of its byte.
  bool is_rest_zero() const {
    return position_ % 8 == 0 || used_nbytes() > bytes_.size() || bytes_[position_ / 8] >> position_ % 8 == 0;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;  // in bits
};

}  // namespace tensorhub
