// Memory that each thread keeps for its kernels, so that coding a chunk touches no fresh pages.
//
// Invariants: what is lent is valid until the same thread asks for the same slot again and holds old content; a slot
// keeps at most one and a half times what its largest chunk needed. Fresh pages cost three times a copy on common servers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace tensorhub {

/// One purpose each, so that two loans alive at once never share memory.
enum class ScratchSlot : unsigned char {
  kEscapes,
  kLevels,
  kTables,
  kTokens,
  kContexts,
  kExtra,
  kPlanes,
  kStreams,
  kWords,
  kCounts,
  kTile,
  kCount
};

/// Lend this thread's memory of one purpose, aligned to 64 bytes.
template <typename T>
std::span<T> scratch(ScratchSlot slot, std::size_t count) {
  struct Slot {
    std::unique_ptr<std::byte[]> memory;
    std::size_t nbytes = 0;
  };
  static thread_local std::array<Slot, static_cast<std::size_t>(ScratchSlot::kCount)> slots;
  Slot& kept = slots[static_cast<std::size_t>(slot)];
  const std::size_t nbytes = count * sizeof(T) + 64;
  if (kept.nbytes < nbytes) {
    kept.memory = std::make_unique_for_overwrite<std::byte[]>(nbytes + nbytes / 2);
    kept.nbytes = nbytes + nbytes / 2;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(kept.memory.get());
  return {reinterpret_cast<T*>(kept.memory.get() + (-address & 63)), count};
}

}  // namespace tensorhub
