"""Twenty segments as somebody who knows the tables would ask for them, by hand. Imports nothing of ours.

Each statement has one column, the visitor. Parameters: ``now``; ``price``, ``product``, ``case``: lists of
tracked pages.
"""

from __future__ import annotations

HUMAN = "NOT is_bot"
ALIVE = "wagtail_ma_visitor v WHERE v.merged_into_id IS NULL"
DAYS = "%(now)s - interval '{} days'"


def views(days: int, pages: str = "", more: str = "") -> str:
    """Visitors with views; ``more`` follows the WHERE clause."""
    where = [f"at >= {DAYS.format(days)}"] + ([f"tracked_page_id = ANY(%({pages})s)"] if pages else [])
    return f"SELECT visitor_id FROM wagtail_ma_pageview WHERE {' AND '.join(where)} {more}"


GROUPED = "GROUP BY visitor_id HAVING"
STATEMENTS: dict[str, str] = {
    "price viewed in 14 days": f"SELECT DISTINCT visitor_id FROM ({views(14, 'price')}) q",
    "price viewed 3 times in 14 days": views(14, "price", f"{GROUPED} count(*) >= 3"),
    "price viewed twice in 90 days": views(90, "price", f"{GROUPED} count(*) >= 2"),
    "product viewed in 3 visits in 30 days": views(30, "product", f"{GROUPED} count(DISTINCT visit_id) >= 3"),
    "price never viewed": f"SELECT v.id FROM {ALIVE} AND NOT EXISTS (SELECT 1 FROM wagtail_ma_pageview p "
    "WHERE p.visitor_id = v.id AND p.tracked_page_id = ANY(%(price)s))",
    "price not viewed in 30 days": f"SELECT v.id FROM {ALIVE} AND v.id NOT IN ({views(30, 'price')})",
    "any page 20 times in 30 days": views(30, "", f"{GROUPED} count(*) >= 20"),
    "case read for 60 seconds": views(90, "case", f"{GROUPED} sum(engaged_seconds) >= 60"),
    "price read for 30 seconds at once": "SELECT DISTINCT visitor_id FROM wagtail_ma_pageview "
    "WHERE tracked_page_id = ANY(%(price)s) AND engaged_seconds >= 30",
    "product, then price": "SELECT DISTINCT b.visitor_id FROM (SELECT visitor_id, min(at) AS first_at "
    "FROM wagtail_ma_pageview WHERE tracked_page_id = ANY(%(product)s) "
    f"AND at >= {DAYS.format(30)} GROUP BY visitor_id) a JOIN wagtail_ma_pageview b "
    "ON b.visitor_id = a.visitor_id AND b.at > a.first_at AND b.tracked_page_id = ANY(%(price)s) "
    f"AND b.at >= {DAYS.format(30)}",
    "3 visits in 30 days": "SELECT visitor_id FROM wagtail_ma_visit "
    f"WHERE {HUMAN} AND started_at >= {DAYS.format(30)} {GROUPED} count(*) >= 3",
    "one visit ever": f"SELECT visitor_id FROM wagtail_ma_visit WHERE {HUMAN} {GROUPED} count(*) = 1",
    "not here for 60 days": f"SELECT visitor_id FROM wagtail_ma_visit WHERE {HUMAN} "
    f"{GROUPED} max(last_at) <= {DAYS.format(60)}",
    "came from a search, ever": "SELECT DISTINCT visitor_id FROM wagtail_ma_visit "
    f"WHERE {HUMAN} AND medium = 'organic'",
    "came first from an advertisement": "SELECT visitor_id FROM (SELECT DISTINCT ON (visitor_id) visitor_id, "
    f"medium FROM wagtail_ma_visit WHERE {HUMAN} ORDER BY visitor_id, started_at, id) q "
    "WHERE medium = 'paid'",
    "used a mobile": f"SELECT DISTINCT visitor_id FROM wagtail_ma_visit WHERE {HUMAN} AND device = 'mobile'",
    "first seen in 7 days": f"SELECT v.id FROM {ALIVE} AND v.first_seen_at >= {DAYS.format(7)}",
    "ten per cent": f"SELECT v.id FROM {ALIVE} AND v.bucket < 1000",
    "price 2 times in 30 days, from a search": f"{views(30, 'price', f'{GROUPED} count(*) >= 2')} INTERSECT "
    f"SELECT visitor_id FROM wagtail_ma_visit WHERE {HUMAN} AND medium = 'organic'",
    "price or case in 7 days, not product in 30": f"(SELECT visitor_id FROM ({views(7, 'price')}) a UNION "
    f"SELECT visitor_id FROM ({views(7, 'case')}) b) EXCEPT {views(30, 'product')}",
}
