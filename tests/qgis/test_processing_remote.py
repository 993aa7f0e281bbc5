"""The algorithms that need a server, with a real one."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsVectorLayer,
)

from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.patch import Patch
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.processing_runs import rows_of, run, run_for_layer, run_for_raster

pytestmark = pytest.mark.usefixtures("provider")
LEFT, TOP = 326000, 2785000
PART = f"{LEFT + 40},{LEFT + 100},{TOP - 90},{TOP - 30} [EPSG:32640]"


@pytest.fixture
def image(scene):
    return QgsRasterLayer(str(scene), "scène", "gdal")


def marks(*shapes: tuple[str, object], crs: str = "EPSG:32640") -> QgsVectorLayer:
    """A layer of WKT shapes with a class each."""
    kind = shapes[0][0].split("(")[0].strip()
    field = "integer" if isinstance(shapes[0][1], int) else "string"
    layer = QgsVectorLayer(f"{kind}?crs={crs}&field=class_id:{field}", "marks", "memory")
    for wkt, class_id in shapes:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        feature.setAttributes([class_id])
        assert layer.dataProvider().addFeature(feature)
    return layer


def classify(image, address, target, **parameters) -> np.ndarray:
    return run_for_raster("classify", target, INPUT=image, SERVER=address, MODEL="tiny", **parameters).ReadAsArray()


def test_a_part_is_classified_as_it_is_within_the_whole(image, address, tmp_path):
    whole = classify(image, address, tmp_path / "whole.tif")
    part = classify(image, address, tmp_path / "part.tif", EXTENT=PART)
    assert whole.shape == (scenes.SIZE, scenes.SIZE)
    assert len(np.unique(whole)) > 1
    np.testing.assert_array_equal(part, whole[30:90, 40:100])


def test_a_map_has_the_legend_of_the_model_and_lies_on_the_image_s_pixels(image, address, tmp_path):
    result = run_for_raster("classify", tmp_path / "part.tif", INPUT=image, SERVER=address, MODEL="tiny", EXTENT=PART)
    band = result.GetRasterBand(1)
    band.GetMetadata()  # makes GDAL 3.6 look into the .aux.xml, where names are
    assert band.GetCategoryNames() == ["water", "land", "building"]
    assert result.GetGeoTransform() == (LEFT + 40, 1, 0, TOP - 30, 0, -1)


def test_an_engine_that_breaks_down_is_asked_once_more(image, address, tmp_path, monkeypatch):
    whole, predict, asked = classify(image, address, tmp_path / "whole.tif"), Client.predict, []

    def breaking(*words, **named):
        asked.append(words)
        for item in predict(*words, **named):
            yield item
            if len(asked) == 1 and isinstance(item, Patch):
                raise EngineRestarted("It broke down.")

    monkeypatch.setattr(Client, "predict", breaking)
    np.testing.assert_array_equal(classify(image, address, tmp_path / "again.tif"), whole)
    assert len(asked) == 2


def test_the_address_may_go_without_its_protocol(image, address, tmp_path):
    classify(image, address.replace("tcp://", ""), tmp_path / "a.tif", EXTENT=PART)


def test_a_model_that_is_not_there_is_named_with_those_that_are(image, address, tmp_path):
    with pytest.raises(QgsProcessingException, match="'huge'.*tiny, .*tiny-two"):
        run("classify", INPUT=image, SERVER=address, MODEL="huge", OUTPUT=str(tmp_path / "a.tif"))


def test_no_server_is_an_error_in_words(image, tmp_path):
    with pytest.raises(QgsProcessingException, match="127.0.0.1:9"):
        run("classify", INPUT=image, SERVER="127.0.0.1:9", OUTPUT=str(tmp_path / "a.tif"))


class Impatient(QgsProcessingFeedback):
    """Stops at the first sign of progress."""

    def __init__(self) -> None:
        super().__init__()
        self.progressChanged.connect(lambda _: self.cancel())


def test_a_user_who_stops_gets_no_map_and_no_error(image, address, tmp_path):
    target = tmp_path / "a.tif"
    results, _ = run("classify", Impatient(), INPUT=image, SERVER=address, MODEL="tiny", OUTPUT=str(target))
    assert "OUTPUT" not in results
    assert not target.exists()


@pytest.mark.parametrize(
    "shape",
    [
        f"Point ({LEFT + 60.5} {TOP - 60.5})",
        f"LineString ({LEFT + 60} {TOP - 60}, {LEFT + 70} {TOP - 60})",
        f"Polygon (({LEFT + 60} {TOP - 60}, {LEFT + 70} {TOP - 60}, {LEFT + 60} {TOP - 70}, {LEFT + 60} {TOP - 60}))",
    ],
)
def test_marks_of_every_shape_change_the_map_around_them(image, address, tmp_path, shape):
    before = classify(image, address, tmp_path / "before.tif")
    after = [
        run_for_raster(
            "refine",
            tmp_path / f"{class_id}.tif",
            INPUT=image,
            SERVER=address,
            MODEL="tiny",
            MARKS=marks((shape, class_id)),
        ).ReadAsArray()
        for class_id in range(3)
    ]
    assert any((found != before).any() for found in after)
    for found in after:
        np.testing.assert_array_equal(found[120:, 120:], before[120:, 120:])


def test_marks_may_lie_in_another_crs_and_name_their_class(image, address, tmp_path):
    plain = marks((f"Point ({LEFT + 60.5} {TOP - 60.5})", 2))
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsProject

    to_degrees = QgsCoordinateTransform(plain.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), QgsProject.instance())
    place = QgsGeometry.fromWkt(f"Point ({LEFT + 60.5} {TOP - 60.5})")
    place.transform(to_degrees)
    named = marks((place.asWkt(12), "Building"), crs="EPSG:4326")
    results = [
        run_for_raster(
            "refine", tmp_path / f"{number}.tif", INPUT=image, SERVER=address, MODEL="tiny", MARKS=layer
        ).ReadAsArray()
        for number, layer in enumerate((plain, named))
    ]
    np.testing.assert_array_equal(*results)


def test_a_class_that_the_model_lacks_is_named(image, address, tmp_path):
    layer = marks((f"Point ({LEFT + 60} {TOP - 60})", "lava"))
    with pytest.raises(QgsProcessingException, match="'lava'.*building"):
        run("refine", INPUT=image, SERVER=address, MODEL="tiny", MARKS=layer, OUTPUT=str(tmp_path / "a.tif"))


def test_a_polygon_with_a_hole_does_not_mark_the_hole():
    from qgis.core import QgsCoordinateTransform

    from terrafine.qgis_plugin.marks.features import FeatureMarks
    from terrafine.qgis_plugin.rasters.placement import Placement
    from terrafine.shared.spec import LandCover

    dataset = gdal.GetDriverByName("MEM").Create("", 100, 100, 1, gdal.GDT_Byte)
    dataset.SetGeoTransform((0, 1, 0, 100, 0, -1))
    ring = "Polygon ((10 10, 90 10, 90 90, 10 90, 10 10), (30 30, 50 30, 50 50, 30 50, 30 30))"
    classes = [LandCover(0, "a", "#000000")]
    maker = FeatureMarks("class_id", QgsCoordinateTransform(), Placement(dataset), classes, 1.0)
    (feature,) = marks((ring, 0)).getFeatures()
    found = maker.of(feature)
    shapes = [QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in mark.vertices]]) for mark in found]
    assert sum(shape.area() for shape in shapes) == pytest.approx(80 * 80 - 20 * 20)
    assert all(shape.isGeosValid() for shape in shapes)


def test_uncertainty_is_a_raster_from_0_to_1(image, address, tmp_path):
    result = run_for_raster("uncertainty", tmp_path / "u.tif", INPUT=image, SERVER=address, MODEL="tiny", EXTENT=PART)
    band = result.GetRasterBand(1)
    values = band.ReadAsArray() * band.GetScale()
    assert values.shape == (60, 60)
    assert 0 <= values.min() < values.max() <= 1
    assert band.GetColorTable() is None


def test_queries_are_patches_the_most_uncertain_first(image, address, tmp_path):
    layer = run_for_layer("queries", INPUT=image, SERVER=address, MODEL="tiny", SIZE=32, LIMIT=10)
    rows = rows_of(layer)
    assert [row["rank"] for row in rows] == list(range(1, 11))
    scores = [row["uncertainty"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    measured = run_for_raster("uncertainty", tmp_path / "u.tif", INPUT=image, SERVER=address, MODEL="tiny")
    first = next(layer.getFeatures()).geometry().boundingBox()
    row, col = int(TOP - first.yMaximum()), int(first.xMinimum() - LEFT)
    patch = measured.ReadAsArray()[row : row + 32, col : col + 32] / 254
    assert scores[0] == pytest.approx(patch.mean(), abs=0.01)


def test_what_was_learnt_from_marks_is_a_new_model_of_the_server(image, address, tmp_path):
    corner = f"Polygon (({LEFT} {TOP}, {LEFT + 64} {TOP}, {LEFT + 64} {TOP - 64}, {LEFT} {TOP - 64}, {LEFT} {TOP}))"
    results, _ = run(
        "learn",
        INPUT=image,
        SERVER=address,
        MODEL="tiny",
        MARKS=marks((corner, 2)),
        SCOPE=0,
        NAME="tiny-learnt",
        OUTPUT=str(tmp_path / "map.tif"),
    )
    assert results["LEARNT_MODEL"] == "tiny-learnt"
    assert results["RIGHT_AFTER"] >= results["RIGHT_BEFORE"]
    learnt = run_for_raster("classify", tmp_path / "l.tif", INPUT=image, SERVER=address, MODEL="tiny-learnt")
    assert learnt.ReadAsArray().shape == (scenes.SIZE, scenes.SIZE)
