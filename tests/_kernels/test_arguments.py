"""The loops check the shapes of their arguments."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gd import _kernels
from sklearn_gd._kernels import reference
from sklearn_gd._models.compiled import CompiledEpochs, compiled
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import ColumnScaling
from sklearn_gd.activations import Identity, Tanh
from sklearn_gd.losses import SquaredError
from sklearn_gd.solvers import Adam

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


# --- epochs of networks -----------------------------------------------------------------------


@pytest.fixture
def network_arguments(monkeypatch):
    """Return what an epoch of a network of sizes 4, 3, 2 over 5 rows is handed."""
    if not _kernels.NETWORK_LAYERS:
        pytest.skip("the loops are not compiled")
    network = Network((4, 3, 2), [Tanh(), Identity()], SquaredError(), 0.0, np.float64)
    network.dropout = Dropout([0.5], key=1)
    network.columns = ColumnScaling(np.zeros(4), np.ones(4), squash=True)
    objective = Rows(DENSE, DENSE[:, :2].copy(), np.ones(5)).objective(network)
    solver, taken = Adam(), []
    solver.start(network.size, np.float64)
    monkeypatch.setattr("sklearn_gd._models.compiled._SCALED_AT_ONCE", 0)
    batches = objective.batches(2, np.random.default_rng(0))
    run = _kernels.network_epoch
    monkeypatch.setattr(_kernels, "network_epoch", lambda *args: taken.extend(args) or run(*args))
    CompiledEpochs(compiled(objective), batches, solver).run(np.zeros(network.size), 0.1, 0)
    return taken


def with_one_changed(arguments, name, value):
    """Return arguments with one of them, or one of the numbers in a tuple, replaced."""
    if isinstance(name, int):
        return [value if i == name else each for i, each in enumerate(arguments)]
    return [
        each._replace(**{name: value}) if name in getattr(each, "_fields", ()) else each
        for each in arguments
    ]


# Places of arguments that are in no tuple.
PARAMETERS, ORDER, X_ORDER, BATCH_SIZE = 0, 4, 5, 6
WRONG_NETWORKS = {
    "too few sizes": ("sizes", np.array([4])),
    "too many sizes": ("sizes", np.full(40, 2)),
    "a size of 0": ("sizes", np.array([4, 0, 2])),
    "activations": ("activations", np.zeros(1, np.int32)),
    "activation_parameters": ("activation_parameters", np.zeros(3)),
    "parameters": (PARAMETERS, np.zeros(5)),
    "mean": ("mean", np.zeros(1)),
    "spread": ("spread", np.zeros(3)),
    "an affine output without mean": ("activations", np.array([2, 10], np.int32)),
    "center": ("center", np.zeros(3)),
    "scale without center": ("center", np.zeros(0)),
    "thresholds": ("thresholds", np.zeros(2, np.uint32)),
    "quantiles": ("loss_parameters", np.zeros(3)),
    "no loss_parameters": ("loss_parameters", np.zeros(0)),
    "X": ("X", np.zeros((5, 3))),
    "y of other columns": ("y", np.zeros((5, 3))),
    "y of fewer rows": ("y", np.zeros((4, 2))),
    "weights": ("weights", np.zeros(4)),
    "order beyond": (ORDER, np.array([0, 1, 2, 3, 5])),
    "order negative": (ORDER, np.array([0, 1, 2, 3, -1])),
    "x_order too short": (X_ORDER, np.array([0, 1])),
    "x_order beyond": (X_ORDER, np.array([0, 1, 2, 3, 5])),
    "no rows": ("X", np.zeros((0, 4))),
    "no batch": (BATCH_SIZE, 0),
    "solver_parameters": ("parameters", np.zeros(3)),
    "state_1": ("state_1", np.zeros(0)),
    "state_2": ("state_2", np.zeros(3)),
}


@pytest.mark.parametrize("case", WRONG_NETWORKS)
def test_an_epoch_of_a_network_refuses_what_does_not_fit(network_arguments, case):
    run = _kernels.kernels.network_epoch
    run(*network_arguments)
    with pytest.raises(ValueError, match=r"must|order"):
        run(*with_one_changed(network_arguments, *WRONG_NETWORKS[case]))


def test_the_objective_of_a_network_refuses_what_does_not_fit(network_arguments):
    parameters, network, rows, *_ = network_arguments
    given = [parameters, network, rows, np.arange(5), 5.0, np.zeros(len(parameters))]
    run = _kernels.kernels.network_objective
    run(*given)
    for place, wrong in (
        (0, parameters[:-1]),
        (2, rows._replace(X=DENSE[:, :3])),
        (2, rows._replace(y=rows.y[:4])),
        (3, np.array([0, 1, 2, 3, 5])),
        (3, np.array([0, -1, 2, 3, 4])),
        (5, np.zeros(3)),
    ):
        with pytest.raises(ValueError, match=r"must|order"):
            run(*with_one_changed(given, place, wrong))


def test_rows_in_order_are_as_many_as_there_are(network_arguments):
    run, nothing = _kernels.kernels.network_epoch, np.zeros(0, np.intp)
    arguments = with_one_changed(network_arguments, ORDER, nothing)
    run(*arguments)
    with pytest.raises(ValueError, match="X must be of shape"):
        run(*with_one_changed(arguments, "X", DENSE[:3]))
