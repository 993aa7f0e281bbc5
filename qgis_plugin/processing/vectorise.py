"""Algorithm: class map → polygons that share their borders."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Iterator

import numpy as np
from qgis.core import (
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingUtils,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.borders import Borders, find_borders
from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.faces import Face, find_faces
from terrafine.qgis_plugin.finish.filters import sieve, working_copy
from terrafine.qgis_plugin.finish.ground import measurer
from terrafine.qgis_plugin.finish.simplify import simplify
from terrafine.qgis_plugin.finish.tables import Row, fields, polygons_renderer, write_rows
from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters, check, report_to
from terrafine.qgis_plugin.processing.region_size import RegionSizeAlgorithm
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window

FIELDS = fields(class_id=int, class_name=str, area_m2=float)
TOLERANCE = "TOLERANCE"
DEFAULT_TOLERANCE_PX = 1.5


class Vectorise(RegionSizeAlgorithm):
    ID = "vectorise"
    GROUP_ID = "finish"
    _destination = ""

    def displayName(self) -> str:
        return self.tr("Vectorise a class map")

    def shortHelpString(self) -> str:
        return self.tr(
            "Turns a class map into polygons, one for each region of a class.\n\n"
            "Small regions go to their neighbours first. Borders are then simplified as a whole: neighbours go on "
            "sharing them, so that there are neither gaps nor overlaps, and no border crosses another.\n\n"
            "Fields: class_id, class_name, and area_m2, the polygon's area on the WGS 84 ellipsoid in square metres "
            "(empty where the map has no CRS)."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_map()
        self.add_smallest()
        self.add(
            QgsProcessingParameterNumber(
                TOLERANCE,
                self.tr("Simplification, in pixels"),
                QgsProcessingParameterNumber.Type.Double,
                DEFAULT_TOLERANCE_PX,
                minValue=0,
            ),
            self.tr("Detail smaller than a square with this side is left out; 0 keeps the edges of the pixels."),
        )
        self.add_extent()
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon),
            self.tr("A polygon layer."),
        )

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raster, window = self.open_map(parameters, context)
        smallest = self.smallest_px(parameters, context, raster, window)
        with tempfile.TemporaryDirectory() as folder:
            strips = _sieved(raster, window, smallest, Path(folder), feedback)
            borders = find_borders((classes for _, classes in strips), window)
        check(feedback)
        kept = simplify(borders, self.parameterAsDouble(parameters, TOLERANCE, context))
        crs = self.source.file.crs
        sink, self._destination = self.parameterAsSink(
            parameters, OUTPUT, context, FIELDS, QgsWkbTypes.Type.Polygon, crs
        )
        write_rows(sink, FIELDS, self._rows(find_faces(borders), _Corners(borders, kept, raster.placement), feedback))
        return {OUTPUT: self._destination}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Give the layer the legend's colours."""
        layer = QgsProcessingUtils.mapLayerFromString(self._destination, context)
        if layer is not None:
            ids = sorted(layer.uniqueValues(layer.fields().indexOf("class_id")))
            layer.setRenderer(polygons_renderer([self.source.cover(class_id) for class_id in ids]))
        return {}

    def _rows(self, faces: Iterator[Face], corners: _Corners, feedback: QgsProcessingFeedback) -> Iterator[Row]:
        crs, progress = self.source.file.crs, report_to(feedback, 0.5, 1.0)
        measure = measurer(crs)
        for face in faces:
            if not progress(corners.passed(face)):
                raise Cancelled("The algorithm was stopped.")
            polygon = corners.polygon(face)
            area = measure.measureArea(polygon) if crs.isValid() else None
            yield (face.class_id, self.source.cover(face.class_id).name, area), polygon


def _sieved(
    raster: ClassRaster, window: Window, smallest_px: int, folder: Path, feedback: QgsProcessingFeedback
) -> Iterator[tuple[Window, np.ndarray]]:
    """The window in strips, without its small regions."""
    if smallest_px < 2:
        return raster.strips(window)
    copy = working_copy(raster, window, folder / "sieved.tif")
    sieve(copy.file.path, smallest_px, report_to(feedback, 0.0, 0.4))
    return ClassRaster(copy).strips(Window(0, 0, window.width, window.height))


class _Corners:
    """The corners that are left of borders, where they lie on the map."""

    def __init__(self, borders: Borders, kept: np.ndarray, placement: Placement) -> None:
        self._kept, self._count = kept, len(kept)
        self._x, self._y = borders.x.tolist(), borders.y.tolist()
        self._placement = placement

    def passed(self, face: Face) -> float:
        """How far down the list of corners a face begins, 0 … 1."""
        return float(face.rings[0][0] / self._count)

    def polygon(self, face: Face) -> QgsGeometry:
        rings = (ring[self._kept[ring]].tolist() for ring in face.rings)
        return QgsGeometry.fromPolygonXY([[self._point(corner) for corner in ring] for ring in rings])

    def _point(self, corner: int) -> QgsPointXY:
        return QgsPointXY(*self._placement.to_crs(self._x[corner], self._y[corner]))
