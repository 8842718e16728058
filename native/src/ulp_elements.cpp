// Elements against their prediction. Contract: ulp_elements.hpp; the loops are in ulp_kernels.hpp.
#include "ulp_elements.hpp"

#include <bit>
#include <string>
#include <type_traits>

#include "corrupt.hpp"
#include "require.hpp"
#include "tensorhub/planes_codec.hpp"
#include "ulp_fast_tables.hpp"

#define TENSORHUB_KERNELS "ulp_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

std::string_view no_width() { return "elements of 1, 2, 4 or 8 bytes"; }

bool is_width(std::size_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

}  // namespace

// Calls the form of a kernel for a width; the pointer to integers is made of `bytes`, which are aligned.
#define TENSORHUB_FOR_WIDTH(call) \
  switch (width) {                \
    case 1: {                     \
      using T = std::uint8_t;     \
      (void)sizeof(T);            \
      call(8);                    \
      break;                      \
    }                             \
    case 2: {                     \
      using T = std::uint16_t;    \
      (void)sizeof(T);            \
      call(16);                   \
      break;                      \
    }                             \
    case 4: {                     \
      using T = std::uint32_t;    \
      (void)sizeof(T);            \
      call(32);                   \
      break;                      \
    }                             \
    default: {                    \
      using T = std::uint64_t;    \
      (void)sizeof(T);            \
      call(64);                   \
      break;                      \
    }                             \
  }

void ulp_fold_differences(std::size_t width, bool is_float, const std::uint8_t* target, const std::uint8_t* prediction,
                          std::size_t n, std::uint8_t* folded) {
#define TENSORHUB_CALL(bits)                                                                              \
  (is_float ? TENSORHUB_DISPATCH(ulp_folds_float_##bits) : TENSORHUB_DISPATCH(ulp_folds_integer_##bits))( \
      target, prediction, n, reinterpret_cast<T*>(folded))
  TENSORHUB_FOR_WIDTH(TENSORHUB_CALL)
#undef TENSORHUB_CALL
}

void ulp_apply_differences(std::size_t width, bool is_float, const std::uint8_t* prediction, const std::uint8_t* folded,
                           std::size_t n, std::uint8_t* out) {
#define TENSORHUB_CALL(bits)                                                                              \
  (is_float ? TENSORHUB_DISPATCH(ulp_apply_float_##bits) : TENSORHUB_DISPATCH(ulp_apply_integer_##bits))( \
      prediction, reinterpret_cast<const T*>(folded), n, out)
  TENSORHUB_FOR_WIDTH(TENSORHUB_CALL)
#undef TENSORHUB_CALL
}

void ulp_make_contexts(std::size_t width, const UlpModel& model, const std::uint8_t* prediction, std::size_t n,
                       std::uint8_t* contexts) {
#define TENSORHUB_CALL(bits) \
  TENSORHUB_DISPATCH(ulp_contexts_##bits)(prediction, n, model.shift, model.top, model.contexts, contexts)
  TENSORHUB_FOR_WIDTH(TENSORHUB_CALL)
#undef TENSORHUB_CALL
}

void ulp_make_tokens(std::size_t width, const std::uint8_t* folded, std::size_t n, std::uint8_t* tokens) {
#define TENSORHUB_CALL(bits) TENSORHUB_DISPATCH(ulp_tokens_##bits)(reinterpret_cast<const T*>(folded), n, tokens)
  TENSORHUB_FOR_WIDTH(TENSORHUB_CALL)
#undef TENSORHUB_CALL
}

void ulp_widen_tokens(std::size_t width, const std::uint8_t* tokens, std::size_t n, std::uint8_t* folded) {
#define TENSORHUB_CALL(bits) TENSORHUB_DISPATCH(ulp_widen_##bits)(tokens, n, reinterpret_cast<T*>(folded))
  TENSORHUB_FOR_WIDTH(TENSORHUB_CALL)
#undef TENSORHUB_CALL
}

namespace {

template <typename T>
void split_low(std::size_t low, std::uint8_t* data, std::size_t n, std::uint8_t* const* lows) {
  using Signed = std::make_signed_t<T>;
  auto* folded = reinterpret_cast<T*>(data);
  for (std::size_t i = 0; i < n; ++i) {
    const T difference = static_cast<T>(static_cast<T>(folded[i] >> 1) ^ static_cast<T>(T{0} - (folded[i] & 1)));
    for (std::size_t k = 0; k < low; ++k) lows[k][i] = static_cast<std::uint8_t>(difference >> 8 * k);
    const auto rest = static_cast<T>(static_cast<Signed>(difference) >> 8 * low);
    folded[i] =
        static_cast<T>(static_cast<T>(rest << 1) ^ static_cast<T>(static_cast<Signed>(rest) >> (8 * sizeof(T) - 1)));
  }
}

template <typename T>
void join_low(std::size_t low, std::uint8_t* data, std::size_t n, const std::uint8_t* const* lows) {
  using Signed = std::make_signed_t<T>;
  auto* folded = reinterpret_cast<T*>(data);
  for (std::size_t i = 0; i < n; ++i) {
    const T rest = static_cast<T>(static_cast<T>(folded[i] >> 1) ^ static_cast<T>(T{0} - (folded[i] & 1)));
    T difference = static_cast<T>(rest << 8 * low);
    for (std::size_t k = 0; k < low; ++k)
      difference = static_cast<T>(difference | static_cast<T>(T{lows[k][i]} << 8 * k));
    folded[i] = static_cast<T>(static_cast<T>(difference << 1) ^
                               static_cast<T>(static_cast<Signed>(difference) >> (8 * sizeof(T) - 1)));
  }
}

}  // namespace

void ulp_split_low(std::size_t width, std::size_t low, std::uint8_t* folded, std::size_t n, std::uint8_t* const* lows) {
  if (width == 2)
    split_low<std::uint16_t>(low, folded, n, lows);
  else if (width == 4)
    split_low<std::uint32_t>(low, folded, n, lows);
  else if (width == 8)
    split_low<std::uint64_t>(low, folded, n, lows);
}

void ulp_join_low(std::size_t width, std::size_t low, std::uint8_t* folded, std::size_t n,
                  const std::uint8_t* const* lows) {
  if (width == 2)
    join_low<std::uint16_t>(low, folded, n, lows);
  else if (width == 4)
    join_low<std::uint32_t>(low, folded, n, lows);
  else if (width == 8)
    join_low<std::uint64_t>(low, folded, n, lows);
}

UlpFastKernels ulp_fast_kernels() {
  return {TENSORHUB_DISPATCH(ulp_fast_decode), TENSORHUB_DISPATCH(ulp_fast_encode), TENSORHUB_DISPATCH(ulp_at_least),
          TENSORHUB_DISPATCH(ulp_fast_part),   TENSORHUB_DISPATCH(ulp_fast_join),   TENSORHUB_DISPATCH(ulp_fast_count)};
}

void ulp_write_model(const UlpModel& model, std::uint8_t* to) {
  to[0] = model.is_float ? 0 : 1;
  to[1] = static_cast<std::uint8_t>(model.shift);
  to[2] = static_cast<std::uint8_t>(model.contexts);
  ulp_put(8, to + 3, 0, model.top);
}

UlpModel ulp_read_model(std::string_view thing, const std::uint8_t* from, std::size_t width, std::size_t max_contexts) {
  UlpModel model;
  if (from[0] > 1) throw corrupt(thing, "elements of kind 0 or 1", from[0]);
  model.is_float = from[0] == 0;
  model.shift = from[1];
  model.contexts = from[2];
  model.top = ulp_get(8, from + 3, 0);
  if (model.shift >= 8 * width) throw corrupt(thing, "a shift below the element's bits", model.shift);
  if (model.contexts < 1 || model.contexts > max_contexts)
    throw corrupt(thing, "contexts within bounds", model.contexts);
  if (width < 8 && model.top >> 8 * width) throw corrupt(thing, "a highest magnitude that an element can have", width);
  return model;
}

void ulp_check_model(const UlpModel& model, std::size_t width, std::size_t max_contexts, std::size_t low) {
  const bool is_top = width == 8 || model.top >> 8 * width == 0;
  if (model.contexts >= 1 && model.contexts <= max_contexts && model.shift < 8 * width && low < width && is_top) return;
  throw Error(ErrorKind::kUsage, "a plan of ULP differences", "one that was made for elements of this width",
              std::to_string(width) + " bytes", "Plan the same chunk that is coded.");
}

void ulp_check(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction, std::size_t width) {
  require_chunk(target.size(), width);
  if (!is_width(width))
    throw Error(ErrorKind::kUsage, "a chunk to code against a prediction", std::string(no_width()),
                std::to_string(width) + " bytes", "Use another codec.");
  require_size("prediction", target.size(), prediction.size());
}

void ulp_check_decoding(std::string_view thing, std::span<const std::uint8_t> coded,
                        std::span<const std::uint8_t> prediction, std::size_t width, std::span<const std::uint8_t> out) {
  if (!is_width(width)) throw corrupt(thing, no_width(), width);
  if (out.size() > kPlanesMaxNbytes) throw corrupt(thing, "at most 4 MiB", out.size());
  require_apart(thing, coded, out);
  require_apart(thing, prediction, out);
  require_size("prediction", out.size(), prediction.size());
}

}  // namespace tensorhub
