"""Charts as inline SVG that takes its colours and its font from the page, in light and in dark."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any
from zlib import crc32

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040404", "#050505", "#060606", "#070707")
AUTOMATIC, ORACLE = SERIES[0], SERIES[1]
VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, start=1)},
}
"""Colours no chart would use otherwise, and what they become in the page."""

STYLE: dict[Any, Any] = {
    "font.size": 12,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
}
WIDTH, HEIGHT = 460, 290


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    name: str
    x: np.ndarray
    y: np.ndarray
    dots: bool = False
    """Few values, each of which is marked."""


def line_chart(curves: Sequence[Curve], *, label: str, x: str, y: str, unit_range: bool = False) -> str:
    """Lines over a common x; ``unit_range`` fixes the y axis to [0, 1]."""
    with _figure(HEIGHT - 40) as figure:
        axes = figure.add_subplot()
        for curve, colour in zip(curves, SERIES, strict=False):
            axes.plot(curve.x, curve.y, "o-" if curve.dots else "-", color=colour, markersize=4, label=curve.name)
        axes.set(xlabel=x, ylabel=y)
        axes.margins(x=0.01)
        axes.yaxis.set_major_formatter("{x:g}")
        if unit_range:
            axes.set_ylim(-0.02, 1.02)
        if len(curves) > 1:
            _legend(axes)
        return _svg(figure, label)


def threshold_chart(
    curves: dict[str, Sequence[float]], histogram: Sequence[int], automatic: int, oracle: int | None, *, label: str
) -> str:
    """mIoU at every threshold over the distribution of the scores, both thresholds marked."""
    with _figure(HEIGHT + 60 if curves else HEIGHT - 40) as figure:
        rows = figure.subplots(
            2 if curves else 1, 1, sharex=True, height_ratios=(2, 1) if curves else (1,), squeeze=False
        )
        bottom: Axes = rows[-1, 0]
        share = np.asarray(histogram, dtype=float)
        steps = np.arange(len(share) + 1) / 100
        bottom.stairs(share / max(share.sum(), 1) * 100, steps - 0.005, fill=True, color=MUTED, alpha=0.55)
        bottom.set(xlabel="threshold, as a fraction of the range of the score", ylabel="pixels (%)", xlim=(-0.01, 0.81))
        if curves:
            top: Axes = rows[0, 0]
            for (split, values), style in zip(curves.items(), ("-", "--", ":"), strict=False):
                miou = np.array([np.nan if v is None else v for v in values], dtype=float)
                top.plot(np.arange(len(miou)) / 100, miou, color=INK, linestyle=style, label=f"{split} images")
            top.set(ylabel="mIoU (%)", ylim=(0, None))
        for axes in rows[:, 0]:
            axes.axvline(automatic / 100, color=AUTOMATIC, label=f"automatic, {automatic / 100:.2f}")
            if oracle is not None:
                axes.axvline(oracle / 100, color=ORACLE, linestyle=(0, (4, 2)), label=f"oracle, {oracle / 100:.2f}")
        _legend(rows[0, 0])
        return _svg(figure, label)


def balance_chart(sizes: Sequence[int], *, label: str) -> str:
    """Images of each cluster, largest first, against an even share."""
    ordered = np.sort(np.asarray(sizes))[::-1]
    with _figure(HEIGHT - 40) as figure:
        axes = figure.add_subplot()
        if len(ordered) <= 60:
            axes.bar(np.arange(len(ordered)) + 1, ordered, width=0.76, color=AUTOMATIC)
        else:
            axes.stairs(ordered, np.arange(len(ordered) + 1) + 0.5, fill=True, color=AUTOMATIC)
        even = ordered.sum() / max(len(ordered), 1)
        axes.axhline(even, color=ORACLE, linestyle=(0, (4, 2)), label=f"an even share, {even:,.0f} images")
        axes.set(xlabel="clusters, largest first", ylabel="images", xlim=(0.4, len(ordered) + 0.6))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.grid(axis="x", visible=False)
        _legend(axes)
        return _svg(figure, label)


def dot_chart(groups: Mapping[str, Mapping[str, Sequence[float]]], *, label: str, x: str) -> str:
    """For each group (a row) and series (a colour), single values as dots and their mean as a bar."""
    names = list(dict.fromkeys(name for series in groups.values() for name in series))
    with _figure(90 + 46 * len(groups)) as figure:
        axes = figure.add_subplot()
        thickness = 0.7 / max(len(names), 1)
        for row, series in enumerate(groups.values()):
            for k, name in enumerate(names):
                values = np.array([v for v in series.get(name, ()) if v is not None], dtype=float)
                if not len(values):
                    continue
                place = row + (k - (len(names) - 1) / 2) * thickness
                colour, legend = SERIES[k % len(SERIES)], name if row == 0 else None
                axes.barh(place, values.mean(), height=thickness * 0.86, color=colour, alpha=0.45, label=legend)
                axes.plot(values, np.full(len(values), place), "o", color=colour, markersize=6)
        axes.set(xlabel=x, yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.45, -0.55))
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", labelcolor=INK)
        if len(names) > 1:
            _legend(axes)
        return _svg(figure, label)


@dataclass(frozen=True)
class Steps:
    """One measure of every row of an ablation."""

    name: str
    runs: Sequence[Sequence[float]]
    """For each row the values of its runs."""
    paper: Sequence[float | None]
    """For each row what the paper has."""


def steps_chart(rows: Sequence[str], measures: Sequence[Steps], *, label: str) -> str:
    """For each measure, side by side, runs as dots with mean and deviation, and the paper beside; rows from the top."""
    width = WIDTH if len(measures) == 1 else 120 + 250 * len(measures)
    with _figure(96 + 34 * len(rows), width) as figure:
        places = np.arange(len(rows))
        for axes, measure in zip(
            figure.subplots(1, len(measures), sharey=True, squeeze=False)[0], measures, strict=True
        ):
            stated = np.array([np.nan if value is None else value for value in measure.paper], dtype=float)
            axes.plot(
                stated, places - 0.12, "D--", color=MUTED, markersize=5, linewidth=1.2, label="paper, ImageNet-S50"
            )
            means = [np.mean(values) if values else np.nan for values in measure.runs]
            spread = [np.std(values, ddof=1) if len(values) > 1 else 0 for values in measure.runs]
            for place, values in zip(places, measure.runs, strict=True):
                axes.plot(values, np.full(len(values), place + 0.12), "o", color=AUTOMATIC, markersize=4, alpha=0.45)
            axes.errorbar(means, places + 0.12, xerr=spread, fmt="o-", color=AUTOMATIC, capsize=3, label="these runs")
            axes.set(xlabel=measure.name, yticks=places, yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))
            axes.grid(axis="y", visible=False)
            axes.tick_params(axis="y", labelcolor=INK)
        _legend(figure.axes[0])
        return _svg(figure, label)


@dataclass(frozen=True)
class Point:
    """One row of a benchmark."""

    name: str
    x: float
    y: float
    spread: tuple[float, float]
    """Deviations of x and y; 0 where there is none."""


def scatter_chart(points: Sequence[Point], *, label: str, x: str, y: str) -> str:
    """Dots with deviations and names; x by its logarithm where the largest is more than ten times the smallest."""
    with _figure(HEIGHT + 60) as figure:
        axes = figure.add_subplot()
        for point in points:
            axes.errorbar(
                point.x, point.y, point.spread[1], point.spread[0], "o", color=AUTOMATIC, capsize=3, elinewidth=1
            )
        axes.set(xlabel=x, ylabel=y)
        values = [point.x for point in points]
        if values and max(values) > 10 * min(values) > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        else:
            axes.set_xlim(0, max((max(1.3 * point.x, point.x + point.spread[0]) for point in points), default=1))
        axes.set_ylim(0, 1.12 * max((point.y + point.spread[1] for point in points), default=1) or 1)
        figure.draw_without_rendering()
        _names(axes, points)
        return _svg(figure, label)


def _names(axes: Axes, points: Sequence[Point]) -> None:
    """The name of each point beside it, where it covers no other name, dot or bar as far as there is such a place.

    Names stay in the axes, and near their dots: a name at the end of a long bar would seem to be that of another.
    """
    scale = 72 / axes.figure.dpi
    dots, ends = (
        axes.transData.transform([(point.x + by * point.spread[0], point.y + by * point.spread[1]) for point in points])
        * scale
        for by in (0, 1)
    )
    (left, bottom), (right, top) = axes.bbox.get_points() * scale
    taken = []
    for (x, y), (across, up) in zip(dots, ends - dots, strict=True):
        taken += [(x - 4, y - 4, x + 4, y + 4), (x - across, y - 1, x + across, y + 1), (x - 1, y - up, x + 1, y + up)]
    for point, (x, y) in zip(points, dots, strict=True):
        width, height, gap = 6.6 * len(point.name), 13, 8
        aside = 0 if point.spread[0] == 0 else 9  # above or below a bar to both sides
        heights = sorted({aside, -aside, *range(12, 49, 12), *range(-12, -49, -12)}, key=lambda dy: (abs(dy), -dy))
        places = [(dx, dy) for dy in heights for dx in (gap, -gap - width)]
        boxes = [(x + dx, y + dy - height / 2, x + dx + width, y + dy + height / 2) for dx, dy in places]
        outside = [width * height - _overlap(box, (left, bottom, right, top)) for box in boxes]
        shared = [sum(_overlap(box, other) for other in taken) for box in boxes]
        place = min(range(len(boxes)), key=lambda k: (round(outside[k] + shared[k]), k))
        taken.append(boxes[place])
        axes.annotate(
            point.name,
            (point.x, point.y),
            places[place],
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Area that two boxes (left, bottom, right, top) share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def standalone(chart: str, variables: Mapping[str, str]) -> str:
    """A chart of a page as a file of its own, with the values of the variables of the page in it."""
    for name, value in variables.items():
        chart = chart.replace(f"var(--{name})", value)
    chart = chart.replace("currentColor", variables["ink"])
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" style="background: {variables["page"]}; font-family: sans-serif"'
    return chart.replace('<svg class="chart"', begin, 1) + "\n"


@contextmanager
def _figure(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """A figure whose user units are CSS pixels at its natural size."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        figure.patch.set_visible(False)
        yield figure


def _legend(axes: Axes) -> None:
    """Above the axes, where it hides no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2, columnspacing=1.4)


def _svg(figure: Figure, label: str) -> str:
    """The figure as an <svg> element: described, without addresses, ids prefixed by what makes them unique."""
    for axes in figure.axes:
        axes.patch.set_visible(False)
    buffer = StringIO()
    salt = f"{crc32(label.encode()):x}"
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    width, height = (72 * inches for inches in figure.get_size_inches())
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL).replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="c{salt}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>c{salt}-", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    name = escape(label, quote=True)
    return f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{name}">{body}'
