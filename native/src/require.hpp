// What kernels ask of the buffers that they are given; one place for the wording of each refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tensorhub/error.hpp"
#include "tensorhub/planes_codec.hpp"

namespace tensorhub {

inline void require_size(std::string_view thing, std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error(ErrorKind::kShapeMismatch, std::string(thing), std::to_string(expected) + " bytes",
              std::to_string(found) + " bytes", "Give buffers of the sizes that the function names.");
}

/// What an encoder takes; its bound is asked for first, so that no memory is taken for what it refuses.
inline void require_chunk(std::size_t nbytes, std::size_t width) {
  if (nbytes <= kPlanesMaxNbytes && width >= 1 && width <= kPlanesMaxWidth) return;
  throw Error(ErrorKind::kUsage, "a chunk to code", "at most 4 MiB of elements of 1 to 16 bytes",
              std::to_string(nbytes) + " bytes of elements of " + std::to_string(width), "Use another codec.");
}

/// An encoder's output is as long as its bound, or longer.
inline void require_room(std::string_view thing, std::size_t bound, std::size_t found) {
  if (bound <= found) return;
  throw Error(ErrorKind::kShapeMismatch, "output of " + std::string(thing), std::to_string(bound) + " bytes",
              std::to_string(found) + " bytes", "Give as many bytes as the codec's bound says.");
}

inline void require_apart(std::string_view thing, std::span<const std::uint8_t> in, std::span<const std::uint8_t> out) {
  if (in.empty() || out.empty()) return;
  const std::less_equal<const std::uint8_t*> not_after;  // a total order, also across objects
  if (not_after(in.data() + in.size(), out.data()) || not_after(out.data() + out.size(), in.data())) return;
  throw Error(ErrorKind::kUsage, std::string(thing), "an output apart from the inputs", "overlapping buffers",
              "Give the output memory of its own.");
}

}  // namespace tensorhub
