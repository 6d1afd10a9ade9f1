"""The pictures of docs/photographs.md: what its commands show of photographs without labels, here generated scenes.

python benchmarks/pictures.py            into docs/pictures, some minutes on two cores; wants Chromium
python benchmarks/pictures.py --work W   keep what is made in the folder W, and go on from what is there
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from luss_core.config import SynthesizeConfig
from luss_core.stages.synthesize import synthesize

if TYPE_CHECKING:
    from playwright.sync_api import Page

OUT = Path(__file__).parents[1] / "docs" / "pictures"
SCENES = SynthesizeConfig(train=240, validation=8, test=24, min_side=224, max_side=288)
RUN = "results/my-photographs/frozen/seed0"
NAMES = {"arrow": "arrows", "crescent": "moons", "heart": "hearts"}
"""What a person calls the category with most of such scenes, to show that they can."""
WINDOW, WIDTH, QUALITY = {"width": 1200, "height": 760}, 960, 60
TOP = {"x": 0, "y": 0, "width": 1200, "height": 1100}
"""Of the page: down to the pictures with what was found."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ALLOWED = 300_000
"""Bytes of all pictures together."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for the run, kept; without it a temporary one")
    given = parser.parse_args(argv).work
    with tempfile.TemporaryDirectory() as folder:
        work = (given or Path(folder)).resolve()
        follow(work)
        OUT.mkdir(exist_ok=True)
        shoot(work)
    size = sum(file.stat().st_size for file in OUT.iterdir())
    sys.stdout.write(f"{size / 1000:.0f} kB in {OUT}\n")
    if size > ALLOWED:
        raise SystemExit(f"{OUT} holds {size:,} bytes; allowed: {ALLOWED:,}")


def follow(work: Path) -> None:
    """What the page tells its readers to do."""
    photographs, others = work / "my photographs", work / "others"
    if not others.exists():
        synthesize(SCENES, out=work / "scenes", threads=1)
        for split, folder in (("train", photographs), ("test", others)):
            folder.mkdir()
            for file in sorted((work / "scenes" / split).rglob("*.jpg")):
                shutil.copy(file, folder)
    luss(work, "photos", photographs, "--categories", 8, "--encoder", "efficientnet-lite0")
    if not (work / "predicted").exists():
        luss(work, "predict", RUN, others, "--overlays", "-o", "predicted")


def luss(work: Path, *words: object) -> None:
    subprocess.run([sys.executable, "-m", "luss_core", *map(str, words)], cwd=work, check=True)


def shoot(work: Path) -> None:
    """Photograph the pages, and lay overlays side by side."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright, studio(work) as address:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = chromium.new_page(viewport=WINDOW, color_scheme="light")
        page.goto((work / RUN / "report" / "index.html").as_uri())
        keep(page.screenshot(full_page=True, clip=TOP), "report")
        page.goto(address)
        page.wait_for_selector(".tile")
        name_categories(page)
        keep(page.screenshot(), "studio")
        page.click(".tile")
        page.wait_for_timeout(1000)
        keep(page.screenshot(), "large")
        chromium.close()
    side_by_side(sorted((work / "predicted" / "overlays").rglob("*.*"))[::3][:8], "predicted")


@contextmanager
def studio(work: Path) -> Iterator[str]:
    """The address of a studio on the run."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "luss_core", "studio", RUN], cwd=work, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    finally:
        process.terminate()
        process.wait()


def name_categories(page: "Page") -> None:
    """Name some categories by what most of their images are; who made the scenes knows."""
    buttons = page.locator("#list button")
    for number in range(1, buttons.count()):
        buttons.nth(number).click()
        page.wait_for_timeout(500)
        shown = " ".join(
            page.locator("#grid img").evaluate_all("all => all.slice(0, 20).map(one => one.alt + one.title)")
        )
        kind = max(NAMES, key=shown.count)
        if shown.count(kind) >= 10 and page.locator("#heading").inner_text().startswith("category"):
            page.fill("#rename", NAMES[kind])
            page.keyboard.press("Enter")
            page.wait_for_timeout(1000)


def keep(shot: bytes, name: str) -> None:
    """A picture for the page, small."""
    with Image.open(BytesIO(shot)) as image:
        height = round(image.height * WIDTH / image.width)
        image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS).save(
            OUT / f"{name}.webp", quality=QUALITY, method=6
        )


def side_by_side(files: list[Path], name: str, side: int = 150, gap: int = 6) -> None:
    """Eight overlays in two rows."""
    columns = len(files) // 2
    canvas = Image.new("RGB", (columns * (side + gap) - gap, 2 * (side + gap) - gap), "white")
    for number, file in enumerate(files):
        with Image.open(file) as image:
            row, column = divmod(number, columns)
            canvas.paste(image.convert("RGB").resize((side, side)), (column * (side + gap), row * (side + gap)))
    canvas.save(OUT / f"{name}.webp", quality=70, method=6)


if __name__ == "__main__":
    main()
