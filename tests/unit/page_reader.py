"""HTML pages as lists of elements."""

from html.parser import HTMLParser

VOID = {"meta", "br", "img", "image", "use", "path"}


class Page(HTMLParser):
    """Elements as (tag, attributes, text inside), in the order in which they end."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], str]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag in VOID:
            self.elements.append((tag, values, ""))
        else:
            self._open.append((tag, values, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}, ""))

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            name, values, text = self._open.pop()
            assert name == tag
            self.elements.append((name, values, "".join(text).strip()))

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str], str]]:
        found = [(values, text) for name, values, text in self.elements if name == tag]
        return [(v, t) for v, t in found if all(v.get(key) == value for key, value in attributes.items())]
