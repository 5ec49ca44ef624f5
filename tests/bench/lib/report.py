"""Tables as text or markdown."""


def number(x, digits=3):
    """x with so many digits that mean something."""
    if x is None:
        return "-"
    if x == 0:
        return "0"
    if abs(x) >= 10 ** (digits - 1):
        return "{:,.0f}".format(x)
    decimals = digits - 1
    while abs(x) < 1 and decimals < 6:
        x *= 10
        decimals += 1
    return "{:.{}f}".format(x / 10 ** (decimals - digits + 1), decimals)


class Table:
    def __init__(self, title, columns):
        self.title = title
        self.rows = [list(columns)]
        self.notes = []
        self.is_wrong = False        # mail was lost, changed or doubled

    @staticmethod
    def ratio(x, base):
        return x / base if x is not None and base else None

    def add(self, *cells):
        self.rows.append([cell if isinstance(cell, str) else number(cell) for cell in cells])

    def text(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        lines = [self.title, ""] if self.title else []
        for row in self.rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines + self.notes) + "\n"

    def markdown(self):
        lines = ["## " + self.title, ""]
        for i, row in enumerate(self.rows):
            lines.append("| " + " | ".join(row) + " |")
            if i == 0:
                lines.append("|---|" + "---:|" * (len(row) - 1))
        return "\n".join(lines + [""] + self.notes) + "\n"
