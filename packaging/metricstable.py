"""The table of metrics in docs/metrics.md, made from the catalogue: python packaging/metricstable.py"""

from pathlib import Path
from typing import Final

from jitd.core.metrics import Metric

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "metrics.md"
_HEAD: Final = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"


def table() -> str:
    """A row for each metric, under the name that a query uses."""
    return "".join(
        f"| `{one.series[0].removesuffix('_bucket')}` | {one.row.kind}"
        f" | {', '.join(f'`{name}`' for name in one.row.labels)} | {one.row.help} |\n"
        for one in Metric
    )


def document() -> str:
    """The document with the table of now."""
    before, head, after = DOCUMENT.read_text().partition(_HEAD)
    rest = after.splitlines(keepends=True)
    while rest and rest[0].startswith("|"):
        rest.pop(0)
    return before + head + table() + "".join(rest)


if __name__ == "__main__":
    DOCUMENT.write_text(document())
