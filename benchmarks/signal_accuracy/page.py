"""The measured part of a page, between two marks; whatever people wrote around it stays as it is."""

from benchmarks.signal_accuracy.figures import Section, Table

BEGIN = "<!-- measured: from here to the next mark the page is made by benchmarks/signal_accuracy -->"
END = "<!-- measured: end -->"


def with_measured(page: str, sections: dict[str, Section]) -> str:
    """The page with these sections in the place of those it had. ValueError where a mark is missing."""
    for mark in (BEGIN, END):
        if page.count(mark) != 1:
            raise ValueError(f"The page has the mark {mark!r} {page.count(mark)} times; it needs it once.")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    parts = [text_of(name, section) for name, section in sections.items()]
    return before + "\n\n".join([BEGIN, *parts, END]) + after


def text_of(name: str, section: Section) -> str:
    """One data set in Markdown."""
    lines = [f"### {section.title} (`{name}`)", section.text.strip()]
    if section.missing:
        lines.append(f"Not measured, for there is no such file: {', '.join(f'`{one}`' for one in section.missing)}.")
    return "\n\n".join([*lines, *(_table(table) for table in section.tables if table.rows)])


def _table(table: Table) -> str:
    head = [_row(table.columns), _row(tuple("---" for _ in table.columns))]
    return "\n".join([f"**{table.title}**", "", *head, *map(_row, table.rows)])


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
