"""How a local server is made: what it takes, and the commands one after the other."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsNetworkAccessManager
from qgis.PyQt.QtCore import QProcessEnvironment
from qgis.PyQt.QtNetwork import QNetworkProxy

from terrafine.qgis_plugin.language import Number, tr
from terrafine.qgis_plugin.link.process import clean_environment
from terrafine.qgis_plugin.setup.place import Place, version
from terrafine.shared.errors import ConfigError, TerrafineError

RAW_PROGRESS = (24, 1)  # pip since then tells its progress in numbers
GPU_TOOL = "nvidia-smi"  # comes with NVIDIA's driver, and fails where no GPU answers
USE_GPU = "import torch; torch.zeros(1, device='cuda')"


class Build(Enum):
    """A build of PyTorch."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True)
class Size:
    """Bytes to fetch, and on disk in the end."""

    fetched: int
    on_disk: int

    @property
    def needed(self) -> int:
        """While it is made, what is fetched lies beside what it becomes."""
        return self.fetched + self.on_disk


SIZES = {
    Build.CPU: Size(300_000_000, 1_330_000_000),
    Build.CUDA: Size(3_100_000_000, 6_000_000_000),
}  # measured on Linux


def builds() -> tuple[Build, ...]:
    """The builds that there are for this computer's system."""
    return (Build.CPU,) if sys.platform == "darwin" else (Build.CPU, Build.CUDA)


def torch_index(build: Build, platform: str = sys.platform) -> Optional[str]:
    """The index that has the build; None for PyPI, whose builds are CUDA's on Linux and the CPU's elsewhere."""
    if build is Build.CPU:
        return "https://download.pytorch.org/whl/cpu" if platform.startswith("linux") else None
    return None if platform.startswith("linux") else "https://download.pytorch.org/whl/cu126"


@dataclass(frozen=True)
class Step:
    """One command. `command` is asked for when its turn comes; `has_children`: killing it would not end all of it.
    `refusal` says what it means that it fails, given its last line; without it that is for pip to say.
    """

    words: str
    command: Callable[[], list[str]]
    has_children: bool = False
    refusal: Optional[Callable[[str], TerrafineError]] = None


@dataclass(frozen=True)
class Recipe:
    """python: the one that makes the environment; wheel: the server's, as `make package` builds it."""

    python: str
    wheel: str
    build: Build
    place: Place

    def check(self) -> None:
        """Raises ConfigError where it cannot be followed."""
        check_wheel(self.wheel)
        free, needed = self.place.free_bytes(), SIZES[self.build].needed
        if free < needed:
            message = tr("The disk of '{folder}' has {free} free; {needed} are needed.")
            raise ConfigError(
                message.format(folder=self.place.folder, free=gigabytes(free), needed=gigabytes(needed)),
                tr("Make room, then try again."),
            )
        if self.build is Build.CUDA and shutil.which(GPU_TOOL) is None:
            raise no_gpu(tr("NVIDIA's driver is not installed"))

    def steps(self) -> tuple[Step, ...]:
        index = torch_index(self.build)
        torch = ["torch", *(["--index-url", index] if index else [])]
        environment, python = str(self.place.folder), str(self.place.python)
        wants_gpu = self.build is Build.CUDA
        return (
            *([_look_for_gpu()] if wants_gpu else []),
            Step(tr("Making an environment"), lambda: [self.python, "-m", "venv", environment], has_children=True),
            Step(tr("Bringing pip up to date"), lambda: self._install("--upgrade", "pip")),
            Step(tr("Installing PyTorch"), lambda: self._install(*torch)),
            *([_try_gpu(python)] if wants_gpu else []),
            Step(tr("Installing Terrafine"), lambda: self._install(self.wheel)),
            Step(tr("Trying whether it works"), lambda: [python, "-m", "terrafine.server.cli", "models"]),
        )

    def environment(self) -> QProcessEnvironment:
        """The environment of all steps: pip keeps its downloads in the place, asks nothing, and uses QGIS's proxy."""
        variables = clean_environment()
        scratch = str(self.place.scratch)
        variables_of_pip = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"}
        for name, value in {**variables_of_pip, "TMPDIR": scratch, "TEMP": scratch, "TMP": scratch}.items():
            variables.insert(name, value)
        variables.insert("PYTHONUTF8", "1")
        if proxy_url() and not variables.contains("PIP_PROXY"):
            variables.insert("PIP_PROXY", proxy_url())
        return variables

    def _install(self, *what: str) -> list[str]:
        """Only what is built already: nothing is compiled, and no process is left when pip is killed."""
        raw = ["--progress-bar", "raw"] if pip_version(self.place) >= RAW_PROGRESS else []
        options = ["--only-binary", ":all:", "--no-cache-dir", "--no-warn-script-location", *raw]
        return [str(self.place.python), "-m", "pip", "install", *options, *what]


def _look_for_gpu() -> Step:
    """Before gigabytes are fetched."""
    return Step(tr("Looking for a GPU"), lambda: [shutil.which(GPU_TOOL) or GPU_TOOL, "-L"], refusal=no_gpu)


def _try_gpu(python: str) -> Step:
    """PyTorch alone knows which drivers it works with."""
    return Step(tr("Trying the GPU"), lambda: [python, "-c", USE_GPU], refusal=unusable_gpu)


def no_gpu(why: str) -> ConfigError:
    """`why`, in the words of NVIDIA's tool perhaps."""
    return ConfigError(
        tr("No NVIDIA GPU can be used on this computer: {why}.").format(why=why.rstrip(".")),
        tr("Choose PyTorch for any computer, or install NVIDIA's driver and try again."),
    )


def unusable_gpu(why: str) -> ConfigError:
    """`why`, in PyTorch's words, which know what drivers it needs."""
    return ConfigError(
        tr("PyTorch cannot use this computer's GPU: {why}.").format(why=why.partition(": ")[2].rstrip(".") or why),
        tr("Bring NVIDIA's driver up to date and try again, or choose PyTorch for any computer."),
    )


def check_wheel(path: str) -> None:
    """Raises ConfigError unless it is the server's wheel of this plugin's version.

    Terrafine has not been published in Python's index: whatever carried its name there would be somebody else's.
    """
    if not Path(path).is_file():
        raise ConfigError(
            tr("The server's wheel has not been chosen."),
            tr("Choose the file {name}, which comes with the plugin's zip.").format(
                name=f"terrafine-{version()}-….whl"
            ),
        )
    if not (Path(path).name.startswith(f"terrafine-{version()}-") and path.endswith(".whl")):
        raise ConfigError(
            tr("'{name}' is not the wheel of Terrafine {version}.").format(name=Path(path).name, version=version()),
            tr("Plugin and server go together: take both of the same version."),
        )


def wheel_beside_plugin() -> str:
    """A wheel of this version in the plugin's folder or beside it; "" if there is none."""
    plugin = Path(__file__).resolve().parents[2]
    found = [path for folder in (plugin, plugin.parent) for path in folder.glob(f"terrafine-{version()}-*.whl")]
    return str(found[0]) if found else ""


def pip_version(place: Place) -> tuple[int, ...]:
    """The version of the environment's pip, such as (24, 1); (0,) before there is one."""
    found = next(place.folder.glob("[Ll]ib/**/pip-*.dist-info"), None)
    numbers = found.name.split("-")[1].replace(".dist", "").split(".")[:2] if found else ["0"]
    return tuple(int(number) for number in numbers)


def proxy_url() -> str:
    """The HTTP proxy of QGIS's settings, as pip wants it; "" for none."""
    proxy = QgsNetworkAccessManager.instance().fallbackProxy()
    if proxy.type() != QNetworkProxy.ProxyType.HttpProxy or not proxy.hostName():
        return ""
    user = f"{proxy.user()}:{proxy.password()}@" if proxy.user() else ""
    return f"http://{user}{proxy.hostName()}:{proxy.port()}"


def gigabytes(size: int) -> str:
    """1.3 GB"""
    return tr("{size:.1f} GB").format(size=Number(size / 1e9))
