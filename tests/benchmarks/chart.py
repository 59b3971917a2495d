"""Charts of the benchmarks' figures, readable on light and dark pages."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

_OURS, _LIMIT, _OTHERS = "#1f77b4", "#9a9a9a", "#d8843a"


def draw_rates(rates: Mapping[str, Mapping[str, float]], file: Path, *, title: str) -> None:
    """Bars of rows a second, one panel for each source, all on one scale that begins at 0."""
    mpl.rcParams["svg.hashsalt"] = "joblake"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"  # texts, not the outlines of their letters
    figure, panels = plt.subplots(
        len(rates), 1, figsize=(8, 0.6 + 2.1 * len(rates)), sharex=True, squeeze=False
    )
    for panel, (table, lanes) in zip(panels[:, 0], rates.items(), strict=True):
        names = list(lanes)[::-1]
        colours = [
            _OURS if name.startswith("joblake") else _LIMIT if name.startswith("limit") else _OTHERS
            for name in names
        ]
        bars = panel.barh(names, [lanes[name] for name in names], color=colours)
        panel.bar_label(bars, [f"{lanes[name]:,.0f}" for name in names], fontsize=8, padding=3)
        panel.set_xlim(0, 1.15 * max(max(rates_of.values()) for rates_of in rates.values()))
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.set_title(table, fontsize=9, loc="left")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
