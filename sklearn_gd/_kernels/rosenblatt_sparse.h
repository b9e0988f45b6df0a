/* The epoch over a CSR matrix, included by rosenblatt.h once for each type of INDEX. */

INLINE void SPARSE(score)(
    const REAL *RESTRICT x, const INDEX *RESTRICT indices, ptrdiff_t n, const REAL *RESTRICT W,
    ptrdiff_t K, REAL *RESTRICT z)
{
    const ptrdiff_t line = 64 / sizeof(REAL);
    ptrdiff_t k = 0;
    if (K == 1) {
        REAL sums[8] = {0};
        ptrdiff_t j = 0;
        for (; j + 8 <= n; j += 8)
            for (int l = 0; l < 8; l++)
                sums[l] += x[j + l] * W[indices[j + l]];
        for (; j < n; j++)
            sums[0] += x[j] * W[indices[j]];
        for (int l = 0; l < 4; l++)
            sums[l] += sums[l + 4];
        z[0] += (sums[0] + sums[1]) + (sums[2] + sums[3]);
        return;
    }
    /* The rows of W lie anywhere, so that they are asked for ahead of their use. */
    for (ptrdiff_t j = 0; j < n; j++)
        for (ptrdiff_t l = 0; l < K; l += line)
            PREFETCH(W + (ptrdiff_t) indices[j] * K + l);
#define ROW(j) ((ptrdiff_t) indices[j])
    IN_LARGE_BLOCKS(SCORE)
#undef ROW
}

INLINE void SPARSE(move)(
    const REAL *RESTRICT x, const INDEX *RESTRICT indices, ptrdiff_t n, REAL *RESTRICT W,
    ptrdiff_t K, const REAL *RESTRICT change, REAL rate)
{
    ptrdiff_t k = 0;
#define ROW(j) ((ptrdiff_t) indices[j])
    IN_BLOCKS(MOVE)
#undef ROW
}

/* `room` is for 2 * n_neurons numbers. */
static void SPARSE(epoch)(
    Epoch *epoch, const REAL *data, const INDEX *indices, const INDEX *indptr, REAL *W, REAL *b,
    REAL *room)
{
    const ptrdiff_t K = epoch->n_neurons;
    const int lazy = epoch->average && !epoch->decays;
    const REAL rate = (REAL) epoch->rate;
    REAL *z = room, *change = room + K;
    for (ptrdiff_t s = 0; s < epoch->n_visits; s++) {
        const ptrdiff_t i = epoch->order[s];
        const double weight = epoch->weights ? epoch->weights[i] : 1.0;
        const REAL *x = data + indptr[i];
        const INDEX *at = indices + indptr[i];
        const ptrdiff_t n = (ptrdiff_t) (indptr[i + 1] - indptr[i]);
        if (s + ROWS_AHEAD < epoch->n_visits) {
            const ptrdiff_t next = epoch->order[s + ROWS_AHEAD];
            for (INDEX j = indptr[next]; j < indptr[next + 1]; j += 64 / sizeof(REAL))
                PREFETCH(data + j);
            for (INDEX j = indptr[next]; j < indptr[next + 1]; j += 64 / sizeof(INDEX))
                PREFETCH(indices + j);
        }
        if (weight == 0)
            continue;
        for (ptrdiff_t k = 0; k < K; k++)
            z[k] = b[k];
        SPARSE(score)(x, at, n, W, K, z);
        if (epoch->decays)
            ON_TARGET(decay)(epoch, W);
        if (ON_TARGET(mistakes_of)(epoch, z, change, epoch->codes[i], weight)) {
            SPARSE(move)(x, at, n, W, K, change, rate);
#define ROW(j) ((ptrdiff_t) at[j])
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
