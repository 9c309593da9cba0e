"""Draws charts as SVG: axes, marks, a legend. A picture holds shapes and text alone, no scripts and no references.

Owns how a chart looks. What is drawn is decided by its caller, who gives at most some thousand points.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Axis", "Series", "by_categories", "by_numbers", "draw_bars", "draw_curves", "draw_pie"]

_WIDTH, _HEIGHT = 800, 500
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 60, 30, 90
_COLOURS = ("#3366cc", "#dc3912", "#ff9900", "#109618", "#990099", "#0099c6", "#dd4477", "#66aa00")
_GREY = "#888888"
_TICKS = 6
_SMALLEST = 1e-300  # below it, floats lose their digits
_MAX_LABELS, _MAX_LABEL = 16, 18


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one colour; `name` is told in the legend."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis reaches over, and what is written at it."""

    title: str
    low: float
    high: float
    labels: Sequence[tuple[float, str]]


def by_numbers(title: str, values: Iterable[float], *, from_zero: bool = False) -> Axis:
    """Return an axis that holds all values, with round numbers at it."""
    reach = [*values, *([0.0] if from_zero else [])] or [0.0]
    low, high = min(reach), max(reach)
    if high - low <= max(abs(high) * 1e-12, _SMALLEST):
        room = max(abs(low), 1.0 if abs(low) < _SMALLEST else 0.0) / 2
        low, high = low - room, high + room
    rough = high / _TICKS - low / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return Axis(title, first * step, last * step, [(n * step, f"{n * step:.10g}") for n in range(first, last + 1)])


def by_categories(title: str, names: Sequence[str]) -> Axis:
    """Return an axis with a place, 0, 1, 2…, for each name; where there are many, only some are written."""
    every = math.ceil(len(names) / _MAX_LABELS) or 1
    labels = [(float(place), name) for place, name in enumerate(names) if place % every == 0]
    return Axis(title, -0.5, len(names) - 0.5, labels)


def draw_curves(title: str, x: Axis, y: Axis, series: Sequence[Series], *, joined: bool) -> str:
    """Return a picture of lines, or of dots if they are not `joined`."""
    plot = _Plot(title, x, y)
    for colour, each in zip(_colours(series), series, strict=True):
        places = [plot.place(*point) for point in each.points]
        if joined and len(places) > 1:
            points = " ".join(f"{left:.2f},{top:.2f}" for left, top in places)
            plot.add("polyline", points=points, fill="none", stroke=colour, **{"stroke-width": "2"})
        if not joined or len(places) <= _MAX_LABELS:
            for left, top in places:
                plot.add("circle", cx=left, cy=top, r=3, fill=colour, **{"fill-opacity": "0.7"})
    plot.legend([each.name for each in series])
    return plot.svg()


def draw_bars(title: str, x: Axis, y: Axis, series: Sequence[Series], *, width: float = 0.8) -> str:
    """Return a picture of bars from 0, side by side at each place; `width` is that of a place in units of `x`."""
    plot, part = _Plot(title, x, y), width / len(series)
    for number, (colour, each) in enumerate(zip(_colours(series), series, strict=True)):
        for place, value in each.points:
            left, top = plot.place(place - width / 2 + number * part, max(value, 0.0))
            right, bottom = plot.place(place - width / 2 + (number + 1) * part, min(value, 0.0))
            plot.add("rect", x=left, y=top, width=right - left, height=bottom - top, fill=colour)
    plot.legend([each.name for each in series])
    return plot.svg()


def draw_pie(title: str, parts: Sequence[tuple[str, float]]) -> str:
    """Return a picture of parts of a whole; none is negative, and one is positive."""
    picture, total = _Picture(title), math.fsum(value for _, value in parts)
    across, down, radius, turned = _WIDTH * 0.35, (_HEIGHT + _TOP) / 2 - 10, 180.0, 0.0
    for number, (name, value) in enumerate(parts):
        share, colour = value / total, _COLOURS[number % len(_COLOURS)]
        begin, turned = turned, turned + share
        if share > 0.9999:
            picture.add("circle", cx=across, cy=down, r=radius, fill=colour)
        elif share > 0:
            (x0, y0), (x1, y1) = (
                (across + radius * math.sin(math.tau * at), down - radius * math.cos(math.tau * at))
                for at in (begin, turned)
            )
            path = f"M{across:.2f},{down:.2f} L{x0:.2f},{y0:.2f} A{radius},{radius} 0 {int(share > 0.5)} 1"
            picture.add("path", d=f"{path} {x1:.2f},{y1:.2f} Z", fill=colour, stroke="#ffffff")
        top = _TOP + 20 + number * 24
        picture.add("rect", x=_WIDTH * 0.66, y=top - 11, width=12, height=12, fill=colour)
        picture.text(_WIDTH * 0.66 + 20, top, f"{_short(name)} {share:.1%}", anchor="start")
    return picture.svg()


class _Picture:
    """A white page with a title."""

    def __init__(self, title: str) -> None:
        size = {"width": str(_WIDTH), "height": str(_HEIGHT), "viewBox": f"0 0 {_WIDTH} {_HEIGHT}"}
        self._root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
        self._root.set("font-family", "sans-serif")
        self.add("rect", width=_WIDTH, height=_HEIGHT, fill="#ffffff")
        self.text(_WIDTH / 2, 32, title, size=18)

    def add(self, mark: str, text: str | None = None, **attributes: float | str) -> None:
        """Add a shape or a text."""
        told = {name: value if isinstance(value, str) else f"{value:.2f}" for name, value in attributes.items()}
        ET.SubElement(self._root, mark, told).text = text

    def text(
        self, left: float, top: float, text: str, *, anchor: str = "middle", size: int = 12, turn: int = 0
    ) -> None:
        """Write a line."""
        shown = "".join(character for character in text if character.isprintable())
        more = {"text-anchor": anchor, "font-size": str(size), "fill": "#222222"}
        if turn:
            more["transform"] = f"rotate({turn} {left:.2f} {top:.2f})"
        self.add("text", shown, x=left, y=top, **more)

    def svg(self) -> str:
        """Return the picture."""
        return ET.tostring(self._root, encoding="unicode")


class _Plot(_Picture):
    """A picture with two axes."""

    def __init__(self, title: str, x: Axis, y: Axis) -> None:
        super().__init__(title)
        self._x, self._y = x, y
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        for value, label in y.labels:
            _, top = self.place(x.low, value)
            self.add("line", x1=_LEFT, x2=right, y1=top, y2=top, stroke="#dddddd")
            self.text(_LEFT - 8, top + 4, _short(label), anchor="end")
        crowded = sum(min(len(label), _MAX_LABEL) for _, label in x.labels) > 80
        for value, label in x.labels:
            left, _ = self.place(value, y.low)
            self.add("line", x1=left, x2=left, y1=bottom, y2=bottom + 5, stroke=_GREY)
            if crowded:
                self.text(left, bottom + 16, _short(label), anchor="end", turn=-30)
            else:
                self.text(left, bottom + 20, _short(label))
        self.add("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, stroke=_GREY)
        self.add("line", x1=_LEFT, x2=_LEFT, y1=_TOP, y2=bottom, stroke=_GREY)
        self.text((_LEFT + right) / 2, _HEIGHT - 12, x.title, size=13)
        self.text(18, (_TOP + bottom) / 2, y.title, size=13, turn=-90)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies on the page."""
        across = (x - self._x.low) / (self._x.high - self._x.low)
        up = (y - self._y.low) / (self._y.high - self._y.low)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def legend(self, names: Sequence[str]) -> None:
        """Tell which colour is whose, if there are several."""
        if len(names) < 2:
            return
        room = (_WIDTH - _LEFT - _RIGHT) / len(names)
        for number, (colour, name) in enumerate(zip(_COLOURS, names, strict=False)):
            left = _LEFT + number * room
            self.add("rect", x=left, y=_TOP - 18, width=10, height=10, fill=colour)
            self.text(left + 14, _TOP - 9, _short(name), anchor="start", size=11)


def _colours(series: Sequence[Series]) -> Sequence[str]:
    return [_COLOURS[number % len(_COLOURS)] for number in range(len(series))]


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"
