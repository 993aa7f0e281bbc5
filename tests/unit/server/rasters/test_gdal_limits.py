"""Files that name others: what lies on disks is read, and nobody is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio

from terrafine.server.rasters.raster_io import read_all
from terrafine.shared.errors import UnusableRaster


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def vrt(path: Path, source: str, band: str = "") -> Path:
    path.write_text(
        f'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1" {band}><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{escape(source)}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def wms(address: str) -> str:
    size = (
        "<UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY><LowerRightX>1</LowerRightX><LowerRightY>-1</LowerRightY>"
    )
    return (
        f"<GDAL_WMS><Service name='TMS'><ServerUrl>{address}/wms</ServerUrl></Service><DataWindow>{size}"
        "<SizeX>9</SizeX><SizeY>9</SizeY></DataWindow><BandsCount>1</BandsCount></GDAL_WMS>"
    )


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("prefix", ["/vsicurl/", "/vsicurl_streaming/", ""])
def test_a_mosaic_of_files_on_the_network_is_not_read_and_nobody_is_asked(web, tmp_path: Path, prefix: str) -> None:
    with pytest.raises(UnusableRaster):
        read_all(vrt(tmp_path / "mosaic.vrt", f"{prefix}{web[0]}/x.tif"))
    assert web[1] == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_description_of_a_web_service_is_no_raster_in_a_file_or_a_mosaic(web, tmp_path: Path) -> None:
    (tmp_path / "service.xml").write_text(wms(web[0]))
    for path in (tmp_path / "service.xml", vrt(tmp_path / "mosaic.vrt", wms(web[0]))):
        with pytest.raises(UnusableRaster):
            read_all(path)
    assert web[1] == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_mosaic_of_files_on_the_disk_is_read(tmp_path: Path) -> None:
    values = np.arange(81, dtype=np.uint8).reshape(1, 9, 9)
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=1, height=9, width=9, dtype="uint8") as out:
        out.write(values)
    np.testing.assert_array_equal(read_all(vrt(tmp_path / "mosaic.vrt", str(tmp_path / "a.tif"))), values)
