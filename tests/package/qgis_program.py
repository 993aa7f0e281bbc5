"""Start the real QGIS with the plugin as users get it: the zip, unpacked into a profile where nothing else is."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

from terrafine.tests.package.places import Place

ROOT = Path(__file__).resolve().parents[2]
SCREEN = "-screen 0 1280x1100x24"
INI = """[PythonPlugins]
terrafine=true

[qgis]
checkVersion=false

[terrafine]
welcomed=true
models_folder={models}
"""
NEEDED = ("qgis", "xvfb-run")


@dataclass(frozen=True)
class Reloads:
    """How often the plugin is loaded and unloaded, on which image, with which server that runs already."""

    place: Place
    address: str
    times: int

    def plain(self) -> dict[str, Any]:
        return {"place": self.place.plain(), "address": self.address, "times": self.times}


@dataclass(frozen=True)
class Order:
    """
    jobs      names of functions in jobs.py, each with the place where it is done
    pictures  a folder for them
    models    a folder of further models for the local server; "" for none
    reloads   what is done at the end, if anything
    """

    jobs: Sequence[tuple[str, Place]]
    pictures: Path
    models: str = ""
    reloads: Optional[Reloads] = None


def missing() -> list[str]:
    """Programs that a run needs and this computer has not."""
    return [name for name in NEEDED if shutil.which(name) is None]


def run(order: Order, scratch: Path, server_python: str, limit_s: float) -> dict[str, Any]:
    """Carry out an order in QGIS; what inside.py has written down. Raises RuntimeError if it has written nothing."""
    profiles, result, trace = scratch / "profiles", scratch / "result.json", scratch / "trace.txt"
    install(profiles, scratch, order.models)
    order.pictures.mkdir(parents=True, exist_ok=True)
    plain = {
        "jobs": [(name, place.plain()) for name, place in order.jobs],
        "pictures": str(order.pictures),
        "result": str(result),
        "reloads": order.reloads.plain() if order.reloads else None,
        "trace": str(trace),
        "limit_s": 0.7 * limit_s,
    }
    said = _start(profiles, server_python, json.dumps(plain), limit_s)
    if not result.is_file():
        stuck = trace.read_text("utf-8") if trace.is_file() else "it has not begun"
        raise RuntimeError(f"QGIS has not come to an end: {stuck}\n{said[-4000:]}")
    return json.loads(result.read_text("utf-8"))


def install(profiles: Path, scratch: Path, models: str) -> None:
    """A fresh profile with the plugin's zip unpacked in it."""
    plugins, ini = profiles / "profiles/default/python/plugins", profiles / "profiles/default/QGIS/QGIS3.ini"
    plugins.mkdir(parents=True)
    ini.parent.mkdir(parents=True)
    ini.write_text(INI.format(models=models), "utf-8")
    build = runpy.run_path(str(ROOT / "tools/plugin_zip.py"))["build"]
    with zipfile.ZipFile(build(scratch / "dist")) as archive:
        archive.extractall(plugins)


def _start(profiles: Path, server_python: str, order: str, limit_s: float) -> str:
    inside, temporary = Path(__file__).with_name("inside.py"), profiles / "temporary"
    temporary.mkdir()
    qgis = [
        "qgis",
        "--nologo",
        "--noversioncheck",
        "--lang",
        "en",
        "--profiles-path",
        str(profiles),
        "--code",
        str(inside),
    ]
    environment = {
        **os.environ,
        "TERRAFINE_RUN": order,
        "TERRAFINE_DRIVER": os.pathsep.join((str(inside.parent), str(ROOT / "tests/qgis"))),
        "TERRAFINE_SERVER_PYTHON": server_python,
        "QGIS_AUTH_DB_DIR_PATH": str(profiles),
        "XDG_DATA_HOME": str(profiles / "data"),
        "TMPDIR": str(temporary),
    }
    for name in ("QT_QPA_PLATFORM", "PYTHONPATH"):  # a real window, and QGIS's own modules
        environment.pop(name, None)
    command = ["xvfb-run", "--auto-servernum", "--server-args", SCREEN, *qgis]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            return process.communicate(timeout=limit_s)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return process.communicate()[0]
