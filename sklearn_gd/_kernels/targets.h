/* The loops on explicit vectors, for each vector unit, and the choice among them when they run: the
   compiler keeps vectors in registers only where the machine has them. Included once for each type
   of number, REAL, with a SUFFIX for its names; for double first. */

#ifndef SKLEARN_GD_TARGETS_H
#define SKLEARN_GD_TARGETS_H

#include "vectors.h"

#define ON(name, unit) JOIN(NAME(name), unit)

/* A loop's `name` runs the one that was compiled for the widest vectors that the machine has. */
#if defined(HAS_TARGETS)
#define CHOOSE(name, parameters, ...)                 \
    void NAME(name) parameters                        \
    {                                                 \
        if (__builtin_cpu_supports("avx512f"))        \
            ON(name, avx512)(__VA_ARGS__);            \
        else if (__builtin_cpu_supports("avx2"))      \
            ON(name, avx2)(__VA_ARGS__);              \
        else                                          \
            ON(name, any)(__VA_ARGS__);               \
    }
#else
#define CHOOSE(name, parameters, ...)                 \
    void NAME(name) parameters                        \
    {                                                 \
        ON(name, any)(__VA_ARGS__);                   \
    }
#endif

#endif

#define TARGET any
#define WIDTH 16 /* bytes of a vector */
#include "dot.h"
#include "rosenblatt.h"
#include "moments.h"
#undef ON_TARGET
#undef TARGET
#undef WIDTH

#if defined(HAS_TARGETS)
#pragma GCC push_options
#pragma GCC target("avx2")
#define TARGET avx2
#define WIDTH 32
#include "dot.h"
#include "rosenblatt.h"
#include "moments.h"
#undef ON_TARGET
#undef TARGET
#undef WIDTH
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f")
#define TARGET avx512
#define WIDTH 64
#include "dot.h"
#include "rosenblatt.h"
#include "moments.h"
#undef ON_TARGET
#undef TARGET
#undef WIDTH
#pragma GCC pop_options
#endif

CHOOSE(
    epoch_dense,
    (Epoch *epoch, const REAL *X, ptrdiff_t stride, ptrdiff_t step, REAL *W, REAL *b, REAL *room),
    epoch, X, stride, step, W, b, room)
CHOOSE(
    epoch_32,
    (Epoch *epoch, const REAL *data, const int *indices, const int *indptr, REAL *W, REAL *b,
     REAL *room),
    epoch, data, indices, indptr, W, b, room)
CHOOSE(
    epoch_64,
    (Epoch *epoch, const REAL *data, const long long *indices, const long long *indptr, REAL *W,
     REAL *b, REAL *room),
    epoch, data, indices, indptr, W, b, room)
CHOOSE(
    moments,
    (const REAL *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t stride, ptrdiff_t step, const REAL *y,
     ptrdiff_t k, double *total, double *columns),
    X, n, p, stride, step, y, k, total, columns)
