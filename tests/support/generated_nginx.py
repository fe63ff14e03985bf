"""Generated configurations and URIs: everything that decides which answer a client gets."""

from __future__ import annotations

from hypothesis import strategies as st

PREFIXES = ["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/c.css", "/b/", "/b", "/c.css", "/empty/"]
REGEXES = [
    r"\.css$",
    r"^/a/",
    r"/b",
    r"(?i)\.HTML$",
    r"\.(css|html)$",
    r"^/(a|b)/(.*)$",
    r"/\.",
    r"[^/]+$",
    r"^/a(?<rest>.*)$",
    r"/a/[[:alpha:]]+/",
    r"\.[a-z]{3}\z",
    r"^/(?!a)",
]
NAMED = ["@one", "@two"]
URIS = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/",
    "/ab",
    "/ab/",
    "/b",
    "/b/",
    "/c.css",
    "/a/c.css",
    "/d.html",
    "/a/d.html",
    "/a/b/c.css",
    "/a/b/x.txt",
    "/b/c.css",
    "/.env",
    "/a/.env",
    "/a../.env",
    "/nope",
    "/a/nope.css",
    "//a//c.css",
    "/a/./c.css",
    "/a/../c.css",
    "/a%2Fc.css",
    "/%61/c.css",
    "/empty",
    "/empty/",
    "/a/%2e%2e/d.html",
    "/..",
    "/a/..",
    "/a/.",
    "/a%20b.css",
    "/C.CSS",
    "/e.HTML",
    "/a/b/../../b/a/d.html",
    "/a?x=1",
    "/a/b/nope/",
    "/b/a/d.html?q",
    "/a/%",
    "/abc",
    "/acss",
    "/a%3Fb",
    "/a%3Fb/%7Ec%20;&+d.css",
    "/a/c.css/",
    "/a%25",
    "/index.html",
    "/a/index.html",
    "/other.htm",
    "/ab.css",
]

texts = st.sampled_from(["one", "$uri", "$1-$request_uri", "$host", "$rest", "u=$document_uri"])
targets = st.sampled_from(
    ["/c.css", "/a/d.html", "/nope", "/b/", "/a/$1", "@one", "/a/c.css?x=$uri"]
)
codes = st.sampled_from([204, 301, 302, 403, 404, 410, 500])


def _line(*parts: object) -> str:
    return " ".join(map(str, parts)) + ";"


returns = st.one_of(
    st.builds(lambda text: _line("return", 200, f'"{text}"'), texts),
    st.builds(lambda code: _line("return", code), codes),
    st.just("return 301 /moved$uri;"),
    st.just("return https://$host/elsewhere;"),
)
rewrites = st.builds(
    lambda regex, to, flag: _line("rewrite", regex, to, flag),
    st.sampled_from(["^/a/(.*)$", "^/b/(.*)", r"\.css$", "^(.*)$", "^/nope"]),
    st.sampled_from(["/b/$1", "/a/$1?", "/c.css", "/a/b/x.txt?y=$1", "/index.html"]),
    st.sampled_from(["", "last", "break", "redirect", "permanent"]),
)
headers = st.builds(
    lambda name, value, always: _line("add_header", name, f'"{value}"', always),
    st.sampled_from(["X-Mark", "Cache-Control", "X-Other"]),
    st.sampled_from(["one", "two", "public, max-age=604800", "$uri", ""]),
    st.sampled_from(["", "always"]),
)
expires = st.sampled_from(["7d", "'1h 30m'", "-1", "0", "epoch", "max", "off", "modified -1h"]).map(
    lambda value: _line("expires", value)
)
types = st.sampled_from(
    ["types { text/css css; text/x-html html HTML; }", "types { }", "default_type text/x-y;"]
)
error_pages = st.builds(
    lambda code, how, target: _line("error_page", code, how, target),
    st.sampled_from(["404", "403 404", "405 500 403", "301", "410"]),
    st.sampled_from(["", "=200", "=", "=404"]),
    st.sampled_from(["/c.css", "/nope", "@one", "@two", "http://e.test/", "/a/d.html"]),
)
tries = st.builds(
    lambda first, last: _line("try_files", *first, last),
    st.lists(
        st.sampled_from(["$uri", "$uri/", "/c.css", "$uri/index.html", "/a$uri", "$1", "/empty/"]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["=404", "@one", "@two", "/c.css", "/a/nope", "=410", "/index.html?$args"]),
)
indexes = st.sampled_from(["index other.htm;", "index nope.html index.html;", "index /c.css;"])
switches = st.sampled_from(
    [
        "autoindex on;",
        "deny all;",
        "internal;",
        "limit_except GET { deny all; }",
        "allow 127.0.0.1;",
        "recursive_error_pages on;",
        'auth_basic "x"; auth_basic_user_file nope;',
        "satisfy any;",
        "charset utf-8;",
        "client_max_body_size 5;",
    ]
)
tests = st.sampled_from(
    [
        "($uri = /c.css)",
        "($uri ~ ^/a/(.*)$)",
        "($host = x.test)",
        "($args)",
        "(-f @P@/r1$uri)",
        "($request_method = POST)",
        "($uri !~* HTML$)",
        "(!-e @P@/r2$uri)",
    ]
)
steps = st.one_of(returns, rewrites, st.just("break;"), st.just("set $rest x$uri;"))
server_ifs = st.builds(lambda test, inner: f"if {test} {{ {inner} }}", tests, steps)
ifs = st.builds(
    lambda test, inner: f"if {test} {{ {inner} }}", tests, st.one_of(steps, headers, expires)
)
passes = st.just("proxy_pass http://127.0.0.1:@UPSTREAM@;")


def roots(kind: str) -> st.SearchStrategy[str]:
    folders = ["@P@/r1", "@P@/r2", "@P@/r1/", "@P@/r2/a", "@P@/r2/a/", "r1", "@P@/r1/a/b/x.txt"]
    return st.sampled_from(folders).map(lambda folder: _line(kind, folder))


def bodies(*, named: bool = False) -> st.SearchStrategy[list[str]]:
    """Directives of a location, at most one of each kind that may stand only once."""
    places = st.one_of(roots("root"), roots("root") if named else roots("alias"))
    single = [places, places, returns, expires, tries, indexes, switches, passes]
    once = st.one_of(
        st.lists(st.sampled_from(single), max_size=3, unique_by=id).flatmap(
            lambda chosen: st.tuples(*chosen).map(list)
        )
    )
    many = st.lists(st.one_of(headers, rewrites, error_pages, ifs, types), max_size=3)
    return st.builds(lambda one, more: _sane([*one, *more]), once, many)


def _sane(lines: list[str]) -> list[str]:
    """Drop what would make nginx refuse: a second root or alias, types twice is fine."""
    kept: dict[str, str] = {}
    for number, line in enumerate(lines):
        word = line.split()[0].rstrip(";")
        repeats = word in ("add_header", "rewrite", "error_page", "if")
        kept.setdefault("root" if word == "alias" else f"{word}{number if repeats else ''}", line)
    return list(kept.values())


@st.composite
def locations(draw: st.DrawFn, within: str = "", depth: int = 0) -> str:
    # Only a regex location may stand inside a regex location.
    kinds = ["~", "~*"] if within.startswith('"') else ["", "", "^~", "~", "~*", "=", "="]
    modifier = draw(st.sampled_from(kinds))
    if modifier in ("~", "~*"):
        name = f'"{draw(st.sampled_from(REGEXES))}"'
    else:
        name = draw(st.sampled_from([prefix for prefix in PREFIXES if prefix.startswith(within)]))
    body = draw(bodies())
    if depth < 2 and modifier != "=" and draw(st.integers(0, 3)) == 0:
        body.append(draw(locations(within=name, depth=depth + 1)))
    return f"location {modifier} {name} {{ {' '.join(body)} }}\n"


@st.composite
def servers(draw: st.DrawFn) -> str:
    """The inside of a server block, locations unique by name."""
    unique: dict[str, str] = {}
    for location in draw(st.lists(locations(), min_size=1, max_size=6)):
        unique.setdefault(location.partition("{")[0].replace("^~", ""), location)
    for name in NAMED:
        unique[name] = f"location {name} {{ {' '.join(draw(bodies(named=True)))} }}\n"
    own = draw(
        st.lists(st.one_of(headers, error_pages, expires, indexes, types, server_ifs), max_size=3)
    )
    root = draw(st.one_of(roots("root"), st.just("")))
    return "\n".join([root, *_sane(own), *unique.values()])


uris = st.lists(st.sampled_from(URIS), min_size=20, max_size=20, unique=True)
methods = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT"])
