"""Searching Wikipedia and arXiv, at servers that answer in their shapes; and a whole agent that reads a page."""

import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agent_service.adapters.tools.arxiv_search import ArxivSearch
from agent_service.adapters.tools.wikipedia_search import WikipediaSearch
from agent_service.adapters.web.client import WebClient
from agent_service.adapters.web.guard import Guard
from agent_service.domain.tool import ToolError
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, say
from tests.fakes.web import Site, Wire, page, redirect, site
from tests.integration.agent.conftest import Client, agent_process
from tests.unit.agent.tasks import tool_run

API = "/w/api.php"
QUERY = "/api/query"


def article(title: str, index: int, extract: str = "An introduction.") -> dict[str, Any]:
    url = f"https://en.wikipedia.org/wiki/{title.replace(' ', '_')}"
    return {"pageid": index, "ns": 0, "title": title, "index": index, "extract": extract, "fullurl": url}


def wikipedia(*articles: dict[str, Any], **more: Any) -> Wire:
    query = {"query": {"pages": list(articles)}} if articles else {}
    return page(json.dumps({"batchcomplete": True, **query, **more}), "application/json; charset=utf-8")


def feed(*entries: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"
    xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><title>ArXiv Query</title><id>http://arxiv.org/api/x</id>
    <opensearch:totalResults>{len(entries)}</opensearch:totalResults>{"".join(entries)}</feed>"""


def paper(number: int, title: str = "On\n  meshes", authors: int = 2, summary: str = "We  show\nthat it is so.") -> str:
    names = "".join(f"<author><name>Author {each}</name></author>" for each in range(authors))
    return f"""<entry><id>http://arxiv.org/abs/2401.0000{number}v2</id><updated>2024-02-03T04:05:06Z</updated>
    <published>2024-01-02T03:04:05Z</published><title>{title}</title><summary>{summary}</summary>{names}</entry>"""


def asked(served: Site) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(served.asked[-1].target).query).items()}


def wiki(served: Site, path: str = API) -> WikipediaSearch:
    return WikipediaSearch(WebClient(Guard()), served.at(path))


def arxiv(served: Site) -> ArxivSearch:
    return ArxivSearch(WebClient(Guard()), served.at(QUERY))


async def test_wikipedia_tells_the_best_articles_in_their_order() -> None:
    pages = [
        article("Mesh (scale)", 3, "x" * 5000),
        article("Mesh", 1, "A mesh is a \u7db2.\n\nIt\u2026"),
        article("Net", 2),
    ]
    async with site({API: wikipedia(*pages)}) as served:
        answer = await wiki(served).call({"query": "what is a mesh? & more"}, tool_run())
    assert [each.title for each in answer.sources] == ["Mesh", "Net", "Mesh (scale)"]
    assert answer.sources[2].uri == "https://en.wikipedia.org/wiki/Mesh_(scale)"
    assert "# Mesh\nhttps://en.wikipedia.org/wiki/Mesh\nA mesh is a \u7db2.\n\nIt\u2026\n\n# Net\n" in answer.content
    assert answer.content.endswith("x" * 3000 + "\u2026\n</web_content>")
    assert answer.content.startswith("<web_content>\nThis is quoted from the web.")
    query = asked(served)
    assert (query["gsrsearch"], query["gsrlimit"], query["action"]) == ("what is a mesh? & more", "3", "query")
    assert served.asked[0].headers["user-agent"].startswith("agentmesh/")


async def test_wikipedia_is_asked_in_a_language_where_it_has_several() -> None:
    async with site({"/de/api.php": wikipedia(article("Netz", 1)), "/en/api.php": wikipedia()}) as served:
        tool = wiki(served, "/{language}/api.php")
        assert "Netz" in (await tool.call({"query": "Netz", "language": "de"}, tool_run())).content
        assert "no article" in (await tool.call({"query": "Netz"}, tool_run())).content
        with pytest.raises(ToolError, match="one language only"):
            await wiki(served).call({"query": "Netz", "language": "de"}, tool_run())
        for language in ("d", "DE", "de/../x", "evil.example", "de\n"):
            with pytest.raises(ToolError, match="language"):
                await tool.call({"query": "Netz", "language": language}, tool_run())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wikipedia(error={"code": "srsearch-error", "info": "SECRET detail"}), "does not take this query"),
        (page("<html>sorry", "text/html"), "cannot be read"),
        (page('{"query": {"pages": [{"title": 7}]}}', "application/json"), "cannot be read"),
        (page('{"query": {"pages": [' + "[" * 100_000, "application/json"), "cannot be read"),
        (wikipedia({**article("x", 1), "fullurl": "javascript:alert(1)"}), "cannot be read"),
        (page("[]", "application/json"), "cannot be read"),
        (page("slow down", status=429), "status 429"),
        (redirect("http://127.0.0.2/w/api.php"), "not on the public web"),
    ],
)
async def test_a_wikipedia_that_fails_is_told_in_words(answer: Wire, words: str) -> None:
    async with site({API: answer}) as served:
        with pytest.raises(ToolError, match=words) as caught:
            await wiki(served).call({"query": "mesh"}, tool_run())
    assert "SECRET" not in str(caught.value)


async def test_arxiv_tells_papers() -> None:
    entries = [paper(1, summary="&lt;b&gt; \u03b1 " + "y" * 3000), paper(2, "Second", authors=30), paper(3)]
    async with site({QUERY: page(feed(*entries), "application/atom+xml")}) as served:
        answer = await arxiv(served).call({"query": 'graph-based "agents", 2.0', "max_results": 2}, tool_run())
        assert asked(served)["search_query"] == "all:graph-based AND all:agents AND all:2.0"
        assert asked(served)["max_results"] == "2"
        await arxiv(served).call({"query": 'au:"J Doe" AND cat:cs.LG'}, tool_run())
        assert asked(served)["search_query"] == 'au:"J Doe" AND cat:cs.LG'
    assert [(each.uri, each.title) for each in answer.sources] == [
        ("http://arxiv.org/abs/2401.00001v2", "On meshes"),
        ("http://arxiv.org/abs/2401.00002v2", "Second"),
    ]
    people_and_dates = "Author 0, Author 1\nPublished 2024-01-02, last changed 2024-02-03"
    head = f"# On meshes\nhttp://arxiv.org/abs/2401.00001v2\n{people_and_dates}"
    assert f"{head}\n<b> \u03b1 yyy" in answer.content
    assert "Author 9 and others" in answer.content
    assert len(answer.content) < 4000


ENTITIES = '<!DOCTYPE feed [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (ENTITIES + feed(paper(1, "&b;&f;")).partition("?>")[2], "cannot be read"),
        ((ENTITIES + feed(paper(1)).partition("?>")[2]).encode("utf-16"), "cannot be read"),
        (feed(paper(1, "&nbsp;")), "cannot be read"),
        (feed(paper(1))[:-20], "cannot be read"),
        ("<html><p>Rate exceeded", "cannot be read"),
        (
            feed(paper(1).replace("arxiv.org/abs/2401.00001v2", "arxiv.org/api/errors#incorrect_id")),
            "does not understand",
        ),
    ],
)
async def test_an_arxiv_that_fails_is_told_in_words(body: str | bytes, words: str) -> None:
    async with site({QUERY: page(body, "application/atom+xml")}) as served:
        with pytest.raises(ToolError, match=words):
            await arxiv(served).call({"query": "mesh"}, tool_run())


async def test_no_paper_is_an_answer_and_no_word_is_a_mistake() -> None:
    async with site({QUERY: page(feed(), "application/atom+xml")}) as served:
        assert "no paper" in (await arxiv(served).call({"query": "mesh"}, tool_run())).content
        for arguments in ({"query": "???"}, {"query": ""}, {"query": "x", "max_results": 11}):
            with pytest.raises(ToolError):
                await arxiv(served).call(arguments, tool_run())
        assert len(served.asked) == 1


async def test_an_agent_reads_and_searches_what_its_operator_allows_and_nothing_else(
    tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    model.script(
        call("wikipedia_search", {"query": "mesh"}, ids="w"),
        call("arxiv_search", {"query": "mesh"}, ids="a"),
        call("web_fetch", {"url": "http://169.254.169.254/latest/meta-data/"}, ids="f"),
        say("A mesh is a net."),
        when="read about meshes",
    )
    answers = {
        API: wikipedia(article("Mesh", 1)),
        QUERY: page(feed(paper(1)), "application/atom+xml"),
        "/page": page("<title>Intranet</title><p>Meshes at work"),
    }
    tools = ("web_fetch", "wikipedia_search", "arxiv_search")
    async with site(answers) as served, site({"/": page("secret")}) as private:
        for text, url in (("read the intranet", served.at("/page")), ("read the neighbour", private.at("/"))):
            model.script(call("web_fetch", {"url": url}), say("Read."), when=text)
        variables = {
            "MESH_WEB_ALLOW": f"127.0.0.1:{served.port}",
            "MESH_WIKIPEDIA_URL": served.at(API),
            "MESH_ARXIV_URL": served.at(QUERY),
        }
        with agent_process(tmp_path, model.url, tokens, ledger, **variables) as process:
            async with process.channel() as channel:
                client = Client(channel, tokens)
                about = await client.run("read about meshes", *tools)
                intranet = await client.run("read the intranet", *tools)
                neighbour = await client.run("read the neighbour", *tools)
        assert private.asked == []
        assert len(served.asked) == 3
    results = [*about.all("tool_result"), *intranet.all("tool_result"), *neighbour.all("tool_result")]
    assert [result.is_error for result in results] == [False, False, True, False, True]
    assert [[(each.uri, each.title) for each in result.sources] for result in results] == [
        [("https://en.wikipedia.org/wiki/Mesh", "Mesh")],
        [("http://arxiv.org/abs/2401.00001v2", "On meshes")],
        [],
        [(served.at("/page"), "Intranet")],
        [],
    ]
    assert "Meshes at work" in results[3].content
    assert "not on the public web" in results[2].content
    assert "Only the ports" in results[4].content


async def test_without_a_network_the_model_is_told_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = Site(port=unused.getsockname()[1])
        began = time.monotonic()
        for tool in (wiki(away), arxiv(away)):
            with pytest.raises(ToolError, match="the web cannot be reached from here"):
                await tool.call({"query": "mesh"}, tool_run())
        assert time.monotonic() - began < 5
