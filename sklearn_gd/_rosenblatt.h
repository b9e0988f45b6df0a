/* Rosenblatt's loop, row by row; _kernels_reference.py says the same in plain Python.

   Weights are stored (features, neurons), so that all neurons share one pass over a row. This file
   is included once for each type of number, REAL, with a SUFFIX for its names. */

#ifndef SKLEARN_GD_ROSENBLATT_H
#define SKLEARN_GD_ROSENBLATT_H

#include "_vectors.h"

/* Shuffled rows lie anywhere, so that they are asked for so many visits ahead of theirs. */
#define AHEAD 4

/* One epoch, but for the rows and the weights. */
typedef struct {
    const int *codes;
    const double *weights; /* of the rows; NULL: one each */
    const double *own;
    const ptrdiff_t *order;
    ptrdiff_t n_visits, n_features, n_neurons;
    double rate, decay;
    int decays, fit_intercept, average;
    double *coef_sum, *intercept_sum;
    long long visits, updates;
    double missed, false_alarms;
} Epoch;

#endif

#define LANES ((ptrdiff_t) (64 / sizeof(REAL)))
#define WIDTH(BLOCK) ((ptrdiff_t) (sizeof(BLOCK) / sizeof(REAL)))

#if defined(__GNUC__)

/* Vectors of 64, 32 and 16 bytes; the compiler makes of them what the machine has. */
typedef REAL NAME(v64) __attribute__((vector_size(64), aligned(sizeof(REAL)), may_alias));
typedef REAL NAME(v32) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
typedef REAL NAME(v16) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
#define AT(type, address) (*(NAME(type) *) (address))
#define IN_BLOCKS(what) what(NAME(v64)) what(NAME(v32)) what(NAME(v16)) what(REAL)

INLINE REAL NAME(dot)(const REAL *RESTRICT x, const REAL *RESTRICT w, ptrdiff_t n)
{
    NAME(v64) a = {0}, b = {0};
    NAME(v32) c;
    NAME(v16) d;
    REAL rest = 0;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        a += AT(v64, x + i) * AT(v64, w + i);
        b += AT(v64, x + i + LANES) * AT(v64, w + i + LANES);
    }
    if (i + LANES <= n) {
        a += AT(v64, x + i) * AT(v64, w + i);
        i += LANES;
    }
    a += b;
    c = AT(v32, (REAL *) &a) + AT(v32, (REAL *) &a + LANES / 2);
    if (i + LANES / 2 <= n) {
        c += AT(v32, x + i) * AT(v32, w + i);
        i += LANES / 2;
    }
    d = AT(v16, (REAL *) &c) + AT(v16, (REAL *) &c + LANES / 4);
    if (i + LANES / 4 <= n) {
        d += AT(v16, x + i) * AT(v16, w + i);
        i += LANES / 4;
    }
    for (; i < n; i++)
        rest += x[i] * w[i];
    for (i = 0; i < LANES / 4; i++)
        rest += d[i];
    return rest;
}

#undef AT

#else

#define IN_BLOCKS(what) what(REAL)

INLINE REAL NAME(dot)(const REAL *RESTRICT x, const REAL *RESTRICT w, ptrdiff_t n)
{
    REAL sums[4] = {0};
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int l = 0; l < 4; l++)
            sums[l] += x[i + l] * w[i + l];
    for (; i < n; i++)
        sums[0] += x[i] * w[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

#endif

/* z[k] += sum over j of x[j] * W[j, k], for a block of neurons at a time. Two sums each, over even
   and odd j, since each has to wait for itself. */
#define SCORE(BLOCK)                                                              \
    for (; k + WIDTH(BLOCK) <= K; k += WIDTH(BLOCK)) {                            \
        BLOCK even = {0}, odd = {0};                                              \
        ptrdiff_t j = 0;                                                          \
        for (; j + 2 <= n; j += 2) {                                              \
            even += x[j] * *(const BLOCK *) (W + ROW(j) * K + k);                 \
            odd += x[j + 1] * *(const BLOCK *) (W + ROW(j + 1) * K + k);          \
        }                                                                         \
        if (j < n)                                                                \
            even += x[j] * *(const BLOCK *) (W + ROW(j) * K + k);                 \
        *(BLOCK *) (z + k) += even + odd;                                         \
    }

INLINE void NAME(score_dense)(
    const REAL *RESTRICT x, ptrdiff_t n, const REAL *RESTRICT W, ptrdiff_t K, REAL *RESTRICT z)
{
    ptrdiff_t k = 0;
    if (K == 1) {
        z[0] += NAME(dot)(x, W, n);
        return;
    }
#define ROW(j) (j)
    IN_BLOCKS(SCORE)
#undef ROW
}

/* Set change[k] to weight * y_k for each neuron that is mistaken, else to 0; count them. */
INLINE int NAME(judge)(
    Epoch *epoch, const REAL *RESTRICT z, REAL *RESTRICT change, int code, double weight)
{
    const ptrdiff_t K = epoch->n_neurons, own = K == 1 ? code - 1 : code;
    int mistakes = 0;
    for (ptrdiff_t k = 0; k < K; k++) {
        change[k] = z[k] >= 0 ? (REAL) -weight : 0;
        mistakes += z[k] >= 0;
    }
    /* Only one neuron, if any, should have fired. */
    if (own >= 0) {
        const double weight_own = weight * epoch->own[own];
        mistakes -= z[own] >= 0;
        change[own] = 0;
        if (z[own] <= 0 && weight_own != 0) {
            change[own] = (REAL) weight_own;
            epoch->missed += weight_own;
            epoch->updates++;
            epoch->false_alarms += weight * mistakes;
            epoch->updates += mistakes;
            return 1;
        }
    }
    if (mistakes) {
        epoch->false_alarms += weight * mistakes;
        epoch->updates += mistakes;
    }
    return mistakes;
}

/* W[j, k] += scale[k] * x[j], in the blocks of SCORE: what was written at one width can be read at
   the same width at once, and at another only later. */
#define MOVE(BLOCK)                                                               \
    for (; k + WIDTH(BLOCK) <= K; k += WIDTH(BLOCK)) {                            \
        const BLOCK scale = rate * *(const BLOCK *) (change + k);                 \
        int any = 0;                                                              \
        for (ptrdiff_t l = 0; l < WIDTH(BLOCK); l++)                              \
            any |= change[k + l] != 0;                                            \
        if (any)                                                                  \
            for (ptrdiff_t j = 0; j < n; j++)                                     \
                *(BLOCK *) (W + ROW(j) * K + k) += scale * x[j];                  \
    }

/* With an average that does not decay: each step times the visits before it. */
#define NOTE                                                                      \
    for (ptrdiff_t j = 0; j < n; j++)                                             \
        for (ptrdiff_t k = 0; k < K; k++)                                         \
            epoch->coef_sum[ROW(j) * K + k] +=                                    \
                (double) epoch->visits * (rate * change[k] * x[j]);

INLINE void NAME(move_dense)(
    const REAL *RESTRICT x, ptrdiff_t n, REAL *RESTRICT W, ptrdiff_t K,
    const REAL *RESTRICT change, REAL rate)
{
    ptrdiff_t k = 0;
#define ROW(j) (j)
    IN_BLOCKS(MOVE)
#undef ROW
}

INLINE void NAME(move_biases)(const Epoch *epoch, const REAL *change, REAL *b, int lazy)
{
    for (ptrdiff_t k = 0; epoch->fit_intercept && k < epoch->n_neurons; k++) {
        const REAL step = (REAL) epoch->rate * change[k];
        b[k] += step;
        if (lazy)
            epoch->intercept_sum[k] += (double) epoch->visits * step;
    }
}

INLINE void NAME(decay)(const Epoch *epoch, REAL *RESTRICT W)
{
    const ptrdiff_t size = epoch->n_features * epoch->n_neurons;
    for (ptrdiff_t i = 0; i < size; i++)
        W[i] *= (REAL) epoch->decay;
}

INLINE void NAME(accumulate)(Epoch *epoch, const REAL *W, const REAL *b)
{
    const ptrdiff_t size = epoch->n_features * epoch->n_neurons;
    for (ptrdiff_t i = 0; i < size; i++)
        epoch->coef_sum[i] += W[i];
    for (ptrdiff_t k = 0; k < epoch->n_neurons; k++)
        epoch->intercept_sum[k] += b[k];
}

/* The rows lie `stride` numbers apart, their own numbers `step` apart; `room` is for
   2 * n_neurons + n_features numbers. */
VECTORISED
void NAME(epoch_dense)(
    Epoch *epoch, const REAL *X, ptrdiff_t stride, ptrdiff_t step, REAL *W, REAL *b, REAL *room)
{
    const ptrdiff_t n = epoch->n_features, K = epoch->n_neurons;
    const int lazy = epoch->average && !epoch->decays;
    const REAL rate = (REAL) epoch->rate;
    REAL *z = room, *change = room + K, *copy = room + 2 * K;
    for (ptrdiff_t s = 0; s < epoch->n_visits; s++) {
        const ptrdiff_t i = epoch->order[s];
        const double weight = epoch->weights ? epoch->weights[i] : 1.0;
        const REAL *x = X + i * stride;
        if (s + AHEAD < epoch->n_visits) {
            const REAL *next = X + epoch->order[s + AHEAD] * stride;
            for (ptrdiff_t j = 0; j < n && j < 16 * LANES; j += LANES)
                PREFETCH(next + j * step);
        }
        if (weight == 0)
            continue;
        if (step != 1) {
            for (ptrdiff_t j = 0; j < n; j++)
                copy[j] = x[j * step];
            x = copy;
        }
        for (ptrdiff_t k = 0; k < K; k++)
            z[k] = b[k];
        NAME(score_dense)(x, n, W, K, z);
        if (epoch->decays)
            NAME(decay)(epoch, W);
        if (NAME(judge)(epoch, z, change, epoch->codes[i], weight)) {
            if (K == 1) {
                const REAL scale = rate * change[0];
                for (ptrdiff_t j = 0; j < n; j++)
                    W[j] += scale * x[j];
            } else {
                NAME(move_dense)(x, n, W, K, change, rate);
            }
#define ROW(j) (j)
            if (lazy)
                NOTE
#undef ROW
            NAME(move_biases)(epoch, change, b, lazy);
        }
        if (epoch->average && epoch->decays)
            NAME(accumulate)(epoch, W, b);
        epoch->visits++;
    }
}

#define INDEX int
#define SPARSE(name) JOIN(NAME(name), 32)
#include "_rosenblatt_sparse.h"
#undef INDEX
#undef SPARSE
#define INDEX long long
#define SPARSE(name) JOIN(NAME(name), 64)
#include "_rosenblatt_sparse.h"
#undef INDEX
#undef SPARSE

#undef LANES
#undef SCORE
#undef MOVE
#undef NOTE
#undef IN_BLOCKS
#undef WIDTH
