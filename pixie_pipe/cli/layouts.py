"""``pixie-pipe layouts``: what is known about the firmware generations."""

from __future__ import annotations

from pixie_pipe.cli import output


def layouts() -> None:
    """List the known layouts and their clocks.

    A layout is what one generation of firmware writes. Give --frequency and
    --revision of the module to the other commands; where two layouts fit,
    --hardware decides.

    Example: pixie-pipe layouts
    """
    from rich.table import Table

    from pixie_pipe.listmode.layouts import KNOWN

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("Layout", "MSPS", "Revision", "Hardware", "Tick", "Unsettled"):
        table.add_column(title, justify="right" if title == "MSPS" else "left")
    for known in KNOWN:
        layout = known.layout
        end = "and later" if known.end is None else f"to {known.end - 1}"
        letters = "/".join(letter for letter in known.letters if letter)
        if None in known.letters:
            # Without a letter, this is the layout that is taken.
            letters = f"{letters} or none" if letters else "none given"
        table.add_row(
            layout.name,
            str(layout.frequency),
            f"{layout.revision} {end}",
            letters,
            f"{layout.tick_ps // 1000} ns",
            ", ".join(layout.unsettled),
        )
    console = output.results()
    console.print(table)
    console.print(
        "\nHardware: what --hardware may be; without it the rows with 'none' hold."
        "\nUnsettled: fields that no source confirms; change them with --set.",
        soft_wrap=True,
    )
