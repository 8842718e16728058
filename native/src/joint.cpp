// The codec `joint`: symbols, classes, layout. Contract: include/tensorhub/joint.hpp.
#include "tensorhub/joint.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "corrupt.hpp"
#include "elements.hpp"
#include "entropy.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"
#include "stream.hpp"

#define TENSORHUB_KERNELS "joint_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a chunk of joint symbols";
constexpr std::size_t kTileValues = 4096;
constexpr std::size_t kSegmentValues = 256;  // half a row of the smallest models; a class costs at most 4 bits
constexpr std::size_t kMaxClasses = 16;
constexpr std::size_t kKeys = 1024;  // 8 exponent bits and 2 of the mantissa
constexpr std::size_t kEscape = 255;
// Fixed part of the head: kind, classes, first key, nbytes, then lengths of classes, escapes and tokens.
constexpr std::size_t kHeadNbytes = 1 + 1 + 2 + 4 + 4 + 4 + 4;
constexpr std::size_t kStreamHeadNbytes = 5;
// What another class costs in tables, in bits; measured 60 to 90 bytes on weights.
constexpr std::uint64_t kClassBits = 720;
// A symbol rarer than this costs less as an escape of 16 bits than a 4096th of the coder's range.
constexpr std::size_t kRareShare = 80000;

std::size_t width_of(FloatKind kind) { return kind == FloatKind::kF32 ? 4 : 2; }
std::size_t packed_nbytes(FloatKind kind) { return kind == FloatKind::kF16 ? 8 : 48; }  // of 64 values
std::size_t low_planes(FloatKind kind) { return kind == FloatKind::kF32 ? 2 : kind == FloatKind::kF16 ? 1 : 0; }
std::size_t padded(std::size_t count) { return (count + 63) / 64 * 64; }

bool is_moved(FloatKind kind) { return kind != FloatKind::kF16; }

void make_keys(FloatKind kind, const std::uint8_t* const* planes, std::size_t count, std::uint16_t* keys) {
  if (kind == FloatKind::kF16) {
    for (std::size_t i = 0; i < count; ++i) keys[i] = planes[1][i] & 0x7f;
    return;
  }
  const std::uint8_t *high = planes[width_of(kind) - 1], *low = planes[width_of(kind) - 2];
  for (std::size_t i = 0; i < count; ++i) keys[i] = static_cast<std::uint16_t>(high[i] << 2 | (low[i] >> 5 & 3));
}

// The 255 neighbouring keys that hold most values, and which of them get a symbol.
std::uint16_t choose_window(std::span<const std::uint16_t> keys, std::array<std::uint8_t, kKeys>& token_of_key) {
  std::array<std::array<std::uint32_t, kKeys>, 2> parts{};
  for (std::size_t i = 0; i < keys.size(); ++i) ++parts[i & 1][keys[i]];
  std::array<std::uint64_t, kKeys + 1> before{};
  for (std::size_t k = 0; k < kKeys; ++k) before[k + 1] = before[k] + parts[0][k] + parts[1][k];
  std::size_t first = 0;
  for (std::size_t k = 0; k + kEscape <= kKeys; ++k)
    if (before[k + kEscape] - before[k] > before[first + kEscape] - before[first]) first = k;
  // No keys below the first that occurs, so that tables are short.
  while (first + kEscape < kKeys && before[first + 1] == before[first] && before[kKeys] == before[first + kEscape])
    ++first;
  token_of_key.fill(static_cast<std::uint8_t>(kEscape));
  for (std::size_t k = first; k < first + kEscape; ++k)
    if ((before[k + 1] - before[k]) * kRareShare > keys.size()) token_of_key[k] = static_cast<std::uint8_t>(k - first);
  return static_cast<std::uint16_t>(first);
}

// A class for each segment by its mean symbol, neighbours joined while tables cost more than they gain.
std::size_t choose_classes(std::span<const std::uint8_t> tokens, std::vector<std::uint8_t>& classes) {
  const std::size_t segments = (tokens.size() + kSegmentValues - 1) / kSegmentValues;
  classes.assign(segments, 0);
  std::vector<std::uint32_t> means(segments);
  std::uint32_t least = ~0U, most = 0;
  for (std::size_t s = 0; s < segments; ++s) {
    const auto part = tokens.subspan(s * kSegmentValues, std::min(kSegmentValues, tokens.size() - s * kSegmentValues));
    std::uint32_t sum = 0;
    for (const std::uint8_t token : part) sum += token;
    means[s] = static_cast<std::uint32_t>(sum * 16 / part.size());
    least = std::min(least, means[s]);
    most = std::max(most, means[s]);
  }
  // Steps of one symbol (a quarter of an octave), or more where the scales differ much.
  const std::uint32_t step = std::max<std::uint32_t>(16, (most - least) / static_cast<std::uint32_t>(kMaxClasses) + 1);
  std::array<std::array<std::uint32_t, 256>, kMaxClasses> counts{};
  for (std::size_t s = 0; s < segments; ++s) {
    classes[s] = static_cast<std::uint8_t>((means[s] - least) / step);
    const auto part = tokens.subspan(s * kSegmentValues, std::min(kSegmentValues, tokens.size() - s * kSegmentValues));
    for (const std::uint8_t token : part) ++counts[classes[s]][token];
  }
  struct Group {
    std::array<std::uint32_t, 256> counts;
    std::uint64_t bits;
    std::size_t last;  // bin
  };
  std::vector<Group> groups;
  for (std::size_t bin = 0; bin < kMaxClasses; ++bin) groups.push_back({counts[bin], entropy_bits(counts[bin]), bin});
  const auto joined = [](const Group& a, const Group& b) {
    Group both = b;
    for (std::size_t t = 0; t < 256; ++t) both.counts[t] += a.counts[t];
    both.bits = entropy_bits(both.counts);
    return both;
  };
  std::vector<Group> pairs;
  for (std::size_t k = 0; k + 1 < groups.size(); ++k) pairs.push_back(joined(groups[k], groups[k + 1]));
  while (groups.size() > 1) {
    std::size_t best = 0;
    std::uint64_t cost = ~std::uint64_t{0};
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      const std::uint64_t apart = groups[k].bits + groups[k + 1].bits;
      const std::uint64_t more = pairs[k].bits > apart ? pairs[k].bits - apart : 0;
      if (more < cost) {
        cost = more;
        best = k;
      }
    }
    if (cost > kClassBits + segments / 4) break;
    groups[best] = pairs[best];
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < pairs.size()) pairs[best] = joined(groups[best], groups[best + 1]);
    if (best > 0) pairs[best - 1] = joined(groups[best - 1], groups[best]);
  }
  std::array<std::uint8_t, kMaxClasses> class_of{};
  for (std::size_t bin = 0, k = 0; bin < kMaxClasses; ++bin) {
    while (groups[k].last < bin) ++k;
    class_of[bin] = static_cast<std::uint8_t>(k);
  }
  for (std::uint8_t& c : classes) c = class_of[c];
  return groups.size();
}

void fill_contexts(const std::uint8_t* classes, std::size_t begin, std::size_t count, std::uint8_t* contexts) {
  for (std::size_t i = 0; i < count; i += kSegmentValues)
    std::memset(contexts + i, classes[(begin + i) / kSegmentValues], std::min(kSegmentValues, count - i));
}

// The class of each segment; none where there is one class only.
std::vector<std::uint8_t> read_classes(std::span<const std::uint8_t> coded, std::size_t nclasses, std::size_t count,
                                       const std::uint8_t* readable_end, std::uint8_t* work) {
  if (nclasses == 1) {
    if (!coded.empty()) throw corrupt(kThing, "no classes where there is one only", coded.size());
    return {};
  }
  std::vector<std::uint8_t> classes((count + kSegmentValues - 1) / kSegmentValues);
  WideRansDecoder decoder(coded, 1, readable_end, work);
  decoder.next(nullptr, classes.data(), classes.size());
  decoder.finish();
  for (const std::uint8_t c : classes)
    if (c >= nclasses) throw corrupt(kThing, "classes that have a table", c);
  return classes;
}

// Puts the keys of escaped values into the planes of a tile; gives the first escape that is left.
const std::uint8_t* patch_escapes(FloatKind kind, std::span<const std::uint8_t> tokens, const std::uint8_t* escapes,
                                  const std::uint8_t* last, std::uint8_t* low, std::uint8_t* high) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const void* found = std::memchr(tokens.data() + i, kEscape, tokens.size() - i);
    if (!found) break;
    i = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - tokens.data());
    if (escapes == last) throw corrupt(kThing, "as many escapes as are stored", i);
    const std::size_t key = escapes[0] | std::size_t{escapes[1]} << 8;
    escapes += 2;
    if (key > (kind == FloatKind::kF16 ? 0x7f : kKeys - 1)) throw corrupt(kThing, "keys that the kind has", key);
    if (kind == FloatKind::kF16) {
      high[i] = static_cast<std::uint8_t>((high[i] & 0x80) | key);
    } else {
      high[i] = static_cast<std::uint8_t>(key >> 2);
      low[i] = static_cast<std::uint8_t>((low[i] & 0x9f) | (key & 3) << 5);
    }
  }
  return escapes;
}

}  // namespace

std::size_t joint_bound(std::size_t nbytes) {
  require_chunk(nbytes, 2);
  const std::size_t count = nbytes / 2 + 64;
  return kHeadNbytes + 2 * kStreamHeadNbytes + wide_rans_bound(count / kSegmentValues + 1, 1) + 2 * count + count +
         2 * stream_bound(count) + wide_rans_bound(count, kMaxClasses) + 4;
}

std::size_t encode_joint(std::span<const std::uint8_t> target, FloatKind kind, std::span<std::uint8_t> out) {
  const std::size_t width = width_of(kind), count = target.size() / width, tail = target.size() % width;
  require_room("joint coding", joint_bound(target.size()), out.size());
  const std::size_t stride = padded(count) + 64;
  const auto memory = scratch<std::uint8_t>(ScratchSlot::kPlanes, width * stride);
  std::array<std::uint8_t*, 4> planes{};
  for (std::size_t k = 0; k < width; ++k) {
    planes[k] = memory.data() + k * stride;
    std::memset(planes[k] + count, 0, stride - count);
  }
  split_elements(target.data(), count, width, is_moved(kind), planes.data());
  const auto keys = scratch<std::uint16_t>(ScratchSlot::kWords, count);
  make_keys(kind, planes.data(), count, keys.data());
  std::array<std::uint8_t, kKeys> token_of_key;
  const std::uint16_t first_key = choose_window(keys, token_of_key);
  const auto tokens = scratch<std::uint8_t>(ScratchSlot::kTokens, count);
  const auto escapes = scratch<std::uint16_t>(ScratchSlot::kEscapes, count + 1);
  std::size_t nescapes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = token_of_key[keys[i]];
    escapes[nescapes] = keys[i];
    nescapes += tokens[i] == kEscape;
  }
  std::vector<std::uint8_t> classes;
  const std::size_t nclasses = count ? choose_classes(tokens, classes) : 1;

  std::uint8_t* head = out.data();
  head[0] = static_cast<std::uint8_t>(kind);
  head[1] = static_cast<std::uint8_t>(nclasses);
  head[2] = static_cast<std::uint8_t>(first_key);
  head[3] = static_cast<std::uint8_t>(first_key >> 8);
  put32(head + 4, target.size());
  std::size_t at = kHeadNbytes + low_planes(kind) * kStreamHeadNbytes;
  const std::size_t classes_nbytes = nclasses > 1 ? encode_wide_rans(classes, {}, 1, out.subspan(at)) : 0;
  put32(head + 8, classes_nbytes);
  at += classes_nbytes;
  put32(head + 12, nescapes);
  for (std::size_t k = 0; k < nescapes; ++k, at += 2) {
    out[at] = static_cast<std::uint8_t>(escapes[k]);
    out[at + 1] = static_cast<std::uint8_t>(escapes[k] >> 8);
  }
  const std::size_t steps = padded(count) / 64;
  if (kind == FloatKind::kF16) {
    TENSORHUB_DISPATCH(joint_pack1)(planes[1], out.data() + at, steps);
  } else {
    TENSORHUB_DISPATCH(joint_pack6)(planes[width - 2], out.data() + at, out.data() + at + 32 * steps, steps);
  }
  at += steps * packed_nbytes(kind);
  for (std::size_t k = 0; k < low_planes(kind); ++k) {
    const CodedStream coded = encode_stream({planes[k], count}, PlanesEffort::kSmall, out.subspan(at));
    head[kHeadNbytes + k * kStreamHeadNbytes] = static_cast<std::uint8_t>(coded.mode);
    put32(head + kHeadNbytes + k * kStreamHeadNbytes + 1, coded.nbytes);
    at += coded.nbytes;
  }
  std::span<std::uint8_t> contexts;
  if (nclasses > 1) {
    contexts = scratch<std::uint8_t>(ScratchSlot::kContexts, count);
    fill_contexts(classes.data(), 0, count, contexts.data());
  }
  const std::size_t tokens_nbytes = encode_wide_rans(tokens, contexts, nclasses, out.subspan(at));
  put32(head + 16, tokens_nbytes);
  at += tokens_nbytes;
  std::copy_n(target.data() + count * width, tail, out.data() + at);
  return at + tail;
}

void decode_joint(std::span<const std::uint8_t> coded, std::size_t width, std::span<std::uint8_t> out) {
  if (coded.size() < kHeadNbytes) throw corrupt(kThing, "a head", coded.size());
  const std::uint8_t* head = coded.data();
  const std::uint8_t* const end = head + coded.size();
  if (head[0] > 2) throw corrupt(kThing, "a kind of float from 0 to 2", head[0]);
  const auto kind = static_cast<FloatKind>(head[0]);
  if (width != width_of(kind)) throw corrupt(kThing, "elements of the kind's width", width);
  if (out.size() > kPlanesMaxNbytes) throw corrupt(kThing, "at most 4 MiB", out.size());
  require_apart(kThing, coded, out);
  const std::size_t count = out.size() / width, tail = out.size() % width, steps = padded(count) / 64;
  const std::size_t nclasses = head[1], first_key = head[2] | std::size_t{head[3]} << 8;
  if (nclasses < 1 || nclasses > kMaxClasses) throw corrupt(kThing, "1 to 16 classes", nclasses);
  if (first_key >= kKeys) throw corrupt(kThing, "a first key below 1024", first_key);
  if (get32(head + 4) != out.size()) throw corrupt(kThing, std::to_string(out.size()) + " bytes", get32(head + 4));
  const std::size_t classes_nbytes = get32(head + 8), nescapes = get32(head + 12), tokens_nbytes = get32(head + 16);
  if (nescapes > count) throw corrupt(kThing, "no more escapes than values", nescapes);
  std::size_t at = kHeadNbytes + low_planes(kind) * kStreamHeadNbytes;
  const auto take = [&](std::size_t nbytes) {
    if (at > coded.size() || nbytes > coded.size() - at) throw corrupt(kThing, "its parts inside of it", nbytes);
    const auto part = coded.subspan(at, nbytes);
    at += nbytes;
    return part;
  };
  const auto coded_classes = take(classes_nbytes);
  const std::uint8_t* escapes = take(2 * nescapes).data();
  const std::uint8_t* packed = take(steps * packed_nbytes(kind)).data();
  const auto work =
      scratch<std::uint8_t>(ScratchSlot::kStreams, wide_rans_work_nbytes(kMaxClasses) + 2 * kStreamWorkNbytes);
  std::vector<StreamDecoder> lows;
  lows.reserve(2);
  for (std::size_t k = 0; k < low_planes(kind); ++k) {
    const std::uint8_t* stream_head = head + kHeadNbytes + k * kStreamHeadNbytes;
    lows.emplace_back(stream_head[0], take(get32(stream_head + 1)), count, end,
                      work.data() + wide_rans_work_nbytes(kMaxClasses) + k * kStreamWorkNbytes);
  }
  const auto coded_tokens = take(tokens_nbytes);
  if (at + tail != coded.size()) throw corrupt(kThing, std::to_string(at + tail) + " bytes by its head", coded.size());

  const std::vector<std::uint8_t> classes = read_classes(coded_classes, nclasses, count, end, work.data());
  WideRansDecoder tokens(coded_tokens, nclasses, end, work.data());
  const auto tiles = scratch<std::uint8_t>(ScratchSlot::kTile, 6 * kTileValues);
  std::uint8_t *tile_tokens = tiles.data() + 4 * kTileValues, *tile_contexts = tiles.data() + 5 * kTileValues;
  const std::uint8_t* const last_escape = escapes + 2 * nescapes;
  for (std::size_t begin = 0; begin < count; begin += kTileValues) {
    const std::size_t some = std::min(kTileValues, count - begin), tile_steps = (some + 63) / 64;
    if (nclasses > 1) fill_contexts(classes.data(), begin, some, tile_contexts);
    tokens.next(nclasses > 1 ? tile_contexts : nullptr, tile_tokens, some);
    std::array<const std::uint8_t*, 4> planes{};
    for (std::size_t k = 0; k < low_planes(kind); ++k) planes[k] = lows[k].next(tiles.data() + k * kTileValues, some);
    std::uint8_t* high = tiles.data() + (width - 1) * kTileValues;
    std::uint8_t* low = tiles.data() + (width - 2) * kTileValues;
    if (kind == FloatKind::kF16) {
      TENSORHUB_DISPATCH(joint_join1)(tile_tokens, static_cast<std::uint8_t>(first_key), packed + begin / 8, high,
                                      tile_steps);
    } else {
      TENSORHUB_DISPATCH(joint_join6)(tile_tokens, static_cast<std::uint16_t>(first_key), packed + begin / 2,
                                      packed + 32 * steps + begin / 4, low, high, tile_steps);
      planes[width - 2] = low;
    }
    planes[width - 1] = high;
    escapes = patch_escapes(kind, {tile_tokens, some}, escapes, last_escape, low, high);
    merge_elements(planes.data(), some, width, is_moved(kind), out.data() + begin * width);
  }
  if (escapes != last_escape) throw corrupt(kThing, "as many escapes as are stored", nescapes);
  tokens.finish();
  for (const StreamDecoder& low : lows) low.finish();
  std::copy_n(end - tail, tail, out.data() + count * width);
}

}  // namespace tensorhub
