"""The layers of a session: marks and map in one group of the layer tree, found again when a project is opened.

What a session needs to come back is in custom properties of its two layers, which QGIS saves with the project; the
files lie beside the project and are referred to by QGIS's relative paths.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsLayerTreeGroup,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.learn import networks
from terrafine.qgis_plugin.maps import origin
from terrafine.qgis_plugin.maps.layer import MapLayer, open_map_layer
from terrafine.qgis_plugin.maps.origin import UNFINISHED
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks import file as marks_file
from terrafine.qgis_plugin.marks.file import add_table, move_table, open_table, path_of
from terrafine.qgis_plugin.marks.layer import MarksLayer
from terrafine.qgis_plugin.marks.locks import locked
from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.qgis_plugin.session_files import SessionFiles
from terrafine.qgis_plugin.state import Session
from terrafine.qgis_plugin.styles import locks_renderer, marks_renderer
from terrafine.shared import spec
from terrafine.shared.patch import Patch

ROLE, SESSION, RASTER, MODEL, MAPPED, NETWORK, OWN_LEGEND, DETAIL = (
    f"terrafine/{name}" for name in ("role", "session", "raster", "model", "mapped", "network", "own_legend", "detail")
)
MARKS, MAP, LOCKS = "marks", "map", "locks"
OPACITY = 0.6  # the image shows through a new map


@dataclass
class SessionLayers:
    """A session and all that QGIS holds of it."""

    session: Session
    raster_id: str  # of the raster's layer
    placement: Placement
    marks: MarksLayer
    map: MapLayer
    locks: Optional[MarksLayer] = None  # once there was something to lock
    strangers: int = 0  # features in the marks' file that are no marks

    def locator(self, map_crs: QgsCoordinateReferenceSystem, context: QgsCoordinateTransformContext) -> Locator:
        """Map canvas ⇄ pixels of the session's raster."""
        return Locator(self.placement, self.session.raster.crs, map_crs, context)

    def show_patch(self, patch: Patch) -> Counter[int]:
        """Write a part of the map, but where it is locked, and show it soon; returns what each class gained."""
        self.map.note({origin.ORIGIN: UNFINISHED})
        gains = self.map.write(patch, locked(self.session.locks.marks, patch.window))
        self.map.repaint_soon()
        return gains

    def show_map(self) -> None:
        """Show the map as it is, and note what it covers, in which detail, and what it was computed from.

        The project, which may never be saved, has it for maps that come without the file that GDAL puts beside them.
        """
        self.map.repaint()
        window, detail = self.session.mapped, self.session.detail
        name = origin.origin(self.session.shown) if self.session.stale.is_empty else UNFINISHED
        mapped = " ".join(map(str, (window.col, window.row, window.width, window.height)))
        self.map.note({origin.ORIGIN: name, origin.MAPPED: mapped, origin.DETAIL: detail})
        self.map.layer.setCustomProperty(MAPPED, mapped)
        self.map.layer.setCustomProperty(DETAIL, detail)

    def show_network(self) -> None:
        """Show the legend as it is now, and let the project remember it and what was learnt."""
        network = self.session.history.network
        self.map.layer.setCustomProperty(NETWORK, networks.dumps(network))
        self.map.show_classes(network.legend.colored)
        self.marks.show_classes(network.legend.colored, network.legend.removed)

    def before(self) -> Optional[QgsRasterLayer]:
        """The map from before the last learning, with the looks of the map; None where there is none."""
        path, now = self.map.copy.path, self.map.layer
        if path is None:
            return None
        layer = open_map_layer(path, now.name(), self.session.history.network.legend.colored)
        layer.setCrs(now.crs())
        return layer

    def is_in(self, folder: Path) -> bool:
        return Path(self.map.layer.source()).parent == folder

    def move_to(self, folder: Path) -> list[Path]:
        """Work on copies in another folder from now on; returns the files left behind. Raises TerrafineError."""
        left = self.marks.move_to(folder)
        if self.locks is not None:
            move_table(self.locks.layer, path_of(self.marks.layer))
        return [*left, *self.map.move_to(folder)]

    def layer_ids(self) -> set[str]:
        return {self.marks.layer.id(), self.map.layer.id()}


def add(
    session: Session, raster_id: str, files: SessionFiles, project: QgsProject, repainter: Repainter
) -> SessionLayers:
    """Show the files of a new session in the project; raises TerrafineError where its raster cannot be opened."""
    classes, of = session.model.classes, session.raster.name
    marks = open_table(files.marks, marks_file.MARKS, tr("Marks: {name}").format(name=of), marks_renderer(classes))
    result = open_map_layer(files.map, tr("Land cover: {name}").format(name=of), classes)
    for layer, role in ((marks, MARKS), (result, MAP)):
        layer.setCrs(session.raster.crs)
        remember(layer, role, session, raster_id)
    result.setOpacity(OPACITY)
    entry = assembled(session, raster_id, marks, result, repainter)
    _add_group(f"Terrafine: {of}", (marks, result), project)
    return entry


def add_locks(entry: SessionLayers, project: QgsProject) -> MarksLayer:
    """Show the session's locked regions in a layer of their own; raises TerrafineError where it cannot be written."""
    session, path = entry.session, path_of(entry.marks.layer)
    add_table(path, marks_file.LOCKS, session.raster.crs)
    layer = open_table(path, marks_file.LOCKS, tr("Locked: {name}").format(name=session.raster.name), locks_renderer())
    layer.setCrs(session.raster.crs)
    layer.setReadOnly(True)
    remember(layer, LOCKS, session, entry.raster_id)
    project.addMapLayer(layer, False)
    node = project.layerTreeRoot().findLayer(entry.map.layer.id())
    group = node.parent() if node else project.layerTreeRoot()
    group.insertLayer(0, layer).setExpanded(False)
    locks = MarksLayer(layer, entry.placement, (), entry.marks.repainter)
    locks.replace(session.locks.marks)
    return locks


def remember(layer: QgsMapLayer, role: str, session: Session, raster_id: str) -> None:
    """Let the project know what a layer is, and whose."""
    properties = {ROLE: role, SESSION: session.id, RASTER: raster_id, MODEL: spec.dumps(session.model)}
    properties[OWN_LEGEND] = "yes" if session.own_legend else ""
    for key, value in properties.items():
        layer.setCustomProperty(key, value)


def _add_group(name: str, layers: tuple[QgsMapLayer, ...], project: QgsProject) -> None:
    """A group at the top of the layer tree, its layers folded: the dock has the legend."""
    group = QgsLayerTreeGroup(name)
    for layer in layers:
        project.addMapLayer(layer, False)
        group.addLayer(layer).setExpanded(False)
    project.layerTreeRoot().insertChildNode(0, group)
    group.setExpanded(False)  # a change, which QGIS's view notices, unlike the state that a group comes with
    group.setExpanded(True)


def assembled(
    session: Session, raster_id: str, marks: QgsVectorLayer, result: QgsRasterLayer, repainter: Repainter
) -> SessionLayers:
    """The session with its two layers; raises TerrafineError where its raster cannot be opened."""
    placement = Placement(open_dataset(session.raster.path))
    marks.setReadOnly(False)  # QGIS's own tools may edit it, too
    kept = MarksLayer(marks, placement, session.history.network.legend.colored, repainter)
    return SessionLayers(session, raster_id, placement, kept, MapLayer(result, placement, repainter))
