"""What an agent may ask on the web: every trick that reaches behind the wall is refused, by name and by address."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from agent_service.adapters.web.addresses import is_public, read_address
from agent_service.adapters.web.allowed import Allowed
from agent_service.adapters.web.guard import Guard
from agent_service.domain.tool import ToolError

PUBLIC = "93.184.215.14"


class Names:
    """A resolver that gives each name its answers, one after the other; the last one for ever."""

    def __init__(self, **answers: list[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = answers

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host.replace(".", "_"), [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1",
        "127.255.255.254", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1",
        "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
        "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8",
        "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2001:10::1", "2001:20::1",
        "2002:7f00:1::", "2002:0808:0808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    read = read_address(address)
    assert read is not None
    assert not is_public(read)
    guard = Guard(resolve=Names(some_where=[[address]], mixed_up=[[PUBLIC, address]]))
    host = f"[{address}]" if ":" in address else address
    for url in (f"http://{host}/", "https://some.where/", "https://mixed.up/"):
        with pytest.raises(ToolError):
            await guard.target(url)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", PUBLIC, "100.63.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111",
     "2a00:1450:4001:830::200e", "64:ff9b::8.8.8.8"],
)  # fmt: skip
async def test_a_public_address_is_let_pass(address: str) -> None:
    target = await Guard(resolve=Names(some_where=[[address]])).target("https://some.where/page?x=1")
    assert target.addresses == (address,)
    assert target.host == "some.where"


@pytest.mark.parametrize(
    "url",
    [
        # Numbers that old readers take for an address, though the resolver here would call them public.
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://017700000001/", "http://0177.0.0.1/",
        "http://127.1/", "http://127.0.1/", "http://127.0.0.1./x", "http://0/", "http://00000000177.0.0.1/",
        "http://127.0.0.0x1/", "http://1.2.3.4.5/", "http://999.1.1.1/", "http://256.256.256.256/",
        "http://\uff11\uff12\uff17.0.0.1/", "http://127\u30020\u30020\u30021/", "http://\u2460\u2461\u2466.0.0.1/",
        "http://%31%32%37.0.0.1/", "http://[::ffff:7f00:1]/", "http://[::1%25lo]/", "http://[0:0:0:0:0:0:0:1]/",
        # Nothing, and things that are read in two ways.
        "", "http://", "http:///etc/passwd", "http:127.0.0.1", "//127.0.0.1/", "127.0.0.1", "http://.../", "http://a..b/",
        "http://good.example\\@127.0.0.1/", "http://127.0.0.1\\@good.example/", "http://good.example /",
        "http://good.example\t/", "http://good.example/\r\nHost: evil", "http://good.example/\x00",
        "http://[127.0.0.1]/", "http://[::1/", f"http://{'a' * 64}.example/", f"http://{'a.' * 130}b/",
        f"http://good.example/{'x' * 2000}",
        # Passwords, and what is not the web.
        "http://user@good.example/", "http://user:password@good.example/", "http://good.example@127.0.0.1/",
        "http://:secret@good.example/", "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/",
        "data:,hi", "javascript:alert(1)", "unix:/run/x.sock", "http+unix://x/", "ws://good.example/", "dict://good.example/",
        # Ports where no web site listens.
        "http://good.example:22/", "http://good.example:6379/", "http://good.example:5432/", "http://good.example:0/",
        "http://good.example:65536/", "http://good.example:99999/", "http://good.example:-1/", "http://good.example:x/",
        "https://good.example:50051/",
    ],
)  # fmt: skip
async def test_a_trick_is_refused_before_anybody_is_asked(url: str) -> None:
    names = Names()
    with pytest.raises(ToolError):
        await Guard(resolve=names).target(url)
    assert names.asked == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("HTTP://Good.Example/", "good.example"),
        ("https://good.example./", "good.example"),
        ("http://good.example:8080/", "good.example"),
        ("https://good.example:8443/a?b#c", "good.example"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("http://good.example:/", "good.example"),
        ("http://1.example/", "1.example"),
        ("http://good.example/@127.0.0.1", "good.example"),
        ("http://good.example?@127.0.0.1", "good.example"),
    ],
)
async def test_a_plain_url_is_looked_up_once(url: str, host: str) -> None:
    names = Names()
    target = await Guard(resolve=names).target(url)
    assert (target.host, target.addresses, names.asked) == (host, (PUBLIC,), [host])


async def test_a_name_that_changes_its_mind_is_bound_to_its_first_answer() -> None:
    names = Names(rebind_example=[[PUBLIC], ["127.0.0.1"]])
    guard = Guard(resolve=names)
    assert (await guard.target("http://rebind.example/")).addresses == (PUBLIC,)
    with pytest.raises(ToolError, match="not on the public web"):
        await guard.target("http://rebind.example/")


async def test_what_the_operator_allows_passes_and_its_neighbour_does_not() -> None:
    allowed = Allowed.parse(
        "wiki.corp, build.corp:9000, 10.1.0.0/16, fd00:1::/32, 192.168.7.7, 127.0.0.1:5000, [::1]:81"
    )
    names = Names(
        wiki_corp=[["10.9.9.9"]], build_corp=[["10.9.9.8"]], other_corp=[["10.1.2.3"]], far_corp=[["10.2.0.1"]]
    )
    guard = Guard(allowed, names)
    for url in (
        "https://wiki.corp/", "http://WIKI.corp:8080/", "http://build.corp:9000/x", "http://other.corp/",
        "http://10.1.255.255/", "http://[fd00:1::5]/", "http://192.168.7.7/", "http://127.0.0.1:5000/", "http://[::1]:81/",
    ):  # fmt: skip
        await guard.target(url)
    for url in (
        "http://wiki.corp:9000/", "http://build.corp/", "http://build.corp:9001/", "http://far.corp/", "http://10.2.0.1/",
        "http://192.168.7.8/", "http://127.0.0.1/", "http://127.0.0.1:5001/", "http://x.wiki.corp:22/", "http://[::1]/",
        "http://10.1.0.1:5432/",
    ):  # fmt: skip
        with pytest.raises(ToolError):
            await guard.target(url)


async def test_the_operators_choice_of_a_site_opens_that_site_alone() -> None:
    closed = Guard(resolve=Names())
    guard = closed.allowing("http://127.0.0.1:8181/w/api.php")
    assert (await guard.target("http://127.0.0.1:8181/w/api.php?x=1")).addresses == ("127.0.0.1",)
    for url in ("http://127.0.0.1/", "http://127.0.0.1:8182/", "http://127.0.0.2:8181/", "http://localhost:8181/"):
        with pytest.raises(ToolError):
            await guard.target(url)
    with pytest.raises(ToolError):
        await closed.target("http://127.0.0.1:8181/")


@pytest.mark.parametrize(
    "text", ["http://host", "a b", "user@host", "10.1.0.1/16", "host:port", "host/path", "1.2.3.4/33"]
)
def test_a_list_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Allowed.parse(text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "There is no site named good.example"),
        (socket.gaierror(socket.EAI_AGAIN, "again"), "The web cannot be reached from here"),
        (OSError("no sockets left"), "The web cannot be reached from here"),
        (TimeoutError(), "The web cannot be reached from here"),
    ],
)
async def test_a_look_up_that_fails_is_told_in_words(error: Exception, words: str) -> None:
    async def fail(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(ToolError, match=words):
        await Guard(resolve=fail).target("http://good.example/")


async def test_the_name_of_this_machine_is_looked_up_and_refused() -> None:
    with pytest.raises(ToolError, match="not on the public web"):
        await Guard().target("http://localhost/")
