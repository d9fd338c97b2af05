"""What a picture shows, read back from its markdown as a browser would read it. No test."""

import base64
import re
from xml.etree import ElementTree as ET

NAMESPACE = "{http://www.w3.org/2000/svg}"
_MARKDOWN = re.compile(r"!\[(?P<alt>[^\[\]]+)\]\(data:image/svg\+xml;base64,(?P<data>[A-Za-z0-9+/=]+)\)")


class Drawn:
    """A picture: its alt text, its document, and what stands where."""

    def __init__(self, markdown):
        [match] = _MARKDOWN.finditer(markdown)
        self.alt = match["alt"]
        self.size = len(markdown)
        self.root = ET.fromstring(base64.b64decode(match["data"], validate=True))  # noqa: S314 - our own document
        assert self.root.tag == f"{NAMESPACE}svg"
        assert self.root.get("viewBox") == f"0 0 {self.root.get('width')} {self.root.get('height')}"

    @property
    def words(self):
        return [element.text for element in self.root.iter(f"{NAMESPACE}text")]

    def place(self, words):
        """Where a text stands: (x, y)."""
        [element] = [each for each in self.root.iter(f"{NAMESPACE}text") if each.text == words]
        return float(element.get("x")), float(element.get("y"))

    def paths(self, **attributes):
        """The `d` of each path with these attributes."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        found = self.root.iter(f"{NAMESPACE}path")
        return [each.get("d") for each in found if wanted.items() <= each.attrib.items()]


def boxes(d):
    """The rectangles of a path, each as (x, y, width, height)."""
    found = re.findall(r"M(\S+) (\S+?)h([^v]+)v([^h]+)h", d)
    return [tuple(map(float, each)) for each in found]
