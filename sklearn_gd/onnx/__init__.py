"""Export to ONNX: fitted models that run without scikit-learn, and without Python.

:func:`register` registers the estimators of this package with skl2onnx; ``skl2onnx.to_onnx`` then
converts them, alone or as a step of a pipeline. This needs skl2onnx, and the result runs in
onnxruntime or any other ONNX runtime: ``pip install 'sklearn-gd[onnx]'``.

Every built-in activation has a converter. A custom activation needs one too: a
function that builds the same computation from ONNX operators, given to
:func:`register_activation`:

>>> import numpy as np
>>> from sklearn_gd.activations import Activation
>>> from sklearn_gd.onnx import register_activation
>>> class Sine(Activation):
...     def __init__(self, frequency=1.0):
...         self.frequency = frequency
...     def __call__(self, z):
...         return np.sin(self.frequency * z)
...     def derivative(self, z, a):
...         return self.frequency * np.cos(self.frequency * z)
>>> def sine_to_onnx(activation, z, graph):
...     return graph.node("Sin", graph.node("Mul", z, activation.frequency))
>>> register_activation(Sine, sine_to_onnx)
"""

from sklearn_gd.onnx._activations import register_activation
from sklearn_gd.onnx._estimators import register
from sklearn_gd.onnx._graph import Graph

__all__ = ["Graph", "register", "register_activation"]
