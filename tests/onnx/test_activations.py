"""Exported activations, built-in and custom, compute what the originals do."""

import numpy as np
import pytest

import sklearn_gd.onnx
from sklearn_gd import FeedForwardRegressor
from sklearn_gd.activations import _BUILT_IN, ELU, Activation, LeakyReLU, Tanh

SMOOTH = sorted(name for name, kind in _BUILT_IN.items() if kind.differentiable)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rows(dtype, n_samples=1000, n_features=6):
    return np.random.default_rng(0).normal(size=(n_samples, n_features)).astype(dtype)


def targets(X, n_outputs=None):
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3], X[:, 4]])
    return Y[:, 0] if n_outputs is None else Y[:, :n_outputs]


def network(X, y, **settings):
    return FeedForwardRegressor(max_iter=3, tol=None, random_state=0, **settings).fit(X, y)


def assert_same(output, expected, dtype, scale=None):
    """Compare to the precision of the type, relative to the largest output."""
    assert output.dtype == dtype
    assert output.shape == expected.shape
    assert np.isfinite(output).all()
    scale = max(1.0, np.abs(expected).max()) if scale is None else scale
    np.testing.assert_allclose(output, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def one_neuron(activation, z):
    """Return a network that is the activation itself."""
    net = FeedForwardRegressor(
        hidden_layer_sizes=(),
        output_activation=activation,
        standardize=False,
        max_iter=1,
        tol=None,
    ).fit(np.zeros((5, 1), z.dtype), np.zeros(5))
    net.coefs_[0][:], net.intercepts_[0][:] = 1, 0
    return net


@both_precisions
@pytest.mark.parametrize(
    "activation",
    [*SMOOTH, LeakyReLU(negative_slope=0.3), ELU(alpha=0.5)],
    ids=lambda f: f if isinstance(f, str) else type(f).__name__,
)
def test_every_activation_from_end_to_end(run, activation, dtype):
    large = np.array([1e-9, 1e-4, 16, 20, 88.8, 104, 709.9, 750, 1000, 1e30])
    z = np.concatenate([-large, [0], large, np.linspace(-12, 12, 4001)]).astype(dtype)[:, None]
    net = one_neuron(activation, z)
    with np.errstate(over="ignore", under="ignore"):
        expected = net.predict(z)
    (a,) = run(net, z)
    assert np.isfinite(expected).all()
    # Relative, down to the smallest; the gelu's own tail is the rounding of 1 + erf.
    atol = 10 * np.finfo(dtype).eps if activation == "gelu" else np.finfo(dtype).tiny
    np.testing.assert_allclose(a[:, 0], expected, rtol=TOLERANCE[dtype], atol=atol)


class Sine(Activation):
    def __init__(self, frequency=1.0):
        self.frequency = frequency

    def __call__(self, z):
        return np.sin(z.dtype.type(self.frequency) * z)

    def derivative(self, z, a):
        return z.dtype.type(self.frequency) * np.cos(z.dtype.type(self.frequency) * z)


class Faster(Sine):
    def __call__(self, z):
        return super().__call__(3 * z)


@both_precisions
@pytest.mark.filterwarnings("ignore:FeedForwardRegressor learned nothing")  # three epochs
def test_custom_activation(run, converters, dtype):
    def to_onnx(sine, z, graph):
        assert graph.dtype == dtype
        return graph.node("Sin", graph.node("Mul", z, sine.frequency))

    X = rows(dtype)
    net = network(X, targets(X), activation=Sine(2.0), learning_rate=0.001)
    with pytest.raises(ValueError, match=r"Sine\(frequency=2.0\) has no converter .*Sine, conv"):
        run(net, X)
    sklearn_gd.onnx.register_activation(Sine, to_onnx)
    (y_pred,) = run(net, X)
    assert_same(y_pred[:, 0], net.predict(X), dtype)
    with pytest.raises(ValueError, match="register_activation"):  # a derived class is another one
        run(network(X, targets(X), activation=Faster(), learning_rate=0.001), X)


def test_a_converter_returns_a_name(run, converters):
    X = rows(np.float32, 20)
    sklearn_gd.onnx.register_activation(Sine, lambda sine, z, graph: None)
    with pytest.raises(TypeError, match=r"converter of Sine\(\) must return the name .*Got None"):
        run(network(X, X[:, 0], activation=Sine()), X)


def test_wrong_activations_and_converters_are_refused():
    for wrong in ("tanh", Tanh(), int):
        with pytest.raises(TypeError, match="activation must be a class derived from"):
            sklearn_gd.onnx.register_activation(wrong, lambda f, z, graph: z)
    with pytest.raises(TypeError, match=r"convert must be a function .*Got 'Tanh'"):
        sklearn_gd.onnx.register_activation(Tanh, "Tanh")
