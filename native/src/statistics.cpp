#include "tensorhub/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "tensorhub/error.hpp"

namespace tensorhub {
namespace {

using Counts = std::array<std::uint32_t, 256>;

void count(std::span<const std::uint8_t> bytes, std::array<Counts, 4>& tables) {
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {  // four tables, so that equal neighbours do not wait for each other
    for (std::size_t k = 0; k < 4; ++k) ++tables[k][bytes[i + k]];
  }
  for (; i < bytes.size(); ++i) ++tables[0][bytes[i]];
}

}  // namespace

ByteStatistics byte_statistics(std::span<const std::uint8_t> data, std::size_t pieces, std::size_t piece_nbytes) {
  std::array<Counts, 4> tables{};
  ByteStatistics found;
  if (piece_nbytes == 0 || data.size() / piece_nbytes < pieces || data.size() == pieces * piece_nbytes) {
    count(data, tables);
    found.total = data.size();
  } else {
    if (pieces < 2) throw Error(ErrorKind::kUsage, "sample", "at least 2 pieces", "fewer", "Take more pieces.");
    const std::size_t last = data.size() - piece_nbytes;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      // last * piece may exceed 64 bits only for data of 2^60 bytes and more.
      count(data.subspan(last * piece / (pieces - 1), piece_nbytes), tables);
    }
    found.total = pieces * piece_nbytes;
  }
  if (found.total == 0) return found;
  const double total = static_cast<double>(found.total);
  double sum = 0;
  for (std::size_t value = 0; value < 256; ++value) {
    const std::uint64_t n =
        std::uint64_t{tables[0][value]} + tables[1][value] + tables[2][value] + tables[3][value];
    if (value == 0) found.zeros = n;
    if (n == 0) continue;
    ++found.distinct;
    sum += static_cast<double>(n) * std::log2(static_cast<double>(n));
  }
  const double plain = std::log2(total) - sum / total;
  const double correction = (found.distinct - 1) / (2 * total * std::numbers::ln2);
  found.entropy_bits = std::min(8.0, plain + correction);
  return found;
}

}  // namespace tensorhub
