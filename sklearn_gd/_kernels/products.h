/* Small matrix products, a tile of rows by one vector of columns in registers. Included once for
   each type of number, REAL, with LANES numbers per vector of 64 bytes. */

/* `rows` rows of C = bias + A B, over one vector of columns. */
INLINE void NAME(tile)(
    const int rows, REAL *C, ptrdiff_t c_stride, const REAL *A, ptrdiff_t a_row, ptrdiff_t a_column,
    const REAL *B, ptrdiff_t b_stride, ptrdiff_t depth, const REAL *bias)
{
    NAME(vector) sums[TILE_ROWS];
    for (int r = 0; r < rows; r++)
        sums[r] = bias ? *(const NAME(vector) *) bias : (NAME(vector)) {0};
    for (ptrdiff_t k = 0; k < depth; k++) {
        const NAME(vector) b = *(const NAME(vector) *) (B + k * b_stride);
        for (int r = 0; r < rows; r++)
            sums[r] += A[r * a_row + k * a_column] * b;
    }
    for (int r = 0; r < rows; r++)
        *(NAME(vector) *) (C + r * c_stride) = sums[r];
}

/* C (n_rows, n_columns) = bias + A B, or A B without a bias. A has any strides; the rows of B and C
   and the bias are aligned to vectors, and n_columns is a multiple of LANES. */
VECTORISED
void NAME(product)(
    REAL *C, ptrdiff_t c_stride, const REAL *A, ptrdiff_t a_row, ptrdiff_t a_column, const REAL *B,
    ptrdiff_t b_stride, ptrdiff_t n_rows, ptrdiff_t depth, ptrdiff_t n_columns, const REAL *bias)
{
    for (ptrdiff_t i = 0; i < n_rows; i += TILE_ROWS) {
        const ptrdiff_t rows = n_rows - i < TILE_ROWS ? n_rows - i : TILE_ROWS;
        for (ptrdiff_t j = 0; j < n_columns; j += LANES) {
            REAL *c = C + i * c_stride + j;
            const REAL *a = A + i * a_row, *b = B + j, *start = bias ? bias + j : 0;
#define TILE(n) NAME(tile)(n, c, c_stride, a, a_row, a_column, b, b_stride, depth, start)
            switch (rows) { /* a number of rows that the compiler knows stays in registers */
            case 1: TILE(1); break;
            case 2: TILE(2); break;
            case 3: TILE(3); break;
            case 4: TILE(4); break;
            case 5: TILE(5); break;
            case 6: TILE(6); break;
            case 7: TILE(7); break;
            default: TILE(8);
            }
#undef TILE
        }
    }
}

/* z[i * stride] = bias + the scalar product of w and row i of A, both of n_vectors vectors. */
VECTORISED
void NAME(dots)(
    REAL *z, ptrdiff_t stride, const REAL *A, ptrdiff_t a_stride, const REAL *w,
    ptrdiff_t n_vectors, ptrdiff_t n_rows, REAL bias)
{
    for (ptrdiff_t i = 0; i < n_rows; i++, A += a_stride) {
        NAME(vector) sums = {0};
        for (ptrdiff_t k = 0; k < n_vectors; k++)
            sums += ((const NAME(vector) *) A)[k] * ((const NAME(vector) *) w)[k];
        REAL total = bias;
        for (int lane = 0; lane < LANES; lane++)
            total += sums[lane];
        z[i * stride] = total;
    }
}

/* A = A * B, elementwise, and the sums of its columns; A and B are (n_rows, n_columns). */
VECTORISED
void NAME(multiply_and_sum)(
    REAL *RESTRICT A, const REAL *RESTRICT B, REAL *RESTRICT sums, ptrdiff_t n_rows,
    ptrdiff_t n_columns)
{
    for (ptrdiff_t j = 0; j < n_columns; j++)
        sums[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++, A += n_columns, B += n_columns)
        for (ptrdiff_t j = 0; j < n_columns; j++) {
            A[j] *= B[j];
            sums[j] += A[j];
        }
}
