"""Words of the plugin in other languages: qgis_plugin/i18n/terrafine_LANGUAGE.ts.

`python tools/translations.py` (`make translations`) brings them up to date with the code, and says what is left to do.
`make package` compiles them into the .qm files that the plugin loads.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "qgis_plugin"
FOLDER = PLUGIN / "i18n"
LOCATION = re.compile(r"\s*<location [^>]*/>")
OPEN = 'type="unfinished"'


def main() -> int:
    code, words = sorted(PLUGIN.rglob("*.py")), sorted(FOLDER.glob("*.ts"))
    names = [[str(path.relative_to(ROOT)) for path in paths] for paths in (code, words)]
    command = ["pylupdate5", "-noobsolete", "-tr-function", "tr", *names[0], "-ts", *names[1]]
    subprocess.run(command, cwd=ROOT, check=True)
    for path in words:
        text = tidied(path.read_text("utf-8"))
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path.name}: {text.count(OPEN)} words without a translation\n")
    return 0


def tidied(words: str) -> str:
    """Without places in the code, which change with its every line; quotation marks as translators type them."""
    return LOCATION.sub("", words).replace("&apos;", "'").replace("&quot;", '"')


if __name__ == "__main__":
    raise SystemExit(main())
