"""Tables, their statistics and charts: of good files, bad ones and odd ones."""

import time
import xml.etree.ElementTree as ET

import pytest

from agent_service.adapters.tools.chart import draw
from agent_service.adapters.tools.table_statistics import describe
from agent_service.adapters.tools.tables import Table, number_of, read_table
from agent_service.domain.tool import ToolError

SALES = b"""region,month,sales,note
north,2026-01-31,10.5,ok
south,2026-02-28,20,"a, b"
north,2026-03-31,,"said ""hi\"""
west,2026-04-30,30,ok
"""


def sales() -> Table:
    return read_table("sales.csv", SALES)


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        (b"a,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        (b"a;b\r\n1,5;2\r\n", ["a", "b"], [["1,5", "2"]]),
        (b"a\tb\n1\t\n\n", ["a", "b"], [["1", ""]]),
        (b"a|b\n1|2", ["a", "b"], [["1", "2"]]),
        ("\ufeffn\u00e4me,b\n\u00e4,1\n".encode(), ["n\u00e4me", "b"], [["\u00e4", "1"]]),
        ("a,b\n\u20ac,1\n".encode("utf-16"), ["a", "b"], [["\u20ac", "1"]]),
        ("a,b\n\u00e4,1\n".encode("cp1252"), ["a", "b"], [["\u00e4", "1"]]),
        (b'a,b\n"1\n2",3\n4\n', ["a", "b"], [["1\n2", "3"], ["4", ""]]),
        (b"a,,a, a  \n1,2,3,4,,\n", ["a", "column 2", "a 2", "a 3"], [["1", "2", "3", "4"]]),
        (b"only\n1\n2\n", ["only"], [["1"], ["2"]]),
    ],
)
def test_tables_of_many_kinds_are_read(content: bytes, names: list[str], rows: list[list[str]]) -> None:
    table = read_table("t.csv", content)
    assert (list(table.names), [list(row) for row in table.rows]) == (names, rows)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"a,b\n1,2,3\n", "3 cells in line 2"),
        (b'a,b\n"1,2\n', "line 2"),
        (b'a,b\n"1"x,2\n', "line 2"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "field larger"),
        (b"\x89PNG\r\n\x00\x00", "is no text"),
        (b",".join(b"c%d" % n for n in range(201)), "more than 200 columns"),
    ],
)
def test_what_is_no_table_is_told(content: bytes, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        read_table("t.csv", content)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1", 1.0), ("-2.5e3", -2500.0), ("007", 7.0),
        *((cell, None) for cell in ("", "x", "nan", "inf", "1_0", "1e999", "1e300", "1,5")),
    ],
)  # fmt: skip
def test_what_reads_as_a_number_is_one(cell: str, number: float | None) -> None:
    assert number_of(cell) == number


def test_statistics_tell_each_column() -> None:
    lines = describe(sales()).splitlines()
    assert lines[0] == "4 rows, 4 columns"
    assert lines[1] == "- region: text; 3 different, most frequent: 'north' (2), 'south' (1), 'west' (1)"
    assert lines[2] == "- month: time; 2026-01-31 to 2026-04-30"
    assert lines[3] == (
        "- sales: number, 1 missing; min 10.5, 25% 15.25, median 20, 75% 25, max 30, mean 20.1667, stdev 9.75107, "
        "sum 60.5"
    )
    assert describe(read_table("t", b"a,b\n5,\n")).splitlines()[1:] == [
        "- a: number; min 5, max 5, mean 5, sum 5",
        "- b: empty, 1 missing",
    ]
    assert describe(read_table("t", b"a,b\n")) == "0 rows, 2 columns\n- a: empty\n- b: empty"
    assert "median 0, 75% 4.5e+299" in describe(read_table("t", b"a\n9e299\n-9e299\n"))


def test_statistics_of_the_largest_file_take_seconds_at_most() -> None:
    content = b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n) for n in range(140_000))
    assert len(content) < 2 * 2**20
    began = time.perf_counter()
    assert "140,000 rows" in describe(read_table("t", content))
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("kind", "mark", "count"), [("line", "polyline", 2), ("scatter", "circle", 8), ("bar", "rect", 8)]
)
def test_a_chart_shows_every_series(kind: str, mark: str, count: int) -> None:
    table = read_table("t", b"year,a,b\n2023,1,4\n2024,-2,3\n2025,3,2\n2026,4,1\n")
    picture = ET.fromstring(draw(kind, table, "year", ("a", "b"), "A <title> & more"))
    marks = [each for each in picture.iter(f"{{http://www.w3.org/2000/svg}}{mark}") if each.get("fill") != "#ffffff"]
    legend = 2 if mark == "rect" else 0
    assert len(marks) == count + legend
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A <title> & more", "year", "a", "b", "2024"} <= set(texts)
    numbers = [
        float(value) for each in picture.iter() for name, value in each.attrib.items() if name in ("x", "y", "cx", "cy")
    ]
    assert all(0 <= number <= 800 for number in numbers)


def test_a_pie_and_a_histogram() -> None:
    table = read_table("t", b"who,n\n" + b"".join(b"w%d,%d\n" % (n, n) for n in range(20)))
    picture = draw("pie", table, "who", ("n",), "")
    assert picture.count("<path") == 12
    assert "other" in picture
    assert "<circle" in draw("pie", read_table("t", b"a,b\nx,1\ny,0\n"), "a", ("b",), "")
    rows = b"n\n" + b"".join(b"%d\n" % (n % 10) for n in range(1000))
    histogram = draw("histogram", read_table("t", rows), "n", (), "")
    assert 10 <= histogram.count("<rect") <= 42
    assert ">count</text>" in histogram


@pytest.mark.parametrize(
    "numbers", ["5", "5\n5", "0", "9e299\n-9e299", "1e-320\n2e-320", "1e15\n1000000000000001", "-3\n-7"]
)
@pytest.mark.parametrize("kind", ["line", "bar", "scatter", "histogram"])
def test_odd_numbers_are_drawn(kind: str, numbers: str) -> None:
    table = read_table("t", b"n\n" + numbers.encode() + b"\n")
    picture = draw(kind, table, "n", () if kind == "histogram" else ("n",), "")
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "nan" not in picture
    assert "inf" not in picture


@pytest.mark.parametrize(
    ("kind", "x", "y", "why"),
    [
        ("line", "nothing", ("sales",), "no column 'nothing'. The columns are: region, month"),
        ("line", "month", (), "Name the columns"),
        ("bar", "region", ("note",), "'ok' in row 1 of the column 'note' is no number"),
        ("pie", "region", (), "one column as y"),
        ("histogram", "sales", ("sales",), "has no y"),
    ],
)
def test_what_cannot_be_drawn_is_told(kind: str, x: str, y: tuple[str, ...], why: str) -> None:
    with pytest.raises(ToolError, match=why):
        draw(kind, sales(), x, y, "")
    with pytest.raises(ToolError, match="parts of a whole"):
        draw("pie", read_table("t", b"a,b\nx,-1\n"), "a", ("b",), "")
    with pytest.raises(ToolError, match="at most 100"):
        draw("bar", read_table("t", b"a,b\n" + b"x,1\n" * 101), "a", ("b",), "")
    with pytest.raises(ToolError, match="no rows"):
        draw("bar", read_table("t", b"a,b\n"), "a", ("b",), "")
