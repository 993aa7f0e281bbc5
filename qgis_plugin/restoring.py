"""Sessions of a project that is opened again: found by their layers' properties, and taken up as they were left.

What is damaged or gone is said, with what to do about it; the layers stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import AbstractSet, Optional

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.layers import (
    DETAIL,
    LOCKS,
    MAP,
    MAPPED,
    MARKS,
    MODEL,
    NETWORK,
    OWN_LEGEND,
    RASTER,
    ROLE,
    SESSION,
    SessionLayers,
    assembled,
)
from terrafine.qgis_plugin.learn import networks
from terrafine.qgis_plugin.maps import origin
from terrafine.qgis_plugin.maps.origin import drawn_from, read_note
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.file import COLUMNS
from terrafine.qgis_plugin.marks.layer import MarksLayer
from terrafine.qgis_plugin.rasters.raster import raster_file
from terrafine.qgis_plugin.state import NOTHING, Session
from terrafine.shared import spec
from terrafine.shared.errors import NotFound, TerrafineError, UnusableModel
from terrafine.shared.geo import Window, bounding
from terrafine.shared.spec import ModelSpec


def sessions_in(project: QgsProject, going: AbstractSet[str] = frozenset()) -> list[str]:
    """Ids of the sessions whose layers are in the project, and not among those that are `going`."""
    marks, maps = _by_session(project, MARKS), _by_session(project, MAP)
    both = ((session_id, {maps[session_id].id(), marks[session_id].id()}) for session_id in maps if session_id in marks)
    return [session_id for session_id, layer_ids in both if not layer_ids & going]


def restore(session_id: str, project: QgsProject, repainter: Repainter) -> SessionLayers:
    """A session of the project as it was left; raises TerrafineError that says which of its files is missing."""
    marks, result = (_by_session(project, role)[session_id] for role in (MARKS, MAP))
    for layer in (marks, result):
        _demand(layer)
    _demand_columns(marks)
    found = _restored(session_id, marks, result, project, repainter)
    _take_locks(found, _by_session(project, LOCKS).get(session_id))
    return found


def _demand(layer: QgsMapLayer) -> None:
    if layer.isValid():
        return
    if Path(layer.source().split("|")[0]).exists():
        raise _damaged(tr("The file of the layer '{name}' cannot be read: {source}."), layer, source=layer.source())
    raise NotFound(
        tr("The file of the layer '{name}' is missing: {source}.").format(name=layer.name(), source=layer.source()),
        tr("Copy the folder whose name ends in _terrafine along with the project, then open it again."),
    )


def _damaged(why: str, layer: QgsMapLayer, **particulars: str) -> TerrafineError:
    hint = tr("Replace it by a copy that is whole, then open the project again.")
    return TerrafineError(why.format(name=layer.name(), **particulars), hint)


def _demand_columns(marks: QgsVectorLayer) -> None:
    lacking = [name for name in COLUMNS if marks.fields().indexOf(name) < 0]
    if lacking:
        why = tr("The file of the layer '{name}' is damaged: it has no {columns}.")
        raise _damaged(why, marks, columns=", ".join(lacking))


def _by_session(project: QgsProject, role: str) -> dict[str, QgsMapLayer]:
    layers = (layer for layer in project.mapLayers().values() if layer.customProperty(ROLE) == role)
    layers = (layer for layer in layers if layer.customProperty(SESSION))
    return {str(layer.customProperty(SESSION)): layer for layer in layers}


def _restored(
    session_id: str, marks: QgsMapLayer, result: QgsMapLayer, project: QgsProject, repainter: Repainter
) -> SessionLayers:
    raster = _raster_of(result, project)
    model = _model_of(result)
    network = networks.loads(str(result.customProperty(NETWORK, "")), model)
    own = bool(result.customProperty(OWN_LEGEND, ""))
    session = Session(raster_file(raster), model, session_id, is_kept=True, network=network, own_legend=own)
    found = assembled(session, raster.id(), marks, result, repainter)
    drawn = tuple(mark for mark in found.marks.marks() if mark.class_id < len(session.history.network.legend.classes))
    session.log.replace(drawn, len(drawn))
    found.strangers = max(0, marks.featureCount() - len(drawn))
    _take_extent(session, result)
    _take_origin(session, read_note(result.source(), origin.ORIGIN))
    return found


def _take_extent(session: Session, result: QgsMapLayer) -> None:
    """How far the map goes and in which detail, even if more was classified since the project was saved."""
    detail = read_note(result.source(), origin.DETAIL) or str(result.customProperty(DETAIL, ""))
    session.detail = detail if detail in spec.DETAILS else spec.PLAIN
    noted = (read_note(result.source(), origin.MAPPED), str(result.customProperty(MAPPED, "")))
    session.mapped = bounding([_window(numbers) for numbers in noted])


def _take_origin(session: Session, name: str) -> None:
    """What the map in the file lacks: nothing, some marks, or nobody knows what."""
    shown = drawn_from(name, session.now)
    session.shown = shown or session.now
    session.stale = session.mapped if shown is None else NOTHING


def _model_of(result: QgsMapLayer) -> ModelSpec:
    try:
        return spec.loads(str(result.customProperty(MODEL)))
    except UnusableModel as error:
        raise UnusableModel(
            tr("The project file is damaged: it does not say with which model '{name}' was made.").format(
                name=result.name()
            ),
            tr("Its marks and its map stay as layers: classify again, and import the marks."),
        ) from error


def _raster_of(result: QgsMapLayer, project: QgsProject) -> QgsRasterLayer:
    raster = project.mapLayer(str(result.customProperty(RASTER)))
    if not isinstance(raster, QgsRasterLayer):
        raise NotFound(
            tr("The image of the map '{name}' is no longer in the project.").format(name=result.name()),
            tr("Its marks and its map stay as layers."),
        )
    return raster


def _take_locks(entry: SessionLayers, layer: Optional[QgsVectorLayer]) -> None:
    if layer is not None and layer.isValid():
        layer.setReadOnly(True)
        entry.locks = MarksLayer(layer, entry.placement, (), entry.marks.repainter)
        regions = entry.locks.marks()
        entry.session.locks.replace(regions, len(regions))


def _window(numbers: str) -> Window:
    try:
        return Window(*map(int, numbers.split()))
    except (TypeError, ValueError):
        return Window(0, 0, 0, 0)
