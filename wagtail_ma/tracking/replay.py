"""Access logs become visits and views: the time before the script was there, or a site without it.

Read in short transactions of some hundred lines, each of which also stores how far the log has been
read: an interrupted run goes on there. A view's id is made from its line, so that nothing is
recorded twice however often and in whatever pieces a log is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from django.db import IntegrityError
from wagtail.models import Site

from wagtail_ma.core import tokens
from wagtail_ma.people import log_identities, news, unrecorded
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking import access_log, addresses, estimates, networks, pages, places, rollups
from wagtail_ma.tracking.access_log import LogLine
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.hits import MAX_URL_LENGTH, VIEW, Hit
from wagtail_ma.tracking.log_files import Batch, LogFile
from wagtail_ma.tracking.models import PageView, ReplayedLog, SiteDay, TrackedPage
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.past_visits import PastVisits
from wagtail_ma.tracking.writing import write_facts

# Lines per transaction.
CHUNK = 500
# A job may wait longer for the database than a visitor's browser (milliseconds).
WAIT_MS = 20_000
ATTEMPTS = 5
# Clocks of servers differ a little; what is dated later than this is no record of the past.
FUTURE = timedelta(minutes=5)
MAX_REMEMBERED_PATHS = 50_000

# Why a line is no view; in the order of the questions.
MALFORMED, FOREIGN, METHOD, STATUS = "malformed", "other host", "not GET", "not 200 or 304"
FILE, FEED, OWN, BOT, LATER = "file", "feed", "admin or our own address", "bot", "dated in the future"
EXCLUDED = "network that is not recorded"
REASONS = (MALFORMED, FOREIGN, METHOD, STATUS, OWN, FILE, FEED, LATER, BOT, EXCLUDED)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Origin:
    """What a log is about.

    :param site: the site whose log it is.
    :param host: lower-case name under which the site is visited.
    :param is_any_host: whether lines that name another virtual host count as well.
    :param own_paths: beginnings of paths that are no pages of visitors (the admin, our endpoints).
    """

    site: Site
    host: str
    is_any_host: bool = False
    own_paths: Collection[str] = ()


@dataclass
class Tally:
    """How many lines were read in this run, and what became of them."""

    lines: int = 0
    views: int = 0
    # Views that were there already.
    repeated: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    # The time of the earliest new view.
    oldest: datetime | None = None

    def counts(self) -> Counter[str]:
        """All counts by name, those of the skipped lines by reason."""
        return self.skipped + Counter(lines=self.lines, views=self.views, repeated=self.repeated)

    def __add__(self, other: Tally) -> Tally:
        times = [at for at in (self.oldest, other.oldest) if at]
        return Tally(
            lines=self.lines + other.lines,
            views=self.views + other.views,
            repeated=self.repeated + other.repeated,
            skipped=self.skipped + other.skipped,
            oldest=min(times, default=None),
        )


@dataclass(frozen=True)
class _Seen:
    """A line that is a view."""

    at: datetime
    key: str
    hit: Hit


def replay(
    path: Path,
    origin: Origin,
    *,
    now: datetime,
    from_start: bool = False,
    progress: Progress | None = None,
) -> Tally:
    """Read a log to its end, from where the last run stopped.

    :param path: plain or gzip-compressed.
    :param from_start: read everything again (which adds nothing that is there already).
    :param progress: called as ``progress(done, total)`` in bytes of the file.
    :returns: the counts of this run.
    :raises wagtail_ma.tracking.log_files.BadLog: the file cannot be read (to its end); what came
        before has been recorded.
    :raises wagtail_ma.tracking.writing.Busy: the database cannot write; run it again.
    """
    return _Replay(path, origin, now=now).run(from_start=from_start, progress=progress)


class _Replay:
    """One run."""

    def __init__(self, path: Path, origin: Origin, *, now: datetime) -> None:
        self._path = path
        self._origin = origin
        self._now = now
        self._tally = Tally()
        self._page_ids: dict[str, int | None] = {}
        # Days that were looked at, and whether they may be counted again.
        self._days: dict[date, bool] = {}
        self._scheme = "https" if origin.site.port == 443 else "http"

    def run(self, *, from_start: bool, progress: Progress | None) -> Tally:
        with LogFile(self._path) as file:
            log = self._log(file.head)
            offset = 0 if from_start else log.offset
            for batch in file.batches(offset, CHUNK):
                self._write(batch, log)
                if progress:
                    progress(batch.position, file.size)
        return self._tally

    def _log(self, head: bytes) -> ReplayedLog:
        read_as = f"{self._origin.site.pk}\0{self._origin.host}\0".encode()
        fingerprint = tokens.keyed_hash("replayed log", read_as + head).hex()
        defaults = {"name": self._path.name[:255], "started_at": self._now, "read_at": self._now}
        return ReplayedLog.objects.get_or_create(fingerprint=fingerprint, defaults=defaults)[0]

    def _write(self, batch: Batch, log: ReplayedLog) -> None:
        seen, tally = self._views_in(batch.lines)
        for attempt in range(ATTEMPTS):
            try:
                self._tally += self._store(seen, batch, log, tally)
                return
            except IntegrityError:
                # Another log with the same lines is being read, or something that we remembered has
                # been deleted: now we know.
                pages.forget()
                networks.forget()
                if attempt == ATTEMPTS - 1:
                    raise

    def _store(self, seen: Mapping[UUID, _Seen], batch: Batch, log: ReplayedLog, tally: Tally) -> Tally:
        """Record some lines and how far the log has been read, both or neither."""
        # Outside: a page that is made here is none of the lines, and stays.
        placed = [(each, pages.tracked_page_for(each.hit, now=each.at)) for each in seen.values()]
        placed.sort(key=lambda pair: pair[0].at)
        with write_facts(wait_ms=WAIT_MS):
            # Another run of the same log waits here, and then finds what this one has written.
            log = ReplayedLog.objects.select_for_update().get(pk=log.pk)
            first_seen = {each.key: each.at for each, _page in reversed(placed)}
            identities = log_identities.recognise_all(first_seen)
            # Asked under the identities' locks: nobody else adds views of theirs now.
            known = set(PageView.objects.filter(view_id__in=list(seen)).values_list("view_id", flat=True))
            silent = unrecorded.among(identity.visitor_id for identity in identities.values())
            fresh = [
                (each, page)
                for each, page in placed
                if each.hit.view_id not in known and identities[each.key].visitor_id not in silent
            ]
            if fresh:
                self._record(fresh, identities)
            done = replace(
                tally,
                views=len(fresh),
                repeated=tally.repeated + len(known),
                oldest=fresh[0][0].at if fresh else None,
            )
            log.offset = max(log.offset, batch.end)
            log.counts = dict(Counter(log.counts) + done.counts())
            log.read_at = self._now
            log.save(update_fields=["offset", "counts", "read_at"])
        return done

    def _record(self, fresh: Sequence[tuple[_Seen, TrackedPage]], identities: Mapping[str, Identity]) -> None:
        first, last = fresh[0][0].at, fresh[-1][0].at
        days = [self._day(each.at) for each, _page in fresh]
        visits = PastVisits(identities.values(), first=first, last=last)
        for each, page in fresh:
            visits.place(identities[each.key], each.hit, page, at=each.at)
        changed = visits.save()
        estimates.estimate([visit.pk for visit in changed], first=first, last=last)
        news.mark({visit.visitor_id for visit in changed}, now=self._now)
        for day in {day for day in days if self._days[day]}:
            rollups.again(day, last=day)

    def _day(self, at: datetime) -> date:
        """The day of a view. Remembers whether its raw rows are all there: one that retention has
        thinned out keeps the totals it has."""
        day = rollups.local_day(at)
        if day not in self._days:
            counted = SiteDay.objects.filter(day=day).values_list("views", flat=True).first() or 0
            raw = rollups.human_views(rollups.Span(day, day)).count() if counted else 0
            self._days[day] = counted <= raw
        return day

    def _views_in(self, lines: Sequence[str]) -> tuple[dict[UUID, _Seen], Tally]:
        found: dict[UUID, _Seen] = {}
        tally = Tally(lines=len(lines))
        for text in lines:
            line = access_log.parse(text)
            reason = MALFORMED if line is None else self._reason_to_skip(line)
            if line is None or reason:
                tally.skipped[reason] += 1
                continue
            seen = self._seen(line)
            if seen.hit.view_id in found:
                # The same request twice in a second.
                tally.repeated += 1
            found[seen.hit.view_id] = seen
        return found, tally

    def _reason_to_skip(self, line: LogLine) -> str:
        """Why a line is no view by a person, "" if it is one."""
        path, _mark, query = line.target.partition("?")
        decoded = unquote(path)
        questions = (
            (FOREIGN, lambda: line.host and not self._is_ours(line.host)),
            (METHOD, lambda: line.method != "GET"),
            (STATUS, lambda: line.status not in (200, 304)),
            (MALFORMED, lambda: len(self._url(line)) > MAX_URL_LENGTH),
            (OWN, lambda: decoded.startswith(tuple(self._origin.own_paths))),
            (FILE, lambda: addresses.is_file(path)),
            (FEED, lambda: addresses.is_feed(decoded, query)),
            (LATER, lambda: line.at > self._now + FUTURE),
            (BOT, lambda: is_bot(line.user_agent)),
            (EXCLUDED, lambda: networks.is_excluded(networks.find(networks.parsed(line.address)))),
        )
        return next((reason for reason, holds in questions if holds()), "")

    def _is_ours(self, host: str) -> bool:
        ours = self._origin.host.removeprefix("www.")
        return self._origin.is_any_host or host.removeprefix("www.") == ours

    def _url(self, line: LogLine) -> str:
        return f"{self._scheme}://{line.host or self._origin.host}{line.target}"

    def _seen(self, line: LogLine) -> _Seen:
        path = unquote(line.target.partition("?")[0])
        site = self._origin.site
        key = log_identities.key_of(f"site {site.pk}", line.address, line.user_agent)
        content = "\0".join((key, line.at.isoformat(), line.target, line.referrer))
        digest = tokens.keyed_hash("log view", content.encode("utf-8", "replace"))
        place = places.of_address(networks.parsed(line.address))
        hit = Hit(
            kind=VIEW,
            # Version 5 says "made from a hash".
            view_id=UUID(bytes=digest[:16], version=5),
            url=self._url(line),
            page=PageRef(site_id=site.pk, page_id=self._page_id(path), path=path),
            referrer=line.referrer[:MAX_URL_LENGTH],
            user_agent=line.user_agent,
            source=PageView.Source.LOG,
            log_key=key,
            country=place.country,
            region=place.region,
            network_id=place.network_id,
        )
        return _Seen(line.at, key, hit)

    def _page_id(self, path: str) -> int | None:
        if path not in self._page_ids:
            if len(self._page_ids) >= MAX_REMEMBERED_PATHS:
                self._page_ids.clear()
            self._page_ids[path] = addresses.page_at(path, self._origin.site)
        return self._page_ids[path]
