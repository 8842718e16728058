// The codec `planes`: transforms, layout and the tile loop. Contract: include/tensorhub/planes_codec.hpp.
#include "tensorhub/planes_codec.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "corrupt.hpp"
#include "elements.hpp"
#include "entropy.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"
#include "stream.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a chunk of planes";
constexpr std::size_t kTileValues = 4096;  // planes of a tile of 8-byte elements fill a first-level cache of 32 KiB
constexpr std::size_t kHeadNbytes = 5, kStreamHeadNbytes = 5;
constexpr std::size_t kSamplePieces = 8, kSamplePieceValues = 256;

enum class Transform : std::uint8_t { kPlain = 0, kSignMoved = 1, kDifferences = 2 };

bool has_differences(std::size_t width) { return width == 2 || width == 4 || width == 8; }

// Each element less the one before, small numbers of either sign first: 0, -1, 1, -2, ...
template <typename T>
void subtract_neighbours(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
  T before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    const T difference = static_cast<T>(value - before);
    const T sign = difference >> (8 * sizeof(T) - 1) ? static_cast<T>(~T{0}) : T{0};
    const T folded = static_cast<T>(static_cast<T>(difference << 1) ^ sign);
    std::memcpy(to + i * sizeof(T), &folded, sizeof(T));
    before = value;
  }
}

template <typename T>
T add_neighbours(std::uint8_t* data, std::size_t count, T before) {
  for (std::size_t i = 0; i < count; ++i) {
    T folded;
    std::memcpy(&folded, data + i * sizeof(T), sizeof(T));
    const T difference = static_cast<T>(static_cast<T>(folded >> 1) ^ static_cast<T>(T{0} - (folded & 1)));
    before = static_cast<T>(before + difference);
    std::memcpy(data + i * sizeof(T), &before, sizeof(T));
  }
  return before;
}

void subtract(const std::uint8_t* from, std::size_t count, std::size_t width, std::uint8_t* to) {
  if (width == 2)
    subtract_neighbours<std::uint16_t>(from, count, to);
  else if (width == 4)
    subtract_neighbours<std::uint32_t>(from, count, to);
  else
    subtract_neighbours<std::uint64_t>(from, count, to);
}

// Entropy of the planes of a sample, in bits.
std::uint64_t sample_bits(const std::uint8_t* sample, std::size_t count, std::size_t width, bool moved) {
  const auto memory = scratch<std::uint8_t>(ScratchSlot::kTile, count * width);
  std::array<std::uint8_t*, kPlanesMaxWidth> planes{};
  for (std::size_t k = 0; k < width; ++k) planes[k] = memory.data() + k * count;
  split_elements(sample, count, width, moved, planes.data());
  std::uint64_t bits = 0;
  for (std::size_t k = 0; k < width; ++k) {
    std::array<std::uint32_t, 256> counts{};
    for (std::size_t i = 0; i < count; ++i) ++counts[planes[k][i]];
    // An entropy of few values is too low by (symbols - 1) / 2 nats (Miller and Madow), but never above 8 bits a byte.
    const auto distinct = static_cast<std::uint64_t>(256 - std::count(counts.begin(), counts.end(), 0U));
    bits += std::min<std::uint64_t>(entropy_bits(counts) + (distinct - 1) * 72 / 100, 8 * count);
  }
  return bits;
}

struct Choice {
  Transform transform = Transform::kPlain;
  std::uint64_t bits = 0;  // entropy of the sample's planes
  std::size_t values = 0;  // of the sample
};

Choice choose_transform(std::span<const std::uint8_t> target, std::size_t width) {
  const std::size_t count = target.size() / width;
  if (count < 2) return {Transform::kPlain, 8 * target.size(), count};
  const std::size_t piece = std::min(kSamplePieceValues, count), pieces = std::min(kSamplePieces, count / piece);
  std::vector<std::uint8_t> sample(piece * pieces * width), subtracted(sample.size());
  for (std::size_t k = 0; k < pieces; ++k) {
    const std::size_t from = pieces > 1 ? (count - piece) * k / (pieces - 1) : 0;
    std::memcpy(sample.data() + k * piece * width, target.data() + from * width, piece * width);
    if (has_differences(width))
      subtract(sample.data() + k * piece * width, piece, width, subtracted.data() + k * piece * width);
  }
  const std::size_t values = piece * pieces;
  Choice choice{Transform::kPlain, sample_bits(sample.data(), values, width, false), values};
  if (width == 1) return choice;
  const std::uint64_t moved = sample_bits(sample.data(), values, width, true);
  if (moved + values / 64 < choice.bits) choice = {Transform::kSignMoved, moved, values};
  // Subtracting costs a serial pass; floats never gain from it, sorted numbers gain much.
  if (has_differences(width)) {
    const std::uint64_t differences = sample_bits(subtracted.data(), values, width, false);
    if (differences + differences / 8 < choice.bits) choice = {Transform::kDifferences, differences, values};
  }
  return choice;
}

// Whether one byte of each element looks like noise, by a few of them: nearly all 256 values are there.
bool looks_like_noise(const std::uint8_t* from, std::size_t count, std::size_t width) {
  if (count < (std::size_t{32} << 10)) return false;
  std::array<bool, 256> seen{};
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < 2048; ++i) {
    const std::uint8_t byte = from[i * (count / 2048) * width];
    distinct += !seen[byte];
    seen[byte] = true;
  }
  return distinct > 240;
}

// Planes `begin` to `end` lie in the output and would be written over: they move to memory of their own.
void move_planes(std::span<std::uint8_t> memory, std::array<const std::uint8_t*, kPlanesMaxWidth>& planes,
                 std::size_t begin, std::size_t end, std::size_t count) {
  for (std::size_t k = begin; k < end; ++k) {
    std::uint8_t* to = memory.data() + k * (count + 64);
    std::memcpy(to, planes[k], count);
    planes[k] = to;
  }
}

}  // namespace

std::size_t planes_bound(std::size_t nbytes, std::size_t width) {
  require_chunk(nbytes, width);
  return kHeadNbytes + width * (kStreamHeadNbytes + stream_bound(nbytes / width)) + width;
}

PlanesPlan plan_planes(std::span<const std::uint8_t> target, std::size_t width) {
  require_chunk(target.size(), width);
  const Choice choice = choose_transform(target, width);
  const std::size_t count = target.size() / width;
  const auto nbytes = choice.values ? static_cast<std::size_t>(choice.bits * count / choice.values / 8) : target.size();
  return {nbytes + kHeadNbytes + width * kStreamHeadNbytes, choice.transform == Transform::kSignMoved,
          choice.transform == Transform::kDifferences};
}

std::size_t encode_planes(std::span<const std::uint8_t> target, std::size_t width, PlanesEffort effort,
                          const PlanesPlan& plan, std::span<std::uint8_t> out) {
  require_room("planes", planes_bound(target.size(), width), out.size());
  const std::size_t count = target.size() / width;
  const Transform transform = plan.subtracts && has_differences(width) ? Transform::kDifferences
                              : plan.moves_sign && width > 1           ? Transform::kSignMoved
                                                                       : Transform::kPlain;
  const std::uint8_t* from = target.data();
  if (transform == Transform::kDifferences) {
    const auto words = scratch<std::uint8_t>(ScratchSlot::kWords, count * width);
    subtract(from, count, width, words.data());
    from = words.data();
  }
  // The lower planes of floats are noise: they are split to where they will lie if they are kept raw.
  std::size_t at = kHeadNbytes + width * kStreamHeadNbytes, in_place = 0;
  std::array<const std::uint8_t*, kPlanesMaxWidth> planes{from};
  const auto memory = scratch<std::uint8_t>(ScratchSlot::kPlanes, width > 1 ? width * (count + 64) : 0);
  if (width > 1) {
    std::array<std::uint8_t*, kPlanesMaxWidth> split{};
    for (std::size_t k = 0; k < width; ++k) split[k] = memory.data() + k * (count + 64);
    while (effort != PlanesEffort::kSmall && transform != Transform::kDifferences && in_place + 1 < width &&
           looks_like_noise(from + in_place, count, width)) {
      split[in_place] = out.data() + at + in_place * count;
      ++in_place;
    }
    split_elements(from, count, width, transform == Transform::kSignMoved, split.data());
    std::copy(split.begin(), split.end(), planes.begin());
  }
  out[0] = static_cast<std::uint8_t>(transform);
  put32(out.data() + 1, target.size());
  for (std::size_t k = 0; k < width; ++k) {
    if (k < in_place && !is_noise({planes[k], count}))
      move_planes(memory, planes, k, std::exchange(in_place, k), count);
    const CodedStream coded = encode_stream({planes[k], count}, effort, out.subspan(at));
    if (k < in_place && coded.mode != StreamMode::kRaw)
      move_planes(memory, planes, k + 1, std::exchange(in_place, k + 1), count);
    std::uint8_t* head = out.data() + kHeadNbytes + k * kStreamHeadNbytes;
    head[0] = static_cast<std::uint8_t>(coded.mode);
    put32(head + 1, coded.nbytes);
    at += coded.nbytes;
  }
  std::copy_n(target.data() + count * width, target.size() % width, out.data() + at);
  return at + target.size() % width;
}

void decode_planes(std::span<const std::uint8_t> coded, std::size_t width, std::span<std::uint8_t> out) {
  if (width < 1 || width > kPlanesMaxWidth) throw corrupt(kThing, "elements of 1 to 16 bytes", width);
  if (out.size() > kPlanesMaxNbytes) throw corrupt(kThing, "at most 4 MiB", out.size());
  require_apart(kThing, coded, out);
  const std::size_t count = out.size() / width, tail = out.size() % width;
  const std::size_t heads = kHeadNbytes + width * kStreamHeadNbytes;
  if (coded.size() < heads + tail) throw corrupt(kThing, "its heads and tail", coded.size());
  const std::uint8_t transform = coded[0];
  if (transform > 2 || (transform == 1 && width == 1) || (transform == 2 && !has_differences(width)))
    throw corrupt(kThing, "a transform that this width has", transform);
  if (get32(coded.data() + 1) != out.size())
    throw corrupt(kThing, std::to_string(out.size()) + " bytes", get32(coded.data() + 1));
  const std::uint8_t* const end = coded.data() + coded.size();
  const auto work = scratch<std::uint8_t>(ScratchSlot::kStreams, width * kStreamWorkNbytes);
  std::vector<StreamDecoder> streams;
  streams.reserve(width);
  std::size_t at = heads;
  for (std::size_t k = 0; k < width; ++k) {
    const std::uint8_t* head = coded.data() + kHeadNbytes + k * kStreamHeadNbytes;
    const std::size_t nbytes = get32(head + 1);
    if (nbytes > coded.size() - tail - at) throw corrupt(kThing, "streams inside of it", nbytes);
    streams.emplace_back(head[0], coded.subspan(at, nbytes), count, end, work.data() + k * kStreamWorkNbytes);
    at += nbytes;
  }
  if (at + tail != coded.size()) throw corrupt(kThing, std::to_string(at + tail) + " bytes by its heads", coded.size());

  const auto tiles = scratch<std::uint8_t>(ScratchSlot::kTile, width * kTileValues);
  std::uint64_t before = 0;
  for (std::size_t begin = 0; begin < count; begin += kTileValues) {
    const std::size_t some = std::min(kTileValues, count - begin);
    std::uint8_t* to = out.data() + begin * width;
    std::array<const std::uint8_t*, kPlanesMaxWidth> planes{};
    for (std::size_t k = 0; k < width; ++k) planes[k] = streams[k].next(tiles.data() + k * kTileValues, some);
    if (width == 1)
      std::memcpy(to, planes[0], some);
    else
      merge_elements(planes.data(), some, width, transform == 1, to);
    if (transform == 2) {
      before = width == 2   ? add_neighbours<std::uint16_t>(to, some, static_cast<std::uint16_t>(before))
               : width == 4 ? add_neighbours<std::uint32_t>(to, some, static_cast<std::uint32_t>(before))
                            : add_neighbours<std::uint64_t>(to, some, before);
    }
  }
  for (const StreamDecoder& stream : streams) stream.finish();
  std::copy_n(end - tail, tail, out.data() + count * width);
}

}  // namespace tensorhub
