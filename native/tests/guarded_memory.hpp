// Memory between two pages that cannot be touched, for tests and fuzz targets.
//
// Duty: make a byte that is read or written outside of a buffer a crash, by intrinsics too, of which a sanitizer does
// not see all. Not its duty: small gaps inside of it; exact heap memory is for those.
// Invariant: nothing can be touched after what lies at the back, nor before what lies at the front.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace tensorhub {

enum class Place : bool { kFront, kBack };

class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t capacity) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    room_ = (capacity + page - 1) / page * page;
    void* pages = mmap(nullptr, room_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    first_ = static_cast<std::uint8_t*>(pages) + page;
    if (mprotect(first_, room_, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  // Kept until the process ends: a test has a few of them.

  /// Memory with old content; lent until the next call.
  std::span<std::uint8_t> lend(Place place, std::size_t nbytes) const {
    if (nbytes > room_) std::abort();
    return {place == Place::kFront ? first_ : first_ + room_ - nbytes, nbytes};
  }
  /// The same, holding `bytes`.
  std::span<std::uint8_t> copy(Place place, std::span<const std::uint8_t> bytes) const {
    const auto lent = lend(place, bytes.size());
    if (!bytes.empty()) std::memcpy(lent.data(), bytes.data(), bytes.size());
    return lent;
  }

 private:
  std::uint8_t* first_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace tensorhub
