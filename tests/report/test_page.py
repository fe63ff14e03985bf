"""The page: what it shows, in which order, and that nothing in it can act."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.report.pages import write_report
from tests.report.readings import APPLY, EARLIER, NOW, STYLES, change, check, drift, read

AT = datetime(2026, 11, 28, 15, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\x1b[31m\u202e"
TEXT = "server {\n    listen 80;\n}\n"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def pages_of(folder: Path, *documents: dict[str, Any]) -> list[str]:
    paths = write_report(str(folder / "report.html"), read(*documents), now=AT)
    return [Path(path).read_text() for path in paths]


def page_of(folder: Path, *documents: dict[str, Any]) -> str:
    [page] = pages_of(folder, *documents)
    return page


def text_of(page: str) -> str:
    return " ".join(Elements(page.partition("</style>")[2]).text.split())


def test_hosts_are_counted_by_state_in_one_order(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        drift("a"),
        drift("b"),
        drift("c", change()),
        drift("d", checks=[check(status="fail")]),
        drift("e", unknown=[{"address": "file:/x"}]),
        drift("f", timestamp=EARLIER),
    )

    tiles = re.findall(r'class="count">(\d+)</span> <span class="word">([^<]+)', page)
    assert [
        ("2", "In sync"),
        ("1", "Drifted"),
        ("1", "Unhealthy"),
        ("1", "Unknown"),
        ("1", "Silent"),
    ] == tiles
    assert "2 of 6 hosts are in sync" in text_of(page)


def test_an_equal_difference_is_shown_once_with_all_it_takes_to_act(tmp_path: Path) -> None:
    page = page_of(tmp_path, *(drift(host, change()) for host in ("a", "b", "c")))

    assert 1 == page.count("mode = &#34;0600&#34; -&gt; &#34;0644&#34;")
    shown = text_of(page)
    assert "3 hosts a b c" in shown
    assert "drift changed" in shown
    assert "Since 2026-11-26 03:00 UTC (2 days)" in shown
    assert "Last applied ann by reconcile pull, 2026-11-20 09:00 UTC" in shown
    command = f"reconcile apply -f /etc/reconcile/reconcile.yaml --target {STYLES}"
    assert f"Resolve {command}" in shown


def test_corrective_and_pending_changes_are_apart(tmp_path: Path) -> None:
    page = page_of(tmp_path, drift("a", change(cause="pending")), drift("b", change()))

    assert ["drift", "pending"] == re.findall(r'class="tags"><span class="tag (\w+)', page)
    headings = re.findall(r'<h3 class="cause">(\w+): ', page)
    assert ["Drift", "Pending"] == headings


def test_a_cause_is_explained_once(tmp_path: Path) -> None:
    page = page_of(tmp_path, drift("a", change(), change("file:/etc/b")))

    assert 1 == page.count("Drift: changed on the host since the last apply")


def test_who_did_not_run_and_why_is_listed_with_the_states(tmp_path: Path) -> None:
    error = {"what": "main could not be fetched", "fix": "Check the network."}
    page = page_of(
        tmp_path,
        drift("a", timestamp=EARLIER),
        drift("b", state="unknown", error=error),
        drift("c"),
    )

    overview = text_of(page.partition('id="details"')[0])
    assert "Unknown 1 b main could not be fetched Silent 1 a for 2 days" in overview
    details = text_of(page)
    assert "main could not be fetched. Check the network." in details
    assert "Check that the host is up, and there that its checks run" in details


def test_a_count_leads_to_its_hosts(tmp_path: Path) -> None:
    page = page_of(tmp_path, drift("a"), drift("b", change()))

    assert ["s-1", "s-2"] == re.findall(r'<a href="#(s-\d)"><span class="count"', page)
    assert 1 == page.count('<div class="state" id="s-2">')


def test_hosts_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    page = page_of(tmp_path, *(drift(f"web-{n}", change()) for n in (10, 9, 1, "x", 2)))

    overview = page.partition('id="differences"')[0]
    assert ["1", "2", "9", "10", "x"] == re.findall(r'">web-(\w+)</a>', overview)


@pytest.mark.parametrize("code", [6, 2, 0])
def test_a_plan_under_a_hold_is_shown_with_its_hold(tmp_path: Path, code: int) -> None:
    hold = {"user": "bob", "reason": "migration", "since": EARLIER, "until": None}
    plan = drift("a", *([change()] if code else []), exit_code=code, hold=hold, state="")
    entry = {"state": "drift" if code else "in_sync", "exit_code": code, "document": plan}
    fleet = {"format_version": "1.0", "timestamp": NOW, "summary": {}, "hosts": {"a": entry}}

    shown = text_of(page_of(tmp_path, fleet))

    assert ("a: drifted" if code else "a: in sync") in shown
    assert "On hold by bob: migration" in shown


def test_a_host_that_pulls_is_resolved_by_its_pull(tmp_path: Path) -> None:
    pull = "reconcile pull https://git.example/site.git --then apply"

    page = page_of(tmp_path, drift("a", change(), command=pull))

    assert f"Resolve {pull} " in text_of(page)


def test_diffs_are_folded_and_secrets_hidden(tmp_path: Path) -> None:
    before = TEXT + "API_TOKEN=hunter2\nurl https://ann:hunter2@example.com\n"

    page = page_of(tmp_path, drift("a", change(before=before, after=TEXT)))

    assert "hunter2" not in page
    assert "API_TOKEN=(hidden)" in page
    assert "<details><summary>Difference<" in page


def test_each_host_has_what_is_known_about_it(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        drift(
            "a",
            sites=["shop"],
            checks=[
                check("probe:shop GET / over IPv4", "fail", detail="got 502"),
                check("checklist:shop:5", "pass", detail="www-data can read it"),
                check("certificate:shop", expires="2026-12-04T00:00:00Z"),
            ],
            findings=[
                {
                    "rule": "tls-key",
                    "severity": "error",
                    "what": "The key is public.",
                    "evidence": ["mode 0644"],
                    "fix": "chmod 0600",
                }
            ],
            history=[APPLY],
            behaviour_changes=[{"request": "GET /old", "before": "404", "after": "301"}],
            ignored_changes=[
                {"address": "tree:/m", "field": "mode", "reason": "legacy", "until": "2026-12-10"}
            ],
            hold={"user": "bob", "reason": "migration", "since": EARLIER, "until": None},
        ),
    )

    shown = text_of(page)
    for expected in (
        "Sites shop",
        "fail shop GET / over IPv4 got 502",
        "Checklist of shop: 1 of 1 pass",
        "nginx can read both directories www-data can read it",
        "shop: ends 2026-12-04 00:00 UTC in 5 days",
        "error The key is public. tls-key Fix: chmod 0600 Evidence mode 0644",
        "#14 2026-11-20 09:00 UTC",
        "GET /old - 404 + 301 a",
        "tree:/m mode legacy until 2026-12-10",
        "On hold by bob: migration",
        "bob: migration Since 2026-11-26 03:00 UTC, until it is released",
    ):
        assert expected in shown, expected


def test_nothing_that_a_host_calls_itself_can_act(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        drift(
            EVIL,
            change(f"file:/{EVIL}", cause=EVIL, because=EVIL, before=f"{EVIL}\n", sites=[EVIL]),
            checks=[check(f"probe:{EVIL} x", "fail", detail=EVIL)],
            findings=[{"rule": EVIL, "severity": EVIL, "what": EVIL, "evidence": [EVIL]}],
            hold={"user": EVIL, "reason": EVIL},
            behaviour_changes=[{"request": EVIL, "before": EVIL, "after": EVIL}],
            ignored_changes=[{"address": EVIL, "field": EVIL, "reason": EVIL, "until": EVIL}],
            history=[APPLY | {"user": EVIL, "command": EVIL, "error": EVIL, "result": EVIL}],
            command=EVIL,
        ),
    )

    elements = Elements(page).found
    assert not {"script", "link", "img", "iframe", "form"} & {tag for tag, _ in elements}
    assert all(not name.startswith("on") for _, attributes in elements for name in attributes)
    assert {"style"} & {name for _, attributes in elements for name in attributes} == set()
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert r"\x1b[31m\xe2\x80\xae" in page


def test_the_page_has_a_strict_policy_and_fetches_nothing(tmp_path: Path) -> None:
    page = page_of(tmp_path, drift("a", change()))

    policy = next(
        attributes["content"]
        for tag, attributes in Elements(page).found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r'(?:href|src)="(?!#)|url\(|@import', page)


def test_every_link_leads_to_something_on_a_page(tmp_path: Path) -> None:
    long = TEXT * 40
    hosts = [
        drift(f"web-{n}", change(f"file:/{n}", before=long, after=f"{n}\n")) for n in range(60)
    ]

    pages = pages_of(tmp_path, *hosts)

    names = ["report.html", *(f"report-{n}.html" for n in range(2, len(pages) + 1))]
    assert len(pages) > 1
    targets = {
        f"{name}#{found}"
        for name, page in zip(names, pages, strict=True)
        for found in re.findall(r' id="([^"]+)"', page)
    }
    for name, page in zip(names, pages, strict=True):
        for href in re.findall(r'href="([^"]+)"', page):
            target = f"{name}{href}" if href.startswith("#") else href
            assert target in targets or target in names, href
        assert len(page.encode()) < 200_000


def test_fifty_hosts_fit_on_one_page_and_a_thousand_on_several(tmp_path: Path) -> None:
    def fleet(number: int) -> list[dict[str, Any]]:
        checks = [check(f"probe:shop GET /{n} over IPv4", detail="200") for n in range(20)]
        checks += [check(f"checklist:shop:{n}", detail="evidence " * 9) for n in range(1, 11)]
        drifted = [change(before=TEXT, after=f"{n}\n" + TEXT) for n in range(9)]
        return [
            drift(f"web-{n}.example.com", *drifted[: n % 3], checks=checks, history=[APPLY] * 10)
            for n in range(number)
        ]

    [page] = pages_of(tmp_path, *fleet(50))
    began = time.process_time()
    pages = pages_of(tmp_path, *fleet(1000))

    assert len(page.encode()) < 200_000
    assert all(len(one.encode()) < 200_000 for one in pages)
    assert time.process_time() - began < 5


def test_only_a_page_of_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    page_of(tmp_path, drift("a"))
    page_of(tmp_path, drift("b"))
    (tmp_path / "report.html").write_text("<html>mine</html>")

    with pytest.raises(HostError, match="already exists"):
        page_of(tmp_path, drift("c"))

    assert "<html>mine</html>" == (tmp_path / "report.html").read_text()


def test_no_link_leads_the_page_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "report.html").symlink_to(tmp_path / "target")

    with pytest.raises(HostError):
        page_of(tmp_path, drift("a"))

    assert "" == (tmp_path / "target").read_text()


def test_what_many_hosts_pass_alike_is_listed_once(tmp_path: Path) -> None:
    page = page_of(tmp_path, drift("a"), drift("b"))

    assert 1 == page.count("shop GET /")
    assert 'as on <a href="#h-1">a</a>' in page


def test_contents_that_readings_omit_are_not_called_equal(tmp_path: Path) -> None:
    omitted = change(before="(omitted)", after="(omitted)")

    page = page_of(tmp_path, drift("a", omitted), drift("b", omitted))

    assert "the contents may differ between these hosts" in text_of(page)


def test_the_limit_of_silence_is_shown(tmp_path: Path) -> None:
    documents = read(drift("a"))
    path = write_report(
        str(tmp_path / "r.html"), documents, now=AT, silent_after=timedelta(minutes=30)
    )[0]

    assert "1 Silent no reading for" in text_of(Path(path).read_text())


def test_hostile_documents_cost_little(tmp_path: Path) -> None:
    lines = "".join(f"{n % 97}\n" for n in range(700))
    texts = ("secret" * 9_000 + "\n", "://" * 9_000 + "\n", lines, "a" * 50_000 + "\n")
    many = [change(f"file:/{n}", cause="x") for n in range(1500)]
    began = time.process_time()

    pages = pages_of(
        tmp_path,
        drift("n" * 100_000, *many, checks=[check("c" * 50_000, "fail", detail="token " * 9_000)]),
        *(drift(f"web-{n}", change(before=one, after=one[::-1])) for n, one in enumerate(texts)),
    )

    assert time.process_time() - began < 5
    assert all(len(page.encode()) < 200_000 for page in pages)
    assert "504 more differences" in "".join(map(text_of, pages))
