"""The usual way to send a newsletter with Django: everything anew for every reader."""

from __future__ import annotations

import re
from html import unescape

from bs4 import BeautifulSoup
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Template


def message(template: Template, reader: dict[str, str], number: int) -> EmailMultiAlternatives:
    """Render, rewrite every link so that it is tracked, make a text part, build the e-mail."""
    html = template.render(Context({"lead": reader}))
    soup = BeautifulSoup(html, "html.parser")
    for link in soup.find_all("a", href=True):
        link["href"] = "https://www.example.com/click/" + signing.dumps([number, link["href"]])
    text = unescape(re.sub(r"\n\s*\n+", "\n\n", soup.get_text()))
    found = EmailMultiAlternatives("News", text, "news@example.com", [reader["email"]])
    found.attach_alternative(str(soup), "text/html")
    return found
