r"""Formulas as MathML, which browsers show by themselves: no script, nothing to fetch.

A formula that docutils cannot translate is a warning that names it; `\dots`, which it does not
know, is taken for `\ldots`.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def as_mathml(formula: nodes.Element, in_a_line: bool) -> str:
    """Return the MathML of a node's LaTeX; the LaTeX itself where there is none."""
    latex = re.sub(r"\\dots(?![A-Za-z])", r"\\ldots", formula.astext())
    try:
        return str(tex2mathml(latex, as_block=not in_a_line))
    except MathError as error:
        logger.warning("cannot show the formula %r: %s", latex, error, location=formula)
        return f"<code>{latex}</code>"


def visit_formula(translator: Any, node: nodes.math) -> None:
    """Write a formula that stands in a line."""
    translator.body.append(as_mathml(node, in_a_line=True))
    raise nodes.SkipNode


def visit_displayed_formula(translator: Any, node: nodes.math_block) -> None:
    """Write a formula that stands alone."""
    translator.body.append(f'<div class="formula">{as_mathml(node, in_a_line=False)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it known to Sphinx; ``html_math_renderer = "mathml"`` chooses it."""
    app.add_html_math_renderer("mathml", (visit_formula, None), (visit_displayed_formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
