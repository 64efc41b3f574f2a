"""Which mail domains say nothing about a company."""

from __future__ import annotations

import pytest

from wagtail_ma.people import mail_domains


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("gmail.com", "free"),
        ("yahoo.co.jp", "free"),
        ("web.de", "free"),
        ("docomo.ne.jp", "provider"),
        ("tk.abc.so-net.ne.jp", "provider"),
        ("mailinator.com", "disposable"),
        ("x.mailinator.com", "disposable"),
        ("Gmail.com.", "free"),
        ("example.com", ""),
        ("example.co.jp", ""),
        ("mygmail.com", ""),
        ("co.jp", ""),
        ("com", ""),
        ("", ""),
    ],
)
def test_kind__domain__by_itself_and_its_parents(domain, kind):
    assert mail_domains.kind(domain) == kind
    assert mail_domains.is_company(domain) == (kind == "" and domain != "")
