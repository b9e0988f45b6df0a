"""The graph that converters write to: nodes by name, and constants in the right precision."""

from __future__ import annotations

from typing import Any

import numpy as np


class Graph:
    """The ONNX graph of one estimator, as the converter of an activation writes to it.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Gives out names.
    operator : skl2onnx.common._topology.Operator
        The estimator, with its inputs and outputs.
    container : skl2onnx.common._container.ModelComponentContainer
        Holds the nodes.

    Attributes
    ----------
    dtype : dtype
        What the graph computes in: float64 where its input is of doubles, else float32.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self._scope, self._container = scope, container
        self.dtype = precision(operator)

    def node(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node to the graph.

        Parameters
        ----------
        kind : str
            An ONNX operator, as ``"Tanh"`` or ``"Add"``.
        *inputs : str, number or ndarray
            The name of a node's output; or a constant, in the graph's precision. An array of
            integers stays one, as the operator ``"ReduceSum"`` wants its axes. Only the last
            ones, where the operator can do without, may be left out.
        **attributes : Any
            The operator's attributes.

        Returns
        -------
        name : str
            The name of the node's output.

        Raises
        ------
        TypeError
            For None or an empty name in place of an input.
        ValueError
            For a finite constant that overflows the graph's precision.
        """
        if any(each is None or (isinstance(each, str) and not each) for each in inputs):
            raise TypeError(
                f"Inputs of {kind!r} cannot be left out by None or ''. Got {list(inputs)}. Give "
                "all, such as -inf for a lower bound, or leave out the last ones only."
            )
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        name = self._name(kind)
        self._container.add_node(kind, names, name, name=self._name(kind), **attributes)
        return name

    def _constant(self, value: Any) -> str:
        from onnx import numpy_helper

        given = array = np.asarray(value)
        if isinstance(value, np.ndarray) and array.dtype.kind == "i":
            array = array.astype(np.int64)
        else:
            with np.errstate(over="ignore"):
                array = array.astype(self.dtype)
            if np.isinf(array[np.isfinite(given)]).any():
                raise ValueError(
                    f"The model has a weight that overflows {self.dtype}, the precision of its "
                    "input. Give DoubleTensorType as the input's type."
                )
        name = self._name("constant")
        tensor = numpy_helper.from_array(np.ascontiguousarray(array))
        self._container.add_initializer(name, tensor.data_type, array.shape, tensor)
        return name

    def _name(self, kind: str) -> str:
        return str(self._scope.get_unique_variable_name(f"gd_{kind.lower()}"))


def rows_of(graph: Graph, operator: Any) -> str:
    """Return the name of X: of real numbers, in one piece."""
    names = [_as_real(graph, variable) for variable in operator.inputs]
    return names[0] if len(names) == 1 else graph.node("Concat", *names, axis=1)


def _as_real(graph: Graph, variable: Any) -> str:
    from skl2onnx.common.data_types import guess_proto_type

    real = real_type(graph.dtype)
    name = str(variable.full_name)
    if isinstance(variable.type, real):
        return name
    return graph.node("Cast", name, to=guess_proto_type(real()))


def constant_labels(graph: Graph, labels: list[str]) -> str:
    """Add strings to the graph; return their name."""
    from onnx import TensorProto

    name = graph._name("labels")
    encoded = [label.encode("utf-8") for label in labels]
    graph._container.add_initializer(name, TensorProto.STRING, [len(labels)], encoded)
    return name


def make_output(graph: Graph, name: str, variable: Any) -> None:
    """Make `name` one of the estimator's outputs."""
    graph._container.add_node("Identity", name, variable.full_name, name=graph._name("Identity"))


def precision(operator: Any) -> np.dtype[Any]:
    """Return what an estimator computes in: in doubles, where some of its input are."""
    doubles = real_type(np.float64)
    any_doubles = any(isinstance(variable.type, doubles) for variable in operator.inputs)
    return np.dtype(np.float64 if any_doubles else np.float32)


def real_type(dtype: Any) -> Any:
    """Return skl2onnx's name of a real type."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if dtype == np.float64 else FloatTensorType
