/* What all compiled loops share. */
#ifndef SKLEARN_GD_VECTORS_H
#define SKLEARN_GD_VECTORS_H

#include <stddef.h>

/* One binary holds a loop several times, and each machine runs the one for its vector unit. Sums
   run on lanes that are written out, so that every version adds in the same order. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define HAS_TARGETS
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORISED
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address)
#define RESTRICT __restrict__
#else
#define INLINE static inline
#define PREFETCH(address) ((void) 0)
#define RESTRICT __restrict
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)

#endif
