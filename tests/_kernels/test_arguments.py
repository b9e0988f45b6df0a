"""The loops check the shapes of their arguments."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gd import (
    _kernels,
)
from sklearn_gd._kernels import reference

KERNELS = {"pure": reference}
if _kernels.COMPILED:
    KERNELS["compiled"] = _kernels.kernels


def epoch_arguments(**changes):
    """Return what an epoch of three neurons over 5 rows of 4 columns is handed."""
    given = {
        "codes": np.array([0, 1, 2, 1, 0], np.int32),
        "weights": np.ones(5),
        "class_weight": np.ones(3),
        "order": np.arange(5),
        "coef": np.zeros((4, 3)),
        "intercept": np.zeros(3),
        "rate": 1.0,
        "decays": False,
        "decay": 1.0,
        "fit_intercept": True,
        "average": True,
        "coef_sum": np.zeros((4, 3)),
        "intercept_sum": np.zeros(3),
        "visits": 0,
    }
    return list({**given, **changes}.values())


DENSE = np.arange(20.0).reshape(5, 4)
CSR = sparse.csr_array(DENSE)

WRONG_EPOCHS = {
    "codes too few": ("codes", np.zeros(4, np.int32)),
    "codes too large": ("codes", np.array([0, 1, 2, 3, 0], np.int32)),
    "codes negative": ("codes", np.array([0, 1, -1, 1, 0], np.int32)),
    "weights too few": ("weights", np.ones(3)),
    "class_weight too short": ("class_weight", np.ones(1)),
    "order beyond": ("order", np.array([0, 5])),
    "order negative": ("order", np.array([-1])),
    "coef too short": ("coef", np.zeros((3, 3))),
    "coef too wide": ("coef", np.zeros((4, 4))),
    "intercept too short": ("intercept", np.zeros(1)),
    "coef_sum too small": ("coef_sum", np.zeros((1, 1))),
    "intercept_sum too short": ("intercept_sum", np.zeros(1)),
}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("case", WRONG_EPOCHS)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_an_epoch_names_what_does_not_fit(kernels, case, is_sparse):
    name, value = WRONG_EPOCHS[case]
    if is_sparse and case == "coef too short":  # the width of a CSR matrix is not in its arrays
        return
    loops = KERNELS[kernels]
    rows = (CSR.data, CSR.indices, CSR.indptr) if is_sparse else (DENSE,)
    run = loops.rosenblatt_sparse if is_sparse else loops.rosenblatt_dense
    given = epoch_arguments()
    run(*rows, *given)
    # A wider `coef` makes everything else too narrow.
    expected = "intercept" if case == "coef too wide" else name
    with pytest.raises(ValueError, match=rf"^{expected} must"):
        run(*rows, *epoch_arguments(**{name: value}))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("data", "columns", "starts"),
    [
        (CSR.data[:-1], CSR.indices, CSR.indptr),
        (CSR.data, CSR.indices[:-1], CSR.indptr),
        (CSR.data, CSR.indices, np.append(CSR.indptr[:-1], 999).astype(CSR.indptr.dtype)),
        (CSR.data, CSR.indices, np.append(-1, CSR.indptr[1:]).astype(CSR.indptr.dtype)),
        (CSR.data, CSR.indices, CSR.indptr[:0]),
    ],
)
def test_loops_over_csr_need_as_many_values_as_the_starts_say(kernels, data, columns, starts):
    loops = KERNELS[kernels]
    with pytest.raises(ValueError, match="data and indices must be of one length"):
        loops.rosenblatt_sparse(data, columns, starts, *epoch_arguments())
    with pytest.raises(ValueError, match="data and indices must be of one length"):
        loops.gram(data, columns, starts, np.zeros((4, 4)))


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_other_loops_name_what_does_not_fit(kernels):
    loops, flat = KERNELS[kernels], np.zeros(6)
    z, short = np.zeros((3, 4)), np.zeros(3)
    for name, call in {
        "b": lambda: loops.bias_relu(z, short),
        "a": lambda: loops.relu_backward(z, np.zeros((3, 3)), np.zeros(4)),
        "sums": lambda: loops.relu_backward(z, z, short),
        "gradient": lambda: loops.sgd_step(flat, short, 0.1),
        "means": lambda: loops.adam(flat, flat, short, flat, 0.1, 0.9, 0.999, 1e-8),
        "squares": lambda: loops.adam(flat, flat, flat, short, 0.1, 0.9, 0.999, 1e-8),
        "total": lambda: loops.moments(z, np.zeros((3, 1)), np.zeros((4, 4))),
        "y": lambda: loops.moments(z, np.zeros((2, 1)), np.zeros((5, 5))),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be of shape"):
            call()
    with pytest.raises(ValueError, match=r"^total must be of shape"):
        loops.gram(CSR.data, CSR.indices, CSR.indptr, np.zeros((4, 3)))
    loops.sgd_step(flat[:0], flat[:0], 0.1)  # nothing to do is no error
