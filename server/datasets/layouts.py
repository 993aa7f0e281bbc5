"""Folder layouts and label codes of INRIA, ISPRS Potsdam, AIRS, Zurich Summer and DeepGlobe land cover.

Each entry repeats what the data set's own publication says; the address of that stands beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrafine.models.metrics import VOID
from terrafine.server.rasters import raster_io
from terrafine.shared.errors import ConfigError

CONFIGURATIONS = Path(__file__).parent  # NAME.toml of each data set
Colour = tuple[int, int, int]
MIDDLE = 127  # masks that went through JPEG, or have a few values off, are brought back to 0 or 255 here
WHITE, BLACK, RED, GREEN, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)
CYAN, MAGENTA, YELLOW = (0, 255, 255), (255, 0, 255), (255, 255, 0)


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps its files, and what its labels mean.

    image    a regular expression of an image's path in the data set, with "/"; its group `name` is the scene's name
    labels   paths of its labels, filled in from the groups; the first that exists counts
    colours  of the classes 0, 1, …; other colours are void. Empty: one band, class 1 where it is not 0
    pure     all colours are made of 0 and 255 alone
    """

    image: str
    labels: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    pure: bool = True

    def pairs(self, folder: Path) -> list[tuple[str, Path, Path]]:
        """(name, image, labels) of every image that has labels, by name."""
        found = []
        for path in sorted(folder.rglob("*")):
            match = re.fullmatch(self.image, path.relative_to(folder).as_posix())
            if match:
                places = (folder / pattern.format(**match.groupdict(default="")) for pattern in self.labels)
                found += [(match["name"], path, labels) for labels in places if labels.is_file()][:1]
        return sorted(found)

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Classes uint8 (rows, columns), VOID where the label means none."""
        bands = raster_io.read_all(path)
        if not self.colours:
            return (bands[0] != 0).astype(np.uint8)
        if len(bands) < 3:
            raise ConfigError(f"'{path}' has {len(bands)} band(s), where red, green and blue are expected.")
        colours = np.where(np.greater(bands[:3], MIDDLE), 255, 0) if self.pure else bands[:3]
        truth = np.full(bands.shape[1:], VOID, np.uint8)
        for class_id, colour in enumerate(self.colours):
            truth[(colours == np.array(colour)[:, None, None]).all(axis=0)] = class_id
        return truth


def _potsdam(folder: str, suffix: str) -> Layout:
    """One of Potsdam's orthophotos; the labels with eroded borders, black there, serve where there are no others."""
    return Layout(
        rf"(?P<up>.+/)?{folder}/top_potsdam_(?P<name>\d+_\d+)_{suffix}\.tif",
        (
            "{up}5_Labels_all/top_potsdam_{name}_label.tif",
            "{up}5_Labels_for_participants/top_potsdam_{name}_label.tif",
            "{up}5_Labels_all_noBoundary/top_potsdam_{name}_label_noBoundary.tif",
        ),
        (WHITE, BLUE, CYAN, GREEN, YELLOW, RED),
    )


LAYOUTS = {
    # https://project.inria.fr/aerialimagelabeling: austin, chicago, kitsap, tyrol-w, vienna 1 … 36; test has no labels.
    "inria": Layout(r"(?P<up>.+/)?images/(?P<name>[\w-]+)\.tif", ("{up}gt/{name}.tif",)),
    # https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx
    "potsdam": _potsdam("2_Ortho_RGB", "RGB"),
    "potsdam-irrg": _potsdam("3_Ortho_IRRG", "IRRG"),
    "potsdam-rgbir": _potsdam("4_Ortho_RGBIR", "RGBIR"),
    # https://www.airs-dataset.com: label/NAME.tif holds 0 and 1, label/NAME_vis.tif 0 and 255.
    "airs": Layout(
        r"(?P<up>.+/)?(?P<name>(?P<part>train|val|test)/image/(?P<stem>[\w-]+))\.tif",
        ("{up}{part}/label/{stem}.tif", "{up}{part}/label/{stem}_vis.tif"),
    ),
    # Volpi and Ferrari, EarthVision 2015; colours and the bands (blue, green, red, near infrared) are those of
    # the MATLAB script that comes with the data; white is not labelled.
    "zurich": Layout(
        r"(?P<up>.+/)?images_tif/(?P<name>zh\d+)\.tif",
        ("{up}groundtruth/{name}_GT.tif",),
        (BLACK, (100, 100, 100), (0, 125, 0), GREEN, (150, 80, 0), (0, 0, 150), YELLOW, (150, 150, 255)),
        pure=False,
    ),
    # Demir et al., CVPR workshops 2018: urban, agriculture, range, forest, water, barren; black is unknown.
    "deepglobe": Layout(
        r"(?P<up>.+/)?(?P<name>\d+)_sat\.jpg",
        ("{up}{name}_mask.png",),
        (CYAN, YELLOW, MAGENTA, GREEN, BLUE, WHITE),
    ),
}


def find(name: str) -> Layout:
    """The layout of that name; raises ConfigError with the names there are."""
    if name not in LAYOUTS:
        raise ConfigError(f"[data] knows no layout '{name}'.", f"There are: {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]
