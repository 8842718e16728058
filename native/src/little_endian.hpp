// Numbers as they lie in coded bytes: little-endian, whatever the machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorhub {

inline void put32(std::uint8_t* to, std::size_t value) {
  for (int k = 0; k < 4; ++k) to[k] = static_cast<std::uint8_t>(value >> 8 * k);
}

inline std::size_t get32(const std::uint8_t* from) {
  return from[0] | std::size_t{from[1]} << 8 | std::size_t{from[2]} << 16 | std::size_t{from[3]} << 24;
}

}  // namespace tensorhub
