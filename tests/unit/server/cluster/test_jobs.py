"""What engines on other machines are told of a map."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from terrafine.server.cli.mapping import MapInMaking
from terrafine.server.cluster.maps import MapJob


@pytest.fixture
def job_of(make_session, noise):
    """job_of(raster): the job of a map of that file."""

    def job_of(raster: Path) -> MapJob:
        given = {"model": "tiny", "models": [], "uncertainty": ("", None), "detail": "plain", "marks": None}
        session = make_session(noise(20, 20))
        return MapInMaking(argparse.Namespace(raster=raster, **given), session, None).job

    return job_of


def test_a_raster_has_the_same_name_wherever_it_is_opened(job_of, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert job_of(Path("sheet.tif")).raster == tmp_path / "sheet.tif"


def test_a_link_is_opened_as_one_with_the_files_beside_it(job_of, write_raster, noise, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = write_raster(tmp_path / "elsewhere" / "a.tif", noise(20, 20))
    link = tmp_path / "sheet.tif"
    link.symlink_to(file)
    assert job_of(link).raster == link
