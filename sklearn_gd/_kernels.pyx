# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rosenblatt's loop, row by row, compiled; _kernels_reference.py says the same in plain Python.

Weights are stored (features, neurons), so that all neurons share one pass over a row. No NumPy
headers, no GIL. Dots over one neuron run on several accumulators, which the compiler turns into
vector instructions without being allowed to reorder sums (no -ffast-math).
"""

from libc.stdlib cimport free, malloc

ctypedef fused real:
    float
    double

ctypedef fused index:
    int
    long long


cdef inline real _dot(const real* x, const real* w, Py_ssize_t n) noexcept nogil:
    cdef real sums[16]
    cdef real total = 0
    cdef Py_ssize_t i, j, whole = n - n % 16
    for j in range(16):
        sums[j] = 0
    for i in range(0, whole, 16):
        for j in range(16):
            sums[j] += x[i + j] * w[i + j]
    for j in range(16):
        total += sums[j]
    for i in range(whole, n):
        total += x[i] * w[i]
    return total


cdef inline void _score_dense(
    const real* x, const real* w, real* z, Py_ssize_t n_features, Py_ssize_t n_neurons
) noexcept nogil:
    cdef Py_ssize_t j, k
    cdef real x_j
    if n_neurons == 1:
        z[0] += _dot(x, w, n_features)
        return
    for j in range(n_features):
        x_j = x[j]
        if x_j != 0:
            for k in range(n_neurons):
                z[k] += x_j * w[j * n_neurons + k]


cdef inline void _score_sparse(
    const real* x, const index* columns, Py_ssize_t n_stored,
    const real* w, real* z, Py_ssize_t n_neurons,
) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef const real* w_j
    cdef real a = 0, b = 0, c = 0, d = 0
    if n_neurons == 1:
        for i in range(0, n_stored - 3, 4):
            a += x[i] * w[columns[i]]
            b += x[i + 1] * w[columns[i + 1]]
            c += x[i + 2] * w[columns[i + 2]]
            d += x[i + 3] * w[columns[i + 3]]
        for i in range(n_stored - n_stored % 4, n_stored):
            a += x[i] * w[columns[i]]
        z[0] += (a + b) + (c + d)
        return
    for i in range(n_stored):
        w_j = w + columns[i] * n_neurons
        for k in range(n_neurons):
            z[k] += x[i] * w_j[k]


cdef inline bint _judge(
    const real* z, real* change, Py_ssize_t n_neurons, int code, double weight,
    const double* own, double* wrong, long long* updates,
) noexcept nogil:
    """Set change[k] to its weight * y_k for neurons that are mistaken, else to 0."""
    cdef bint any_mistake = False
    cdef Py_ssize_t k, first = 1 if n_neurons == 1 else 0
    cdef double weight_k
    cdef bint fires
    for k in range(n_neurons):
        change[k] = 0
        fires = code == k + first
        weight_k = weight * own[k] if fires else weight
        if weight_k != 0 and ((z[k] <= 0) if fires else (z[k] >= 0)):
            change[k] = <real> (weight_k if fires else -weight_k)
            wrong[1 if fires else 0] += weight_k
            updates[0] += 1
            any_mistake = True
    return any_mistake


cdef inline void _add_row(
    real* w_j, double* u_j, real x_j, const real* change, Py_ssize_t n_neurons,
    double rate, double visits, bint lazy,
) noexcept nogil:
    cdef Py_ssize_t k
    cdef real step
    for k in range(n_neurons):
        step = <real> rate * change[k] * x_j
        w_j[k] += step
        if lazy:
            u_j[k] += visits * step


def rosenblatt_dense(
    const real[:, :] X, const int[::1] codes, const double[::1] weights,
    const double[::1] own, const Py_ssize_t[::1] order, real[:, ::1] coef, real[::1] intercept, double rate,
    bint decays, double decay, bint fit_intercept, bint average, double[:, ::1] coef_sum,
    double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a dense X; see _kernels_reference.rosenblatt_dense."""
    cdef Py_ssize_t n_features = X.shape[1], n_neurons = coef.shape[1], s, i, j, k
    cdef bint copies = X.strides[1] != sizeof(real) and n_features > 1
    cdef bint weighted = weights.shape[0] > 0
    cdef bint lazy = average and not decays
    cdef double weight = 1.0
    cdef double wrong[2]
    cdef long long updates = 0
    cdef real one = 1
    cdef real* row = NULL
    cdef const real* x
    cdef real* z = <real*> malloc((2 * n_neurons + n_features) * sizeof(real))
    if z == NULL:
        raise MemoryError()
    cdef real* change = z + n_neurons
    row = z + 2 * n_neurons
    wrong[0] = wrong[1] = 0
    with nogil:
        for s in range(order.shape[0]):
            i = order[s]
            if weighted:
                weight = weights[i]
                if weight == 0:
                    continue
            x = &X[i, 0]
            if copies:
                for j in range(n_features):
                    row[j] = X[i, j]
                x = row
            for k in range(n_neurons):
                z[k] = intercept[k]
            _score_dense(x, &coef[0, 0], z, n_features, n_neurons)
            if decays:
                _decay(&coef[0, 0], n_features * n_neurons, decay)
            if _judge(z, change, n_neurons, codes[i], weight, &own[0], wrong, &updates):
                if n_neurons == 1 and not lazy:
                    _add_scaled(&coef[0, 0], x, <real> rate * change[0], n_features)
                else:
                    for j in range(n_features):
                        if x[j] != 0:
                            _add_row(&coef[j, 0], &coef_sum[j, 0] if lazy else NULL, x[j],
                                     change, n_neurons, rate, <double> visits, lazy)
                if fit_intercept:
                    _add_row(&intercept[0], &intercept_sum[0] if lazy else NULL, one,
                             change, n_neurons, rate, <double> visits, lazy)
            if average and decays:
                _accumulate(&coef_sum[0, 0], &coef[0, 0], n_features * n_neurons)
                _accumulate(&intercept_sum[0], &intercept[0], n_neurons)
            visits += 1
    free(z)
    return updates, wrong[1], wrong[0], visits


def rosenblatt_sparse(
    const real[::1] data, const index[::1] columns, const index[::1] starts,
    const int[::1] codes, const double[::1] weights, const double[::1] own,
    const Py_ssize_t[::1] order,
    real[:, ::1] coef, real[::1] intercept, double rate, bint decays, double decay, bint fit_intercept,
    bint average, double[:, ::1] coef_sum, double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a CSR matrix; see _kernels_reference.rosenblatt_sparse."""
    cdef Py_ssize_t n_features = coef.shape[0], n_neurons = coef.shape[1], s, i, j, k
    cdef bint weighted = weights.shape[0] > 0
    cdef bint lazy = average and not decays
    cdef double weight = 1.0
    cdef double wrong[2]
    cdef long long updates = 0
    cdef real one = 1
    cdef const real* x
    cdef const index* at
    cdef Py_ssize_t n_stored
    cdef real* z = <real*> malloc(2 * n_neurons * sizeof(real))
    if z == NULL:
        raise MemoryError()
    cdef real* change = z + n_neurons
    wrong[0] = wrong[1] = 0
    with nogil:
        for s in range(order.shape[0]):
            i = order[s]
            if weighted:
                weight = weights[i]
                if weight == 0:
                    continue
            n_stored = <Py_ssize_t> (starts[i + 1] - starts[i])
            x = NULL
            at = NULL
            if n_stored > 0:
                x = &data[starts[i]]
                at = &columns[starts[i]]
            for k in range(n_neurons):
                z[k] = intercept[k]
            _score_sparse(x, at, n_stored, &coef[0, 0], z, n_neurons)
            if decays:
                _decay(&coef[0, 0], n_features * n_neurons, decay)
            if _judge(z, change, n_neurons, codes[i], weight, &own[0], wrong, &updates):
                for j in range(n_stored):
                    _add_row(&coef[at[j], 0], &coef_sum[at[j], 0] if lazy else NULL, x[j],
                             change, n_neurons, rate, <double> visits, lazy)
                if fit_intercept:
                    _add_row(&intercept[0], &intercept_sum[0] if lazy else NULL, one,
                             change, n_neurons, rate, <double> visits, lazy)
            if average and decays:
                _accumulate(&coef_sum[0, 0], &coef[0, 0], n_features * n_neurons)
                _accumulate(&intercept_sum[0], &intercept[0], n_neurons)
            visits += 1
    free(z)
    return updates, wrong[1], wrong[0], visits


cdef inline void _add_scaled(
    real* w, const real* x, real scale, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        w[j] += scale * x[j]


cdef inline void _decay(real* w, Py_ssize_t n, double decay) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        w[j] *= <real> decay


cdef inline void _accumulate(double* total, const real* w, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        total[j] += w[j]
