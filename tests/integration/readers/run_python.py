"""Runs the program of a recipe. What is beside this file must not stand in for a package of the same name."""

import runpy
import sys

sys.path.pop(0)
runpy.run_path(sys.argv[1], run_name="__main__")
