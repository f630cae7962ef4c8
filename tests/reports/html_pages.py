"""The HTML report as tests read it: parsed by lxml, whose parser is libxml2's and not a browser's."""

import json
import re
from typing import Any

from lxml import html
from report_samples import shipped

from gatekeeper import Run, View, rendered

Element = Any


class Page:
    """A rendered report and what stands in it."""

    def __init__(self, run: Run, **view: Any) -> None:
        self.text = rendered(shipped("html"), run, View(**view))
        self.root: Element = html.document_fromstring(
            self.text.encode(), parser=html.HTMLParser(encoding="utf-8")
        )

    def all(self, path: str) -> list[Element]:
        """Elements of an XPath."""
        return list(self.root.xpath(path))

    def one(self, path: str) -> Element:
        (found,) = self.all(path)
        return found

    def said(self, path: str = "//body") -> str:
        """The text of the one element of an XPath, blanks made single ones; of scripts and fallbacks none."""
        parts = self.one(path).xpath(
            ".//text()[not(ancestor::script or ancestor::noscript or ancestor::style)]"
        )
        return " ".join("".join(parts).split())

    @property
    def cards(self) -> list[Element]:
        return self.all("//article")

    @property
    def folded(self) -> list[list[list[Any]]]:
        """The rows of each fold, from the data in the page."""
        found: list[list[list[Any]]] = json.loads(self.script("data"))
        return found

    def script(self, identity: str) -> str:
        """What stands between the tags of a script element, as a browser delimits it."""
        match = re.search(rf'(?s)<script [^>]*id="{identity}">(.*?)</script', self.text)
        assert match is not None
        return match[1]


def text_of(element: Element) -> str:
    return " ".join(element.text_content().split())
