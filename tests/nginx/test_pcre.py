"""A pattern that we read matches as PCRE does; what we may not read, we say so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from tests.support.ports import free_port
from tests.support.real_nginx import Running, running

PATTERNS = [
    r"^/a$",
    r"\.css$",
    r"/a\z",
    r"/a\Z",
    r"^/[[:alpha:]]+$",
    r"^/[[:digit:][:upper:]_]+$",
    r"^/(?<year>\d{4})/",
    r"^/(?P<year>\d+)$",
    r"(?i)/A",
    r"(?i:/a)b",
    r"/\Qa.b\E",
    r"/a\x2eb",
    r"/\x{2e}",
    r"^/[]a]+$",
    r"^/[^]a]+$",
    r"^/[a\]b]+$",
    r"/a(?=b)",
    r"/a(?!b)",
    r"(?<=a)b",
    r"(?<!a)b",
    r"^(?>/a+)b",
    r"/a++b",
    r"/\h",
    r"/\v",
    r"/[\h]",
    r"/\R",
    r"/\N\N$",
    r"/a{2}",
    r"/a{2,}",
    r"/a{1,2}$",
    r"/a{",
    r"/(a|b)\1",
    r"/\w+\b",
    r"/\S+$",
    r"/[\w.-]+$",
    r"/[+--]",
    r"/a|b$",
    r"/(a(b)?)c\2",
    r"/[[]",
    r"/[a&&b]",
    r"^/.*?b",
    r"/\/",
    r"/\-\_\@",
    r"/(?#note)a",
    r"/[[:punct:]]",
    r"/[[:space:]]",
    r"/\e",
    r"/[\x41-\x43]",
    "/\u00e9",
    r"^/[^/]*\.(?:js|css)$",
    r"/a.b",
    r"/(?:a|ab)(?:c|bcd)$",
    r"/\d\D\s\W",
    r"^$",
    r"",
    r"/a\\",
    r"/\.",
    r"/[\.]",
    r"/a$|^b",
]

NOT_OURS = [
    r"(*UTF8)/a",
    r"/(?R)?a",
    r"/(?1)(a)",
    r"/\p{L}",
    r"/(?|(a)|(b))",
    r"/a\Kb",
    r"\G/a",
    r"/a(?i)b",
    r"/[[:^alpha:]]",
    r"/a{,2}",
    r"/\x{100}",
    r"(?<=a|bc)d",
    r"/(?x) a",
    r"/\ca",
    r"(",
]

pieces = st.sampled_from([*"aAbBcdx19_.-/+&[]^é", "css", "js", "%0a", "%20", "%09", "2024", "%5C"])
paths = st.lists(pieces, max_size=8).map(lambda chosen: "/" + "".join(chosen))


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An nginx whose server number N matches PATTERNS[N], with and without regard to case."""
    port = free_port()
    blocks = [
        f"server {{ listen 127.0.0.1:{port}; server_name {number}{suffix}.test;"
        f' location {modifier} "{quoted(pattern)}" {{ return 200 "yes"; }} }}'
        for number, pattern in enumerate(PATTERNS)
        for modifier, suffix in (("~", ""), ("~*", "i"))
    ]
    with running(tmp_path_factory.mktemp("pcre"), "\n".join(blocks), port) as nginx:
        assert nginx is not None
        yield nginx


def quoted(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


@pytest.mark.process
@pytest.mark.parametrize("number", range(len(PATTERNS)), ids=PATTERNS)
def test_a_pattern_matches_as_in_nginx(matching: Running, number: int) -> None:
    @settings(max_examples=25, database=None, suppress_health_check=list(HealthCheck))
    @given(path=paths, suffix=st.sampled_from(["", "i"]))
    def agrees(path: str, suffix: str) -> None:
        host = f"{number}{suffix}.test"
        sent = path.replace("é", "%C3%A9")
        predicted = matching.predict(sent, host=host)

        assert predicted.answer.kind != "unknown"
        assert (matching.ask(sent, host=host).body == b"yes") == (predicted.answer.body == "yes")

    agrees()


EXPLOSIVE = {
    "^/(a+)+$": "/" + "a" * 40 + "!",
    "^/(?:a|a)*b$": "/" + "a" * 60,
    r"^(?:/[^.]*)*\.(?:css)$": "/" * 60,
    "^(?:.*)*(?:.*)*=$": "a" * 60,
}


@pytest.mark.process
@pytest.mark.parametrize(("pattern", "text"), EXPLOSIVE.items(), ids=EXPLOSIVE)
def test_a_regex_that_backtracks_without_end_is_given_up(pattern: str, text: str) -> None:
    regex = pcre.compiled(pattern)
    assert regex is not None
    began = process_time()

    for _ in range(100):
        with pytest.raises(Indeterminate, match="takes too long"):
            regex.search(text)

    assert process_time() - began < 3


@pytest.mark.process
def test_a_regex_is_given_up_in_a_thread_too() -> None:
    regex = pcre.compiled("^/(?:a+)+$")
    assert regex is not None
    with ThreadPoolExecutor() as threads, pytest.raises(Indeterminate):
        threads.submit(regex.search, "/" + "a" * 40 + "!").result()


USUAL = [r"\.css$", "^/static/.+$", r"^/(?:css|js)/[^/]+\.(?:png|jpe?g)$"]


@pytest.mark.parametrize("pattern", USUAL)
def test_usual_regexes_are_matched_at_once(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcre, "ends_within", None)
    regex = pcre.compiled(pattern)
    assert regex is not None

    regex.search("/static/css/" + "a" * 200)


class OneFile:
    """A configuration in memory."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()

    def read(self, path: str) -> bytes:
        return self.data

    def glob(self, pattern: str) -> list[str]:
        return []


@pytest.mark.process
def test_where_a_regex_takes_too_long_the_answer_is_unknown() -> None:
    site = "server { location / { return 204; } location ~ ^/(a+)+$ { return 200; } }"
    router = Router(load("/nginx.conf", OneFile(f"events {{}} http {{ {site} }}")))

    slow, quick = (router.route(Request(uri)).answer for uri in ("/" + "a" * 40 + "!", "/aaa"))

    assert ("unknown", True) == (slow.kind, "takes too long" in slow.reason)
    assert 200 == quick.status


@pytest.mark.parametrize("pattern", NOT_OURS)
def test_patterns_that_python_reads_otherwise_are_not_evaluated(pattern: str) -> None:
    assert pcre.compiled(pattern) is None
