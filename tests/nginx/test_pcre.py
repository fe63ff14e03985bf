"""A pattern that we read matches as PCRE does; what we may not read, we say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.nginx.routing import pcre
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
        foretold = matching.foretell(sent, host=host)

        assert foretold.answer.kind != "unknown"
        assert (matching.ask(sent, host=host).body == b"yes") == (foretold.answer.body == "yes")

    agrees()


@pytest.mark.parametrize("pattern", NOT_OURS)
def test_patterns_that_python_reads_otherwise_are_not_evaluated(pattern: str) -> None:
    assert pcre.compiled(pattern) is None
