"""Links into scikit-learn's documentation, without its inventory, which would have to be fetched.

The address of a public class or function there follows from its name, and so does that of a word
in its glossary. Sections that the docstrings which we inherit refer to are listed here; any other
label that leads nowhere stays a warning.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

__all__ = ["address_of", "setup"]

THERE = "https://scikit-learn.org/stable/"
SECTIONS = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score-the-coefficient-of-determination",
}


def address_of(domain: str, kind: str, target: str) -> str | None:
    """Return where a reference leads to in scikit-learn's documentation; None if nowhere."""
    if kind == "term":
        return f"{THERE}glossary.html#term-{target.replace(' ', '-')}"
    if target in SECTIONS and kind == "ref":
        return THERE + SECTIONS[target]
    parts = target.split(".")
    # Modules and methods have no page of their own.
    is_page = domain == "py" and parts[0] == "sklearn" and len(parts) == 3
    return f"{THERE}modules/generated/{target}.html" if is_page else None


def link_there(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element
) -> nodes.reference | None:
    """Answer Sphinx, which asks about each reference that it cannot resolve itself."""
    address = address_of(node["refdomain"], node["reftype"], node["reftarget"])
    if address is None:
        return None
    return nodes.reference("", "", text, internal=False, refuri=address)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it known to Sphinx."""
    app.connect("missing-reference", link_there)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
