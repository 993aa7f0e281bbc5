"""What QGIS paints is what is in the map's file, also where patches arrive while the canvas is being drawn."""

from __future__ import annotations

import pytest
from qgis.core import QgsMapRendererSequentialJob, QgsRasterLayer
from qgis.PyQt.QtGui import QImage

from terrafine.tests.qgis import scenes

pytestmark = pytest.mark.qgis
SIZE = 900


def painted(analyst, layer: QgsRasterLayer) -> QImage:
    """What the canvas would show of one layer."""
    settings = analyst.window.canvas.mapSettings()
    settings.setLayers([layer])
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def never_opened(shown: QgsRasterLayer) -> QgsRasterLayer:
    """The same map in a layer that can remember no old pixels."""
    fresh = QgsRasterLayer(shown.source(), "fresh", "gdal")
    fresh.setRenderer(shown.renderer().clone())
    fresh.setOpacity(shown.opacity())
    return fresh


def test_no_old_pixels_are_painted_after_marks_in_quick_succession(analyst, address, tmp_path):
    canvas = analyst.window.canvas
    analyst.window.resize(1500, 1000)
    analyst.connect(address)
    for switch in (canvas.setPreviewJobsEnabled, canvas.setParallelRenderingEnabled, canvas.setCachingEnabled):
        switch(True)  # as in QGIS
    analyst.open(scenes.projected(tmp_path / "scene.tif", size=SIZE))
    analyst.choose_model()
    analyst.classify()
    for step in range(30):
        x, y = 30.5 + (step * 61) % 840, 30.5 + (step * 97) % 840
        analyst.mark(x, y, step % 3)  # as fast as the server follows, with the canvas being drawn all the time
        if step % 5 == 4:
            assert painted(analyst, analyst.map_layer) == painted(analyst, never_opened(analyst.map_layer))
