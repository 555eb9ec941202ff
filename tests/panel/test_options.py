"""The options of ``panel serve``, of the Panel that is installed."""

from __future__ import annotations

from tests.support.needs import need_module

from hotshoe.cli.foreign_options import FOREIGN_OPTIONS
from hotshoe.cli.serve import make_parser


def test_all_options_of_panel_have_advice() -> None:
    need_module("panel")
    from argparse import ArgumentParser

    from panel.command.serve import Serve

    own_options = {option for action in make_parser().actions for option in action.option_strings}
    parser = ArgumentParser()
    Serve(parser=parser)
    theirs = {option for action in parser._actions for option in action.option_strings}
    assert not theirs - own_options - set(FOREIGN_OPTIONS)
