"""What the algorithms that need a server have in common: the image, the server, the model, and the map they make."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Iterable

import numpy as np
from osgeo import gdal
from qgis.core import (
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from terrafine.qgis_plugin.finish.class_raster import ClassRaster, ClassSource
from terrafine.qgis_plugin.finish.filters import working_copy
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.layer import create_map_file
from terrafine.qgis_plugin.marks.features import FeatureMarks
from terrafine.qgis_plugin.processing.base import EXTENT, INPUT, Algorithm, Parameters, export_to
from terrafine.qgis_plugin.processing.marks import marks_of
from terrafine.qgis_plugin.processing.remote import Remote, find_server
from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import RasterFile, open_dataset, raster_file
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError, TerrafineError, UnusableRaster
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS

SERVER, MODEL = "SERVER", "MODEL"
MARKS, FIELD, WIDTH = "MARKS", "FIELD", "WIDTH"
DEFAULT_WIDTH_PX = 5.0


class RemoteAlgorithm(Algorithm):
    """Base of those that need a server."""

    def add_image(self) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(INPUT, self.tr("Image")),
            self.tr("A raster in a file; base maps have to be sampled first, with Terrafine's panel."),
        )

    def add_marks(self) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(
                MARKS, self.tr("Marks"), [QgsProcessing.SourceType.TypeVectorAnyGeometry]
            ),
            self.tr("Points, lines or polygons that say what is really there: Terrafine's marks or any other layer."),
        )
        self.add(
            QgsProcessingParameterField(FIELD, self.tr("Class"), "class_id", MARKS, optional=True),
            self.tr("The field with the id or the name of a class of the model."),
        )
        width = QgsProcessingParameterNumber.Type.Double
        self.add(
            QgsProcessingParameterNumber(
                WIDTH, self.tr("Width of lines, in pixels"), width, DEFAULT_WIDTH_PX, minValue=0
            ),
            self.tr("Only lines need one."),
        )

    def add_server(self) -> None:
        self.add(
            QgsProcessingParameterString(MODEL, self.tr("Model"), "", optional=True),
            self.tr("Name of a model of the server; empty for the one that was last used."),
        )
        self.add(
            QgsProcessingParameterString(SERVER, self.tr("Server"), "", optional=True),
            self.tr(
                "Address, such as 127.0.0.1:5590, or the name of a saved server; empty for the one that was last "
                "connected to. It has to be running."
            ),
        )

    def canExecute(self) -> tuple[bool, str]:
        """Can it run, and why not? It needs pyzmq."""
        there = importlib.util.find_spec("zmq") is not None
        return there, "" if there else self.tr("QGIS's Python lacks pyzmq: Terrafine's panel says how to get it.")

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take what is needed from the layer and from QGIS's authentication manager while in their thread."""
        try:
            self.image = raster_file(self.parameterAsRasterLayer(parameters, INPUT, context))
            self.place = find_server(self.parameterAsString(parameters, SERVER, context))
        except TerrafineError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def connect(self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> Remote:
        return Remote(self.place, self.image, self.parameterAsString(parameters, MODEL, context), feedback)

    def window(self, parameters: Parameters, context: QgsProcessingContext) -> Window:
        """The pixels of the image that are wanted."""
        placement, crs = Placement(open_dataset(self.image.path)), self.image.crs
        extent = self.parameterAsExtent(parameters, EXTENT, context, crs)
        if extent.isNull():
            return placement.window
        window = Locator(placement, crs, crs, QgsCoordinateTransformContext()).window(extent)
        if window.is_empty:
            raise UnusableRaster(tr("The extent lies outside the image."), tr("Choose one that meets it."))
        return window

    def marks(self, parameters: Parameters, context: QgsProcessingContext, remote: Remote) -> list[Annotation]:
        """The marks, on the image's pixels, with the model's classes."""
        source = self.parameterAsSource(parameters, MARKS, context)
        field, classes = self.parameterAsString(parameters, FIELD, context), remote.spec.classes
        to_raster = QgsCoordinateTransform(source.sourceCrs(), self.image.crs, context.transformContext())
        placement = Placement(open_dataset(self.image.path))
        maker = FeatureMarks(field, to_raster, placement, classes, self.parameterAsDouble(parameters, WIDTH, context))
        marks = list(marks_of(source.getFeatures(), field, maker, classes))
        if not marks:
            raise ConfigError(tr("The layer of marks has no mark with a class."), tr("Choose its class field."))
        return marks


def save_map(
    target: str,
    patches: Iterable[Patch],
    window: Window,
    image: RasterFile,
    remote: Remote,
    feedback: QgsProcessingFeedback,
) -> None:
    """Write a window's patches as a map of class ids, with the model's legend."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.tif"
        create_map_file(path, image.path, image.crs, remote.spec.classes)
        write_patches(path, patches)
        export_window(target, path, window, image, feedback)


def write_patches(path: Path, patches: Iterable[Patch]) -> None:
    """Write the first band of patches into a raster of bytes; raises TerrafineError."""
    dataset = gdal.Open(str(path), gdal.GA_Update)
    band = dataset.GetRasterBand(1)
    for patch in patches:
        values = np.where(patch.valid, patch.array[0], NODATA_CLASS).astype(np.uint8)
        if band.WriteArray(values, patch.window.col, patch.window.row) != gdal.CE_None:
            why = gdal.GetLastErrorMsg()
            raise TerrafineError(
                tr("The map could not be saved: {why}.").format(why=why),
                tr("Check that there is space left on the disk."),
            )


def export_window(target: str, path: Path, window: Window, image: RasterFile, feedback: QgsProcessingFeedback) -> None:
    """Write a window of a working file to where the user wants it."""
    whole = ClassRaster(ClassSource(RasterFile(str(path), image.name, image.crs), {}))
    part = working_copy(whole, window, path.with_name("part.tif"))
    del whole
    export_to(target, part, feedback)
