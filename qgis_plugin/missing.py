"""The dock that is shown where pyzmq is missing: the command that installs it, to copy, and a button to try again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable

from qgis.gui import QgsDockWidget
from qgis.PyQt.QtWidgets import QApplication, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from terrafine.qgis_plugin.dock import OBJECT_NAME
from terrafine.qgis_plugin.widgets import heading


class MissingDock(QgsDockWidget):
    def __init__(self, parent: QWidget, retry: Callable[[], None]) -> None:
        super().__init__("Terrafine", parent)
        self.setObjectName(OBJECT_NAME)
        self.command = QLineEdit(install_command())
        self.command.setReadOnly(True)
        self.copy = QPushButton(self.tr("Copy"))
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.command.text()))
        self.retry = QPushButton(self.tr("Try again"))
        self.retry.clicked.connect(retry)
        self.setWidget(self._content())

    def _content(self) -> QWidget:
        content, row = QWidget(), QHBoxLayout()
        row.addWidget(self.command, 1)
        row.addWidget(self.copy)
        text = QLabel(
            self.tr(
                "Terrafine talks to its server through the Python package pyzmq, which this QGIS does not have. "
                "Run this command in a terminal (on Windows in the OSGeo4W Shell), then try again:"
            )
        )
        text.setWordWrap(True)
        column = QVBoxLayout(content)
        column.addWidget(heading(self.tr("One package is missing")))
        column.addWidget(text)
        column.addLayout(row)
        column.addWidget(self.retry)
        column.addStretch(1)
        return content


def install_command() -> str:
    """The command that installs pyzmq into QGIS's own Python; `sys.executable` may be QGIS itself."""
    name = "python.exe" if os.name == "nt" else f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(sys.prefix) if os.name == "nt" else Path(sys.prefix) / "bin"
    python = folder / name
    return f'"{python}" -m pip install --user pyzmq'
