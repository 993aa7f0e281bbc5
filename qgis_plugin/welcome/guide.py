"""The user guide in a window of its own: the one that came with the plugin, so that it needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import Qt, QUrl
from qgis.PyQt.QtGui import QPalette, QTextFrameFormat, QTextTable
from qgis.PyQt.QtWidgets import QTextBrowser, QWidget

GUIDE = Path(__file__).resolve().parents[2] / "docs/user-guide/index.md"
SIZE = (980, 760)
MARGIN_PX, CELL_PX = 16, 4


class Guide(QTextBrowser):
    """Follows links to other pages of the guide; those to the web open in the browser."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle(self.tr("Terrafine: user guide"))
        self.setOpenExternalLinks(True)
        self.resize(*SIZE)
        self.sourceChanged.connect(self._dress)
        self.setSource(QUrl.fromLocalFile(str(GUIDE)))

    def _dress(self, _page: QUrl) -> None:
        """Tables with hairlines and some air: Qt's own of Markdown have double borders."""
        page = self.document().rootFrame()
        for table in page.childFrames():
            if isinstance(table, QTextTable):
                look = table.format()
                look.setBorderCollapse(True)
                look.setCellPadding(CELL_PX)
                look.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                look.setBorderBrush(self.palette().brush(QPalette.ColorRole.Mid))
                table.setFormat(look)
        look = page.frameFormat()
        look.setMargin(MARGIN_PX)
        page.setFrameFormat(look)
