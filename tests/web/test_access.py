"""An accessibility checker finds nothing serious."""

from collections.abc import Callable

import pytest

from .waiting import until

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe, of the dev extra, is missing").Axe


def serious(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_gallery(gallery: Callable, scheme: str):
    page = gallery(color_scheme=scheme)
    page.click("#list button:has-text('category 1')")
    page.click("#map-button")
    page.select_option("#beside", "frozen/seed1")
    until(page, "grid.classList.contains('two')")
    assert serious(page) == []
    page.click(".tile >> nth=0")
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_studio(studio: Callable, scheme: str):
    page = studio(color_scheme=scheme)
    page.click("#list button:has-text('category 1')")
    page.click("#to-background")
    page.wait_for_selector("#gone button")
    assert serious(page) == []
    page.click(".tile >> nth=0")
    assert serious(page) == []
