/* Z'Z of few columns Z = [X y] in one pass over the rows, in double: X'X, X'y and y'y at once, where
   BLAS, made for wide matrices, takes several slow ones. Included by targets.h. */

#ifndef SKLEARN_GD_MOMENTS_H
#define SKLEARN_GD_MOMENTS_H

#define ROWS 128 /* at a time, laid out by column where they stay near, while the next are fetched */

#endif

/* The rows of X lie `stride` numbers apart, their own numbers `step` apart; those of y together.
   Added to the upper triangle of `total`, (p + k)²; `columns` is for (p + k) * ROWS numbers. */
static void ON_TARGET(moments)(
    const REAL *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t stride, ptrdiff_t step, const REAL *y,
    ptrdiff_t k, double *total, double *columns)
{
    const ptrdiff_t width = p + k;
    for (ptrdiff_t start = 0; start < n; start += ROWS, X += ROWS * stride, y += ROWS * k) {
        const ptrdiff_t rows = n - start < ROWS ? n - start : ROWS;
        for (ptrdiff_t j = 0; j < p; j++)
            for (ptrdiff_t i = 0; i < rows; i++)
                columns[j * ROWS + i] = X[i * stride + j * step];
        for (ptrdiff_t j = 0; j < k; j++)
            for (ptrdiff_t i = 0; i < rows; i++)
                columns[(p + j) * ROWS + i] = y[i * k + j];
        if (rows == ROWS && step == 1 && stride == p)
            for (ptrdiff_t i = 0; i < ROWS * stride; i += 64 / sizeof(REAL))
                PREFETCH(X + ROWS * stride + i);
        for (ptrdiff_t i = 0; i < width; i++)
            for (ptrdiff_t j = i; j < width; j++)
                total[i * width + j] +=
                    JOIN(dot_d, TARGET)(columns + i * ROWS, columns + j * ROWS, rows);
    }
}
