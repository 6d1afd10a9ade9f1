"""The page of all images in a browser, opened from a disk."""

import base64
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from luss_core.stages.all_images import GALLERY

from .conftest import ODD
from .waiting import until

PHONE = {"viewport": {"width": 400, "height": 800}, "has_touch": True}
HALF = [(0.005, 0.5), (0.005, -0.02), (0.5, -0.02), (0.5, 1.02), (0.005, 1.02)]
"""A line around the left half of the map, in shares of it; it begins inside, where a press counts."""


def draw_around(page, line: list[tuple[float, float]]) -> None:
    page.locator("#dots").scroll_into_view_if_needed()
    box = page.locator("#dots").bounding_box()
    corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()


def pixels(file: Path | BytesIO) -> bytes:
    return Image.open(file).convert("RGBA").tobytes()


def listed_images(page) -> int:
    return int(page.locator("#result").inner_text().split()[0])


def shown(page) -> list[str]:
    """The categories under the images that are listed."""
    return page.locator(".caption span:nth-child(2)").all_text_contents()


def test_a_category_is_chosen(gallery: Callable):
    page = gallery()
    assert page.locator("#result").inner_text() == "480 images"
    page.click("#list button:has-text('category 2')")
    assert page.locator("h2#heading").inner_text() == "category 2"
    assert set(shown(page)) == {"category 2"}
    page.reload()
    page.wait_for_selector(".tile")
    assert page.locator("h2#heading").inner_text() == "category 2"
    page.click("#near button >> nth=0")
    assert page.locator("h2#heading").inner_text() != "category 2"


def test_order_and_confidence(gallery: Callable):
    page = gallery()
    page.select_option("#sort", "doubtful")
    doubts = [int(text.rstrip("\u00a0%")) for text in page.locator(".caption small").all_text_contents()]
    assert doubts == sorted(doubts)
    page.select_option("#sure", "low")
    assert page.locator("#result").inner_text() == "120 images"
    page.fill("#text", "nothing is called so")
    assert "No image fits" in page.locator("#result").inner_text()


def test_pictures_load_and_the_overlay_slides(gallery: Callable):
    page = gallery()
    page.click("#list button:has-text('category 1')")
    page.select_option("#split", "test")
    page.click(".tile >> nth=0")
    until(page, "document.getElementById('big-mask').naturalWidth > 0")
    assert page.locator("#big-mask").get_attribute("alt").startswith("found: ")
    for slider, value, style in (("#overlay-big", "30", "opacity"), ("#wipe", "25", "clipPath")):
        page.locator(slider).evaluate(f"(one) => {{ one.value = {value}; one.dispatchEvent(new Event('input')); }}")
        found = page.locator("#big-mask").evaluate(f"(one) => getComputedStyle(one).{style}")
        assert found in ("0.3", "inset(0px 75% 0px 0px)")


def test_keys_alone(gallery: Callable):
    page = gallery()
    press = page.keyboard.press
    press("2")
    second = page.locator("#list button >> nth=2")
    assert second.get_attribute("aria-pressed") == "true"
    press("ArrowRight")
    press("ArrowRight")
    at = page.evaluate("document.activeElement.dataset.row")
    assert at == page.locator(".tile >> nth=1").get_attribute("data-row")
    press("Enter")
    first = page.locator("#viewed").inner_text()
    press("ArrowRight")
    assert page.locator("#viewed").inner_text() != first
    press("Escape")
    until(page, f"(document.activeElement.dataset.row ?? '{at}') !== '{at}'")  # once the view is closed
    press("0")
    assert page.locator("#result").inner_text() == "480 images"
    press("?")
    assert page.locator("#help").is_visible()
    press("Escape")
    press("o")
    assert page.locator("#overlay").input_value() == "0"


def test_the_map_lists_what_a_line_is_drawn_around(gallery: Callable):
    page = gallery()
    page.click("#map-button")
    draw_around(page, HALF)
    listed = listed_images(page)
    assert 0 < listed < 160
    left = "luss.page.data.images.filter((image) => image.p && image.p[0] * (canvas.clientWidth - 24) + 12 < %s)"
    half = "(canvas.clientWidth / 2)"
    assert listed == page.evaluate(f"{left % half}.length")
    page.keyboard.down("Shift")
    draw_around(page, [(1 - x, y) for x, y in HALF])
    page.keyboard.up("Shift")
    assert listed_images(page) == 160  # all that were learned from lie on the map
    page.click("#map-clear")
    assert page.locator("#result").inner_text() == "480 images"


def test_a_line_need_not_be_straight(gallery: Callable):
    page = gallery()
    inside = "luss.inside([[0, 0], [9, 0], [9, 9], [6, 9], [6, 3], [3, 3], [3, 9], [0, 9]], %s)"
    assert [page.evaluate(inside % [x, 6]) for x in (1, 4, 7, 10)] == [True, False, True, False]


def test_a_circle_on_the_map_by_keys(gallery: Callable):
    page = gallery()
    page.click("#map-button")
    page.focus("#dots")
    for _ in range(14):
        page.keyboard.press("+")
    assert page.locator("#map-said").inner_text() == "160 images in the circle; Enter lists them."
    page.keyboard.press("Enter")
    assert page.locator("#result").inner_text() == "160 images, of those chosen on the map"
    page.keyboard.press("Escape")
    assert page.locator("#result").inner_text() == "480 images"


def test_a_finger_draws(gallery: Callable):
    page = gallery(**PHONE)
    page.tap("#map-button")
    page.locator("#dots").scroll_into_view_if_needed()
    box = page.locator("#dots").bounding_box()
    corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in HALF]
    client = page.context.new_cdp_session(page)
    for kind, at in zip(("Start", *["Move"] * (len(corners) - 1)), corners, strict=True):
        client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": [{"x": at[0], "y": at[1]}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, "luss.page.choice.on !== null")
    assert 0 < listed_images(page) < 160


def test_why_images_have_no_mask(gallery: Callable):
    page = gallery()
    said = page.locator("#unmasked")
    assert "160 of these images have no mask: only the validation and test images were segmented" in said.inner_text()
    assert "infer: {splits: [train, validation, test]}" in said.inner_text()
    assert page.locator(".tile >> nth=0 >> .tag").inner_text() == "no mask"
    page.click(".tile >> nth=0")
    assert page.locator("#parts-of").inner_text().startswith("It has no mask: only the validation and test images")
    page.keyboard.press("Escape")
    page.select_option("#split", "test")
    assert said.inner_text() == ""


def test_a_category_shows_its_first_images_in_each_order(gallery: Callable):
    page = gallery()
    page.click("#list button:has-text('category 1')")
    heads = page.locator(".way > .pill").all_text_contents()
    assert heads[:3] == ["most typical first", "most doubtful first", "farthest first"]
    page.click(".way:nth-child(2) .mini >> nth=1")
    page.keyboard.press("Escape")
    assert page.locator("#sort").input_value() == "doubtful"
    assert page.locator(".way:nth-child(2) .mini").count() == 5


def test_another_run_beside_this_one(gallery: Callable, run: Path):
    page = gallery()
    page.select_option("#beside", "frozen/seed1")
    until(page, "grid.classList.contains('two')")
    page.select_option("#split", "validation")
    until(page, "document.querySelectorAll('li:first-child .run img').length === 4")
    assert page.locator(".tile >> nth=0").locator(".run").count() == 2
    captions = page.locator(".caption span:nth-child(2)").all_text_contents()
    assert captions[::2] == captions[1::2]  # the same categories, under the names of this run
    page.click(".tile >> nth=0")
    until(page, "document.getElementById('mask-beside').naturalWidth > 0")
    painted = page.locator("#mask-beside").get_attribute("src").removeprefix("data:image/png;base64,")
    own = run / GALLERY / page.locator("#big-mask").get_attribute("src")
    assert pixels(BytesIO(base64.b64decode(painted))) == pixels(own)
    page.reload()
    page.wait_for_selector(".tile")
    until(page, "grid.classList.contains('two')")
    assert page.locator("#beside").input_value() == "frozen/seed1"


def test_where_seeds_disagree(gallery: Callable):
    page = gallery()
    until(page, "document.querySelector('#sort option[value=apart]')")
    page.keyboard.press("r")
    first = page.locator(".tile >> nth=0")
    assert first.get_attribute("title") == ODD
    assert first.locator("small").inner_text() == "100\u00a0%"
    page.select_option("#sure", "apart")
    assert page.locator("#result").inner_text() == "1 image"
    page.reload()
    page.wait_for_selector(".tile")
    until(page, "document.getElementById('sure').value === 'apart'")
    assert page.locator("#result").inner_text() == "1 image"


def test_a_page_that_was_taken_elsewhere_shows_one_run(run: Path, window: Callable, tmp_path: Path):
    shutil.copytree(run / GALLERY, tmp_path / "gallery")
    page = window((tmp_path / "gallery" / "index.html").as_uri())
    page.wait_for_timeout(500)
    assert not page.locator("#beside-label").is_visible()
    assert page.locator("#beside-said").inner_text() == ""


def test_masks_that_are_missing_are_said(run: Path, gallery: Callable):
    away = (run.parents[1] / "align" / "1.html").rename(run.parents[1] / "away.html")
    try:
        page = gallery()
        page.select_option("#beside", "frozen/seed1")
        until(page, "document.getElementById('beside-said').textContent.includes('not there any more')")
        assert "snakemake align" in page.locator("#beside-said").inner_text()
        assert page.locator(".tile >> nth=0").locator(".run").count() == 1
    finally:
        away.rename(run.parents[1] / "align" / "1.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_need_to_scroll_sideways(gallery: Callable, scheme: str):
    page = gallery(color_scheme=scheme, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.tap(".tile >> nth=0")
    box = page.locator("#viewer").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400


def test_a_filter_is_quick(gallery: Callable):
    page = gallery()
    choose = "luss.page.choose({ category: %s }); document.body.offsetHeight;"
    times = [
        page.evaluate("() => { const start = performance.now(); %s return performance.now() - start; }" % (choose % k))
        for k in (1, 2, 3, "null")
    ]
    assert min(times) < 100
