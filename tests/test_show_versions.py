"""What `show_versions` prints."""

import sklearn_gd


def test_show_versions_tells_of_the_kernels(capsys):
    sklearn_gd.show_versions()
    printed = capsys.readouterr().out
    assert f"sklearn_gd: {sklearn_gd.__version__}" in printed
    assert ("compiled kernels: in use" in printed) == sklearn_gd._kernels.COMPILED
