"""From the editor's blocks to HTML and text, and filled for somebody."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from tests import factories
from wagtail_ma.messaging import fill, merge_fields, ready
from wagtail_ma.messaging.compile import CannotCompile, compile_mail, current_version
from wagtail_ma.messaging.slots import is_safe_target

pytestmark = pytest.mark.django_db


def filled(mail, lead, **fields):
    compiled = compile_mail(mail)
    values = merge_fields.values_of(lead, compiled.parts["language"])
    return fill.fill(compiled.parts, values, public_id=7, **fields)


def test_compile__merge_fields__filled_with_value_or_default(now):
    mail = factories.make_mail(
        text='<p>Dear {{ lead.full_name }} of {{ lead.company_name|default:"your company" }}</p>',
        subject="For {{ lead.family_name }}",
    )
    known = factories.make_lead(now=now, family_name="Smith", given_name="Ann", company_name="A & B <Ltd>")
    unknown = factories.make_lead("bob@example.com", now=now)
    one, other = filled(mail, known), filled(mail, unknown)
    assert "Dear Ann Smith of A &amp; B &lt;Ltd&gt;" in one.html
    assert "Dear Ann Smith of A & B <Ltd>" in one.text
    assert one.subject == "For Smith"
    assert "of your company" in other.html and "of your company" in other.text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"family_name": "山田", "given_name": "太郎", "company_name": "株式会社例"},
            "株式会社例 山田 太郎 様",
        ),
        ({"family_name": "山田", "title": "部長"}, "山田 様"),
        ({"company_name": "株式会社例"}, "株式会社例 ご担当者様"),
    ],
)
def test_salutation__japanese__company_and_name_with_sama(now, fields, expected):
    mail = factories.make_mail(text="<p>{{ lead.salutation }}</p>", language="ja")
    assert expected in filled(mail, factories.make_lead(now=now, **fields)).text


@pytest.mark.parametrize(
    "attack",
    [
        "{{ settings.SECRET_KEY }}",
        "{{ lead.visitor.pk }}",
        "{{ lead.__class__ }}",
        "{% include 'wagtailadmin/base.html' %}",
        "{% load i18n %}",
        "{{ lead.email|safe }}",
        "{{ 7|add:7 }}",
        "{{ request.user.password }}",
    ],
)
def test_compile__template_injection__stays_text_and_is_reported(now, attack):
    mail = factories.make_mail(text=f"<p>{attack}</p>", subject=attack)
    result = filled(mail, factories.make_lead(now=now))
    assert attack in result.text and attack in result.subject
    assert any("no merge field" in problem for problem in ready.problems(mail))


def test_fill__names_with_markup_or_links__are_harmless(now):
    mail = factories.make_mail(
        text='<p>{{ lead.family_name|default:"reader" }} {{ lead.company_name|default:"company" }}</p>'
    )
    lead = factories.make_lead(
        now=now, family_name="<script>alert(1)</script>", company_name="win at http://evil.example/"
    )
    result = filled(mail, lead)
    assert "<script>" not in result.html
    assert "evil.example" not in result.html + result.text
    assert "company" in result.text


def test_compile__text_part__has_every_link_and_unsubscribe(now):
    mail = factories.make_mail(
        body=[
            {
                "type": "text",
                "value": '<p>See <a href="https://example.com/a?x=1&amp;y=2">A</a> and '
                '<a href="mailto:help@example.com">us</a></p><ul><li>one</li><li>two</li></ul>',
            },
            {"type": "button", "value": {"label": "Go", "page": None, "url": "https://example.com/b"}},
            {"type": "html", "value": '<div><a href="https://example.com/c">C</a><script>x()</script></div>'},
            {
                "type": "columns",
                "value": {
                    "left": [{"type": "heading", "value": {"text": "L & R", "size": "small"}}],
                    "right": [
                        {
                            "type": "button",
                            "value": {"label": "D", "page": None, "url": "https://example.com/d"},
                        }
                    ],
                },
            },
        ]
    )
    compiled = compile_mail(mail)
    assert [link["url"] for link in compiled.links] == [
        "https://example.com/a?x=1&y=2",
        "https://example.com/b",
        "https://example.com/c",
        "https://example.com/d",
    ]
    result = filled(mail, factories.make_lead(now=now))
    in_html = set(re.findall(r'href="(http[^"]+)"', result.html)) - {"https://example.com/contact"}
    # Four links, the hidden one, unsubscribing.
    assert len(in_html) == 6 and result.unsubscribe_url in in_html
    hidden = fill.Targets({}, []).honeypot(7)
    assert all(url in result.text or url in hidden for url in in_html)
    assert all("/ma/m/" in url for url in in_html)
    assert "mailto:help@example.com" in result.html and "mailto:help@example.com" in result.text
    assert "- one\n- two" in result.text
    assert "<script" not in result.html and "x()" not in result.html
    assert "L &amp; R" in result.html and "L & R" in result.text


def test_compile__paragraphs_links_lists__look_the_same_in_every_mail_program(now):
    """Mail programs have margins and colours of their own: what is said at the element itself counts."""
    text = '<p>One</p><p>See <a href="https://example.com/a">A</a></p><ul><li>x</li></ul>'
    result = filled(factories.make_mail(text=text), factories.make_lead(now=now))
    content = BeautifulSoup(result.html, "html.parser")
    styles = [tag.get("style", "") for tag in content.find_all(["p", "ul"])]
    assert styles[:3] == ["margin:0 0 12px", "margin:0 0 12px", "margin:0;padding-left:24px"]
    assert "color:" in content.find_all("a")[0]["style"]


def test_compile__table__one_line_of_text_for_each_row(now):
    table = "<table><tr><th>Plan</th><th>A month</th></tr><tr><td>Standard</td><td>120</td></tr></table>"
    result = filled(
        factories.make_mail(body=[{"type": "html", "value": table}]), factories.make_lead(now=now)
    )
    assert "Plan | A month\nStandard | 120\n" in result.text


def test_compile__footer__shows_sender_and_cannot_be_left_out(now):
    lead = factories.make_lead(now=now)
    result = filled(factories.make_mail(text="<p>x</p>"), lead)
    for part in (result.html, result.text):
        assert "Example Incorporated" in part and "1-2-3 Chiyoda" in part and "example.com/contact" in part
        assert result.unsubscribe_url in part
    transactional = filled(factories.make_mail(text="<p>x</p>", kind="transactional", name="T"), lead)
    assert transactional.unsubscribe_url == ""
    assert "/m/u/" not in transactional.html + transactional.text


def test_compile__nothing_foreign__is_loaded(now):
    result = filled(factories.make_mail(), factories.make_lead(now=now))
    assert "fonts.googleapis.com" not in result.html
    assert re.findall(r"(?:src=|url\(|@import)\"?(\S{12})", result.html) == ["http://tests"]  # our own
    assert all(len(line.encode()) < 998 for line in result.html.splitlines())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "https://user@evil.example/",
        "https://evil.example/\r\nSet-Cookie: a=b",
        "ftp://example.com/",
        "http://",
        "",
    ],
)
def test_is_safe_target__bad_target__refused(url):
    assert not is_safe_target(url)


def test_compile__bad_link__dropped_and_reported(now):
    mail = factories.make_mail(
        body=[
            {"type": "html", "value": '<a href="https://user@evil.example/">E</a>'},
            {"type": "button", "value": {"label": "Nowhere", "page": None, "url": ""}},
            {"type": "text", "value": '<p><a linktype="page" id="99999">gone</a></p>'},
        ]
    )
    compiled = compile_mail(mail)
    assert compiled.links == []
    assert compiled.bad_links == ["E", "Nowhere", "gone"]
    assert "evil" not in str(compiled.parts["html"])
    assert len(ready.problems(mail)) == 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/a/#x", "http://testserver/a/?utm_source=mail&utm_medium=email&utm_campaign=mail-{pk}#x"),
        (
            "http://testserver/a/?b=1",
            "http://testserver/a/?b=1&utm_source=mail&utm_medium=email&utm_campaign=mail-{pk}",
        ),
        ("http://testserver/?utm_source=own", "http://testserver/?utm_source=own"),
        ("https://elsewhere.example/?b=1", "https://elsewhere.example/?b=1"),
    ],
)
def test_compile__links_to_the_site__say_where_the_visit_comes_from(url, expected):
    mail = factories.make_mail(body=[{"type": "html", "value": f'<a href="{url}">x</a>'}])
    assert [link["url"] for link in compile_mail(mail).links] == [expected.format(pk=mail.pk)]


def test_compile__page_links__full_address_only_while_published(home, site):
    mail = factories.make_mail(
        body=[
            {"type": "teaser", "value": {"page": home.pk, "text": "T", "link_label": ""}},
            {"type": "text", "value": f'<p><a linktype="page" id="{home.pk}">home</a></p>'},
        ]
    )
    links = compile_mail(mail).links
    assert [link["label"] for link in links] == ["Home", "home"]
    assert all(link["url"].startswith("http://testserver/?utm_source") for link in links)
    home.unpublish()
    mail.refresh_from_db()
    assert "Home" in compile_mail(mail).bad_links


def test_version__same_mail__compiled_once_and_anew_when_changed(now):
    mail = factories.make_mail()
    first = current_version(mail, now=now)
    assert current_version(mail, now=now) == first
    mail.subject = "Other"
    assert current_version(mail, now=now) != first


def test_version__not_published__refused(now):
    with pytest.raises(CannotCompile):
        current_version(factories.make_mail(publish=False), now=now)


def test_ready__complete_mail__no_problems(now):
    assert ready.problems(factories.make_mail()) == []


def test_ready__incomplete_mail__says_what_is_missing(now):
    mail = factories.make_mail(subject=" ", sender=factories.make_sender(postal_address=""), publish=False)
    mail.body = []
    assert len(ready.problems(mail)) == 4
