"""Pack the plugin as QGIS installs it: `python tools/plugin_zip.py dist/` writes dist/terrafine-VERSION.zip.

The zip holds the tested files as they are, under the folder name that QGIS uses: no import is rewritten. Two runs over
the same files give the same bytes.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONTENT = ("metadata.txt", "__init__.py", "LICENSE", "requirements.txt", "qgis_plugin", "shared", "docs/user-guide")
LEFT_OUT = (".ts",)  # the words that translators work on; the plugin loads what was compiled from them
LARGEST = 25_000_000  # bytes; plugins.qgis.org refuses more
EPOCH = (1980, 1, 1, 0, 0, 0)


def files(root: Path = ROOT) -> list[Path]:
    """The files that go into the zip, relative to `root`, in a fixed order."""
    return sorted(path.relative_to(root) for name in CONTENT for path in _walk(root / name))


def _walk(start: Path) -> Iterator[Path]:
    found = start.rglob("*") if start.is_dir() else [start]
    for path in found:
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in LEFT_OUT:
            yield path


def version(root: Path = ROOT) -> str:
    """The plugin's version, from metadata.txt."""
    found = re.search(r"^version=(\S+)$", (root / "metadata.txt").read_text("utf-8"), re.MULTILINE)
    if not found:
        raise ValueError("metadata.txt has no line 'version='")
    return found.group(1)


def build(folder: Path, root: Path = ROOT) -> Path:
    """Write the zip into `folder` and return its path; raises FileNotFoundError if a needed file is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"terrafine-{version(root)}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(root):
            entry = zipfile.ZipInfo(f"terrafine/{path.as_posix()}", EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, (root / path).read_bytes())
    return target


def main() -> int:
    target = build(Path(sys.argv[1]))
    size = target.stat().st_size
    sys.stdout.write(f"{target}  {size / 1e6:.2f} MB\n")
    return 0 if size < LARGEST else 1


if __name__ == "__main__":
    raise SystemExit(main())
