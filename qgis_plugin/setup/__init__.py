"""One button sets up a local server for somebody who has only QGIS, in an environment outside QGIS's Python.

place       where it lives on disk; whole, or not there
pythons     a Python that can make the environment
recipe      what to do, in steps, and how large it gets
pip_output  what pip says, as something a person can follow
installer   carries the steps out, one process at a time
dialog      the window
"""
