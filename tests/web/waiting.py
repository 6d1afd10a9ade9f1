"""Waiting for what a page is about to be."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

TRIES, PAUSE = 100, 50
"""How often a page is asked, and the milliseconds in between."""


def until(page: "Page", expression: str) -> None:
    """Until a JavaScript expression is true. Playwright waits by evaluating text in the page, which pages forbid."""
    for _ in range(TRIES):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(PAUSE)
    raise AssertionError(f"never true: {expression}")
