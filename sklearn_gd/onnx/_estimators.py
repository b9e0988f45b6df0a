"""Converters of the estimators; skl2onnx asks each for the output shapes, then for the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._base import Layer
from sklearn_gd._data.array_api import on_host
from sklearn_gd._feed_forward import FeedForwardRegressor
from sklearn_gd._feed_forward_classifier import FeedForwardClassifier
from sklearn_gd._models.scaling import FAR, KNEE, ColumnScaling
from sklearn_gd._perceptron import PerceptronClassifier
from sklearn_gd._pieces import Array
from sklearn_gd._through_origin import ThroughOriginRegressor
from sklearn_gd.activations import Activation, Sigmoid, Softmax
from sklearn_gd.onnx._activations import activate, softplus
from sklearn_gd.onnx._graph import (
    Graph,
    add_input,
    add_labels,
    add_output,
    add_sorted,
    precision,
)

if TYPE_CHECKING:
    from skl2onnx.common._container import ModelComponentContainer as Container
    from skl2onnx.common._topology import Operator, Scope, Variable
    from skl2onnx.common.data_types import TensorType

Classifier: TypeAlias = PerceptronClassifier | FeedForwardClassifier


def register() -> None:
    """Register the estimators of this package with skl2onnx; repeated calls change nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    A regressor has one output of shape (n_samples, n_outputs), which is (n_samples, 1) for
    one-dimensional y, as is usual in ONNX. A classifier has two: the labels of shape (n_samples,),
    and, of shape (n_samples, n_classes), the probabilities of ``predict_proba`` if it has that
    method, else the scores of ``decision_function``; for two classes the scores are (-z, z).
    skl2onnx's options for classifiers apply: ``zipmap``, ``raw_scores`` (scores instead of
    probabilities), ``nocl`` and ``output_class_labels``.

    The graph computes in the precision of its input: FloatTensorType or DoubleTensorType.

    Examples
    --------
    >>> from sklearn_gd import FeedForwardRegressor
    >>> from sklearn_gd.onnx import register
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> register()  # doctest: +SKIP
    >>> X = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    >>> net = FeedForwardRegressor(max_iter=5, tol=None, random_state=0).fit(X, X[:, 0])
    >>> model = to_onnx(net, X)  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError(
            "sklearn_gd.onnx.register needs skl2onnx: pip install 'sklearn-gd[onnx]'"
        ) from error
    for kind in (ThroughOriginRegressor, FeedForwardRegressor):
        alias = f"SklearnGd{kind.__name__}"
        update_registered_converter(kind, alias, _regressor_shapes, _convert_regressor)
    for kind in (PerceptronClassifier, FeedForwardClassifier):
        update_registered_converter(
            kind,
            f"SklearnGd{kind.__name__}",
            _classifier_shapes,
            _convert_classifier,
            parser=_parse_classifier,
            options={
                "zipmap": [True, False, "columns"],
                "raw_scores": [True, False],
                "nocl": [True, False],
                "output_class_labels": [False, True],
            },
        )


def _check_input(operator: Operator) -> tuple[int | None, type[TensorType]]:
    """Check the model and its input; return n_samples, None if it varies, and the type."""
    from skl2onnx.common.data_types import StringTensorType

    model, inputs = operator.raw_operator, operator.inputs
    check_is_fitted(model)
    name = type(model).__name__
    if any(isinstance(variable.type, StringTensorType) for variable in inputs):
        raise ValueError(f"{name} takes numbers. Got {[variable.type for variable in inputs]}.")
    columns = [variable.get_second_dimension() for variable in inputs]
    if None not in columns and sum(columns) != model.n_features_in_:
        raise ValueError(
            f"{name} was fitted on {model.n_features_in_} features. The input of the conversion "
            f"has {sum(columns)}."
        )
    return inputs[0].get_first_dimension(), precision(operator)[1]


def _regressor_shapes(operator: Operator) -> None:
    n_samples, real = _check_input(operator)
    n_outputs = operator.raw_operator.layers()[-1].coef.shape[1]
    operator.outputs[0].set_type(real([n_samples, n_outputs]))


def _convert_regressor(scope: Scope, operator: Operator, container: Container) -> None:
    graph = Graph(scope, operator, container)
    z, f = _last_layer(operator, graph)
    y_pred = activate(f, z, graph)
    levels = getattr(operator.raw_operator, "_levels", ())
    if levels:
        y_pred = add_sorted(graph, y_pred, len(levels))
    add_output(graph, y_pred, operator.outputs[0])


def _last_layer(operator: Operator, graph: Graph) -> tuple[str, Activation]:
    """Return the pre-activations of the last layer, and its activation."""
    a, columns = add_input(graph, operator), operator.raw_operator._columns()
    if columns is not None:
        a = _scale_columns(columns, a, graph)
    *hidden, last = operator.raw_operator.layers()
    for layer in hidden:
        a = activate(layer.activation, _weighted_sum(layer, a, graph), graph)
    return _weighted_sum(last, a, graph), last.activation


def _weighted_sum(layer: Layer, a: str, graph: Graph) -> str:
    z = graph.node("MatMul", a, on_host(layer.coef))
    return z if layer.intercept is None else graph.node("Add", z, on_host(layer.intercept))


def _scale_columns(columns: ColumnScaling, X: str, graph: Graph) -> str:
    """Return what the first layer gets for X."""
    center, scale = (on_host(a).astype(np.float64) for a in (columns.center, columns.scale))
    z = graph.node("Sub", X, center)
    rest = center - center.astype(graph.dtype)
    if rest.any():  # the rounding error of the center may be as large as the scale
        z = graph.node("Sub", z, rest)
    z = graph.node("Div", z, np.maximum(scale, np.finfo(graph.dtype).tiny))
    if not columns.squash:
        return z
    z = graph.node("Clip", z, -FAR, FAR)
    in_knees = graph.node("Div", z, KNEE)
    squares = graph.node("Mul", in_knees, in_knees)
    return graph.node("Div", z, graph.node("Sqrt", graph.node("Add", squares, 1.0)))


def _parse_classifier(
    scope: Scope,
    model: Classifier,
    inputs: list[Variable],
    custom_parsers: object = None,
) -> list[Variable]:
    """Check the model and its labels, which skl2onnx does not, and declare the outputs."""
    from skl2onnx._parse import _parse_sklearn_classifier

    check_is_fitted(model)
    if not getattr(model, "_one_axis", True):
        raise ValueError(
            f"{type(model).__name__} of label indicators has no ONNX form. Fit one classifier per "
            "label, or export the network's outputs from a FeedForwardRegressor."
        )
    _onnx_labels(model.classes_)
    return _parse_sklearn_classifier(scope, model, inputs, custom_parsers)


def _onnx_labels(classes: Array) -> list[str] | Array:
    """Return the labels in a type that ONNX has: strings, or integers of 64 bits."""
    if all(isinstance(label, str) for label in classes):
        return [str(label) for label in classes]
    if classes.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            labels = classes.astype(np.int64)
        if (labels == classes).all():
            return labels
    raise ValueError(
        "In ONNX, labels are strings or whole numbers. The classifier was fitted on the classes "
        f"{classes.tolist()} of dtype {classes.dtype}."
    )


def _classifier_shapes(operator: Operator) -> None:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType
    from skl2onnx.common.utils_classifier import get_label_classes

    n_samples, real = _check_input(operator)
    labels = _onnx_labels(get_label_classes(operator.scope_inst, operator.raw_operator))
    kind = StringTensorType if isinstance(labels, list) else Int64TensorType
    operator.outputs[0].set_type(kind([n_samples]))
    operator.outputs[1].set_type(real([n_samples, len(labels)]))


def _convert_classifier(scope: Scope, operator: Operator, container: Container) -> None:
    from onnx import TensorProto
    from skl2onnx.common.utils_classifier import get_label_classes

    graph, model = Graph(scope, operator, container), operator.raw_operator
    z, f = _last_layer(operator, graph)
    if isinstance(model, FeedForwardClassifier) and not isinstance(f, (Sigmoid, Softmax)):
        z = graph.node("Sub", activate(f, z, graph), 0.5)
    if len(model.classes_) == 2:
        positive = graph.node("Reshape", graph.node("Greater", z, 0.0), np.array([-1]))
        codes = graph.node("Cast", positive, to=TensorProto.INT64)
    else:
        codes = graph.node("ArgMax", z, axis=1, keepdims=0)
    labels = _onnx_labels(get_label_classes(scope, model))
    classes = add_labels(graph, labels) if isinstance(labels, list) else labels
    add_output(graph, graph.node("Gather", classes, codes), operator.outputs[0])
    raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
    if not raw and hasattr(model, "predict_proba"):
        scores = _probabilities(model, f, z, graph)
    elif len(model.classes_) == 2:
        scores = graph.node("Concat", graph.node("Neg", z), z, axis=1)
    else:
        scores = z
    add_output(graph, scores, operator.outputs[1])


def _probabilities(model: Classifier, f: Activation, z: str, graph: Graph) -> str:
    if len(model.classes_) == 2:
        p = activate(f, z, graph)
        return graph.node("Concat", graph.node("Sub", 1.0, p), p, axis=1)
    if type(f) is Sigmoid:
        return _softmax_of_log_sigmoid(model, z, graph)
    if isinstance(f, Softmax):
        return graph.node("Softmax", z, axis=1)
    p = activate(f, z, graph)
    sums = graph.node("ReduceSum", p, np.array([1]))
    quotients = graph.node("Div", p, sums)
    uniform = 1 / len(model.classes_)
    return graph.node("Where", graph.node("Greater", sums, 0.0), quotients, uniform)


def _softmax_of_log_sigmoid(model: Classifier, z: str, graph: Graph) -> str:
    """Return the sigmoids divided by their sum, also where they underflow in float32.

    In ``predict_proba`` a sigmoid is zero where exp(-z) overflows. Here all such sigmoids get the
    same, very low logarithm: if all of them are zero, the classes are equally probable.
    """
    log_p = graph.node("Neg", softplus(graph.node("Neg", z), graph))
    largest = np.finfo(np.result_type(graph.dtype, model.layers()[-1].coef.dtype)).max
    is_zero = graph.node("Less", z, -np.log(largest))
    return graph.node("Softmax", graph.node("Where", is_zero, -1e6, log_p), axis=1)
