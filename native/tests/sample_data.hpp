// Bytes that look like tensors, for tests and fuzz targets: the same on every machine.
//
// Duty: one chunk for each shape of data that a coder or a plan treats in its own way, and predictions of a chunk.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace tensorhub {

using Buffer = std::vector<std::uint8_t>;

/// xorshift64* (S. Vigna, arXiv:1402.6246, section 3): a fuzz run has no time for a Mersenne twister.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U | 1) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dU;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(next() >> 56); }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>((next() >> 32) % limit); }
  /// About a normal distribution, of deviation 1.
  float normal() {
    const std::uint64_t bits = next();
    float sum = 0;
    for (unsigned k = 0; k < 4; ++k) sum += static_cast<float>(bits >> 16 * k & 0xffff);
    return (sum / 65536.0F - 2.0F) * 1.7320508F;
  }

 private:
  std::uint64_t state_;
};

enum class Shape : unsigned char {
  kNoise,
  kConstant,
  kFewSymbols,
  kWeights,
  kSortedNumbers,
  kShortMantissas,
  kScaledRows,
  kSparse,
  kCount
};

/// Put a float of this width (a byte of BF16, BF16, F32 or about F64; longer ones are bytes) at an element.
inline void put_float(float value, std::size_t width, std::uint8_t* to) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  std::uint64_t element = width == 1   ? bits >> 24
                          : width == 2 ? bits >> 16
                          : width == 4 ? bits
                                       : std::uint64_t{bits} << 29;
  for (std::size_t k = 0; k < width; ++k, element >>= 8) to[k] = static_cast<std::uint8_t>(element);
}

inline Buffer make_data(Shape shape, std::size_t nbytes, std::size_t width, std::uint64_t seed) {
  Random random(seed);
  Buffer data(nbytes);
  const std::size_t count = nbytes / width;
  std::uint64_t number = random.next();
  float scale = 0.02F;
  switch (shape) {
    case Shape::kConstant: {
      std::fill(data.begin(), data.end(), random.byte());
      if (nbytes && seed % 4 == 0) data[random.below(nbytes)] = random.byte();
      break;
    }
    case Shape::kFewSymbols: {
      // Each symbol half as frequent as the one before.
      for (auto& byte : data) byte = static_cast<std::uint8_t>(std::countr_zero(random.next() | 1U << 20) * 37 + 5);
      break;
    }
    case Shape::kSparse: {
      for (auto& byte : data) byte = random.next() % 16 ? std::uint8_t{0} : random.byte();
      break;
    }
    case Shape::kSortedNumbers: {
      for (std::size_t i = 0; i < count; ++i) {
        number += random.below(40);
        for (std::size_t k = 0; k < width; ++k)
          data[i * width + k] = static_cast<std::uint8_t>(k < 8 ? number >> 8 * k : 0);
      }
      break;
    }
    case Shape::kWeights:
    case Shape::kScaledRows:
    case Shape::kShortMantissas: {
      for (std::size_t i = 0; i < count; ++i) {
        if (shape == Shape::kScaledRows && i % 512 == 0)
          scale = std::bit_cast<float>(static_cast<std::uint32_t>((100 + random.below(30)) << 23));
        put_float(random.normal() * scale, width, data.data() + i * width);
        if (shape == Shape::kShortMantissas && i / 256 % 2) data[i * width] &= 0xe0;
      }
      if (count > 4)
        put_float(std::bit_cast<float>(0xffc12345U), width, data.data() + random.below(count) * width);  // a NaN
      break;
    }
    default: {
      for (auto& byte : data) byte = random.byte();
    }
  }
  return data;
}

/// Elements near those of `target`, in the way that `kind` says: equal, some changed, all a little, a few much, noise.
inline Buffer make_prediction(std::span<const std::uint8_t> target, std::size_t width, unsigned kind,
                              std::uint64_t seed) {
  Random random(seed + 1);
  Buffer prediction(target.begin(), target.end());
  const std::size_t count = target.size() / width;
  for (std::size_t i = 0; i < count && kind % 5 != 0; ++i) {
    std::uint8_t* element = prediction.data() + i * width;
    const std::uint64_t bits = random.next();
    switch (kind % 5) {
      case 1:
        if (bits % 32 == 0) element[0] = static_cast<std::uint8_t>(element[0] + 1);
        break;
      case 2: element[0] = static_cast<std::uint8_t>(element[0] + (bits >> 60) - 7); break;
      case 3:
        if (bits % 64 == 0) element[bits >> 32 & (width - 1)] = static_cast<std::uint8_t>(bits >> 56);
        break;
      default:
        for (std::size_t k = 0; k < width; ++k) element[k] = static_cast<std::uint8_t>(random.next() >> 56);
    }
  }
  return prediction;
}

}  // namespace tensorhub
