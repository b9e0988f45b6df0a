"""The examples run from anywhere, without a warning, and arrive at known numbers and pictures."""

import ast
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
GALLERY = [path for path in EXAMPLES if path.name.startswith("plot_")]
(QUICKSTART,) = (path for path in EXAMPLES if path.name == "quickstart.py")

# Patterns of lines that have to be in the output.
EXPECTED = {
    "quickstart.py": [
        r"ThroughOriginRegressor, rate 0\.05 +423\.937",
        r"ThroughOriginRegressor, defaults +423\.937",
        r"numpy\.linalg\.lstsq +423\.937",
        r"LinearRegression\(fit_intercept=False\) +423\.937",
        r"The largest stable rate is 0\.813",
        r"ThroughOriginRegressor diverged in epoch \d+",
        r"PerceptronClassifier, step +0\.9\d\d \+- 0\.0\d\d",
        r"PerceptronClassifier, sigmoid +0\.9\d\d \+- 0\.0\d\d",
        r"FeedForwardClassifier +0\.9[78]\d \+- 0\.0\d\d",
        r"MLPRegressor, standardized +0\.4\d\d \+- 0\.\d\d\d",
        r"FeedForwardRegressor +0\.4\d\d \+- 0\.\d\d\d",
        r"pandas is (not )?installed",
        r"10 +nan +4",
        r"Chosen: 0\.\d+\. The rate that diverged",
    ],
    # The guide's.
    "plot_one_weight.py": [
        r"slope of the error at w = 0: -1,042\.8",
        r"step: -0\.1 times this, \+104\.3, so the new w is 104\.3",
        r"mean squared error: 271,309, then 175,939",
        r"by descent: 423\.937, by the formula: 423\.937",
    ],
    "plot_overshoot.py": [
        r"curvature 2\.460, so the largest stable rate is 0\.813",
        r"ThroughOriginRegressor says 0\.813",
        r"ThroughOriginRegressor diverged in epoch \d+",
    ],
    "plot_prices_by_hand.py": [
        r"grapes +2\.5 +7\.5 +2\.5 +-5\.0 +25\.00 +-12\.5",
        r"new w = 1 - 0\.125 \* \(-12\) = 2\.5",
        r"mean squared error: 13\.25 before, 1\.4375 after",
        r"5 +3\.1753158\d+ +0\.1592071\d+",
        r"by descent 3\.181818, by the formula 3\.181818",
    ],
    "plot_threshold.py": [
        r"inputs \[2\.0, 1\.0\]: weighted input 8, output 0",
        r"inputs \[2\.0, 2\.0\]: weighted input 10, output 1",
        r"step +\d\.\d\d +\d\.\d\d +2\.\d\d cm",
        r"sigmoid +\d\.\d\d +\d\.\d\d +2\.\d\d cm",
    ],
    "plot_saturation.py": [
        r"0 +0\.250000 +1",
        r"8 +0\.000335 +1",
        r"6 +0\.0025 +\d{3} +\d$",
        r"sigmoid +loss after 60 epochs: 1\.0",
        r"relu +loss after 60 epochs: 0\.[2-6]",
    ],
    "plot_layers.py": [
        r"layers, inputs included: 3",
        r"weights: \[\(3, 4\), \(4, 3\)\]",
        r"1\.5 +0\.225162 +0\.225162",
        r"-1\.0 +-0\.769240 +-0\.769240",
        r"sigmoid +first layer \d\.\de-06, last hidden layer \d\.\de-02",
        r"relu +first layer \d\.\de-02, last hidden layer \d\.\de-0[12]",
    ],
    # One question each.
    "plot_hubble.py": [
        r"24 nebulae, up to 2 Mpc and 1090 km/s",
        r"ThroughOriginRegressor +423\.937 km/s/Mpc, 67 steps",
        r"LinearRegression\(fit_intercept=False\) +423\.937 km/s/Mpc",
        r"1 / H0 = 2\.31 thousand million years",
        r"R2, from the mean: 0\.619",
        r"R2, from zero: +0\.815",
        r"R2, from the mean: +-0\.812",
        r"R2, from zero: +0\.118",
        r"with an intercept: +0\.624",
    ],
    "plot_learning_rate_search.py": [
        r"largest stable rate of the line: 0\.248",
        r"at 0\.95 of it, after 50 steps: 0\.485",
        r"ThroughOriginRegressor diverged in epoch 6: ",
        r"The learning rate is 0\.49699\d; the largest stable one is 0\.24849\d",
        r"0\.0001 +0\.02\d +6",
        r"0\.1 +0\.48\d +\d",
        r"10 +nan +[78]",
        r"LinearRegression on the same folds: 0\.489",
        r"chosen: 0\.",
    ],
    "plot_perceptron_boundary.py": [
        r"mistakes after each epoch: 5 1 1 0 0 0$",
        r"fit: 5 epochs, 11 mistakes corrected on the way",
        r"weights \[ 3\.961 -2\.937\] threshold \[-1\.\]",
        r"the same weights: True",
        r"mistakes in 100 rows, epochs 101 to 200: from 5 to 18",
        r"averaged, epochs 101 to 200: from 5 to 6",
    ],
    "plot_averaged_perceptron.py": [
        r"plain +0\.960 \+- 0\.006 +0\.0097",
        r"averaged +0\.969 \+- 0\.007 +0\.0006",
        r"SGDClassifier, averaged +0\.9[67]\d \+- 0\.0\d\d +0\.000\d",
    ],
    "plot_own_activation.py": [
        r"Snake: value and derivative agree",
        r"derivative\(z, a\) is not the slope of f at z = ",
        r"\{'activation__frequency': 3\.0\}",
        r"snake +0\.0[12]\d +0\.[2-6]\d\d",
        r"snake, then tanh +0\.0[12]\d +0\.\d\d\d",
        r"tanh +0\.1\d\d +[12]\.\d\d\d",
        r"MLPRegressor, tanh +0\.\d\d\d +[12]\.\d\d\d",
        r"the pair predicts the same: True",
    ],
    "plot_curved_boundary.py": [
        r" 1 +0$",
        r" 3 +\d+$",
        r" 4 +(9|10)$",
    ],
    "plot_digits_classifier.py": [
        r"network, defaults +0\.97\d +0\.0[89]\d",
        r"network, standardize=False +0\.98\d +0\.0[67]\d",
        r"logistic regression +0\.969 +0\.108",
        r"misread: 4\d of 1797",
        r"0\.99 to 1\.00 +1\d\d\d +0\.99\d +1\.000",
        r"all: said to be right 0\.9[56]\d, right 0\.97\d",
        r"80% answered: 0\.[0-3]% wrong",
    ],
    "plot_early_stopping.py": [
        r"variance of the target: 6254",
        r"training loss after 300 epochs: \d\d",
        r"test loss after 300 epochs: +[67]\d\d\d",
        r"smallest test loss: +3\d\d\d, epoch 1\d",
        r"no early stopping +300 +[67]\d\d\d +-0\.\d\d\d",
        r"early stopping +\d\d +3\d\d\d +0\.3\d\d",
        r"MLPRegressor, early stopping +\d\d +3\d\d\d +0\.3\d\d",
        r"LinearRegression +- +3144 +0\.403",
        r"its validation loss is the smallest: True",
        r"R2 over five folds: 0\.4\d\d \+- 0\.\d\d\d",
    ],
    "plot_callbacks.py": [
        r"FeedForwardRegressor - fit .*100%|The progress bar needs rich",
        r"200 scores, of 200 epochs",
        r"epoch +1: R2 on the training rows 0\.0\d\d",
        r"epoch 200: R2 on the training rows 0\.9[789]\d",
        r"all 200 epochs: R2 on the test rows -0\.[012]\d\d",
        r"ended after epoch 3\d; best 0\.(39|40)\d, epoch 1\d",
    ],
    "plot_hidden_units.py": [
        r"25 hidden neurons: +0\.9[78]\d of 540 test digits, 100 epochs",
        r"no hidden neurons: +0\.970",
        r"MLPClassifier: +0\.9[78]\d",
        r"pixels that are always blank: 4",
        r"their largest weight: 0\.000; of the others: 1\.\d\d\d",
        r"digits for which a neuron rises by more than 0\.3: from [23] to \d",
    ],
    "plot_polynomial.py": [
        r"polynomial, degree 3 +0\.298 +2\.136",
        r"polynomial, degree 9 +0\.145 +156\.753",
        r"network, tanh +0\.0\d\d +0\.[12]\d\d",
        r"radius up to 13\.4; the largest is 28\.1",
        r"polynomial, degree 2 +4\.5 +20\.5",
        r"network, tanh +4\.\d +3\d\d\.\d",
        r"network, softplus +4\.\d +\d\d\d?\.\d",
    ],
    "plot_pandas_cross_validation.py": [
        r"mean +48\.5 +1\.5 +26\.4",
        r"FeedForwardRegressor +0\.4\d\d +0\.\d\d\d +4\d\.\d\d\d",
        r"MLPRegressor +0\.4\d\d +0\.\d\d\d +4\d\.\d\d\d",
        r"LinearRegression +0\.489 +0\.090 +44\.292",
        r"fold 1: +\d+ epochs; weights of epoch +\d+, validation loss 2\d\d\d",
        r"sex_2\.0$",
        r"s6$",
    ],
    "plot_robust_losses.py": [
        r"1090 km/s has become 10900",
        r"squared error +423\.9 +1088\.6",
        r"huber, delta 300 km/s +424\.4 +430\.4",
        r"absolute error +425\.0 +425\.0",
        r"QuantileRegressor, 0\.5 +425\.0 +425\.0",
        r"LinearRegression +423\.9 +1088\.6",
        r"0\.1 +0\.(09|10)\d +0\.\d\d\d +0\.\d\d\d",
        r"0\.9 +0\.(89|90)\d +0\.9\d\d +0\.9\d\d",
    ],
    "plot_several_outputs.py": [
        r"Waist +-0\.226 +-0\.788 +0\.448",
        r"one target at a time gives the same: True",
        r"so does LinearRegression: +True",
        r"parameters: 24 in one network, 48 in three",
        r"the same predictions: False",
        r"a line +-0\.337 +-0\.008 +-0\.435",
        r"one network +-0\.\d\d\d +0\.[23]\d\d +-\d\.\d\d\d",
        r"three networks +-\d\.\d\d\d +0\.[234]\d\d +-\d\.\d\d\d",
    ],
}

# How many figures each example leaves.
FIGURES = {
    "plot_averaged_perceptron.py": 1,
    "plot_callbacks.py": 1,
    "plot_curved_boundary.py": 3,
    "plot_digits_classifier.py": 4,
    "plot_early_stopping.py": 2,
    "plot_hidden_units.py": 2,
    "plot_hubble.py": 2,
    "plot_layers.py": 4,
    "plot_learning_rate_search.py": 2,
    "plot_one_weight.py": 6,
    "plot_overshoot.py": 3,
    "plot_own_activation.py": 2,
    "plot_pandas_cross_validation.py": 1,
    "plot_perceptron_boundary.py": 2,
    "plot_polynomial.py": 2,
    "plot_prices_by_hand.py": 2,
    "plot_robust_losses.py": 2,
    "plot_saturation.py": 3,
    "plot_several_outputs.py": 2,
    "plot_threshold.py": 4,
}

# Runs an example in a clean interpreter, and then says what it drew. Whatever the example left is
# dropped first, so that an animation that nobody drew complains as it would at exit. Drawing the
# figures warns of glyphs that are missing and of axes that found no room.
REPORT = """
import gc, json, runpy, sys
names = runpy.run_path(sys.argv[1], run_name="__main__")
frames = [
    len(list(value.new_frame_seq()))
    for value in names.values()
    if type(value).__name__ == "FuncAnimation"
]
names.clear()
del names
gc.collect()
from matplotlib import pyplot as plt
figures = [plt.figure(number) for number in plt.get_fignums()]
for figure in figures:
    figure.canvas.draw()
report = {
    "data": [[ax.has_data() for ax in figure.axes] for figure in figures],
    "texts": [
        [ax.get_xlabel() or ax.get_title() for ax in figure.axes] for figure in figures
    ],
    "frames": frames,
}
with open("report.json", "w", encoding="utf-8") as file:
    json.dump(report, file)
"""


def run(example, folder, *before, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, "-W", "error", *before, str(example)],
        cwd=folder,
        env=clean | {"PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def packages_of(example):
    """Return the packages that an example imports; the displays bring matplotlib along."""
    found = set()
    for node in ast.walk(ast.parse(example.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
            found |= {"matplotlib"} if node.module == "sklearn_gd.inspection" else set()
    return found


def skip_where_something_is_missing(example):
    for package in sorted({"matplotlib", "pandas"} & packages_of(example)):
        if find_spec(package) is None:
            pytest.skip(f"{example.name} needs {package}, which is not installed")
    if example.name == "plot_callbacks.py" and find_spec("sklearn.callback") is None:
        pytest.skip(f"{example.name} needs scikit-learn 1.9; this is {version('scikit-learn')}")


def not_printed(example, output):
    """Return the patterns of the example that no line of its output has."""
    return [
        pattern
        for pattern in EXPECTED[example.name]
        if not re.search(rf"^ *\(?(?:{pattern})", output, flags=re.MULTILINE)
    ]


def test_quickstart_runs_without_a_warning(tmp_path):
    done = run(QUICKSTART, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not_printed(QUICKSTART, done.stdout) == [], done.stdout


@pytest.mark.slow
def test_quickstart_runs_without_pandas(tmp_path):
    # A finder that knows no pandas stands for an environment that lacks it.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find_spec = importlib.util.find_spec\n"
        "importlib.util.find_spec = (\n"
        "    lambda name, package=None: None if name == 'pandas' else find_spec(name, package)\n"
        ")\n"
    )
    done = run(QUICKSTART, tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "pandas is not installed: X is an array" in done.stdout


@pytest.fixture(scope="module")
def gallery_runs(request, tmp_path_factory):
    """The runs of the examples that are tested, two at a time and each on one core."""
    wanted = {
        item.callspec.params["example"]
        for item in request.session.items
        if item.name.startswith("test_example_of_the_gallery")
    }
    folders = {example: tmp_path_factory.mktemp(example.stem) for example in sorted(wanted)}
    with ThreadPoolExecutor(2) as pool:
        yield {
            example: (folder, pool.submit(run, example, folder, "-c", REPORT, OMP_NUM_THREADS="1"))
            for example, folder in folders.items()
        }


@pytest.mark.slow
@pytest.mark.parametrize("example", GALLERY, ids=lambda path: path.name)
def test_example_of_the_gallery_prints_and_draws(example, gallery_runs):
    skip_where_something_is_missing(example)
    folder, running = gallery_runs[example]
    done = running.result()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not_printed(example, done.stdout) == [], done.stdout

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert len(report["data"]) == FIGURES[example.name]
    for data, texts in zip(report["data"], report["texts"], strict=True):
        assert any(data), "a figure without data"
        assert any(texts), "a figure that does not say what it shows"
    films = [18] if example.name == "plot_hubble.py" else []
    assert report["frames"] == films


def test_callbacks_say_what_they_need_of_scikit_learn(tmp_path):
    (example,) = (path for path in GALLERY if path.name == "plot_callbacks.py")
    pytest.importorskip("matplotlib", reason="the example draws")
    # An import that fails stands for a scikit-learn before 1.9, whose other parts need it not.
    hidden = (
        "import runpy, sys, sklearn_gd\n"
        "import sklearn.datasets, sklearn.model_selection, sklearn.preprocessing\n"
        "sys.modules['sklearn.callback'] = None\n"
        "runpy.run_path(sys.argv[1])"
    )
    done = run(example, tmp_path, "-c", hidden)
    assert done.returncode == 1
    assert done.stderr.strip() == "scikit-learn's callbacks need scikit-learn 1.9 or later."


def test_every_example_has_its_expectations():
    assert set(EXPECTED) == {path.name for path in EXAMPLES}
    assert set(FIGURES) == {path.name for path in GALLERY}


@pytest.mark.parametrize("example", GALLERY, ids=lambda path: path.name)
def test_titles_of_the_gallery_are_titles(example):
    _, over, title, under, blank, *_ = example.read_text(encoding="utf-8").split("\n")
    assert set(over) == {"="}
    assert over == under
    assert len(over) >= len(title)
    assert blank == ""
