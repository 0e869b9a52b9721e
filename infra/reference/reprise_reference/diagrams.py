"""Draw the pages' Mermaid diagrams for the site, which asks no other host for Mermaid: `make diagrams`.

On GitHub the pages' own text is drawn; the site has a picture in its place, named by the text's digest, so
that a diagram that has changed has no picture until it is drawn again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from reprise_reference.site import DOCS, diagrams, picture_of

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_SETTINGS: Final = {
    "startOnLoad": False,
    "theme": "neutral",
    "deterministicIds": True,
    "fontFamily": "sans-serif",
    "flowchart": {"htmlLabels": False},
    "state": {"htmlLabels": False},
    "htmlLabels": False,
}
_DRAW: Final = """async ([settings, name, text]) => {
  mermaid.initialize(settings);
  return (await mermaid.render(name, text)).svg;
}"""


def main() -> None:
    """Draw what has no picture, and delete pictures of what is gone."""
    texts = {
        picture_of(text): text for page in DOCS.rglob("*.md") for text in diagrams(page.read_text())
    }
    folder = DOCS / "images" / "diagrams"
    folder.mkdir(exist_ok=True)
    for stale in set(folder.glob("*.svg")) - set(texts):
        stale.unlink()
    browser = next(found for name in _BROWSERS if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(path=Path(sys.argv[1]))
        for path, text in texts.items():
            svg = page.evaluate(_DRAW, [_SETTINGS, f"d{path.stem}", text])
            path.write_text(f"{svg}\n")
        chromium.close()


if __name__ == "__main__":
    main()
