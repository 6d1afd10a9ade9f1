"""A made-up run in the studio and as a gallery on the disk, and Chromium to look at both."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))  # where the maker of runs is

from fake_run import ABOUT, FakeRun, write_data, write_run  # noqa: E402

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright, of the dev extra, is not installed")

from luss_core.config import ReportConfig  # noqa: E402
from luss_core.data.features import Clusters, read_clusters, write_clusters, write_features  # noqa: E402
from luss_core.data.masks import read_mask, write_mask  # noqa: E402
from luss_core.edits_file import NAME  # noqa: E402
from luss_core.report.comparison import ScoredRun  # noqa: E402
from luss_core.stages.align import align  # noqa: E402
from luss_core.stages.all_images import GALLERY, LIST, Files, all_images, read_files  # noqa: E402

TOKEN = "token-of-the-tests"  # noqa: S105 - of no secret
CATEGORIES, IMAGES = 4, 40
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator["sync_api.Browser"]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of the browsers {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        # without a sandbox it runs as root as well; it sees nothing but pages of this test
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


SWAPPED = np.array([0, 2, 1, 3, 4])
"""What the second seed calls the categories of the first."""
ODD = "validation/003/0"
"""The image in which the second seed finds nothing."""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 4 categories; in the first, images lie in two clumps. Another seed lies there."""
    folder = tmp_path_factory.mktemp("web")
    fake = FakeRun(folder, folder / "frozen" / "seed0", CATEGORIES, truth=False, per_class=IMAGES)
    write_data(fake)
    write_run(fake)
    found = read_clusters(fake.run / "cluster" / "clusters.h5")
    label = np.arange(len(found.row), dtype=np.int32) // IMAGES
    rng = np.random.default_rng(0)
    centroids = 4 * np.eye(CATEGORIES, dtype=np.float32)
    vectors = centroids[label] + rng.normal(0, 0.3, (len(label), CATEGORIES)).astype(np.float32)
    vectors[: IMAGES // 4, 1] += 1.5
    change = found.change.__class__(False, found.change.matrix, found.change.offset, False)
    distance = ((vectors - centroids[label]) ** 2).sum(axis=1)
    write_clusters(fake.run / "cluster" / "clusters.h5", Clusters(centroids, found.row, label, distance, change), ABOUT)
    with write_features(fake.run / "features.h5", *vectors.shape, ABOUT) as writer:
        writer.append(vectors, found.row)
    given = fake.arguments()
    parts = (given[name] for name in ("images", "store", "masks", "scores", "clusters"))
    files = Files(*parts, fake.run / "features.h5", fake.run / NAME)
    all_images(ReportConfig(), files, out=fake.run / GALLERY, title="made up · frozen · seed 0", threads=1)
    second = write_second(fake.run, label, centroids)
    runs = [ScoredRun("frozen", seed, run) for seed, run in enumerate((fake.run, second))]
    align(ReportConfig(), runs=runs, out=folder / "align", threads=1)
    return fake.run


def write_second(first: Path, label: np.ndarray, centroids: np.ndarray) -> Path:
    """What another seed found: the same under other numbers, but for one image. Its page was not made."""
    run, given = first.with_name("seed1"), json.loads((first / GALLERY / LIST).read_text())
    shutil.copytree(first, run, ignore=shutil.ignore_patterns("photo", "mask"))
    (run / GALLERY / LIST).write_text(json.dumps(given))  # paths in it are relative
    for path in (run / "infer" / "masks").rglob("*.png"):
        write_mask(path, SWAPPED[read_mask(path)] * (not path.with_suffix("").as_posix().endswith(ODD)))
    found = read_clusters(run / "cluster" / "clusters.h5")
    swapped = (SWAPPED[label + 1] - 1).astype(np.int32)
    write_clusters(
        run / "cluster" / "clusters.h5", Clusters(centroids, found.row, swapped, found.distance, found.change), ABOUT
    )
    return run


@pytest.fixture(scope="session")
def address(run: Path) -> Iterator[str]:
    """Of the studio, with the token."""
    import uvicorn

    from luss_core.studio.app import make_app
    from luss_core.studio.command import bound
    from luss_core.studio.session import Session

    socket = bound(18701)
    app = make_app(Session(*read_files(run), threads=1), TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{socket.getsockname()[1]}/?token={TOKEN}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def window(browser: "sync_api.Browser") -> Iterator[Callable[..., "sync_api.Page"]]:
    """Opens an address in a window of its own; at the end no page may have failed."""
    contexts, failures = [], []

    def opened(address: str, **settings: object) -> "sync_api.Page":
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda line: failures.append(line.text) if "Content Security Policy" in line.text else None)
        page.goto(address)
        page.wait_for_selector(".tile")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []


@pytest.fixture
def studio(run: Path, address: str, window: Callable[..., "sync_api.Page"]) -> Callable[..., "sync_api.Page"]:
    """Opens the studio on a run that nobody has corrected yet."""
    (run / NAME).unlink(missing_ok=True)
    shutil.rmtree(run / "state", ignore_errors=True)
    return lambda **settings: window(address, **settings)


@pytest.fixture
def gallery(run: Path, window: Callable[..., "sync_api.Page"]) -> Callable[..., "sync_api.Page"]:
    """Opens the gallery from the disk."""
    return lambda **settings: window((run / GALLERY / "index.html").as_uri(), **settings)
