"""The user guide in a window of its own: the one that came with the plugin, so that it needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import Qt, QUrl
from qgis.PyQt.QtWidgets import QTextBrowser, QWidget

GUIDE = Path(__file__).resolve().parents[2] / "docs/user-guide/index.md"
SIZE = (980, 760)


class Guide(QTextBrowser):
    """Follows links to other pages of the guide; those to the web open in the browser."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle(self.tr("Terrafine: user guide"))
        self.setOpenExternalLinks(True)
        self.resize(*SIZE)
        self.setSource(QUrl.fromLocalFile(str(GUIDE)))
