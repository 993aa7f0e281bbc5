"""The layers of a session that are made once they are asked for: the map's uncertainty, and the patches to review."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsLayerTreeGroup, QgsLayerTreeLayer, QgsMapLayer, QgsProject

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.layers import ROLE, SESSION, SessionLayers, remember
from terrafine.qgis_plugin.look import review_layer
from terrafine.qgis_plugin.look.measures import measures
from terrafine.qgis_plugin.look.review_layer import ReviewLayer, review_renderer
from terrafine.qgis_plugin.look.uncertainty_layer import create_uncertainty_file, open_uncertainty_layer
from terrafine.qgis_plugin.maps.layer import MapLayer
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.file import add_table, move_table, open_table, path_of
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.patch import Patch

UNCERTAINTY, REVIEW = "uncertainty", "review"  # roles
MEASURE = "terrafine/measure"  # property of the uncertainty's layer: the method and the factor


class LookLayers:
    """Both layers of one session: taken up from the project, or made; one that the user removes is made again."""

    def __init__(self, entry: SessionLayers, project: QgsProject, repainter: Repainter) -> None:
        self._entry, self._project, self._repainter = entry, project, repainter
        self.uncertainty: Optional[MapLayer] = None
        self.review: Optional[ReviewLayer] = None
        found = {layer.customProperty(ROLE): layer for layer in project.mapLayers().values() if self._is_ours(layer)}
        if UNCERTAINTY in found:
            self.uncertainty = self._written(found[UNCERTAINTY])
        if REVIEW in found:
            self.review = ReviewLayer(found[REVIEW], entry.placement)
            entry.session.review = self.review.review()

    def show_uncertainty(self, patch: Patch, method: str, factor: int) -> None:
        """Write a part of the uncertainty, and show it soon; another method begins anew. Raises TerrafineError."""
        measure = f"{method} {factor}"
        if self.uncertainty is None or self.uncertainty.layer.customProperty(MEASURE) != measure:
            self._remove(self.uncertainty)
            self.uncertainty = self._make_uncertainty(method, factor)
            self.uncertainty.layer.setCustomProperty(MEASURE, measure)
        self.uncertainty.write(patch)
        self.uncertainty.repaint_soon()

    def show_review(self) -> None:
        """Show the session's review as it is, if there is one, and keep it. Raises TerrafineError."""
        review = self._entry.session.review
        if review is None:
            self._remove(self.review)
            return
        if self.review is None:
            self.review = self._make_review()
        self.review.show(review)

    def repaint(self) -> None:
        """Show all that was measured."""
        if self.uncertainty is not None:
            self.uncertainty.repaint()

    def set_uncertainty_visible(self, is_visible: bool) -> None:
        """Check or uncheck its layer, where there is one."""
        node = self._node(self.uncertainty.layer) if self.uncertainty else None
        if node is not None:
            node.setItemVisibilityChecked(is_visible)

    def forget(self, layer_ids: list[str]) -> None:
        """These layers are about to be removed."""
        if self.uncertainty is not None and self.uncertainty.layer.id() in layer_ids:
            self.uncertainty.close()
            self.uncertainty = None
        if self.review is not None and self.review.layer.id() in layer_ids:
            self.review = None

    def move_to(self, folder: Path) -> list[Path]:
        """Follow the session's files, which were moved already; returns those left behind. Raises TerrafineError."""
        if self.review is not None:
            move_table(self.review.layer, path_of(self._entry.marks.layer))
        return self.uncertainty.move_to(folder) if self.uncertainty else []

    def close(self) -> None:
        if self.uncertainty is not None:
            self.uncertainty.close()

    def _make_uncertainty(self, method: str, factor: int) -> MapLayer:
        raster, map_path = self._entry.session.raster, Path(self._entry.map.layer.source())
        path = map_path.with_name(map_path.name.replace("_map.tif", "_uncertainty.tif"))
        create_uncertainty_file(path, raster.path, raster.crs, factor)
        term = measures()[method][1] if method in measures() else method
        name = tr("Uncertainty ({method}): {name}").format(name=raster.name, method=term)
        layer = open_uncertainty_layer(path, name, raster.crs)
        self._insert(layer, UNCERTAINTY, above=self._entry.map.layer)
        return self._written(layer)

    def _make_review(self) -> ReviewLayer:
        raster, path = self._entry.session.raster, path_of(self._entry.marks.layer)
        add_table(path, review_layer.TABLE, raster.crs, review_layer.COLUMNS)
        name = tr("Where to look: {name}").format(name=raster.name)
        layer = open_table(path, review_layer.TABLE, name, review_renderer())
        layer.setCrs(raster.crs)
        layer.setReadOnly(True)
        self._insert(layer, REVIEW, above=self._entry.marks.layer)
        return ReviewLayer(layer, self._entry.placement)

    def _written(self, layer: QgsMapLayer) -> MapLayer:
        return MapLayer(layer, Placement(open_dataset(layer.source())), self._repainter)

    def _insert(self, layer: QgsMapLayer, role: str, above: QgsMapLayer) -> None:
        """Add the layer to the project, above another one of the session's."""
        remember(layer, role, self._entry.session, self._entry.raster_id)
        self._project.addMapLayer(layer, False)
        node = self._node(above)
        group: QgsLayerTreeGroup = node.parent() if node else self._project.layerTreeRoot()
        place = group.children().index(node) if node else 0
        group.insertLayer(place, layer).setExpanded(role == UNCERTAINTY)  # its legend is nowhere else

    def _remove(self, shown: Optional[MapLayer | ReviewLayer]) -> None:
        if shown is not None:
            self._project.removeMapLayer(shown.layer.id())  # which makes us forget it

    def _node(self, layer: QgsMapLayer) -> Optional[QgsLayerTreeLayer]:
        return self._project.layerTreeRoot().findLayer(layer.id())

    def _is_ours(self, layer: QgsMapLayer) -> bool:
        return layer.isValid() and layer.customProperty(SESSION) == self._entry.session.id
