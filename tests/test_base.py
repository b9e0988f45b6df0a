"""In a notebook, estimators and pieces link to their pages and explain their parameters."""

import importlib
import inspect
import re

import numpy as np
import pytest
import sklearn
from sklearn.utils import estimator_html_repr
from sklearn.utils.fixes import parse_version

from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
    _pieces,
    activations,
    losses,
    schedules,
    solvers,
)
from sklearn_gd.activations import Activation, FunctionPair


def older_than(version):
    return parse_version(sklearn.__version__) < parse_version(version)


ESTIMATORS = [ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor]
PIECES = [
    piece
    for module in (activations, losses, solvers, schedules)
    for piece in module._BUILT_IN.values()
]

SITE = "https://example.org/stable/"


@pytest.fixture
def site(monkeypatch):
    """The documentation is published."""
    monkeypatch.setattr(_pieces, "SITE", SITE)


def page_of(kind):
    module = "sklearn_gd" if kind in ESTIMATORS else kind.__module__
    assert kind.__name__ in importlib.import_module(module).__all__
    return f"{SITE}generated/{module}.{kind.__name__}.html"


def constructor_parameters(kind):
    return [] if kind.__init__ is object.__init__ else list(inspect.signature(kind).parameters)


def explained(html):
    """Return what the diagram says of each name that has a tooltip, and where that name leads."""
    found = re.findall(
        r'class="param-doc-link"[^>]*?href="([^"]*)">\s*(\w+)\s*<span[^>]*>\s*(.*?)</span>',
        html,
        flags=re.DOTALL,
    )
    return {name: (link, text) for link, name, text in found}


@pytest.mark.parametrize("kind", ESTIMATORS + PIECES)
def test_there_is_no_link_while_no_site_is_up(kind):
    assert _pieces.SITE is None
    assert kind()._get_doc_link() == ""
    assert "href=" not in estimator_html_repr(kind())


@pytest.mark.usefixtures("site")
def test_the_addresses_are_those_of_the_published_pages():
    assert ThroughOriginRegressor()._get_doc_link() == (
        "https://example.org/stable/generated/sklearn_gd.ThroughOriginRegressor.html"
    )
    assert activations.ReLU()._get_doc_link() == (
        "https://example.org/stable/generated/sklearn_gd.activations.ReLU.html"
    )


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("kind", ESTIMATORS + PIECES)
def test_diagrams_link_to_the_page(kind):
    instance = kind()
    assert instance._get_doc_link() == page_of(kind)
    assert f'href="{page_of(kind)}"' in estimator_html_repr(instance)


@pytest.mark.usefixtures("site")
def test_a_pair_of_functions_links_to_the_page():
    assert FunctionPair(np.sin, np.cos)._get_doc_link() == page_of(FunctionPair)


@pytest.mark.usefixtures("site")
def test_what_is_defined_elsewhere_has_no_page():
    class Mine(Activation):
        pass

    class Line(ThroughOriginRegressor):
        pass

    assert Mine()._get_doc_link() == ""
    assert Line()._get_doc_link() == ""
    assert SITE not in estimator_html_repr(Line())


@pytest.mark.parametrize("kind", [*ESTIMATORS, *PIECES, FunctionPair])
def test_every_parameter_has_a_line_of_its_own_in_the_docstring(kind):
    section = inspect.getdoc(kind).partition("\nParameters\n----------\n")[2].partition("\n\n")[0]
    described = re.findall(r"^(\w+) : \S.*\n    \S", section, flags=re.MULTILINE)
    assert described == constructor_parameters(kind)


@pytest.mark.skipif(older_than("1.8"), reason="tooltips of parameters came with scikit-learn 1.8")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("kind", ESTIMATORS + PIECES)
def test_every_parameter_has_a_tooltip_and_a_link(kind):
    tooltips = explained(estimator_html_repr(kind()))
    assert sorted(tooltips) == sorted(constructor_parameters(kind))
    for name, (link, text) in tooltips.items():
        assert link.startswith(f"{page_of(kind)}#:~:text={name},-")
        assert re.match(rf"{name}: .+<br><br>\S", text), text


@pytest.mark.skipif(older_than("1.9"), reason="fitted attributes are shown by scikit-learn 1.9")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "estimator",
    [
        ThroughOriginRegressor(),
        PerceptronClassifier(early_stopping=True, random_state=0),
        FeedForwardRegressor(early_stopping=True, max_iter=3, tol=None, random_state=0),
    ],
)
def test_every_fitted_attribute_has_a_tooltip(estimator):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.arange(20.0).reshape(-1, 1) - 9.5, columns=["x"])
    estimator.fit(X, (X["x"] > 0).astype(int))
    fitted = [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]
    assert len(fitted) >= 8
    assert "feature_names_in_" in fitted
    assert set(fitted) - set(explained(estimator_html_repr(estimator))) == set()
