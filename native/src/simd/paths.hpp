// Which paths this build has: by architecture and compiler.
#pragma once

// TENSORHUB_PORTABLE leaves all but the plain one out, for compilers and sanitizers that want it so.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(TENSORHUB_PORTABLE)
#define TENSORHUB_X86 1
#else
#define TENSORHUB_X86 0
#endif
#if defined(__aarch64__) && !defined(TENSORHUB_PORTABLE)
#define TENSORHUB_NEON 1
#else
#define TENSORHUB_NEON 0
#endif

#define TENSORHUB_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TENSORHUB_TARGET_BEGIN(features) \
  TENSORHUB_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TENSORHUB_TARGET_END _Pragma("clang attribute pop")
#else
#define TENSORHUB_TARGET_BEGIN(features) _Pragma("GCC push_options") TENSORHUB_PRAGMA(GCC target(features))
#define TENSORHUB_TARGET_END _Pragma("GCC pop_options")
#endif
// For operations that must vanish into their kernel: as calls, they would pass their lanes through memory.
#define TENSORHUB_INLINE inline __attribute__((always_inline))
