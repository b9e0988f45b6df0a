# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loops, as Python sees them; _kernels_reference.py says the same in plain Python.

The loops themselves are C, in the header files beside this one. No NumPy headers, no GIL.
"""

from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    #define REAL float
    #define SUFFIX f
    #include "_rosenblatt.h"
    #undef REAL
    #undef SUFFIX
    #define REAL double
    #define SUFFIX d
    #include "_rosenblatt.h"
    #undef REAL
    #undef SUFFIX
    """
    ctypedef struct Epoch:
        const int* codes
        const double* weights
        const double* own
        const Py_ssize_t* order
        Py_ssize_t n_visits, n_features, n_neurons
        double rate, decay
        int decays, fit_intercept, average
        double* coef_sum
        double* intercept_sum
        long long visits, updates
        double missed, false_alarms

    void epoch_dense_f(Epoch*, const float*, Py_ssize_t, Py_ssize_t, float*, float*, float*) nogil
    void epoch_dense_d(
        Epoch*, const double*, Py_ssize_t, Py_ssize_t, double*, double*, double*) nogil
    void epoch_f_32(
        Epoch*, const float*, const int*, const int*, float*, float*, float*) nogil
    void epoch_f_64(
        Epoch*, const float*, const long long*, const long long*, float*, float*, float*) nogil
    void epoch_d_32(
        Epoch*, const double*, const int*, const int*, double*, double*, double*) nogil
    void epoch_d_64(
        Epoch*, const double*, const long long*, const long long*, double*, double*, double*) nogil

ctypedef fused real:
    float
    double

ctypedef fused index:
    int
    long long


def rosenblatt_dense(
    const real[:, :] X, const int[::1] codes, const double[::1] weights,
    const double[::1] own, const Py_ssize_t[::1] order, real[:, ::1] coef, real[::1] intercept,
    double rate, bint decays, double decay, bint fit_intercept, bint average,
    double[:, ::1] coef_sum, double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a dense X; see _kernels_reference.rosenblatt_dense."""
    cdef Epoch epoch = _epoch(codes, weights, own, order, rate, decays, decay, fit_intercept,
                              average, coef_sum, intercept_sum, visits)
    cdef Py_ssize_t stride = X.strides[0] // sizeof(real), step = X.strides[1] // sizeof(real)
    epoch.n_features, epoch.n_neurons = coef.shape[0], coef.shape[1]
    cdef real* room = <real*> malloc((2 * epoch.n_neurons + epoch.n_features) * sizeof(real))
    if room == NULL:
        raise MemoryError()
    if epoch.n_visits > 0:
        with nogil:
            if real is float:
                epoch_dense_f(&epoch, &X[0, 0], stride, step, &coef[0, 0], &intercept[0], room)
            else:
                epoch_dense_d(&epoch, &X[0, 0], stride, step, &coef[0, 0], &intercept[0], room)
    free(room)
    return epoch.updates, epoch.missed, epoch.false_alarms, epoch.visits


def rosenblatt_sparse(
    const real[::1] data, const index[::1] columns, const index[::1] starts,
    const int[::1] codes, const double[::1] weights, const double[::1] own,
    const Py_ssize_t[::1] order, real[:, ::1] coef, real[::1] intercept, double rate,
    bint decays, double decay, bint fit_intercept, bint average, double[:, ::1] coef_sum,
    double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a CSR matrix; see _kernels_reference.rosenblatt_sparse."""
    cdef Epoch epoch = _epoch(codes, weights, own, order, rate, decays, decay, fit_intercept,
                              average, coef_sum, intercept_sum, visits)
    epoch.n_features, epoch.n_neurons = coef.shape[0], coef.shape[1]
    # A matrix without stored values has no first one to point at.
    cdef const real* x = &data[0] if data.shape[0] else NULL
    cdef const index* at = &columns[0] if columns.shape[0] else NULL
    cdef real* room = <real*> malloc(2 * epoch.n_neurons * sizeof(real))
    if room == NULL:
        raise MemoryError()
    with nogil:
        if real is float:
            if index is int:
                epoch_f_32(&epoch, x, at, &starts[0], &coef[0, 0], &intercept[0], room)
            else:
                epoch_f_64(&epoch, x, at, &starts[0], &coef[0, 0], &intercept[0], room)
        else:
            if index is int:
                epoch_d_32(&epoch, x, at, &starts[0], &coef[0, 0], &intercept[0], room)
            else:
                epoch_d_64(&epoch, x, at, &starts[0], &coef[0, 0], &intercept[0], room)
    free(room)
    return epoch.updates, epoch.missed, epoch.false_alarms, epoch.visits


cdef Epoch _epoch(
    const int[::1] codes, const double[::1] weights, const double[::1] own,
    const Py_ssize_t[::1] order, double rate, bint decays, double decay, bint fit_intercept,
    bint average, double[:, ::1] coef_sum, double[::1] intercept_sum, long long visits,
):
    cdef Epoch epoch
    epoch.codes = &codes[0] if codes.shape[0] else NULL
    epoch.weights = &weights[0] if weights.shape[0] else NULL
    epoch.own = &own[0]
    epoch.order = &order[0] if order.shape[0] else NULL
    epoch.n_visits = order.shape[0]
    epoch.rate, epoch.decay, epoch.decays = rate, decay, decays
    epoch.fit_intercept, epoch.average = fit_intercept, average
    epoch.coef_sum, epoch.intercept_sum = &coef_sum[0, 0], &intercept_sum[0]
    epoch.visits, epoch.updates, epoch.missed, epoch.false_alarms = visits, 0, 0.0, 0.0
    return epoch
