/* What an epoch of a network is handed, and what it gives back. */
#ifndef SKLEARN_GD_NETWORK_EPOCH_H
#define SKLEARN_GD_NETWORK_EPOCH_H

#include <stddef.h>
#include <stdint.h>

/* Vectors of fixed size and integers of 128 bits are extensions, which MSVC has not. */
#if defined(__GNUC__) && defined(__SIZEOF_INT128__)
#define HAS_NETWORK_EPOCHS 1
#endif

#define MAX_LAYERS 16

/* The numbers of the pieces, as in sklearn_gd/_models/compiled.py. */
enum { IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, SILU, GELU, EXP, AFFINE };
enum {
    SQUARED_ERROR, ABSOLUTE_ERROR, HUBER, PINBALL, LOG_COSH, POISSON, BINARY_LOG_LOSS,
    SOFTMAX_LOG_LOSS
};
enum { GRADIENT_DESCENT, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM };

/* Arrays of unnamed type are of the precision of the network. */
typedef struct {
    /* The network: sizes (n_layers + 1), the others by layer. */
    const ptrdiff_t *sizes;
    const int *activations;
    const double *activation_parameters;
    int n_layers, biases;
    void *parameters, *gradient;
    const void *mean, *spread; /* of the affine activation of the output, by output */
    const void *center, *scale; /* of the columns; NULL: as they are */
    int squash;
    double alpha;
    /* The loss; the gradient is multiplied by factor, the loss divided by divisor. */
    int loss_kind;
    const double *loss_parameters;
    ptrdiff_t n_levels;
    double factor, divisor;
    /* Dropout of each hidden layer; NULL: none. `step` counts the steps of the descent. */
    const uint32_t *thresholds;
    uint64_t key;
    long long step;
    /* The rows: strides in numbers, targets or codes of classes, weights or NULL, order or NULL. */
    const void *X;
    ptrdiff_t row_stride, column_stride, batch_size, n_targets;
    const void *y;
    const int *codes;
    double low, high; /* targets of other classes and of the class of a row */
    const double *weights;
    double mean_weight, total_weight; /* one of them, the other is 0; see `losses` */
    const ptrdiff_t *order;   /* numbers of targets and weights; NULL: as they come */
    const ptrdiff_t *x_order; /* numbers of the rows of X, if others; NULL: the same */
    /* The solver. */
    int solver;
    const double *solver_parameters;
    void *state_1, *state_2;
    long long solver_steps;
    double rate;
    /* Room for the buffers, of zeros; and the result, the summed loss. */
    void *room;
    double loss;
} NetworkEpoch;

#endif
