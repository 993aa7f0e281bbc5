"""How somebody teaches a model classes of their own, and what there is to see of it."""

from __future__ import annotations

from osgeo import gdal

from terrafine.qgis_plugin.state import Kind

STRIPES = (25.5, 80.5, 135.5)  # the middles of the scene's three stripes
NAMES = ("lake", "wood", "sand")


def start_with(analyst, names: tuple[str, ...]) -> None:
    analyst.dock.marks.legend_tools.own.trigger()
    dialog = analyst.plugin.desk.legend.dialog
    for row in list(dialog.rows):
        analyst.press(row.remove)
    for name in names:
        analyst.press(dialog.add)
        dialog.rows[-1].name.setText(name)
    dialog.accept()


def learn(analyst) -> None:
    analyst.press(analyst.dock.learn.learn)
    assert analyst.controller.work.kind is Kind.LEARNING
    analyst.settle()


def add_class(analyst, name: str) -> None:
    analyst.press(analyst.dock.marks.legend_tools.add)
    dialog = analyst.plugin.desk.legend.dialog
    dialog.name.setText(name)
    dialog.accept()
    analyst.settle()


def pick(analyst, class_id: int) -> None:
    analyst.dock.marks.legend.class_chosen.emit(class_id)


def legend(analyst) -> list[str]:
    """The names in the dock's legend."""
    shown = analyst.dock.marks.legend
    return [shown.item(row).text() for row in range(shown.count())]


def palette(analyst) -> dict[int, str]:
    """The colours in the map's file."""
    dataset = gdal.Open(analyst.map_layer.source())  # GDAL needs it to live as long as its band
    table = dataset.GetRasterBand(1).GetColorTable()
    return {i: "#" + bytes(table.GetColorEntry(i)[:3]).hex() for i in range(table.GetCount())}


def category_names(analyst) -> list[str]:
    dataset = gdal.Open(analyst.map_layer.source())
    dataset.GetMetadata()  # makes this GDAL read the .aux.xml, too
    return dataset.GetRasterBand(1).GetCategoryNames()
