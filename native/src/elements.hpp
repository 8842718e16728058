// Elements to byte planes and back, for whole chunks and for tiles of them.
//
// Duty: the two layouts of planes (plain, and with the sign moved out of the exponent), by vectors where elements
// have 2, 4 or 8 bytes. Not its duty: coding planes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorhub {

/// Split `count` elements of `width` bytes; planes[k] has room for `count` bytes.
void split_elements(const std::uint8_t* from, std::size_t count, std::size_t width, bool moved,
                    std::uint8_t* const* planes);

/// The inverse; reads exactly `count` bytes of each plane, writes exactly count * width bytes.
void merge_elements(const std::uint8_t* const* planes, std::size_t count, std::size_t width, bool moved,
                    std::uint8_t* out);

}  // namespace tensorhub
