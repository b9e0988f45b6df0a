"""Settings of the documentation; ``sphinx-build -W --keep-going docs docs/_build/html`` builds it.

Nothing is fetched while it builds, and no page fetches anything from elsewhere.
"""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sklearn_gd._pieces import SITE

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads only slow down what is as small as this

project = "sklearn_gd"
author = "The sklearn_gd developers"
copyright = author
version = release = installed_version("sklearn-gd")
language = "en"
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "auto_examples/**/*.ipynb"]
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "gallery_runs",
    "mathml",
    "scikit_learn_links",
]

# API pages. A reference to a name of this package that leads nowhere is a warning; those to other
# packages may.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!sklearn_gd\.).*")]
autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False  # the template of a class does
viewcode_line_numbers = True

# Narrative pages.
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The gallery.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "ignore_pattern": r"quickstart\.py|__init__\.py",
    "within_subsection_order": "gallery_order.ExampleOrder",
    "image_scrapers": ("gallery_runs.keep_films", "matplotlib"),
    "reset_modules": ("matplotlib",),
    "abort_on_example_error": True,
    "doc_module": ("sklearn_gd",),
    "backreferences_dir": "generated/backreferences",
    "write_computation_times": False,
    "capture_repr": ("_repr_html_",),
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
    "plot_gallery": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_gd"
html_baseurl = SITE or ""
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_copy_source = False
html_domain_indices = False
html_sidebars = {name: [] for name in ("index", "getting_started", "performance", "promises")}
html_theme_options = {
    "logo": {"text": "sklearn_gd", "alt_text": "sklearn_gd, home page"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version", "theme-version"],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
