# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loops, as Python sees them; reference.py says the same in plain Python.

The loops themselves are C, in the header files beside this one. No NumPy headers, no GIL.

What they are handed is checked here, in constant time but for one pass over codes and order: the
loops trust it. That the column indices of a CSR matrix are within bounds was checked when it came in.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

cdef extern from *:
    """
    #include <math.h>
    #define REAL double
    #define SUFFIX d
    #define ROOT sqrt
    #include "targets.h"
    #include "layers.h"
    #undef REAL
    #undef SUFFIX
    #undef ROOT
    #define REAL float
    #define SUFFIX f
    #define ROOT sqrtf
    #include "targets.h"
    #include "layers.h"
    #undef REAL
    #undef SUFFIX
    #undef ROOT
    """
    ctypedef struct Epoch:
        const int* codes
        const double* weights
        const double* class_weight
        const Py_ssize_t* order
        Py_ssize_t n_visits, n_features, n_neurons
        double rate, intercept_rate, decay
        int decays, fit_intercept, average
        double* coef_sum
        double* intercept_sum
        long long visits, updates
        double missed, false_alarms

    void epoch_dense_f(Epoch*, const float*, Py_ssize_t, Py_ssize_t, float*, float*, float*) nogil
    void epoch_dense_d(
        Epoch*, const double*, Py_ssize_t, Py_ssize_t, double*, double*, double*) nogil
    void epoch_32_f(
        Epoch*, const float*, const int*, const int*, float*, float*, float*) nogil
    void epoch_64_f(
        Epoch*, const float*, const long long*, const long long*, float*, float*, float*) nogil
    void epoch_32_d(
        Epoch*, const double*, const int*, const int*, double*, double*, double*) nogil
    void epoch_64_d(
        Epoch*, const double*, const long long*, const long long*, double*, double*, double*) nogil

    int ROWS
    void moments_f(const float*, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const float*,
                   Py_ssize_t, double*, double*) nogil
    void moments_d(const double*, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const double*,
                   Py_ssize_t, double*, double*) nogil

    void bias_relu_f(float*, const float*, Py_ssize_t, Py_ssize_t) nogil
    void bias_relu_d(double*, const double*, Py_ssize_t, Py_ssize_t) nogil
    void relu_backward_f(float*, const float*, float*, Py_ssize_t, Py_ssize_t) nogil
    void relu_backward_d(double*, const double*, double*, Py_ssize_t, Py_ssize_t) nogil
    void sgd_step_f(float*, const float*, float, Py_ssize_t) nogil
    void sgd_step_d(double*, const double*, double, Py_ssize_t) nogil
    void adam_f(float*, const float*, float*, float*, Py_ssize_t,
                float, float, float, float, float, float) nogil
    void adam_d(double*, const double*, double*, double*, Py_ssize_t,
                double, double, double, double, double, double) nogil

cdef extern from "network_epoch.h":
    """
    #ifdef HAS_NETWORK_EPOCHS
    size_t network_room_f(const NetworkEpoch*);
    size_t network_room_d(const NetworkEpoch*);
    void network_steps_f(NetworkEpoch*, ptrdiff_t, ptrdiff_t);
    void network_steps_d(NetworkEpoch*, ptrdiff_t, ptrdiff_t);
    void network_losses_f(NetworkEpoch*, ptrdiff_t, ptrdiff_t);
    void network_losses_d(NetworkEpoch*, ptrdiff_t, ptrdiff_t);
    void network_gradient_f(NetworkEpoch*, double*, ptrdiff_t, ptrdiff_t);
    void network_gradient_d(NetworkEpoch*, double*, ptrdiff_t, ptrdiff_t);
    void activate_f(int, float, float*, float*, ptrdiff_t);
    void activate_d(int, double, double*, double*, ptrdiff_t);
    #else
    #define HAS_NETWORK_EPOCHS 0
    #define network_room_f(epoch) 0
    #define network_room_d(epoch) 0
    #define network_steps_f(epoch, first, last) ((void) 0)
    #define network_steps_d(epoch, first, last) ((void) 0)
    #define network_losses_f(epoch, first, last) ((void) 0)
    #define network_losses_d(epoch, first, last) ((void) 0)
    #define network_gradient_f(epoch, sum, first, last) ((void) 0)
    #define network_gradient_d(epoch, sum, first, last) ((void) 0)
    #define activate_f(kind, parameter, z, slope, n) ((void) 0)
    #define activate_d(kind, parameter, z, slope, n) ((void) 0)
    #endif
    """
    int HAS_NETWORK_EPOCHS
    int MAX_LAYERS, ADAM, AFFINE
    ctypedef struct NetworkEpoch:
        const Py_ssize_t* sizes
        const int* activations
        const double* activation_parameters
        int n_layers, biases, squash, loss_kind, solver
        void* parameters
        void* gradient
        const void* mean
        const void* spread
        const void* center
        const void* scale
        double alpha, factor, divisor, mean_weight, total_weight, rate, loss, low, high
        const double* loss_parameters
        Py_ssize_t n_levels, row_stride, column_stride, batch_size, n_targets
        const uint32_t* thresholds
        uint64_t key
        long long step, solver_steps
        const void* X
        const void* y
        const int* codes
        const double* weights
        const Py_ssize_t* order
        const Py_ssize_t* x_order
        const double* solver_parameters
        void* state_1
        void* state_2
        void* room
    size_t network_room_f(const NetworkEpoch*) nogil
    size_t network_room_d(const NetworkEpoch*) nogil
    void network_steps_f(NetworkEpoch*, Py_ssize_t, Py_ssize_t) nogil
    void network_steps_d(NetworkEpoch*, Py_ssize_t, Py_ssize_t) nogil
    void network_losses_f(NetworkEpoch*, Py_ssize_t, Py_ssize_t) nogil
    void network_losses_d(NetworkEpoch*, Py_ssize_t, Py_ssize_t) nogil
    void network_gradient_f(NetworkEpoch*, double*, Py_ssize_t, Py_ssize_t) nogil
    void network_gradient_d(NetworkEpoch*, double*, Py_ssize_t, Py_ssize_t) nogil
    void activate_f(int, float, float*, float*, Py_ssize_t) nogil
    void activate_d(int, double, double*, double*, Py_ssize_t) nogil

# As in scikit-learn: the bias, which every sample updates, moves slower than the weights of
# features that few samples have.
cdef double SPARSE_INTERCEPT_RATE = 0.01

ctypedef fused real:
    float
    double

ctypedef fused index:
    int
    long long


def rosenblatt_dense(
    const real[:, :] X, const int[::1] codes, const double[::1] weights,
    const double[::1] class_weight, const Py_ssize_t[::1] order, real[:, ::1] coef,
    real[::1] intercept, double rate, bint decays, double decay, bint fit_intercept, bint average,
    double[:, ::1] coef_sum, double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a dense X; see reference.rosenblatt_dense."""
    _require_shape("coef", coef.shape[0], coef.shape[1], X.shape[1], coef.shape[1])
    cdef Epoch epoch = _epoch(X.shape[0], coef.shape[0], coef.shape[1], intercept.shape[0], codes,
                              weights, class_weight, order, rate, decays, decay, fit_intercept,
                              average, coef_sum, intercept_sum, visits)
    cdef Py_ssize_t stride = X.strides[0] // <Py_ssize_t> sizeof(real), step = X.strides[1] // <Py_ssize_t> sizeof(real)
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
    const real[::1] data, const index[::1] indices, const index[::1] indptr,
    const int[::1] codes, const double[::1] weights, const double[::1] class_weight,
    const Py_ssize_t[::1] order, real[:, ::1] coef, real[::1] intercept, double rate,
    bint decays, double decay, bint fit_intercept, bint average, double[:, ::1] coef_sum,
    double[::1] intercept_sum, long long visits,
):
    """One epoch over the rows of a CSR matrix; see reference.rosenblatt_sparse."""
    _require_csr(data.shape[0], indices, indptr)
    cdef Epoch epoch = _epoch(indptr.shape[0] - 1, coef.shape[0], coef.shape[1],
                              intercept.shape[0], codes, weights, class_weight, order, rate,
                              decays, decay, fit_intercept, average, coef_sum, intercept_sum,
                              visits)
    epoch.intercept_rate = SPARSE_INTERCEPT_RATE * rate
    # A matrix without stored values has no first one to point at.
    cdef const real* x = &data[0] if data.shape[0] else NULL
    cdef const index* at = &indices[0] if indices.shape[0] else NULL
    cdef real* room = <real*> malloc(2 * epoch.n_neurons * sizeof(real))
    if room == NULL:
        raise MemoryError()
    with nogil:
        if real is float:
            if index is int:
                epoch_32_f(&epoch, x, at, &indptr[0], &coef[0, 0], &intercept[0], room)
            else:
                epoch_64_f(&epoch, x, at, &indptr[0], &coef[0, 0], &intercept[0], room)
        else:
            if index is int:
                epoch_32_d(&epoch, x, at, &indptr[0], &coef[0, 0], &intercept[0], room)
            else:
                epoch_64_d(&epoch, x, at, &indptr[0], &coef[0, 0], &intercept[0], room)
    free(room)
    return epoch.updates, epoch.missed, epoch.false_alarms, epoch.visits


cdef Epoch _epoch(
    Py_ssize_t n_samples, Py_ssize_t n_features, Py_ssize_t n_neurons, Py_ssize_t n_biases,
    const int[::1] codes, const double[::1] weights, const double[::1] class_weight,
    const Py_ssize_t[::1] order, double rate, bint decays, double decay, bint fit_intercept,
    bint average, double[:, ::1] coef_sum, double[::1] intercept_sum, long long visits,
):
    """Return all of an epoch but its rows and weights, or raise where the parts do not fit."""
    cdef Py_ssize_t i, outside = 0
    cdef int top = 2 if n_neurons == 1 else <int> n_neurons
    _require_shape("coef", n_features, n_neurons, max(n_features, 1), max(n_neurons, 1))
    _require_length("intercept", n_biases, n_neurons)
    _require_length("codes", codes.shape[0], n_samples)
    _require_length("weights", weights.shape[0], n_samples if weights.shape[0] else 0)
    _require_length("class_weight", class_weight.shape[0], n_neurons)
    if average:
        _require_shape("coef_sum", coef_sum.shape[0], coef_sum.shape[1], n_features, n_neurons)
        _require_length("intercept_sum", intercept_sum.shape[0], n_neurons)
    for i in range(n_samples):
        outside += (codes[i] < 0) | (codes[i] >= top)
    if outside:
        raise ValueError(f"codes must lie in 0 to {top - 1}, for {n_neurons} neurons. "
                         f"{outside} do not.")
    for i in range(order.shape[0]):
        outside += <size_t> order[i] >= <size_t> n_samples
    if outside:
        raise ValueError(f"order must hold numbers of the {n_samples} rows. {outside} are not.")
    cdef Epoch epoch
    epoch.n_features, epoch.n_neurons = n_features, n_neurons
    epoch.codes = &codes[0] if codes.shape[0] else NULL
    epoch.weights = &weights[0] if weights.shape[0] else NULL
    epoch.class_weight = &class_weight[0]
    epoch.order = &order[0] if order.shape[0] else NULL
    epoch.n_visits = order.shape[0]
    epoch.rate, epoch.intercept_rate, epoch.decay, epoch.decays = rate, rate, decay, decays
    epoch.fit_intercept, epoch.average = fit_intercept, average
    epoch.coef_sum = &coef_sum[0, 0] if average else NULL
    epoch.intercept_sum = &intercept_sum[0] if average else NULL
    epoch.visits, epoch.updates, epoch.missed, epoch.false_alarms = visits, 0, 0.0, 0.0
    return epoch


cdef _require_length(name, Py_ssize_t n, Py_ssize_t expected):
    """Raise a ValueError where an array is not as long as the others ask for."""
    if n != expected:
        raise ValueError(f"{name} must be of shape ({expected},). Got shape ({n},).")


cdef _require_shape(name, Py_ssize_t n, Py_ssize_t width, Py_ssize_t rows, Py_ssize_t columns):
    """Raise a ValueError where an array is not of the shape that the others ask for."""
    if n != rows or width != columns:
        raise ValueError(f"{name} must be of shape ({rows}, {columns}). Got shape ({n}, {width}).")


cdef _require_csr(Py_ssize_t n_data, const index[::1] indices, const index[::1] indptr):
    """Raise a ValueError where the stored values are fewer than the indptr of rows say."""
    cdef Py_ssize_t last = indptr.shape[0] - 1
    if last < 0 or indptr[0] < 0 or indptr[last] > n_data or indices.shape[0] != n_data:
        raise ValueError(f"data and indices must be of one length, which indptr do not exceed. "
                         f"Got lengths {n_data} and {indices.shape[0]}.")


def bias_relu(real[:, ::1] z, const real[::1] b):
    """Set z to max(z + b, 0)."""
    cdef Py_ssize_t n_samples = z.shape[0], width = z.shape[1]
    _require_length("b", b.shape[0], width)
    if n_samples == 0 or width == 0:
        return
    with nogil:
        if real is float:
            bias_relu_f(&z[0, 0], &b[0], n_samples, width)
        else:
            bias_relu_d(&z[0, 0], &b[0], n_samples, width)


def relu_backward(real[:, ::1] delta, const real[:, ::1] a, real[::1] sums):
    """Set delta to 0 wherever a <= 0, and `sums` to what is left of each column."""
    cdef Py_ssize_t n_samples = delta.shape[0], width = delta.shape[1]
    _require_shape("a", a.shape[0], a.shape[1], n_samples, width)
    _require_length("sums", sums.shape[0], width)
    if n_samples == 0 or width == 0:
        return
    with nogil:
        if real is float:
            relu_backward_f(&delta[0, 0], &a[0, 0], &sums[0], n_samples, width)
        else:
            relu_backward_d(&delta[0, 0], &a[0, 0], &sums[0], n_samples, width)


def sgd_step(real[::1] parameters, const real[::1] gradient, double rate):
    """Move the parameters by -rate * gradient."""
    cdef Py_ssize_t n = parameters.shape[0]
    _require_length("gradient", gradient.shape[0], n)
    if n == 0:
        return
    with nogil:
        if real is float:
            sgd_step_f(&parameters[0], &gradient[0], <float> rate, n)
        else:
            sgd_step_d(&parameters[0], &gradient[0], rate, n)


def adam(
    real[::1] parameters, const real[::1] gradient, real[::1] means, real[::1] squares,
    double rate, double beta_1, double beta_2, double epsilon,
):
    """Make one step of Adam, its correction in the rate; see reference.adam."""
    cdef Py_ssize_t n = parameters.shape[0]
    _require_length("gradient", gradient.shape[0], n)
    _require_length("means", means.shape[0], n)
    _require_length("squares", squares.shape[0], n)
    if n == 0:
        return
    with nogil:
        if real is float:
            adam_f(&parameters[0], &gradient[0], &means[0], &squares[0], n, <float> rate,
                   <float> beta_1, <float> beta_2, <float> (1 - beta_1), <float> (1 - beta_2),
                   <float> epsilon)
        else:
            adam_d(&parameters[0], &gradient[0], &means[0], &squares[0], n, rate,
                   beta_1, beta_2, 1 - beta_1, 1 - beta_2, epsilon)


def gram(const real[::1] data, const index[::1] indices, const index[::1] indptr,
         double[:, ::1] total):
    """Add X'X to the upper triangle of `total`, for the rows of a CSR matrix with sorted indices."""
    cdef Py_ssize_t i
    cdef index j, k, begin, end
    _require_csr(data.shape[0], indices, indptr)
    _require_shape("total", total.shape[0], total.shape[1], total.shape[0], total.shape[0])
    with nogil:
        for i in range(indptr.shape[0] - 1):
            begin, end = indptr[i], indptr[i + 1]
            for j in range(begin, end):
                for k in range(j, end):
                    total[indices[j], indices[k]] += <double> data[j] * data[k]


def moments(const real[:, :] X, const real[:, ::1] y, double[:, ::1] total):
    """Add Z'Z, in double, to the upper triangle of `total`, for Z the columns of X and of y."""
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], k = y.shape[1]
    cdef Py_ssize_t stride = X.strides[0] // <Py_ssize_t> sizeof(real), step = X.strides[1] // <Py_ssize_t> sizeof(real)
    _require_shape("y", y.shape[0], k, n, k)
    _require_shape("total", total.shape[0], total.shape[1], p + k, p + k)
    if n == 0 or p == 0 or k == 0:
        return
    cdef double* columns = <double*> malloc((p + k) * ROWS * sizeof(double))
    if columns == NULL:
        raise MemoryError()
    with nogil:
        if real is float:
            moments_f(&X[0, 0], n, p, stride, step, &y[0, 0], k, &total[0, 0], columns)
        else:
            moments_d(&X[0, 0], n, p, stride, step, &y[0, 0], k, &total[0, 0], columns)
    free(columns)


NETWORK_LAYERS = MAX_LAYERS if HAS_NETWORK_EPOCHS else 0

# Number of multiplications between two looks for a signal: some milliseconds.
cdef double _BETWEEN_SIGNALS = 1e7
# Number of rows whose losses are found together: their layers stay in the cache.
cdef Py_ssize_t _ROWS_TOGETHER = 128


def activate(int kind, double parameter, real[::1] z, real[::1] slope):
    """Replace z by f(z) of a built-in activation, as in an epoch, and set the slopes to f'(z)."""
    _require_length("slope", slope.shape[0], z.shape[0])
    if z.shape[0] and NETWORK_LAYERS:
        if real is float:
            activate_f(kind, <float> parameter, &z[0], &slope[0], z.shape[0])
        else:
            activate_d(kind, parameter, &z[0], &slope[0], z.shape[0])


cdef Py_ssize_t _describe_network(NetworkEpoch* e, real[::1] parameters, network) except -1:
    """Set what an epoch needs of `NetworkNumbers`; return the number of parameters.

    The pointers are those of the arrays that `network` holds.
    """
    cdef const Py_ssize_t[::1] sizes = network.sizes
    cdef const int[::1] activations = network.activations
    cdef const double[::1] activation_parameters = network.activation_parameters
    cdef const double[::1] loss_parameters = network.loss_parameters
    cdef const uint32_t[::1] thresholds = network.thresholds
    cdef const real[::1] mean = network.mean, spread = network.spread
    cdef const real[::1] center = network.center, scale = network.scale
    cdef Py_ssize_t n_layers = sizes.shape[0] - 1, n_outputs, n_parameters = 0, i
    e.biases = network.biases
    if not 0 < n_layers <= NETWORK_LAYERS:
        raise ValueError(f"sizes must be of 2 to {NETWORK_LAYERS + 1} numbers. "
                         f"Got {sizes.shape[0]}.")
    for i in range(n_layers):
        if sizes[i] < 1 or sizes[i + 1] < 1:
            raise ValueError("sizes must be positive.")
        n_parameters += (sizes[i] + e.biases) * sizes[i + 1]
    n_outputs = sizes[n_layers]
    _require_length("activations", activations.shape[0], n_layers)
    _require_length("activation_parameters", activation_parameters.shape[0], n_layers)
    _require_length("parameters", parameters.shape[0], n_parameters)
    for name, given, n in (
        ("mean", mean.shape[0], n_outputs), ("spread", spread.shape[0], n_outputs),
        ("center", center.shape[0], sizes[0]), ("scale", scale.shape[0], sizes[0]),
        ("thresholds", thresholds.shape[0], n_layers - 1),
    ):
        _require_length(name, given, n if given else 0)
    _require_length("loss_parameters", loss_parameters.shape[0], max(loss_parameters.shape[0], 1))
    for i in range(n_layers):
        if activations[i] == AFFINE:
            _require_length("mean", mean.shape[0], sizes[i + 1])
            _require_length("spread", spread.shape[0], sizes[i + 1])
    if center.shape[0] != scale.shape[0]:
        raise ValueError("center and scale must be of one length.")
    if loss_parameters.shape[0] > 1:
        _require_length("loss_parameters", loss_parameters.shape[0], n_outputs)
    e.sizes, e.activations = &sizes[0], &activations[0]
    e.activation_parameters = &activation_parameters[0]
    e.n_layers, e.squash = <int> n_layers, network.squash
    e.parameters = &parameters[0]
    e.mean = &mean[0] if mean.shape[0] else NULL
    e.spread = &spread[0] if spread.shape[0] else NULL
    e.center = &center[0] if center.shape[0] else NULL
    e.scale = &scale[0] if scale.shape[0] else NULL
    e.alpha, e.factor, e.divisor = network.alpha, network.factor, network.divisor
    e.loss_kind, e.n_levels = network.loss, loss_parameters.shape[0]
    e.loss_parameters = &loss_parameters[0]
    e.thresholds, e.key = &thresholds[0] if thresholds.shape[0] else NULL, network.key
    return n_parameters


cdef Py_ssize_t _describe_rows(
    NetworkEpoch* e, real[::1] parameters, rows, const Py_ssize_t[::1] order,
    const Py_ssize_t[::1] x_order,
) except -1:
    """Set what an epoch needs of `RowNumbers`, for a network that has been described.

    `order` are the numbers of targets and weights, `x_order` those of the rows of X, if others;
    empty arrays stand for all of them as they come. Return the number of samples.
    """
    cdef const real[:, :] X = rows.X
    cdef const real[:, ::1] y = rows.y
    cdef const int[::1] codes = rows.codes
    cdef const double[::1] weights = rows.weights
    cdef Py_ssize_t n_rows = codes.shape[0] if codes.shape[0] else y.shape[0], n_x = X.shape[0]
    cdef Py_ssize_t n_outputs = e.sizes[e.n_layers], i, outside = 0
    cdef Py_ssize_t n_samples = order.shape[0] or x_order.shape[0] or n_rows
    _require_length("weights", weights.shape[0], n_rows if weights.shape[0] else 0)
    _require_shape("X", n_x, X.shape[1], n_x if x_order.shape[0] else n_rows, e.sizes[0])
    _require_length("x_order", x_order.shape[0], n_samples if x_order.shape[0] else 0)
    if not (n_samples and n_rows and n_x) or (not order.shape[0] and n_samples > n_rows):
        raise ValueError(f"order must be of some of the {n_rows} rows. Got {n_samples} numbers.")
    if not codes.shape[0] and y.shape[1] not in (1, n_outputs):
        raise ValueError(f"y must have 1 or {n_outputs} columns. Got {y.shape[1]}.")
    for i in range(order.shape[0]):
        outside += <size_t> order[i] >= <size_t> n_rows
    for i in range(x_order.shape[0]):
        outside += <size_t> x_order[i] >= <size_t> n_x
    if outside:
        raise ValueError(f"order must hold numbers of rows. {outside} are not.")
    e.X = &X[0, 0]
    e.row_stride = X.strides[0] // <Py_ssize_t> sizeof(real)
    e.column_stride = X.strides[1] // <Py_ssize_t> sizeof(real)
    e.n_targets = y.shape[1]
    e.y = &y[0, 0] if not codes.shape[0] else NULL
    e.codes, e.low, e.high = &codes[0] if codes.shape[0] else NULL, rows.low, rows.high
    e.weights = &weights[0] if weights.shape[0] else NULL
    e.order = &order[0] if order.shape[0] else NULL
    e.x_order = &x_order[0] if x_order.shape[0] else NULL
    return n_samples


cdef enum Task:
    STEPS, LOSSES, GRADIENT


cdef int _run(
    NetworkEpoch* e, Task task, bint single, Py_ssize_t n_samples, double* gradient=NULL
) except -1:
    """Do a task with the rows, with a look for signals in between."""
    cdef double per_row = 1.0
    cdef Py_ssize_t first = 0, last, together
    for i in range(e.n_layers):
        per_row += 3.0 * e.sizes[i] * e.sizes[i + 1]
    # Whole batches.
    together = (<Py_ssize_t> (_BETWEEN_SIGNALS / (per_row * e.batch_size)) + 1) * e.batch_size
    e.room = calloc(network_room_f(e) if single else network_room_d(e), 1)
    if e.room == NULL:
        raise MemoryError()
    try:
        while first < n_samples:
            last = min(first + together, n_samples)
            with nogil:
                if task == STEPS:
                    if single:
                        network_steps_f(e, first, last)
                    else:
                        network_steps_d(e, first, last)
                elif task == LOSSES:
                    if single:
                        network_losses_f(e, first, last)
                    else:
                        network_losses_d(e, first, last)
                elif single:
                    network_gradient_f(e, gradient, first, last)
                else:
                    network_gradient_d(e, gradient, first, last)
            PyErr_CheckSignals()
            first = last
    finally:
        free(e.room)
    return 0


def network_epoch(
    real[::1] parameters, network, rows, solver, const Py_ssize_t[::1] order,
    const Py_ssize_t[::1] x_order, Py_ssize_t batch_size, double mean_weight, double rate,
    long long step,
):
    """Run an epoch of a network's gradient steps; return the summed loss and the next step.

    Network, rows and solver are the named tuples of sklearn_gd/_models/compiled.py; parameters and
    the states of the solver are changed in place. Also return the number of steps of the solver.
    """
    cdef NetworkEpoch e
    cdef Py_ssize_t n_parameters = _describe_network(&e, parameters, network)
    cdef Py_ssize_t n_samples = _describe_rows(&e, parameters, rows, order, x_order)
    cdef const double[::1] solver_parameters = solver.parameters
    cdef real[::1] state_1 = solver.state_1, state_2 = solver.state_2
    e.solver, e.solver_steps = solver.kind, solver.steps
    _require_length("the parameters of a solver", solver_parameters.shape[0], 4)
    _require_length("state_1", state_1.shape[0], n_parameters if e.solver > 0 else 0)
    _require_length("state_2", state_2.shape[0], n_parameters if e.solver == ADAM else 0)
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive. Got {batch_size}.")
    e.batch_size, e.mean_weight, e.total_weight = min(batch_size, n_samples), mean_weight, 0.0
    e.solver_parameters = &solver_parameters[0]
    e.state_1 = &state_1[0] if state_1.shape[0] else NULL
    e.state_2 = &state_2[0] if state_2.shape[0] else NULL
    e.rate, e.step, e.loss = rate, step, 0.0
    e.gradient = calloc(n_parameters, sizeof(real))
    if e.gradient == NULL:
        raise MemoryError()
    try:
        _run(&e, STEPS, real is float, n_samples)
    finally:
        free(e.gradient)
    return e.loss, e.step, e.solver_steps


def network_objective(
    real[::1] parameters, network, rows, const Py_ssize_t[::1] x_order, double total_weight,
    double[::1] gradient,
):
    """Return the summed loss of rows, and add its gradient over `total_weight`, without dropout.

    The gradient has that of the penalty. An empty array asks for the loss alone.
    """
    cdef NetworkEpoch e
    cdef Py_ssize_t n_parameters = _describe_network(&e, parameters, network)
    cdef Py_ssize_t n_samples = _describe_rows(&e, parameters, rows, x_order[:0], x_order)
    e.thresholds, e.gradient, e.loss = NULL, NULL, 0.0
    e.batch_size, e.mean_weight = min(_ROWS_TOGETHER, n_samples), 0.0
    e.total_weight = total_weight
    if not gradient.shape[0]:
        _run(&e, LOSSES, real is float, n_samples)
        return e.loss
    _require_length("gradient", gradient.shape[0], n_parameters)
    e.gradient = calloc(n_parameters, sizeof(real))
    if e.gradient == NULL:
        raise MemoryError()
    try:
        _run(&e, GRADIENT, real is float, n_samples, &gradient[0])
    finally:
        free(e.gradient)
    return e.loss
