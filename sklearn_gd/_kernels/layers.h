/* What lies between the matrix products of a training step, each in one pass over memory;
   reference.py says the same in NumPy. Included once for each type of number, REAL. */

#include "vectors.h"

/* z = max(z + b, 0), row by row. */
VECTORISED
void NAME(bias_relu)(REAL *RESTRICT z, const REAL *RESTRICT b, ptrdiff_t n_samples, ptrdiff_t width)
{
    for (ptrdiff_t i = 0; i < n_samples; i++, z += width)
        for (ptrdiff_t j = 0; j < width; j++) {
            const REAL sum = z[j] + b[j];
            /* So that NaN stays NaN. */
            z[j] = sum <= 0 ? 0 : sum;
        }
}

/* delta = 0 wherever the output is 0, and the sums of its columns. */
VECTORISED
void NAME(relu_backward)(
    REAL *RESTRICT delta, const REAL *RESTRICT a, REAL *RESTRICT sums, ptrdiff_t n_samples,
    ptrdiff_t width)
{
    for (ptrdiff_t j = 0; j < width; j++)
        sums[j] = 0;
    for (ptrdiff_t i = 0; i < n_samples; i++, delta += width, a += width)
        for (ptrdiff_t j = 0; j < width; j++) {
            const REAL kept = a[j] > 0 ? delta[j] : 0;
            delta[j] = kept;
            sums[j] += kept;
        }
}

VECTORISED
void NAME(sgd_step)(REAL *RESTRICT w, const REAL *RESTRICT g, REAL rate, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

VECTORISED
void NAME(adam)(
    REAL *RESTRICT w, const REAL *RESTRICT g, REAL *RESTRICT means, REAL *RESTRICT squares,
    ptrdiff_t n, REAL rate, REAL beta_1, REAL beta_2, REAL rest_1, REAL rest_2, REAL epsilon)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL mean = beta_1 * means[i] + rest_1 * g[i];
        const REAL square = beta_2 * squares[i] + rest_2 * (g[i] * g[i]);
        means[i] = mean;
        squares[i] = square;
        w[i] -= rate * (mean / (ROOT(square) + epsilon));
    }
}
