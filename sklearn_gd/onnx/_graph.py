"""The ONNX graph that converters add nodes and constants to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sklearn_gd._pieces import Array, DType

if TYPE_CHECKING:
    from skl2onnx.common._container import ModelComponentContainer as Container
    from skl2onnx.common._topology import Operator, Scope, Variable
    from skl2onnx.common.data_types import TensorType


class Graph:
    """ONNX graph of one estimator, to which converters add nodes.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Source of unique names.
    operator : skl2onnx.common._topology.Operator
        The estimator with its inputs and outputs.
    container : skl2onnx.common._container.ModelComponentContainer
        Container of the nodes.

    Attributes
    ----------
    dtype : dtype
        Precision of the computation: float64 if an input is float64, else float32.
    """

    def __init__(self, scope: Scope, operator: Operator, container: Container) -> None:
        self._scope, self._container = scope, container
        self.dtype, _ = precision(operator)

    def node(self, kind: str, *inputs: str | float | Array, **attributes: object) -> str:
        """Add a node to the graph.

        Parameters
        ----------
        kind : str
            Name of an ONNX operator, such as ``"Tanh"`` or ``"Add"``.
        *inputs : str, number or ndarray
            Names of other nodes' outputs, or constants. Constants get the graph's precision;
            arrays of integers stay integers, for example the axes of ``"ReduceSum"``. Only
            trailing optional inputs may be omitted.
        **attributes : object
            Attributes of the operator.

        Returns
        -------
        name : str
            Name of the node's output.

        Raises
        ------
        TypeError
            If an input is None or an empty name.
        ValueError
            If a finite constant overflows the graph's precision.
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

    def _constant(self, value: float | Array) -> str:
        from onnx import numpy_helper

        if isinstance(value, np.ndarray) and value.dtype.kind == "i":
            array = value.astype(np.int64)
        else:
            with np.errstate(over="ignore"):
                array = np.asarray(value).astype(self.dtype)
            if np.isinf(array[np.isfinite(value)]).any():
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


def add_input(graph: Graph, operator: Operator) -> str:
    """Add X to the graph, cast to its precision and concatenated; return its name."""
    from skl2onnx.common.data_types import guess_proto_type

    _, real = precision(operator)
    names = [
        variable.full_name
        if isinstance(variable.type, real)
        else graph.node("Cast", variable.full_name, to=guess_proto_type(real()))
        for variable in operator.inputs
    ]
    return names[0] if len(names) == 1 else graph.node("Concat", *names, axis=1)


def add_labels(graph: Graph, labels: list[str]) -> str:
    """Add strings to the graph; return their name."""
    from onnx import TensorProto

    name = graph._name("labels")
    encoded = [label.encode("utf-8") for label in labels]
    graph._container.add_initializer(name, TensorProto.STRING, [len(labels)], encoded)
    return name


def add_sorted(graph: Graph, name: str, n_columns: int) -> str:
    """Sort each row of a matrix; return the name of the result."""
    values, order = graph._name("sorted"), graph._name("order")
    graph._container.add_node(
        "TopK",
        [name, graph._constant(np.array([n_columns]))],
        [values, order],
        name=graph._name("TopK"),
        largest=0,
        op_version=11,
    )
    return values


def add_output(graph: Graph, name: str, variable: Variable) -> None:
    """Make `name` one of the estimator's outputs."""
    graph._container.add_node("Identity", name, variable.full_name, name=graph._name("Identity"))


def precision(operator: Operator) -> tuple[DType, type[TensorType]]:
    """Return the dtype and skl2onnx's type of the computation: float64 if an input is."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    if any(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs):
        return np.dtype(np.float64), DoubleTensorType
    return np.dtype(np.float32), FloatTensorType
