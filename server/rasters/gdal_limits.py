"""What GDAL may open. A raster file may name others, on the network too (VRT, descriptions of web services): here, what
is opened is read from disks alone, and runs no code.
"""

from __future__ import annotations

import os

WEB_DRIVERS = "DAAS EEDA EEDAI HTTP NGW OGCAPI PLMOSAIC PLSCENES PostGISRaster STACIT STACTA WCS WMS WMTS"
OPTIONS = {
    "GDAL_SKIP": WEB_DRIVERS,
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",  # of /vsicurl/, /vsis3/ and their kin: this one, which there cannot be
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_MEM_ENABLE_OPEN": "NO",  # a file that names an address in memory as its pixels
}


def apply() -> None:
    """Limit GDAL in this process and in those it starts; call it before GDAL opens a file: drivers are listed then."""
    os.environ.update(OPTIONS)
