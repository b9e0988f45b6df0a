/* exp, expm1 and the activations, in forms that compilers turn into vector code. Included once for
   each type of number, REAL. The kinds of activations are those of network_epoch.h. */

/* 2^n for the whole number n that was rounded by adding MAGIC to it. */
INLINE REAL NAME(power_of_two)(REAL rounded)
{
    NAME(bits) b;
    b.number = rounded;
    b.integer = (b.integer - NAME(magic_bits) + EXPONENT_BIAS) << MANTISSA_BITS; /* unsigned */
    return b.number;
}

/* exp(r) - 1 for |r| <= log(2) / 2: the Taylor series, whose next term is below half an ulp. */
INLINE REAL NAME(small_expm1)(REAL r)
{
    REAL q = NAME(inverse_factorial)[TERMS];
    for (int k = TERMS - 1; k > 1; k--)
        q = q * r + NAME(inverse_factorial)[k];
    return r + r * r * q;
}

/* exp(x) = 2^n exp(r) with x = n log(2) + r. The power has two factors, so that results that are
   subnormal, or overflow, are right too. */
INLINE REAL NAME(exp)(REAL x)
{
    x = x < LOWEST_EXPONENT ? LOWEST_EXPONENT : x;
    x = x > HIGHEST_EXPONENT ? HIGHEST_EXPONENT : x;
    const REAL n = (x * LOG2_E + MAGIC) - MAGIC;
    const REAL r = (x - n * LN2_HIGH) - n * LN2_LOW;
    const REAL half = (n * (REAL) 0.5 + MAGIC) - MAGIC;
    const REAL first = NAME(power_of_two)(half + MAGIC);
    const REAL second = NAME(power_of_two)((n - half) + MAGIC);
    return (1 + NAME(small_expm1)(r)) * first * second;
}

/* exp(x) = power + the rest that is returned, for x from -EXPM1_END to EXPM1_END; beyond, the value
   at the end. */
INLINE REAL NAME(exp_parts)(REAL x, REAL *power)
{
    x = x < -EXPM1_END ? -EXPM1_END : x;
    x = x > EXPM1_END ? EXPM1_END : x;
    const REAL n = (x * LOG2_E + MAGIC) - MAGIC;
    const REAL r = (x - n * LN2_HIGH) - n * LN2_LOW;
    *power = NAME(power_of_two)(n + MAGIC);
    return *power * NAME(small_expm1)(r);
}

INLINE REAL NAME(expm1)(REAL x)
{
    REAL power;
    const REAL rest = NAME(exp_parts)(x, &power);
    return rest + (power - 1);
}

INLINE REAL NAME(sigmoid)(REAL z)
{
    return 1 / (1 + NAME(exp)(-z));
}

/* tanh(|z|) = -e / d with e = exp(-2 |z|) - 1 and d = 2 + e, less what the two sums lose in rounding,
   for which a line is near enough to 1 / d. */
INLINE REAL NAME(tanh)(REAL z)
{
    REAL power;
    const REAL rest = NAME(exp_parts)(-2 * ABS(z), &power);
    const REAL e = rest + (power - 1), e_lost = rest - (e - (power - 1));
    const REAL d = 2 + e, d_lost = e - (d - 2) + e_lost;
    const REAL t = -e / d, inverse = (REAL) 1.457 - (REAL) 0.5 * d;
    return COPY_SIGN(t - (e_lost + t * d_lost) * inverse, z);
}

/* Replace n pre-activations by f(z), and set the slopes to f'(z). */
VECTORISED
void NAME(activate)(int kind, REAL parameter, REAL *RESTRICT z, REAL *RESTRICT slope, ptrdiff_t n)
{
    switch (kind) {
    case SIGMOID:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL a = NAME(sigmoid)(z[i]);
            z[i] = a;
            slope[i] = a * (1 - a);
        }
        break;
    case TANH:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL a = NAME(tanh)(z[i]);
            z[i] = a;
            slope[i] = 1 - a * a;
        }
        break;
    case RELU:
        for (ptrdiff_t i = 0; i < n; i++) {
            slope[i] = z[i] > 0 ? 1 : 0;
            z[i] = z[i] <= 0 ? 0 : z[i]; /* so that NaN stays NaN */
        }
        break;
    case LEAKY_RELU:
        for (ptrdiff_t i = 0; i < n; i++) {
            slope[i] = z[i] > 0 ? 1 : parameter;
            z[i] = z[i] <= 0 ? parameter * z[i] : z[i];
        }
        break;
    case ELU:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL below = parameter * NAME(expm1)(z[i] < 0 ? z[i] : 0);
            slope[i] = z[i] > 0 ? 1 : below + parameter;
            z[i] = z[i] <= 0 ? below : z[i];
        }
        break;
    case SOFTPLUS:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL above = z[i] > 0 ? z[i] : 0, size = z[i] < 0 ? -z[i] : z[i];
            slope[i] = NAME(sigmoid)(z[i]);
            z[i] = above + LOG1P(NAME(exp)(-size));
        }
        break;
    case SILU:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL s = NAME(sigmoid)(z[i]);
            slope[i] = s * (1 + z[i] * (1 - s));
            z[i] *= s;
        }
        break;
    case GELU:
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL share = (REAL) 0.5 * (1 + ERF(z[i] * (REAL) 0.70710678118654752));
            const REAL density = NAME(exp)((REAL) -0.5 * z[i] * z[i]);
            slope[i] = share + z[i] * density * (REAL) 0.39894228040143268;
            z[i] *= share;
        }
        break;
    case EXP:
        for (ptrdiff_t i = 0; i < n; i++)
            slope[i] = z[i] = NAME(exp)(z[i]);
        break;
    default: /* the identity; AFFINE, which has numbers of its own, is in network.h */
        for (ptrdiff_t i = 0; i < n; i++)
            slope[i] = 1;
    }
}
