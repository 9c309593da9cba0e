"""What of a page is its text."""

import pytest

from memory_service.adapters.reading.html_text import text_of


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>one<p>two", "one\n\ntwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<h1>A</h1><h3>B</h3>c", "# A\n\n### B\n\nc"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 | 2 |\n3 |"),
        ("  many \n  spaces <b>in</b> it ", "many spaces in it"),
        ("<pre>def f():\n    pass</pre>", "def f():\n    pass"),
        ("&lt;p&gt; &amp; caf&#233; &unknown;", "<p> & café &unknown;"),
        ("<script>if (a < b) { '</p>' }</script>kept<style>p{}</style>", "kept"),
        ("<head><title>T</title><meta charset=utf-8><body>kept", "kept"),
        ("<noscript><p>off</noscript>kept<template><p>off</p></template>", "kept"),
        ("<svg><text>off</text></svg>kept<!-- off --><?off?><!DOCTYPE off>", "kept"),
        ("<script>never closed", ""),
        ("a\0b", "ab"),
        ("</p></div></pre>text", "text"),
    ],
)
def test_the_text_of_a_page(page: str, text: str) -> None:
    assert text_of(page) == text
