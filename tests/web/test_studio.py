"""Correcting a run in a browser: what is clicked is in edits.yaml, and two windows keep each other's changes."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from luss_core.edits_file import NAME, read_edits

from .waiting import until

EVIL = "<img src=x onerror=alert(1)> & “tulip”"


def said(page, text: str) -> None:
    expect(page.locator("#status")).to_contain_text(text)


def choose(page, name: str) -> None:
    page.locator("#list button", has_text=name).first.click()


def test_name_reload_undo(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 2")
    page.fill("#rename", EVIL)
    page.keyboard.press("Enter")
    said(page, "Saved")
    assert page.locator("#heading").inner_text() == EVIL
    assert read_edits(run / NAME).names == {2: EVIL}
    page.reload()
    page.wait_for_selector(".tile")
    assert page.locator("#heading").inner_text() == EVIL
    page.click("#undo")
    said(page, "Undone")
    assert page.locator("#heading").inner_text() == "category 2"
    assert read_edits(run / NAME).empty
    expect(page.locator("#undo")).to_be_disabled()


def test_merge_and_bring_back(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 1")
    page.select_option("#merge-into", "3")
    page.click("#actions button:has-text('Merge into')")
    said(page, "part of “category 3” now")
    assert read_edits(run / NAME).merged == {1: 3}
    assert page.locator("#heading").inner_text() == "category 3"
    assert "Holds what was category 1" in page.locator("#facts").inner_text()
    page.click("#gone button")
    said(page, "of its own again")
    assert read_edits(run / NAME).empty


def test_background_takes_the_colour_away(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 4")
    before = page.locator("#list button").count()
    page.keyboard.press("b")
    said(page, "is background now")
    assert read_edits(run / NAME).background == (4,)
    assert page.locator("#list button", has_text="category 4").count() == 0
    assert page.locator("#list button").count() <= before


def test_split(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 1")
    page.click("#split-it")
    said(page, "is split")
    edits = read_edits(run / NAME)
    assert edits.split == {5: 1}
    assert len(edits.moved) == 10  # the smaller clump
    expect(page.locator("#list")).to_contain_text("category 5")


def test_move_an_image(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 1")
    page.click(".tile >> nth=0")
    name = page.locator("#viewed").inner_text()
    until(page, "document.getElementById('big').naturalWidth > 0")
    page.select_option("#move-to", "2")
    page.click("#move button")
    said(page, "is “category 2” now")
    assert 2 in read_edits(run / NAME).moved[name].values()
    assert not page.locator("#viewer").is_visible()  # it is not of this category any more


def test_images_chosen_on_the_map_are_moved_together(studio: Callable, run: Path):
    page = studio()
    page.click("#map-button")
    page.focus("#dots")
    for _ in range(14):
        page.keyboard.press("+")
    page.keyboard.press("Enter")
    choose(page, "category 1")
    page.select_option("#picked-to", "3")
    page.click("#picked button:has-text('Move these 40 images to')")
    said(page, "40 images moved to “category 3”. Saved.")
    assert len(read_edits(run / NAME).moved) == 40
    page.click("#undo")
    said(page, "Undone")
    assert read_edits(run / NAME).empty


def test_another_run_in_the_studio(studio: Callable):
    page = studio()
    until(page, "document.querySelector('#sort option[value=apart]')")
    page.select_option("#beside", "frozen/seed1")
    until(page, "grid.classList.contains('two')")
    assert page.locator(".tile >> nth=0").locator(".run").count() == 2


def test_two_windows(studio: Callable, run: Path):
    one, two = studio(), studio()
    choose(one, "category 1")
    choose(two, "category 2")
    one.fill("#rename", "tulip")
    one.keyboard.press("Enter")
    said(one, "Saved")
    two.fill("#rename", "rose")
    two.keyboard.press("Enter")
    said(two, "Saved")
    assert read_edits(run / NAME).names == {1: "tulip", 2: "rose"}
    expect(one.locator("#list")).to_contain_text("rose")
    expect(two.locator("#list")).to_contain_text("tulip")


def test_the_same_in_two_windows_is_a_conflict(studio: Callable, run: Path):
    one, two = studio(), studio()
    two.route("**/state", lambda route: route.abort())  # it has not heard yet
    for page, name in ((one, "tulip"), (two, "rose")):
        choose(page, "category 1")
        page.fill("#rename", name)
        page.keyboard.press("Enter")
    said(one, "Saved")
    said(two, "Not done: the name of category 1 was changed in another window")
    assert two.locator("#heading").inner_text() == "tulip"
    assert read_edits(run / NAME).names == {1: "tulip"}


def test_keys_alone(studio: Callable, run: Path):
    page = studio()
    page.keyboard.press("1")
    name = page.locator("#heading").inner_text()
    page.keyboard.press("n")
    page.keyboard.type("meadow")
    page.keyboard.press("Enter")
    said(page, "Saved")
    assert page.locator("#heading").inner_text() == "meadow"
    page.keyboard.press("s")
    said(page, "is split")
    page.keyboard.press("u")
    said(page, "Undone")
    page.keyboard.press("u")
    expect(page.locator("#heading")).to_have_text(name)
    assert read_edits(run / NAME).empty


def test_a_broken_file_is_said_and_kept(studio: Callable, run: Path):
    page = studio()
    choose(page, "category 1")
    (run / NAME).write_text("names: {1: [\n")
    page.fill("#rename", "tulip")
    page.keyboard.press("Enter")
    said(page, "cannot be read as YAML")
    assert (run / NAME).read_text() == "names: {1: [\n"


def test_a_phone(studio: Callable):
    page = studio(viewport={"width": 400, "height": 800})
    choose(page, "category 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
