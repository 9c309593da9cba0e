"""Agents that work with the files of their session: a real service, its ledger's contract, its sandbox."""

import xml.etree.ElementTree as ET

from meshkit.ids import new_id
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, say
from tests.integration.agent.conftest import Client, Process
from tests.integration.agent.processes import until_gone, until_there_are

TOOLS = ("run_python", "table_statistics", "sql_query", "chart")
SALES = b"region,sales\nnorth,10\nsouth,20\nnorth,5\n"
DOUBLED = """
import csv
rows = list(csv.DictReader(open("sales.csv")))
with open("out/doubled.csv", "w") as out:
    out.write("region,sales\\n")
    for row in rows: out.write(f"{row['region']},{int(row['sales']) * 2}\\n")
print(len(rows), "rows")
"""


async def test_an_agent_computes_asks_and_draws(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    run_id = new_id("run")
    ledger.books[run_id].files["sales.csv"] = SALES
    total = "select region, sum(sales) as total from data group by region order by region"
    drawn = {"kind": "bar", "file": "doubled.csv", "x": "region", "y": ["sales"], "title": "Sales by region"}
    model.script(
        call("run_python", {"code": DOUBLED, "files": ["sales.csv"]}, ids="p"),
        call(
            "table_statistics", {"file": "doubled.csv"}, ("sql_query", {"file": "doubled.csv", "query": total}), ids="q"
        ),
        call("chart", drawn, ids="c"),
        say("Done."),
        when="look into the sales",
    )
    run = await client.run("look into the sales", *TOOLS, run=run_id)
    results = {result.name: result for result in run.all("tool_result")}
    assert not [result for result in results.values() if result.is_error], results
    assert "3 rows" in results["run_python"].content
    assert "sales: number; min 10," in results["table_statistics"].content
    assert results["sql_query"].content.endswith("north | 30\nsouth | 40")
    written = [(file.name, file.media_type, file.size) for file in run.all("file_written")]
    picture = ledger.books[run_id].files["sales-by-region.svg"]
    assert written == [("doubled.csv", "text/csv", 40), ("sales-by-region.svg", "image/svg+xml", len(picture))]
    assert ET.fromstring(picture).tag.endswith("svg")

    again = await client.run("look into the sales", *TOOLS, run=run_id, attempt=2)
    assert [(file.name, file.media_type, file.size) for file in again.all("file_written")] == written
    assert again.all("tool_result") == run.all("tool_result")


async def test_what_goes_wrong_is_told_to_the_model(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    run_id = new_id("run")
    ledger.books[run_id].files["sales.csv"] = SALES
    attempts = [
        ("run_python", {"code": "print('a')\n1/0"}, "exit code 1"),
        (
            "run_python",
            {"code": "print(1)", "files": ["../secret"]},
            "no file of that name in this conversation. The files are",
        ),
        ("run_python", {"code": "open('out/.hidden', 'w').write('x')"}, "name has at most 128"),
        ("run_python", {"code": ""}, "Wrong arguments. code"),
        ("table_statistics", {"file": "other.csv"}, "The files are: sales.csv"),
        ("sql_query", {"file": "sales.csv", "query": "drop table data"}, "Only reading is possible"),
        ("chart", {"kind": "bar", "x": "region", "y": ["sales"]}, "Give either a file or data"),
        ("chart", {"kind": "bar", "x": "a", "y": ["b"], "data": "a,b\nx,1\n", "name": "../x"}, "name has at most 128"),
    ]
    replies = [call(name, arguments, ids=f"t{n}") for n, (name, arguments, _) in enumerate(attempts)]
    model.script(*replies, say("It cannot be done."), when="try what fails")
    run = await client.run("try what fails", *TOOLS, run=run_id)
    results = run.all("tool_result")
    assert len(results) == len(attempts)
    for (name, arguments, words), result in zip(attempts, results, strict=True):
        assert words in result.content, (name, arguments)
    assert [result.is_error for result in results] == [True, True, False, True, True, True, True, True]
    assert run.all("file_written") == []
    assert list(ledger.books[run_id].files) == ["sales.csv"]


async def test_a_program_ends_with_its_run(agent: Process, client: Client, model: ModelServer) -> None:
    model.script(call("run_python", {"code": "import time\ntime.sleep(600)"}), say("Never."), when="sleep for ever")
    events = client.stub.Execute(client.request("sleep for ever", "run_python"), timeout=30)
    async for event in events:
        if event.WhichOneof("event") == "tool_call":
            break
    processes = await until_there_are(3, agent.child.pid)
    events.cancel()
    await until_gone(processes)
