/* The vectors of one TARGET, WIDTH bytes wide, and the sum of products that runs on them. */

#define ON_TARGET(name) ON(name, TARGET)

#if defined(__GNUC__)

typedef REAL ON_TARGET(wide) __attribute__((vector_size(WIDTH), aligned(sizeof(REAL)), may_alias));
typedef REAL ON_TARGET(v32) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
typedef REAL ON_TARGET(v16) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
#define AT(type, address) (*(const ON_TARGET(type) *) (address))
#define HALVES(type, vector) (AT(type, &vector) + AT(type, (const char *) &vector + sizeof(ON_TARGET(type))))

/* As many sums at a time as fill 128 bytes, folded in halves. */
INLINE REAL ON_TARGET(dot)(const REAL *RESTRICT x, const REAL *RESTRICT w, ptrdiff_t n)
{
    enum { PARTS = 128 / WIDTH, LANES = WIDTH / sizeof(REAL), FEW = 16 / sizeof(REAL) };
    ON_TARGET(wide) sums[PARTS] = {{0}};
    ON_TARGET(v16) few = {0};
    REAL total = 0;
    ptrdiff_t i = 0;
    for (; i + PARTS * LANES <= n; i += PARTS * LANES)
        for (int u = 0; u < PARTS; u++)
            sums[u] += AT(wide, x + i + u * LANES) * AT(wide, w + i + u * LANES);
    for (; i + FEW <= n; i += FEW)
        few += AT(v16, x + i) * AT(v16, w + i);
    for (; i < n; i++)
        total += x[i] * w[i];
#if WIDTH == 16
    for (int u = 0; u < 4; u++)
        sums[u] += sums[u + 4];
    sums[0] += sums[2];
    sums[1] += sums[3];
    few += sums[0] + sums[1];
#elif WIDTH == 32
    sums[0] = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    few += HALVES(v16, sums[0]);
#else
    const ON_TARGET(wide) sum = sums[0] + sums[1];
    const ON_TARGET(v32) half = HALVES(v32, sum);
    few += HALVES(v16, half);
#endif
    for (i = 0; i < FEW; i++)
        total += few[i];
    return total;
}

#undef AT
#undef HALVES

#else

INLINE REAL ON_TARGET(dot)(const REAL *RESTRICT x, const REAL *RESTRICT w, ptrdiff_t n)
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
