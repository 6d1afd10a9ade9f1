"""python -m luss_core methods."""

import pytest
import yaml

from luss_core.config import METHODS
from luss_core.errors import UserError
from luss_core.listing import main


def test_every_method_has_a_line(capsys):
    main([])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == list(METHODS)
    assert lines["shape"].endswith("Needs 2 views or more, saliency.")
    assert lines["npid"].endswith("Needs 1 view.")


@pytest.mark.parametrize("name", METHODS)
def test_the_settings_of_one_can_be_used(name, capsys):
    main([name])
    values = yaml.safe_load(capsys.readouterr().out)
    assert METHODS[name].config.model_validate(values) == METHODS[name].config.model_validate({"name": name})


def test_a_method_that_is_not_there():
    with pytest.raises(UserError, match=f"unknown method 'none'; known: {', '.join(METHODS)}"):
        main(["none"])
