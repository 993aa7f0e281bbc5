"""What the user does to have an object found: the tool's boxes and clicks become events."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject

from terrafine.qgis_plugin.effects import Tell
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.objects import LARGEST_BOX_PX, ObjectGuide


class ObjectsDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        bench.toolbox.object.guided.connect(self._find)
        bench.toolbox.object.unfit.connect(self._say_size)

    def _find(self, guide: ObjectGuide) -> None:
        self._bench.handle(lambda controller: controller.find_object(guide))

    def _say_size(self) -> None:
        most = self.tr("It may have 2 to {most} pixels a side.").format(most=round(LARGEST_BOX_PX))
        self._bench.tell(Tell(self.tr("The box is too small or too large for an object."), most))
