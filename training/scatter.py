"""Throughput against accuracy as a picture: the same for every model's card."""


def scatter(points, measures, unit, path):
    """Writes an SVG: points (name, `unit` a second, a value a measure); one panel a measure, its title in `measures`."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    matplotlib.rcParams["svg.hashsalt"] = "vigie"
    figure, axes = plt.subplots(1, len(measures), figsize=(11, 4.4), sharex=True)
    for k, (axis, title) in enumerate(zip(axes, measures)):
        for n, (name, rate, *values) in enumerate(points):
            axis.scatter([rate], [values[k]], s=40, color=f"C{n}", label=name, zorder=3)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.0f}"))
        axis.tick_params(labelsize=8)
        axis.set_title(title, fontsize=9)
        axis.grid(color="0.9")
    axes[len(measures) // 2].set_xlabel(f"{unit} a second on one core", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=2, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.025 * len(points) + 0.06, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
