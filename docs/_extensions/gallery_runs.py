"""What the gallery does around each run of an example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["keep_films", "setup"]


def keep_films(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the animations that a block left open as GIFs; return what shows them on the page.

    A GIF needs neither a player nor a script from elsewhere.
    """
    import matplotlib.pyplot as plt
    from matplotlib.animation import Animation, PillowWriter
    from sphinx_gallery.scrapers import figure_rst

    shown = []
    for film in list(block_vars["example_globals"].values()):
        if not (isinstance(film, Animation) and plt.fignum_exists(film._fig.number)):
            continue
        path = Path(next(block_vars["image_path_iterator"])).with_suffix(".gif")
        film.save(path, writer=PillowWriter(fps=1000 / film._interval))
        titles = [axes.get_title() for axes in film._fig.axes if axes.get_title()]
        shown.append(
            figure_rst([path], gallery_conf["src_dir"], ", ".join([*titles, "as a film"]))
        )
        plt.close(film._fig)
    return "\n".join(shown)


def look_for_rst_headers_only(app: Sphinx) -> None:
    """Keep sphinx-gallery from taking a folder's README.md, meant for code hosts, for a header."""
    app.config.sphinx_gallery_conf["source_suffix"] = {".rst": "restructuredtext"}


def name_thumbnails(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Give the small pictures that lead to examples a text: the title, which their link has."""
    for image in tree.findall(nodes.image):
        if image.get("uri", "").rpartition(".")[0].endswith("_thumb") and not image.get("alt"):
            following = image.parent[image.parent.index(image) + 1 :]
            image["alt"] = f"Picture of: {following[0].astext()}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Be heard before sphinx-gallery begins, and after the pages are read."""
    app.connect("builder-inited", look_for_rst_headers_only, priority=400)
    app.connect("doctree-resolved", name_thumbnails)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
