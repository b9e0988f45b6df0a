"""Where the documentation is, and how an object's picture in a notebook links to its page."""

from __future__ import annotations

__all__ = ["SITE", "DocumentedOnline"]

SITE = "https://sklearn-gd.readthedocs.io/en/stable/"


class DocumentedOnline:
    """Gives the HTML diagram of an estimator, or of a piece, the link to its API page.

    It stands left of ``BaseEstimator``, which reads the two attributes. A class that is defined
    outside of this package has no page, and gets no link.
    """

    _doc_link_module = "sklearn_gd"
    _doc_link_template = SITE + "generated/{estimator_module}.{estimator_name}.html"
