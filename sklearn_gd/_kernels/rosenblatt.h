/* Rosenblatt's loop, row by row; reference.py says the same in plain Python.

   Weights are stored (features, neurons), so that all neurons share one pass over a row. This file
   is included by targets.h once for each type of number and each TARGET. */

#ifndef SKLEARN_GD_ROSENBLATT_H
#define SKLEARN_GD_ROSENBLATT_H

/* Number of visits ahead for which rows, which lie anywhere once shuffled, are prefetched. */
#define ROWS_AHEAD 4

/* One epoch, without the rows and the weights of the neurons. */
typedef struct {
    const int *codes;
    const double *weights; /* of the rows; NULL: one each */
    const double *class_weight; /* of a row, for the neuron of its class */
    const ptrdiff_t *order;
    ptrdiff_t n_visits, n_features, n_neurons;
    double rate, intercept_rate, decay;
    int decays, fit_intercept, average;
    double *coef_sum, *intercept_sum;
    long long visits, updates;
    double missed, false_alarms;
} Epoch;

#endif

#define LANES(BLOCK) ((ptrdiff_t) (sizeof(BLOCK) / sizeof(REAL)))

/* `what` for blocks of neurons, the largest first: a vector, then narrower ones. */
#if !defined(__GNUC__)
#define IN_BLOCKS(what) what(REAL, 1)
#elif WIDTH == 64
#define IN_BLOCKS(what) \
    what(ON_TARGET(wide), 1) what(ON_TARGET(v32), 1) what(ON_TARGET(v16), 1) what(REAL, 1)
#elif WIDTH == 32
#define IN_BLOCKS(what) what(ON_TARGET(wide), 1) what(ON_TARGET(v16), 1) what(REAL, 1)
#else
#define IN_BLOCKS(what) what(ON_TARGET(wide), 1) what(REAL, 1)
#endif

/* The same, with several vectors at a time before. */
#if defined(__GNUC__)
#define IN_LARGE_BLOCKS(what) what(ON_TARGET(wide), 4) what(ON_TARGET(wide), 2) IN_BLOCKS(what)
#else
#define IN_LARGE_BLOCKS(what) what(REAL, 4) IN_BLOCKS(what)
#endif

/* z[k] += sum over j of x[j] * W[j, k], for a block of neurons at a time. Two sums each, over even
   and odd j, since each has to wait for itself. */
#define SCORE(BLOCK, PARTS)                                                          \
    for (; k + PARTS * LANES(BLOCK) <= K; k += PARTS * LANES(BLOCK)) {               \
        BLOCK even[PARTS] = {0}, odd[PARTS] = {0};                                   \
        ptrdiff_t j = 0;                                                             \
        for (; j + 2 <= n; j += 2) {                                                 \
            const BLOCK *w = (const BLOCK *) (W + ROW(j) * K + k);                   \
            const BLOCK *v = (const BLOCK *) (W + ROW(j + 1) * K + k);               \
            for (int u = 0; u < PARTS; u++) {                                        \
                even[u] += x[j] * w[u];                                              \
                odd[u] += x[j + 1] * v[u];                                           \
            }                                                                        \
        }                                                                            \
        if (j < n)                                                                   \
            for (int u = 0; u < PARTS; u++)                                          \
                even[u] += x[j] * ((const BLOCK *) (W + ROW(j) * K + k))[u];         \
        for (int u = 0; u < PARTS; u++)                                              \
            ((BLOCK *) (z + k))[u] += even[u] + odd[u];                              \
    }

INLINE void ON_TARGET(score_dense)(
    const REAL *RESTRICT x, ptrdiff_t n, const REAL *RESTRICT W, ptrdiff_t K, REAL *RESTRICT z)
{
    ptrdiff_t k = 0;
    if (K == 1) {
        z[0] += ON_TARGET(dot)(x, W, n);
        return;
    }
#define ROW(j) (j)
    IN_LARGE_BLOCKS(SCORE)
#undef ROW
}

/* Set change[k] to weight * y_k for each mistaken neuron, else to 0; return the number of mistakes.
   A z of NaN is a mistake. */
INLINE int ON_TARGET(mistakes_of)(
    Epoch *epoch, const REAL *RESTRICT z, REAL *RESTRICT change, int code, double weight)
{
    const ptrdiff_t K = epoch->n_neurons;
    int mistakes = 0;
    if (K == 1) {
        /* One branch, on what cannot be foreseen: half of the rows are of either class. */
        const int side = 2 * code - 1;
        if (side * z[0] > 0)
            return 0;
        weight *= code ? epoch->class_weight[0] : 1.0;
        change[0] = (REAL) (side * weight);
        epoch->missed += code ? weight : 0.0;
        epoch->false_alarms += code ? 0.0 : weight;
        epoch->updates += weight != 0;
        return weight != 0;
    }
    for (ptrdiff_t k = 0; k < K; k++) {
        change[k] = z[k] < 0 ? 0 : (REAL) -weight;
        mistakes += !(z[k] < 0);
    }
    /* Only one neuron should have fired. */
    const double class_share = weight * epoch->class_weight[code];
    mistakes -= !(z[code] < 0);
    change[code] = 0;
    epoch->false_alarms += weight * mistakes;
    if (!(z[code] > 0) && class_share != 0) {
        change[code] = (REAL) class_share;
        epoch->missed += class_share;
        mistakes++;
    }
    epoch->updates += mistakes;
    return mistakes;
}

/* W[j, k] += scale[k] * x[j], in the blocks of SCORE: what was written at one width can be read at
   the same width at once, and at another only later. */
#define MOVE(BLOCK, PARTS)                                                           \
    for (; k + LANES(BLOCK) <= K; k += LANES(BLOCK)) {                               \
        const BLOCK scale = rate * *(const BLOCK *) (change + k);                    \
        int any = 0;                                                                 \
        for (ptrdiff_t l = 0; l < LANES(BLOCK); l++)                                 \
            any |= change[k + l] != 0;                                               \
        if (any)                                                                     \
            for (ptrdiff_t j = 0; j < n; j++)                                        \
                *(BLOCK *) (W + ROW(j) * K + k) += scale * x[j];                     \
    }

/* With an average that does not decay: each step times the visits before it. */
#define ADD_STEPS                                                                         \
    for (ptrdiff_t j = 0; j < n; j++)                                                \
        for (ptrdiff_t k = 0; k < K; k++)                                            \
            epoch->coef_sum[ROW(j) * K + k] +=                                       \
                (double) epoch->visits * (rate * change[k] * x[j]);

INLINE void ON_TARGET(move_dense)(
    const REAL *RESTRICT x, ptrdiff_t n, REAL *RESTRICT W, ptrdiff_t K,
    const REAL *RESTRICT change, REAL rate)
{
    ptrdiff_t k = 0;
#define ROW(j) (j)
    IN_BLOCKS(MOVE)
#undef ROW
}

INLINE void ON_TARGET(move_biases)(const Epoch *epoch, const REAL *change, REAL *b, int lazy)
{
    for (ptrdiff_t k = 0; epoch->fit_intercept && k < epoch->n_neurons; k++) {
        const REAL step = (REAL) epoch->intercept_rate * change[k];
        b[k] += step;
        if (lazy)
            epoch->intercept_sum[k] += (double) epoch->visits * step;
    }
}

INLINE void ON_TARGET(decay)(const Epoch *epoch, REAL *RESTRICT W)
{
    const ptrdiff_t size = epoch->n_features * epoch->n_neurons;
    for (ptrdiff_t i = 0; i < size; i++)
        W[i] *= (REAL) epoch->decay;
}

INLINE void ON_TARGET(accumulate)(Epoch *epoch, const REAL *W, const REAL *b)
{
    const ptrdiff_t size = epoch->n_features * epoch->n_neurons;
    for (ptrdiff_t i = 0; i < size; i++)
        epoch->coef_sum[i] += W[i];
    for (ptrdiff_t k = 0; k < epoch->n_neurons; k++)
        epoch->intercept_sum[k] += b[k];
}

/* The rows lie `stride` numbers apart, their own numbers `step` apart; `room` is for
   2 * n_neurons + n_features numbers. */
static void ON_TARGET(epoch_dense)(
    Epoch *epoch, const REAL *X, ptrdiff_t stride, ptrdiff_t step, REAL *W, REAL *b, REAL *room)
{
    const ptrdiff_t n = epoch->n_features, K = epoch->n_neurons, line = 64 / sizeof(REAL);
    const int lazy = epoch->average && !epoch->decays;
    const REAL rate = (REAL) epoch->rate;
    REAL *z = room, *change = room + K, *copy = room + 2 * K;
    for (ptrdiff_t s = 0; s < epoch->n_visits; s++) {
        const ptrdiff_t i = epoch->order[s];
        const double weight = epoch->weights ? epoch->weights[i] : 1.0;
        const REAL *x = X + i * stride;
        if (s + ROWS_AHEAD < epoch->n_visits) {
            const REAL *next = X + epoch->order[s + ROWS_AHEAD] * stride;
            for (ptrdiff_t j = 0; j < n; j += line)
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
        ON_TARGET(score_dense)(x, n, W, K, z);
        if (epoch->decays)
            ON_TARGET(decay)(epoch, W);
        if (ON_TARGET(mistakes_of)(epoch, z, change, epoch->codes[i], weight)) {
            if (K == 1) {
                const REAL scale = rate * change[0];
                for (ptrdiff_t j = 0; j < n; j++)
                    W[j] += scale * x[j];
            } else {
                ON_TARGET(move_dense)(x, n, W, K, change, rate);
            }
#define ROW(j) (j)
            if (lazy)
                ADD_STEPS
#undef ROW
            ON_TARGET(move_biases)(epoch, change, b, lazy);
        }
        if (epoch->average && epoch->decays)
            ON_TARGET(accumulate)(epoch, W, b);
        epoch->visits++;
    }
}

#define INDEX int
#define SPARSE(name) ON(JOIN(name, 32), TARGET)
#include "rosenblatt_sparse.h"
#undef INDEX
#undef SPARSE
#define INDEX long long
#define SPARSE(name) ON(JOIN(name, 64), TARGET)
#include "rosenblatt_sparse.h"
#undef INDEX
#undef SPARSE

#undef LANES
#undef SCORE
#undef MOVE
#undef ADD_STEPS
#undef IN_BLOCKS
#undef IN_LARGE_BLOCKS
