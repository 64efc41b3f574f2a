"""Access logs become visits and views, once."""

from __future__ import annotations

import gzip
import os
import random
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.factories import CHROME, page_hit
from wagtail_ma import flow
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.tracking import replay as replaying
from wagtail_ma.tracking import rollups
from wagtail_ma.tracking.log_files import BadLog, LogFile
from wagtail_ma.tracking.models import PageDay, PageView, ReplayedLog, SiteDay, TrackedPage, Visit
from wagtail_ma.tracking.replay import Origin, Tally, replay

pytestmark = pytest.mark.django_db
# A real log of 10,000 lines, where somebody has one: not part of the product.
REAL_LOG = os.environ.get("WAGTAIL_MA_ACCESS_LOG", "")
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def line(
    at: datetime,
    target: str = "/",
    *,
    address: str = "203.0.113.7",
    agent: str = CHROME,
    referrer: str = "-",
    method: str = "GET",
    status: int = 200,
    host: str = "",
) -> str:
    head = f"{host}:443 {address}" if host else address
    return (
        f'{head} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{method} {target} HTTP/1.1" {status} 512 '
        f'"{referrer}" "{agent}"\n'
    )


def written(tmp_path: Path, *lines: str, name: str = "access.log") -> Path:
    path = tmp_path / name
    path.write_text("".join(lines))
    return path


def run(path: Path, site: Any, now: datetime, **options: Any) -> Tally:
    host = options.pop("host", "example.com")
    own_paths = options.pop("own_paths", ())
    return replay(path, Origin(site, host, own_paths=own_paths), now=now + timedelta(days=1), **options)


def visits() -> list[dict[str, Any]]:
    """All visits with their views, without ids."""
    found = []
    for visit in Visit.objects.order_by("started_at", "identity__key"):
        rows = visit.views.order_by("at", "view_id").values_list("at", "engaged_seconds", "tracked_page__key")
        fields = (visit.started_at, visit.last_at, visit.medium, visit.source, visit.landing.key)
        found.append({"identity": visit.identity.key, "fields": fields, "views": list(rows)})
    return found


def test_replay__two_pages__one_visit_with_estimated_time(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    path = written(
        tmp_path,
        line(now, "/?utm_source=x&utm_medium=email", referrer="https://www.google.com/"),
        line(now + timedelta(seconds=40), "/nowhere/", referrer="https://example.com/", status=304),
    )
    tally = run(path, site, now)
    assert (tally.lines, tally.views, tally.repeated, dict(tally.skipped)) == (2, 2, 0, {})
    visit = Visit.objects.get()
    assert (visit.started_at, visit.last_at) == (now, now + timedelta(seconds=40))
    assert (visit.medium, visit.source, visit.device, visit.is_bot) == ("email", "x", "desktop", False)
    first, second = PageView.objects.order_by("at")
    assert first.tracked_page.page_id == home.pk
    assert second.tracked_page.key == f"url:{site.pk}:/nowhere/"
    assert second.tracked_page.url == "http://example.com/nowhere/"
    assert {first.source, second.source} == {"log"}
    assert (first.engaged_seconds, second.engaged_seconds) == (40, 0)
    identity = Identity.objects.get()
    assert (identity.kind, identity.visitor.first_seen_at) == ("log", now)
    assert set(News.objects.values_list("visitor_id", flat=True)) == {identity.visitor_id}


def test_replay__address__is_in_no_column(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    run(written(tmp_path, line(now, address="203.0.113.77")), site, now)
    for model in (Identity, Visitor, Visit, PageView, ReplayedLog, TrackedPage, News):
        for row in model.objects.values():
            assert "203.0.113.77" not in str(row)


def test_replay__identity__by_address_and_user_agent_and_secret(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    run(
        written(
            tmp_path,
            line(now),
            line(now + timedelta(days=3), agent=CHROME),
            line(now, address="203.0.113.8"),
            line(now, agent=CHROME + " Other/1"),
        ),
        site,
        now + timedelta(days=3),
    )
    assert (Identity.objects.count(), Visit.objects.count()) == (3, 4)
    with override_settings(SECRET_KEY="another"):
        run(written(tmp_path, line(now + timedelta(hours=9)), name="b.log"), site, now)
    assert Identity.objects.count() == 4


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"method": "HEAD"}, replaying.METHOD),
        ({"method": "POST"}, replaying.METHOD),
        ({"status": 404}, replaying.STATUS),
        ({"status": 301}, replaying.STATUS),
        ({"status": 206}, replaying.STATUS),
        ({"target": "/logo.png"}, replaying.FILE),
        ({"target": "/blog/feed/"}, replaying.FEED),
        ({"target": "/admin/pages/"}, replaying.OWN),
        ({"target": "/%61dmin/pages/"}, replaying.OWN),
        ({"target": "/" + "a" * 2000}, replaying.MALFORMED),
        ({"target": "/%00"}, replaying.MALFORMED),
        ({"agent": BOT}, replaying.BOT),
        ({"agent": "-"}, replaying.BOT),
        ({"host": "elsewhere.example"}, replaying.FOREIGN),
    ],
)
def test_replay__no_view_of_a_person__left_out_and_counted(
    home: Any, site: Any, now: datetime, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    tally = run(written(tmp_path, line(now, **fields)), site, now, own_paths=["/admin/"])
    assert (tally.views, dict(tally.skipped)) == (0, {reason: 1})
    assert not Visitor.objects.exists()


def test_replay__dated_in_the_future__left_out(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    tally = run(written(tmp_path, line(now + timedelta(days=2))), site, now)
    assert tally.skipped == {replaying.LATER: 1}


def test_replay__own_virtual_host__counts(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    assert run(written(tmp_path, line(now, host="www.example.com")), site, now).views == 1


def test_replay__hostile_lines__skipped_and_the_rest_read(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    junk = [b"\x00\xff" * 50, b"x" * 100_000, b'"' * 500, b"\\" * 5000, b"", b"%s%s'); DROP TABLE"]
    hostile = line(now, "/';--<script>/", referrer="javascript:alert(1)//[::", agent=CHROME + r"\x00\"<b>")
    path.write_bytes(b"\n".join(junk) + b"\n" + (hostile + line(now + timedelta(seconds=5))).encode())
    tally = run(path, site, now)
    assert (tally.lines, tally.views, dict(tally.skipped)) == (8, 2, {replaying.MALFORMED: 6})


def test_replay__again__adds_nothing(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    lines = [line(now + timedelta(minutes=20 * n), f"/{n}/") for n in range(7)]
    path = written(tmp_path, *lines)
    assert run(path, site, now).views == 7
    before = visits()
    assert (run(path, site, now).lines, run(path, site, now, from_start=True).repeated) == (0, 7)
    other = tmp_path / "rotated.log.1.gz"
    other.write_bytes(gzip.compress("".join(lines[3:] + lines[:3]).encode()))
    tally = run(other, site, now)
    assert (tally.views, tally.repeated) == (0, 7)
    assert visits() == before
    assert PageView.objects.count() == 7


def test_replay__same_log_under_another_name__is_known(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    text = line(now)
    run(written(tmp_path, text), site, now)
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert run(packed, site, now).lines == 0
    assert ReplayedLog.objects.get().offset == len(text)


def test_replay__log_that_has_grown__is_read_on(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    # Longer than the beginning by which it is known.
    old = [line(now + timedelta(seconds=n), f"/{n}/") for n in range(30)]
    path = written(tmp_path, *old)
    assert run(path, site, now).lines == 30
    half = line(now + timedelta(minutes=2), "/later/")
    path.write_text("".join(old) + half[:80])
    assert run(path, site, now).lines == 0
    path.write_text("".join(old) + half)
    assert (run(path, site, now).views, PageView.objects.count()) == (1, 31)


def test_replay__last_line_without_its_end__counts_if_it_is_complete(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    assert run(written(tmp_path, line(now).rstrip("\n")), site, now).views == 1


def test_replay__stopped_in_the_middle__goes_on(
    home: Any, site: Any, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "CHUNK", 10)
    path = written(tmp_path, *(line(now + timedelta(seconds=n), f"/{n}/") for n in range(35)))

    def stop(done: int, total: int) -> None:
        if PageView.objects.count() >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, site, now, progress=stop)
    assert PageView.objects.count() == 20
    tally = run(path, site, now)
    assert (tally.lines, tally.views, tally.repeated) == (15, 15, 0)
    assert (Visit.objects.count(), PageView.objects.filter(engaged_seconds=1).count()) == (1, 34)
    assert ReplayedLog.objects.get().counts == {"lines": 35, "views": 35}


def test_replay__failure_in_a_chunk__leaves_neither_views_nor_offset(
    home: Any, site: Any, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(replaying.estimates, "estimate", fail)
    path = written(tmp_path, line(now))
    with pytest.raises(RuntimeError):
        run(path, site, now)
    assert not PageView.objects.exists()
    monkeypatch.undo()
    assert run(path, site, now).views == 1


@pytest.mark.parametrize("seed", range(6))
def test_replay__any_order__the_same_visits(
    home: Any, site: Any, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    choose = random.Random(seed)
    moment, lines = now, []
    for n in range(40):
        moment += timedelta(minutes=choose.choice([1, 5, 25, 29, 31, 90]), seconds=n)
        source = choose.choice(["https://www.google.com/", "https://partner.example/", "-"])
        who = choose.choice(["203.0.113.7", "203.0.113.8"])
        lines.append(line(moment, f"/{n}/", referrer=source, address=who))
    run(written(tmp_path, *lines), site, moment)
    in_order = visits()
    first_seen = sorted(Visitor.objects.values_list("first_seen_at", flat=True))
    for model in (PageView, Visit, Identity, Visitor, ReplayedLog):
        model.objects.all().delete()
    choose.shuffle(lines)
    monkeypatch.setattr(replaying, "CHUNK", 3)
    run(written(tmp_path, *lines, name="shuffled.log"), site, moment)
    assert visits() == in_order
    assert sorted(Visitor.objects.values_list("first_seen_at", flat=True)) == first_seen
    assert len(in_order) == len({(each["identity"], each["fields"][0]) for each in in_order}) > 2


def test_replay__line_between_two_visits__joins_them(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    ends = written(
        tmp_path,
        line(now, "/a/", referrer="https://www.google.com/"),
        line(now + timedelta(minutes=50), "/c/", referrer="https://partner.example/"),
    )
    run(ends, site, now)
    assert Visit.objects.count() == 2
    run(written(tmp_path, line(now + timedelta(minutes=25), "/b/"), name="b.log"), site, now)
    visit = Visit.objects.get()
    assert (visit.last_at - visit.started_at, visit.source) == (timedelta(minutes=50), "google")
    assert list(visit.views.order_by("at").values_list("engaged_seconds", flat=True)) == [1500, 1500, 0]


def test_replay__estimates__are_capped_and_in_no_median(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    path = written(tmp_path, line(now), line(now + timedelta(minutes=20)))
    with override_settings(WAGTAIL_MA={"ENGAGED_CAP_SECONDS": 600}):
        run(path, site, now)
    assert PageView.objects.order_by("at")[0].engaged_seconds == 600
    rollups.roll_up(now=now + timedelta(days=1))
    day = PageDay.objects.get()
    assert (day.views, day.engaged_seconds, day.engaged_histogram) == (2, 0, {})


def test_replay__day_that_was_counted__is_counted_again(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    flow.record_hit(page_hit(home), now=now)
    rollups.roll_up(now=now + timedelta(days=3), limit=9)
    run(written(tmp_path, line(now)), site, now)
    rollups.roll_up(now=now + timedelta(days=3), limit=9)
    assert SiteDay.objects.get(day=rollups.local_day(now)).views == 2


def test_replay__day_whose_views_were_deleted__keeps_its_totals(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    for _ in range(3):
        flow.record_hit(page_hit(home), now=now)
    rollups.roll_up(now=now + timedelta(days=3), limit=9)
    Visit.objects.all().delete()
    run(written(tmp_path, line(now)), site, now)
    rollups.roll_up(now=now + timedelta(days=3), limit=9)
    assert SiteDay.objects.get(day=rollups.local_day(now)).views == 3


def test_replay__page_below_the_home_page__is_found_by_its_path(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    from tests.testapp.models import ContentPage

    child = home.add_child(instance=ContentPage(title="Products", slug="products"))
    run(written(tmp_path, line(now, "/products/?x=1"), line(now, "/products")), site, now)
    assert set(TrackedPage.objects.values_list("page_id", flat=True)) == {child.pk}


@pytest.mark.parametrize("content", [gzip.compress(b"x" * 90_000, mtime=0)[:60], b"\x1f\x8bnonsense"])
def test_replay__damaged_archive__bad_log(
    home: Any, site: Any, now: datetime, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "access.log.gz"
    path.write_bytes(content)
    with pytest.raises(BadLog):
        run(path, site, now)


def test_replay__archive_that_is_cut_off__what_came_before_is_recorded(
    home: Any, site: Any, now: datetime, tmp_path: Path
) -> None:
    choose = random.Random(1)
    lines = [line(now + timedelta(seconds=n), f"/{choose.randbytes(30).hex()}/") for n in range(300)]
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress("".join(lines).encode())[:-2000])
    with pytest.raises(BadLog):
        run(path, site, now)
    assert 100 < PageView.objects.count() < 300


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_file__that_cannot_be_opened__bad_log(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadLog):
        LogFile(tmp_path / name)


def test_replay__statements__do_not_grow_with_the_lines(
    home: Any, site: Any, now: datetime, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    run(written(tmp_path, line(now)), site, now)
    many = [line(now + timedelta(seconds=n), address=f"203.0.113.{n}") for n in range(1, 200)]
    with django_assert_max_num_queries(40):
        run(written(tmp_path, *many, name="b.log"), site, now)


def test_command__file__says_what_it_did(home: Any, site: Any, now: datetime, tmp_path: Path) -> None:
    path = written(tmp_path, line(now), line(now, "/logo.png"), line(now, "/ma/e/"), "nonsense\n")
    out = StringIO()
    call_command("ma_replay_log", path, host="example.com", stdout=out)
    text = out.getvalue()
    for expected in (
        "100%",
        "Lines read: 4",
        "Page views recorded: 1",
        "file: 1",
        "malformed: 1",
        "own address: 1",
    ):
        assert expected in text
    assert SiteDay.objects.get(day=rollups.local_day(now)).views == 1
    again = StringIO()
    call_command("ma_replay_log", path, host="example.com", stdout=again)
    assert "Page views recorded: 0" in again.getvalue()


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"site": 999}, {}),
        ({"host": "https://example.com/"}, {}),
        ({}, {"CONSENT": "opt_in"}),
    ],
)
def test_command__impossible__refused(
    home: Any, now: datetime, tmp_path: Path, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    path = written(tmp_path, line(now))
    with override_settings(WAGTAIL_MA=settings), pytest.raises(CommandError):
        call_command("ma_replay_log", path, stdout=StringIO(), **options)
    assert not PageView.objects.exists()


def test_command__missing_file__error_without_traceback(home: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("ma_replay_log", tmp_path / "no.log", stdout=StringIO())


@pytest.mark.skipif(not Path(REAL_LOG).is_file(), reason="set WAGTAIL_MA_ACCESS_LOG to a log of 10,000 lines")
def test_command__real_log__read_whole_and_once(home: Any) -> None:
    call_command("ma_replay_log", REAL_LOG, stdout=StringIO())
    log = ReplayedLog.objects.get()
    skipped = sum(count for name, count in log.counts.items() if name not in ("lines", "views", "repeated"))
    assert log.counts["lines"] == log.counts["views"] + log.counts.get("repeated", 0) + skipped
    views, seen = PageView.objects.count(), Visit.objects.count()
    assert 0 < seen <= views == log.counts["views"]
    out = StringIO()
    call_command("ma_replay_log", REAL_LOG, from_start=True, stdout=out)
    assert "Page views recorded: 0" in out.getvalue()
    assert (PageView.objects.count(), Visit.objects.count()) == (views, seen)
