"""The page of all images in a browser, opened from a disk."""

from collections.abc import Callable

import pytest

from .waiting import until

PHONE = {"viewport": {"width": 400, "height": 800}, "has_touch": True}


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


def test_the_map_lists_what_a_frame_holds(gallery: Callable):
    page = gallery()
    page.click("#map-button")
    box = page.locator("#dots").bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()
    listed = int(page.locator("#result").inner_text().split()[0])
    assert 0 < listed < 160
    page.click("#map-clear")
    assert page.locator("#result").inner_text() == "480 images"


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
