// The two tables by which paths without an instruction for it expand and compress bytes, eight at a time.
//
// Duty: for each 8-bit mask, the byte shuffle (pshufb, tbl) that moves eight bytes. Not its duty: the moving.
// Invariant: made at compile time and included outside of any target, so that all paths share one copy.
#pragma once

#include <cstdint>

namespace tensorhub::shuffles {

constexpr unsigned kNowhere = 0x80;  // both instructions give 0 for it, and for it plus 8

struct Table {
  alignas(64) std::uint8_t at[256][8];
};

consteval Table expanding() {
  Table table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    std::uint8_t next = 0;
    for (unsigned lane = 0; lane < 8; ++lane)
      table.at[mask][lane] = mask >> lane & 1 ? next++ : static_cast<std::uint8_t>(kNowhere);
  }
  return table;
}
consteval Table compressing() {
  Table table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    unsigned next = 0;
    for (unsigned lane = 0; lane < 8; ++lane)
      if (mask >> lane & 1) table.at[mask][next++] = static_cast<std::uint8_t>(lane);
    while (next < 8) table.at[mask][next++] = static_cast<std::uint8_t>(kNowhere);
  }
  return table;
}

/// at[mask][lane]: which of the next bytes a set lane takes.
inline constexpr Table kExpand = expanding();
/// at[mask][k]: the lane of the k-th set bit.
inline constexpr Table kCompress = compressing();

}  // namespace tensorhub::shuffles
