"""The algorithms that finish a map, run as QGIS's toolbox runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr
from qgis.core import (
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)

from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.processing_runs import (
    COLORS,
    NAMES,
    blobs,
    class_map,
    rows_of,
    run,
    run_for_layer,
    run_for_raster,
)

pytestmark = pytest.mark.usefixtures("provider")


@pytest.fixture
def blobs_map(tmp_path: Path) -> QgsRasterLayer:
    return class_map(tmp_path / "carte à finir.tif", blobs())


def polygons(layer) -> list[tuple[int, QgsGeometry]]:
    return [(feature["class_id"], feature.geometry()) for feature in layer.getFeatures()]


def area_of(class_id: int, layer) -> float:
    return sum(shape.area() for found, shape in polygons(layer) if found == class_id)


def rasterised(layer, like: QgsRasterLayer) -> np.ndarray:
    """The polygons' classes, on the pixels of a raster."""
    source = gdal.Open(like.source())
    target = gdal.GetDriverByName("MEM").Create("", source.RasterXSize, source.RasterYSize, 1, gdal.GDT_Byte)
    target.SetGeoTransform(source.GetGeoTransform())
    target.GetRasterBand(1).Fill(255)
    for class_id, geometry in polygons(layer):
        memory = ogr.GetDriverByName("Memory").CreateDataSource("")
        shapes = memory.CreateLayer("", None, ogr.wkbPolygon)
        shape = ogr.Feature(shapes.GetLayerDefn())
        shape.SetGeometry(ogr.CreateGeometryFromWkb(bytes(geometry.asWkb())))
        shapes.CreateFeature(shape)
        gdal.RasterizeLayer(target, [1], shapes, burn_values=[class_id])
    return target.ReadAsArray()


def test_a_map_that_is_loaded_shows_its_classes_alone(blobs_map, tmp_path):
    output = QgsProcessingOutputLayerDefinition(str(tmp_path / "sieved.tif"), QgsProject.instance())
    results, context = run("sieve", INPUT=blobs_map, SMALLEST=5, OUTPUT=output)
    layer = QgsProcessingUtils.mapLayerFromString(results["OUTPUT"], context)
    assert [entry.label for entry in layer.renderer().classes()] == list(NAMES)


def test_polygons_that_are_not_simplified_are_the_map(blobs_map):
    layer = run_for_layer("vectorise", INPUT=blobs_map, SMALLEST=0, TOLERANCE=0)
    np.testing.assert_array_equal(rasterised(layer, blobs_map), blobs())


def test_simplified_polygons_neither_overlap_nor_leave_gaps(blobs_map):
    layer = run_for_layer("vectorise", INPUT=blobs_map, SMALLEST=0, TOLERANCE=3)
    shapes = [geometry for _, geometry in polygons(layer)]
    assert all(shape.isGeosValid() for shape in shapes)
    together = QgsGeometry.unaryUnion(shapes)
    assert together.area() == pytest.approx(sum(shape.area() for shape in shapes), rel=1e-12)
    assert len(together.asGeometryCollection()) == 1
    assert sum(len(part.asPolygon()) - 1 for part in together.asGeometryCollection()) == 0  # no holes: no gaps


def test_simplified_polygons_have_far_fewer_vertices_and_nearly_the_same_area(blobs_map):
    rough, smooth = (run_for_layer("vectorise", INPUT=blobs_map, SMALLEST=0, TOLERANCE=px) for px in (0, 1.5))
    count = [sum(shape.constGet().nCoordinates() for _, shape in polygons(layer)) for layer in (rough, smooth)]
    assert count[1] < count[0] / 3
    for class_id in range(3):
        assert area_of(class_id, smooth) == pytest.approx(area_of(class_id, rough), rel=0.05)


def test_polygons_carry_class_name_and_area_on_the_ellipsoid(blobs_map):
    layer = run_for_layer("vectorise", INPUT=blobs_map, SMALLEST=0, TOLERANCE=0)
    water = [feature for feature in layer.getFeatures() if feature["class_id"] == 0]
    assert {feature["class_name"] for feature in water} == {"water"}
    scale = 0.99997  # squared scale factor of UTM, 174 km west of its central meridian
    planar = float((blobs() == 0).sum())
    assert sum(feature["area_m2"] for feature in water) == pytest.approx(planar / scale, rel=1e-4)


def test_polygons_show_the_colours_of_the_map(blobs_map):
    layer = run_for_layer("vectorise", INPUT=blobs_map)
    shown = {item.value(): item.symbol().color().name() for item in layer.renderer().categories()}
    assert shown == {0: "#4477aa", 1: "#ccbb44", 2: "#ee6677"}


def test_regions_below_the_smallest_are_given_to_their_neighbour(tmp_path):
    classes = np.zeros((20, 20), np.uint8)
    classes[3:5, 3:5], classes[10:15, 10:15] = 1, 2
    layer = run_for_layer("vectorise", INPUT=class_map(tmp_path / "m.tif", classes), SMALLEST=5, TOLERANCE=0)
    assert sorted(class_id for class_id, _ in polygons(layer)) == [0, 2]


def test_the_smallest_region_may_be_given_in_square_metres(tmp_path):
    classes = np.zeros((20, 20), np.uint8)
    classes[3:5, 3:5], classes[10:15, 10:15] = 1, 2
    layer = class_map(tmp_path / "m.tif", classes, (326000, 2, 0, 2785000, 0, -2))  # 4 m² a pixel: 16 and 100 m²
    kept = {size: run_for_layer("vectorise", INPUT=layer, SMALLEST=size, UNIT=1, TOLERANCE=0) for size in (15, 20, 120)}
    assert [kept[size].featureCount() for size in (15, 20, 120)] == [3, 2, 1]


def test_an_extent_limits_what_is_vectorised(blobs_map):
    left, _, _, top = 326000, 0, 0, 2785000
    extent = f"{left + 10},{left + 30},{top - 50},{top - 20} [EPSG:32640]"
    layer = run_for_layer("vectorise", INPUT=blobs_map, SMALLEST=0, TOLERANCE=0, EXTENT=extent)
    whole = rasterised(layer, blobs_map)
    expected = np.full_like(blobs(), 255)
    expected[20:50, 10:30] = blobs()[20:50, 10:30]
    np.testing.assert_array_equal(whole, expected)


def test_a_rotated_map_gives_rotated_polygons(tmp_path):
    classes = np.zeros((4, 4), np.uint8)
    layer = class_map(tmp_path / "m.tif", classes, (326000, 3, 4, 2785000, 4, -3))
    ((_, shape),) = polygons(run_for_layer("vectorise", INPUT=layer, SMALLEST=0, TOLERANCE=0))
    corners = {(round(p.x()), round(p.y())) for p in shape.asPolygon()[0]}
    assert corners == {(326000, 2785000), (326012, 2785016), (326028, 2785004), (326016, 2784988)}


def test_a_map_without_crs_has_polygons_without_areas(tmp_path):
    layer = run_for_layer("vectorise", INPUT=class_map(tmp_path / "m.tif", blobs(), epsg=0))
    assert layer.featureCount() > 0
    assert all(not feature["area_m2"] for feature in layer.getFeatures())


def test_a_raster_of_measurements_is_refused_in_words(tmp_path):
    path = tmp_path / "heights.tif"
    scenes.write(path, np.zeros((1, 5, 5), np.float32))
    with pytest.raises(QgsProcessingException, match="class ids"):
        run_for_layer("vectorise", INPUT=QgsRasterLayer(str(path), "heights", "gdal"))


def test_a_stopped_algorithm_ends_without_an_error(blobs_map):
    feedback = QgsProcessingFeedback()
    feedback.cancel()
    results, _ = run("vectorise", feedback, INPUT=blobs_map, OUTPUT="memory:")
    assert results.get("OUTPUT") is None


def test_the_sieve_gives_small_regions_to_their_largest_neighbour(tmp_path):
    classes = np.zeros((20, 20), np.uint8)
    classes[:, 10:] = 1
    classes[5:7, 8:10] = 2  # beside both, mostly within class 0
    classes[0, 0] = 255
    result = run_for_raster("sieve", tmp_path / "s.tif", INPUT=class_map(tmp_path / "m.tif", classes), SMALLEST=5)
    classes[5:7, 8:10] = 1  # 200 pixels against 195
    np.testing.assert_array_equal(result.ReadAsArray(), classes)


def test_a_filtered_map_keeps_names_colours_place_and_nodata(blobs_map, tmp_path):
    extent = "326010,326030,2784950,2784980 [EPSG:32640]"
    result = run_for_raster("majority", tmp_path / "m.tif", INPUT=blobs_map, RADIUS=1, EXTENT=extent)
    band = result.GetRasterBand(1)
    band.GetMetadata()  # makes GDAL 3.6 look into the .aux.xml, where names are
    assert band.GetCategoryNames() == list(NAMES)
    assert band.GetColorTable().GetColorEntry(2)[:3] == COLORS[2]
    assert band.GetNoDataValue() == 255
    assert result.GetGeoTransform() == (326010, 1, 0, 2784980, 0, -1)
    assert (result.RasterXSize, result.RasterYSize) == (20, 30)


def test_the_majority_filter_does_not_see_the_strips_that_it_works_in(tmp_path, monkeypatch):
    from terrafine.qgis_plugin.finish import class_raster
    from terrafine.qgis_plugin.finish.filters import majority

    monkeypatch.setattr(class_raster, "BLOCK_PX", 7)
    noisy = np.random.default_rng(0).integers(0, 3, (40, 30)).astype(np.uint8)
    result = run_for_raster("majority", tmp_path / "f.tif", INPUT=class_map(tmp_path / "m.tif", noisy), RADIUS=2)
    np.testing.assert_array_equal(result.ReadAsArray(), majority(noisy.astype(np.int32), 2))


def table(layer) -> dict[int, dict]:
    return {row["class_id"]: row for row in rows_of(layer)}


def test_statistics_count_pixels_and_hectares(blobs_map):
    rows = table(run_for_layer("statistics", INPUT=blobs_map))
    assert {class_id: row["pixels"] for class_id, row in rows.items()} == {
        class_id: int((blobs() == class_id).sum()) for class_id in range(3)
    }
    assert [row["class_name"] for row in rows.values()] == list(NAMES)
    assert sum(row["share_percent"] for row in rows.values()) == pytest.approx(100, abs=0.02)
    assert rows[0]["hectares"] == pytest.approx(rows[0]["pixels"] / 10_000 / 0.99997, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("epsg", "transform"), [(4326, (8, 0.01, 0, 70, 0, -0.01)), (3857, (9e5, 1e3, 0, 1e7, 0, -1e3))]
)
def test_hectares_are_those_of_the_ellipsoid_in_any_crs(tmp_path, epsg, transform):
    """Against QGIS's own measurement of the polygons."""
    source = class_map(tmp_path / "m.tif", blobs(), transform, epsg)
    rows = table(run_for_layer("statistics", INPUT=source))
    layer = run_for_layer("vectorise", INPUT=source, SMALLEST=0, TOLERANCE=0)
    for class_id, row in rows.items():
        measured = sum(f["area_m2"] for f in layer.getFeatures() if f["class_id"] == class_id)
        assert row["hectares"] == pytest.approx(measured / 10_000, rel=2e-3)


def test_statistics_without_a_crs_have_no_hectares(tmp_path):
    rows = table(run_for_layer("statistics", INPUT=class_map(tmp_path / "m.tif", blobs(), epsg=0)))
    assert not any(row["hectares"] for row in rows.values())
    assert rows[2]["share_percent"] == round(100 * (blobs() == 2).sum() / (blobs() != 255).sum(), 2)
