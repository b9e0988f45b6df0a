"""Where the documentation is, and how an object's picture in a notebook links to its page."""

from __future__ import annotations

__all__ = ["SITE", "DocumentedOnline"]

# The address under which the built documentation is published, with a slash at its end. It is not
# published yet: while this is None there are no links, rather than dead ones.
SITE: str | None = None


class DocumentedOnline:
    """Gives the HTML diagram of an estimator, or of a piece, the link to its API page.

    It stands left of ``BaseEstimator``, which reads the two attributes. A class that is defined
    outside of this package has no page, and gets no link.
    """

    @property
    def _doc_link_module(self) -> str:
        # scikit-learn links the classes of this package; none has an empty name.
        return "sklearn_gd" if SITE else ""

    @property
    def _doc_link_template(self) -> str:
        return f"{SITE}generated/{{estimator_module}}.{{estimator_name}}.html"
