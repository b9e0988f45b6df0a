"""The order of the gallery: that of the guide first, then from the line to the network."""

__all__ = ["ORDER", "ExampleOrder"]

ORDER = [
    "plot_one_weight.py",
    "plot_overshoot.py",
    "plot_prices_by_hand.py",
    "plot_threshold.py",
    "plot_saturation.py",
    "plot_layers.py",
    "plot_hubble.py",
    "plot_learning_rate_search.py",
    "plot_perceptron_boundary.py",
    "plot_averaged_perceptron.py",
    "plot_own_activation.py",
    "plot_curved_boundary.py",
    "plot_early_stopping.py",
    "plot_callbacks.py",
    "plot_digits_classifier.py",
    "plot_hidden_units.py",
    "plot_polynomial.py",
    "plot_pandas_cross_validation.py",
    "plot_robust_losses.py",
    "plot_several_outputs.py",
]


class ExampleOrder:
    """The key that sphinx-gallery sorts the files of a folder by."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> int:
        """Return the file's place; a file that has none is an error, which names it."""
        return ORDER.index(name)
