/* Epochs of a small dense network: gather a batch, forward, loss, backward, a step of the solver.
   Included once for each type of number, REAL; `Network` and the learners say the same in NumPy. */

/* The rows of all buffers are padded to vectors. What stands in the padding of a layer's outputs is
   multiplied by zeros, or lands in the padding of a gradient, which nobody reads. */
/* A layer with one output would fill a vector for one number: its sums run along its inputs instead,
   in `dots`, and its gradient is one row. */
typedef struct {
    ptrdiff_t fan_in, fan_out, in_stride, out_stride;
    int activation;
    REAL parameter;
    uint32_t threshold; /* outputs whose random number is below it are silenced */
    REAL kept;          /* factor on the others */
    REAL *W, *b, *W_gradient, *b_gradient;       /* in the flat vectors; b is 0 without biases */
    REAL *packed, *transposed, *bias, *sums, *gradient; /* padded */
    const REAL *inputs;
    REAL *outputs, *slopes, *mask, *delta, *passed_on;
} NAME(Layer);

INLINE REAL *NAME(take)(char **room, ptrdiff_t n)
{
    REAL *taken = (REAL *) *room;
    *room += n * sizeof(REAL);
    return taken;
}

/* Lay out the buffers of all layers in `room`, which network_room has counted; return their end. */
static char *NAME(lay_out)(const NetworkEpoch *e, NAME(Layer) *layers, REAL **x, char *room)
{
    REAL *w = e->parameters, *g = e->gradient;
    ptrdiff_t in_stride = PADDED(e->sizes[0]);
    *x = NAME(take)(&room, e->batch_size * in_stride);
    for (int l = 0; l < e->n_layers; l++) {
        NAME(Layer) *at = layers + l;
        const ptrdiff_t fan_in = e->sizes[l], fan_out = e->sizes[l + 1];
        const ptrdiff_t out_stride = PADDED(fan_out), n = e->batch_size * out_stride;
        const double share = e->thresholds && l + 1 < e->n_layers ? e->thresholds[l] * 0x1p-32 : 0;
        at->fan_in = fan_in, at->fan_out = fan_out;
        at->in_stride = in_stride, at->out_stride = out_stride;
        at->activation = e->activations[l], at->parameter = (REAL) e->activation_parameters[l];
        at->threshold = share > 0 ? e->thresholds[l] : 0, at->kept = (REAL) (1 / (1 - share));
        at->W = w, at->W_gradient = g;
        at->b = e->biases ? w + fan_in * fan_out : 0;
        at->b_gradient = e->biases ? g + fan_in * fan_out : 0;
        w += (fan_in + e->biases) * fan_out, g += (fan_in + e->biases) * fan_out;
        at->packed = NAME(take)(&room, fan_in * out_stride);
        at->transposed = NAME(take)(&room, fan_out * in_stride);
        at->bias = NAME(take)(&room, out_stride);
        at->sums = NAME(take)(&room, out_stride);
        at->gradient = NAME(take)(&room, fan_out == 1 ? in_stride : fan_in * out_stride);
        at->outputs = NAME(take)(&room, n);
        at->slopes = NAME(take)(&room, n);
        at->delta = NAME(take)(&room, n);
        at->mask = at->threshold ? NAME(take)(&room, n) : 0;
        at->passed_on = at->threshold ? NAME(take)(&room, n) : at->outputs;
        at->inputs = l ? layers[l - 1].passed_on : *x;
        in_stride = out_stride;
    }
    return room;
}

/* Copy the weights to padded rows, and to those of the transposed matrix: what passes a gradient on
   needs it, as do layers with one output. */
VECTORISED
void NAME(pack)(NAME(Layer) *l, int passes_on)
{
    const ptrdiff_t fan_in = l->fan_in, fan_out = l->fan_out, in_stride = l->in_stride;
    for (ptrdiff_t i = 0; i < fan_in; i++) {
        const REAL *RESTRICT w = l->W + i * fan_out;
        REAL *RESTRICT packed = l->packed + i * l->out_stride, *RESTRICT column = l->transposed + i;
        for (ptrdiff_t j = 0; j < fan_out; j++)
            packed[j] = w[j];
        for (ptrdiff_t j = 0; (passes_on || fan_out == 1) && j < fan_out; j++)
            column[j * in_stride] = w[j];
    }
    for (ptrdiff_t j = 0; l->b && j < fan_out; j++)
        l->bias[j] = l->b[j];
}

/* Copy the gradient from its padded rows, with that of the penalty. */
VECTORISED
void NAME(unpack)(NAME(Layer) *l, REAL alpha)
{
    const ptrdiff_t fan_out = l->fan_out, stride = fan_out == 1 ? 1 : l->out_stride;
    for (ptrdiff_t i = 0; i < l->fan_in; i++) {
        const REAL *RESTRICT g = l->gradient + i * stride, *RESTRICT w = l->W + i * fan_out;
        REAL *RESTRICT unpacked = l->W_gradient + i * fan_out;
        for (ptrdiff_t j = 0; j < fan_out; j++)
            unpacked[j] = alpha != 0 ? g[j] + alpha * w[j] : g[j];
    }
}

/* Copy the rows of a batch to x, their columns scaled. */
VECTORISED
void NAME(gather)(const NetworkEpoch *e, REAL *RESTRICT x, ptrdiff_t first, ptrdiff_t n)
{
    const ptrdiff_t width = e->sizes[0], stride = PADDED(width), step = e->column_stride;
    const REAL *center = e->center, *scale = e->scale;
    for (ptrdiff_t i = 0; i < n; i++, x += stride) {
        const ptrdiff_t number = e->x_order ? e->x_order[first + i] : ROW(e, first + i);
        const REAL *row = (const REAL *) e->X + number * e->row_stride;
        if (step == 1)
            for (ptrdiff_t j = 0; j < width; j++)
                x[j] = row[j];
        else
            for (ptrdiff_t j = 0; j < width; j++)
                x[j] = row[j * step];
        if (scale)
            for (ptrdiff_t j = 0; j < width; j++)
                x[j] = (x[j] - center[j]) / scale[j];
        if (scale && e->squash)
            for (ptrdiff_t j = 0; j < width; j++) {
                REAL z = x[j];
                z = z < (REAL) -FAR_AWAY ? (REAL) -FAR_AWAY : z;
                z = z > (REAL) FAR_AWAY ? (REAL) FAR_AWAY : z;
                const REAL in_knees = z / (REAL) KNEE;
                x[j] = z / ROOT(in_knees * in_knees + 1);
            }
    }
}

/* Draw the masks of a layer for n rows of the current step, as `Dropout` does. */
static void NAME(draw_mask)(const NetworkEpoch *e, NAME(Layer) *l, int number, ptrdiff_t n)
{
    const ptrdiff_t blocks = (l->fan_out + 7) / 8;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t block = 0; block < blocks; block++) {
            uint32_t drawn[8];
            philox(drawn, e->key, (uint64_t) (i * blocks + block + 1), (uint64_t) number,
                   (uint64_t) e->step);
            for (ptrdiff_t j = block * 8; j < block * 8 + 8 && j < l->fan_out; j++)
                l->mask[i * l->out_stride + j] = drawn[j % 8] >= l->threshold ? l->kept : 0;
        }
}

/* c = a * b, elementwise. */
VECTORISED
void NAME(multiply)(REAL *c, const REAL *a, const REAL *b, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        c[i] = a[i] * b[i];
}

static void NAME(forward)(const NetworkEpoch *e, NAME(Layer) *layers, ptrdiff_t n)
{
    for (int k = 0; k < e->n_layers; k++) {
        NAME(Layer) *l = layers + k;
        const ptrdiff_t size = n * l->out_stride;
        if (l->fan_out == 1) {
            memset(l->outputs, 0, size * sizeof(REAL));
            NAME(dots)(l->outputs, l->out_stride, l->inputs, l->in_stride, l->transposed,
                       l->in_stride / LANES, n, l->bias[0]);
        } else
            NAME(product)(l->outputs, l->out_stride, l->inputs, l->in_stride, 1, l->packed,
                          l->out_stride, n, l->fan_in, l->out_stride, l->bias);
        if (l->activation == AFFINE) {
            const REAL *mean = e->mean, *spread = e->spread;
            for (ptrdiff_t i = 0; i < n; i++)
                for (ptrdiff_t j = 0; j < l->fan_out; j++) {
                    REAL *z = l->outputs + i * l->out_stride + j;
                    *z = *z * spread[j] + mean[j];
                    l->slopes[i * l->out_stride + j] = spread[j];
                }
        } else
            NAME(activate)(l->activation, l->parameter, l->outputs, l->slopes, size);
        if (l->threshold) {
            NAME(draw_mask)(e, l, k, n);
            NAME(multiply)(l->passed_on, l->outputs, l->mask, size);
        }
    }
}

/* The value of the loss of one prediction, and its slope. */
INLINE double NAME(element_loss)(const NetworkEpoch *e, REAL y, REAL p, ptrdiff_t j, REAL *slope)
{
    const REAL error = p - y, size = error < 0 ? -error : error;
    switch (e->loss_kind) {
    case ABSOLUTE_ERROR:
        *slope = (REAL) ((error > 0) - (error < 0));
        return size;
    case HUBER: {
        const REAL delta = (REAL) e->loss_parameters[0], near = size < delta ? size : delta;
        *slope = error < -delta ? -delta : error > delta ? delta : error;
        return near * (size - near / 2);
    }
    case PINBALL: {
        const REAL q = (REAL) e->loss_parameters[e->n_levels > 1 ? j : 0];
        *slope = error < 0 ? -q : error > 0 ? 1 - q : 0;
        return error < 0 ? q * size : (1 - q) * size;
    }
    case LOG_COSH: {
        const REAL decay = NAME(expm1)(-2 * size);
        const REAL half = (REAL) 0.5 * size, sinh = (REAL) 0.5 * (NAME(expm1)(half) - NAME(expm1)(-half));
        *slope = NAME(tanh)(error);
        return size < 1 ? LOG1P(2 * sinh * sinh)
                        : size + LOG1P(1 + decay) - (REAL) 0.69314718055994531;
    }
    case POISSON: {
        const REAL m = NAME(exp)(p);
        *slope = m - y;
        return m - y * p + y * ((y > 0 ? LOG(y) : 0) - 1);
    }
    case BINARY_LOG_LOSS: {
        const REAL far = p < 0 ? -p : p;
        *slope = NAME(sigmoid)(p) - y;
        return (p > 0 ? p : 0) - p * y + LOG1P(NAME(exp)(-far));
    }
    default: /* the squared error */
        *slope = error + error;
        return error * error;
    }
}

/* The log loss of one row, and its slopes, by the softmax. */
INLINE double NAME(softmax_loss)(const REAL *y, const REAL *z, ptrdiff_t width, REAL *slopes)
{
    REAL top = z[0], total = 0, weight = 0;
    double value = 0;
    for (ptrdiff_t j = 1; j < width; j++)
        top = z[j] > top || z[j] != z[j] ? z[j] : top;
    for (ptrdiff_t j = 0; j < width; j++) {
        slopes[j] = NAME(exp)(z[j] - top);
        total += slopes[j];
        weight += y[j];
    }
    const REAL log_total = LOG(total);
    for (ptrdiff_t j = 0; j < width; j++) {
        value += y[j] * (log_total - (z[j] - top));
        slopes[j] = slopes[j] * (weight / total) - y[j];
    }
    return value;
}

/* The targets of a row: those given, the same one for several quantiles, or 1 for its class. */
INLINE void NAME(targets)(const NetworkEpoch *e, ptrdiff_t row, ptrdiff_t width, REAL *target)
{
    const REAL *y = e->codes ? 0 : (const REAL *) e->y + row * e->n_targets;
    for (ptrdiff_t j = 0; j < width; j++)
        target[j] = y ? y[e->n_targets > 1 ? j : 0]
                      : (REAL) (e->codes[row] == j + (width == 1) ? e->high : e->low);
}

/* Set the delta of the last layer, the slopes of the loss; return the summed loss of the batch. The
   weight that the slopes are divided by is the mean one times the number of rows, or the total. */
static double NAME(losses)(
    const NetworkEpoch *e, NAME(Layer) *l, REAL *target, ptrdiff_t first, ptrdiff_t n)
{
    const ptrdiff_t width = l->fan_out;
    const double factor = e->factor / (e->total_weight ? e->total_weight : n * e->mean_weight);
    double total = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t row = ROW(e, first + i);
        const REAL *p = l->outputs + i * l->out_stride;
        REAL *slopes = l->delta + i * l->out_stride;
        const double weight = e->weights ? e->weights[row] : 1;
        double value = 0;
        NAME(targets)(e, row, width, target);
        if (e->loss_kind == SOFTMAX_LOG_LOSS)
            value = NAME(softmax_loss)(target, p, width, slopes);
        else
            for (ptrdiff_t j = 0; j < width; j++)
                value += NAME(element_loss)(e, target[j], p[j], j, slopes + j);
        const REAL scale = (REAL) (factor * weight); /* weights alone may be beyond the type */
        for (ptrdiff_t j = 0; j < width; j++)
            slopes[j] *= scale;
        total += weight * value;
    }
    return total / e->divisor;
}

static void NAME(backward)(const NetworkEpoch *e, NAME(Layer) *layers, ptrdiff_t n)
{
    for (int k = e->n_layers - 1; k >= 0; k--) {
        NAME(Layer) *l = layers + k;
        if (l->threshold)
            NAME(multiply)(l->delta, l->delta, l->mask, n * l->out_stride);
        NAME(multiply_and_sum)(l->delta, l->slopes, l->sums, n, l->out_stride);
        for (ptrdiff_t j = 0; l->b && j < l->fan_out; j++)
            l->b_gradient[j] = l->sums[j];
        if (l->fan_out == 1)
            NAME(product)(l->gradient, l->in_stride, l->delta, 0, l->out_stride, l->inputs,
                          l->in_stride, 1, n, l->in_stride, 0);
        else
            NAME(product)(l->gradient, l->out_stride, l->inputs, 1, l->in_stride, l->delta,
                          l->out_stride, l->fan_in, n, l->out_stride, 0);
        NAME(unpack)(l, (REAL) e->alpha);
        if (k)
            NAME(product)(layers[k - 1].delta, l->in_stride, l->delta, l->out_stride, 1,
                          l->transposed, l->in_stride, n, l->fan_out, l->in_stride, 0);
    }
}

/* Move the n parameters down the gradient. */
VECTORISED
void NAME(solver_step)(NetworkEpoch *e, ptrdiff_t n)
{
    REAL *RESTRICT w = e->parameters, *RESTRICT g = e->gradient;
    REAL *RESTRICT first = e->state_1, *RESTRICT second = e->state_2;
    const double *with = e->solver_parameters;
    const REAL rate = (REAL) e->rate;
    switch (e->solver) {
    case MOMENTUM:
        for (ptrdiff_t i = 0; i < n; i++) {
            first[i] = first[i] * (REAL) with[0] - g[i] * rate;
            w[i] += first[i];
        }
        break;
    case NESTEROV:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL step = g[i] * rate;
            first[i] = (first[i] - step) * (REAL) with[0];
            w[i] = w[i] - step + first[i];
        }
        break;
    case ADAGRAD:
        for (ptrdiff_t i = 0; i < n; i++) {
            first[i] += g[i] * g[i];
            w[i] -= g[i] / (ROOT(first[i]) + (REAL) with[0]) * rate;
        }
        break;
    case RMSPROP:
        for (ptrdiff_t i = 0; i < n; i++) {
            first[i] = first[i] * (REAL) with[0] + (REAL) (1 - with[0]) * (g[i] * g[i]);
            w[i] -= g[i] / (ROOT(first[i]) + (REAL) with[1]) * rate;
        }
        break;
    case ADAM: {
        const double t = (double) ++e->solver_steps;
        const double corrected = e->rate * (sqrt(1 - pow(with[1], t)) / (1 - pow(with[0], t)));
        const REAL shrunk = (REAL) (1 - e->rate * with[3]);
        const REAL beta_1 = (REAL) with[0], beta_2 = (REAL) with[1], epsilon = (REAL) with[2];
        const REAL rest_1 = (REAL) (1 - with[0]), rest_2 = (REAL) (1 - with[1]);
        for (ptrdiff_t i = 0; i < n; i++) {
            first[i] = beta_1 * first[i] + rest_1 * g[i];
            second[i] = beta_2 * second[i] + rest_2 * (g[i] * g[i]);
            w[i] = w[i] * shrunk - (REAL) corrected * (first[i] / (ROOT(second[i]) + epsilon));
        }
        break;
    }
    default: /* gradient descent */
        for (ptrdiff_t i = 0; i < n; i++)
            w[i] -= rate * g[i];
    }
}

/* Return the size of the room that an epoch needs, in bytes. */
size_t NAME(network_room)(const NetworkEpoch *e)
{
    ptrdiff_t n = PADDED(e->sizes[e->n_layers]) + e->batch_size * PADDED(e->sizes[0]);
    for (int l = 0; l < e->n_layers; l++) {
        const ptrdiff_t fan_in = e->sizes[l], fan_out = e->sizes[l + 1];
        n += 2 * fan_in * PADDED(fan_out) + fan_out * PADDED(fan_in) + PADDED(fan_in);
        n += (2 + 5 * e->batch_size) * PADDED(fan_out);
    }
    return (size_t) n * sizeof(REAL) + VECTOR_BYTES;
}

/* Lay out the buffers from the first aligned byte of the room on; return the last, one row of
   targets. */
static REAL *NAME(begin)(const NetworkEpoch *e, NAME(Layer) *layers, REAL **x)
{
    const uintptr_t aligned = ((uintptr_t) e->room + VECTOR_BYTES - 1) & ~(uintptr_t) (VECTOR_BYTES - 1);
    return (REAL *) NAME(lay_out)(e, layers, x, (char *) aligned);
}

/* Run the steps of the batches from row number `first` to `last` of the epoch's order. */
void NAME(network_steps)(NetworkEpoch *e, ptrdiff_t first, ptrdiff_t last)
{
    NAME(Layer) layers[MAX_LAYERS];
    REAL *x, *target = NAME(begin)(e, layers, &x);
    ptrdiff_t n_parameters = 0;
    for (int k = 0; k < e->n_layers; k++)
        n_parameters += (layers[k].fan_in + e->biases) * layers[k].fan_out;
    for (; first < last && isfinite(e->loss); first += e->batch_size) {
        const ptrdiff_t n = last - first < e->batch_size ? last - first : e->batch_size;
        if (!has_weight(e, first, n))
            continue;
        NAME(gather)(e, x, first, n);
        for (int k = 0; k < e->n_layers; k++)
            NAME(pack)(layers + k, k > 0);
        NAME(forward)(e, layers, n);
        e->loss += NAME(losses)(e, layers + e->n_layers - 1, target, first, n);
        NAME(backward)(e, layers, n);
        NAME(solver_step)(e, n_parameters);
        e->step++;
    }
}

/* Add the losses of the rows from number `first` to `last`, without a step. */
void NAME(network_losses)(NetworkEpoch *e, ptrdiff_t first, ptrdiff_t last)
{
    NAME(Layer) layers[MAX_LAYERS];
    REAL *x, *target = NAME(begin)(e, layers, &x);
    for (int k = 0; k < e->n_layers; k++)
        NAME(pack)(layers + k, 0);
    for (; first < last; first += e->batch_size) {
        const ptrdiff_t n = last - first < e->batch_size ? last - first : e->batch_size;
        NAME(gather)(e, x, first, n);
        NAME(forward)(e, layers, n);
        e->loss += NAME(losses)(e, layers + e->n_layers - 1, target, first, n);
    }
}

/* Add the losses and the gradients of the rows from number `first` to `last` to the loss and, with
   that of the penalty once, to `sum`. */
void NAME(network_gradient)(NetworkEpoch *e, double *sum, ptrdiff_t first, ptrdiff_t last)
{
    NAME(Layer) layers[MAX_LAYERS];
    REAL *x, *target = NAME(begin)(e, layers, &x);
    const NAME(Layer) *end = layers + e->n_layers - 1;
    const ptrdiff_t n_parameters = end->W + (end->fan_in + e->biases) * end->fan_out - layers[0].W;
    for (int k = 0; k < e->n_layers; k++)
        NAME(pack)(layers + k, k > 0);
    for (; first < last; first += e->batch_size) {
        const ptrdiff_t n = last - first < e->batch_size ? last - first : e->batch_size;
        NAME(gather)(e, x, first, n);
        NAME(forward)(e, layers, n);
        e->loss += NAME(losses)(e, layers + e->n_layers - 1, target, first, n);
        NAME(backward)(e, layers, n);
        for (ptrdiff_t i = 0; i < n_parameters; i++)
            sum[i] += ((const REAL *) e->gradient)[i];
        e->alpha = 0;
    }
}
