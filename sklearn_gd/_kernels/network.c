/* Epochs of small dense networks, in compiled code without Python: see network.h. */
#include "network_epoch.h"

#ifdef HAS_NETWORK_EPOCHS

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

/* Here a product and a sum may become one instruction, which is most of the speed: results differ
   in the last bits between vector units, and are the same on one machine. */
#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif
#ifdef HAS_TARGETS
#undef VECTORISED
#define VECTORISED __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#endif

#define VECTOR_BYTES 64
#define LANES ((ptrdiff_t) (VECTOR_BYTES / sizeof(REAL)))
#define PADDED(n) (((n) + LANES - 1) / LANES * LANES)
#define TILE_ROWS 8
#define ROW(epoch, i) ((epoch)->order ? (epoch)->order[i] : (i))

/* The scale of columns, as in ColumnScaling. */
#define KNEE 3.0
#define FAR_AWAY 1e9

/* Whether one of n rows of the order has weight. */
static int has_weight(const NetworkEpoch *e, ptrdiff_t first, ptrdiff_t n)
{
    if (!e->weights)
        return 1;
    for (ptrdiff_t i = first; i < first + n; i++)
        if (e->weights[ROW(e, i)] != 0)
            return 1;
    return 0;
}

/* Eight random numbers of 32 bits, a function of the key and the counter: Philox4x64-10 (Salmon,
   Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
static void philox(uint32_t drawn[8], uint64_t key, uint64_t c0, uint64_t c1, uint64_t c2)
{
    uint64_t c3 = 0, key_2 = 0;
    for (int round = 0; round < 10; round++) {
        const unsigned __int128 a = (unsigned __int128) 0xD2E7470EE14C6C93u * c0;
        const unsigned __int128 b = (unsigned __int128) 0xCA5A826395121157u * c2;
        c0 = (uint64_t) (b >> 64) ^ c1 ^ key;
        c2 = (uint64_t) (a >> 64) ^ c3 ^ key_2;
        c1 = (uint64_t) b;
        c3 = (uint64_t) a;
        key += 0x9E3779B97F4A7C15u;
        key_2 += 0xBB67AE8584CAA73Bu;
    }
    const uint64_t numbers[4] = {c0, c1, c2, c3};
    for (int i = 0; i < 4; i++) {
        drawn[2 * i] = (uint32_t) numbers[i];
        drawn[2 * i + 1] = (uint32_t) (numbers[i] >> 32);
    }
}

typedef float vector_f __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef double vector_d __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef union { float number; uint32_t integer; } bits_f;
typedef union { double number; uint64_t integer; } bits_d;

static const uint32_t magic_bits_f = 0x4B400000;
static const uint64_t magic_bits_d = 0x4338000000000000;
static const float inverse_factorial_f[] = {
    1.0f, 1.0f, 1.0f / 2, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720, 1.0f / 5040,
};
static const double inverse_factorial_d[] = {
    1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
    1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
};

#define REAL float
#define SUFFIX f
#define ROOT sqrtf
#define ABS fabsf
#define COPY_SIGN copysignf
#define LOG logf
#define LOG1P log1pf
#define ERF erff
#define MAGIC 12582912.0f /* 1.5 * 2^23: a sum with it has no fraction */
#define EXPONENT_BIAS 127
#define MANTISSA_BITS 23
#define TERMS 7
#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define LOWEST_EXPONENT -104.0f
#define HIGHEST_EXPONENT 89.0f
#define EXPM1_END 40.0f
#include "elementwise.h"
#include "products.h"
#include "network.h"
#undef REAL
#undef SUFFIX
#undef ROOT
#undef ABS
#undef COPY_SIGN
#undef LOG
#undef LOG1P
#undef ERF
#undef MAGIC
#undef EXPONENT_BIAS
#undef MANTISSA_BITS
#undef TERMS
#undef LOG2_E
#undef LN2_HIGH
#undef LN2_LOW
#undef LOWEST_EXPONENT
#undef HIGHEST_EXPONENT
#undef EXPM1_END

#define REAL double
#define SUFFIX d
#define ROOT sqrt
#define ABS fabs
#define COPY_SIGN copysign
#define LOG log
#define LOG1P log1p
#define ERF erf
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define EXPONENT_BIAS 1023
#define MANTISSA_BITS 52
#define TERMS 13
#define LOG2_E 1.4426950408889634
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define LOWEST_EXPONENT -746.0
#define HIGHEST_EXPONENT 710.0
#define EXPM1_END 80.0
#include "elementwise.h"
#include "products.h"
#include "network.h"

#endif
