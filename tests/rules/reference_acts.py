"""What conditions about activities, forms and mails mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.rules.person import (
    Person,
    compare,
    meaning,
    since,
)


@meaning
def activity(person: Person, values: Any, now: datetime) -> bool:
    kind = (values["name"] or "") if values["kind"] == "own" else values["kind"]
    found = [a for a in person.activities if a.kind == kind and a.at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


@meaning
def form_not_sent(person: Person, values: Any, now: datetime) -> bool:
    begun = [a for a in person.activities if a.kind == "form_start" and a.at >= since(values["days"], now)]
    sent = [a.at for a in person.activities if a.kind == "form_submit"]
    return any(not any(at >= a.at for at in sent) for a in begun)


@meaning
def form(person: Person, values: Any, now: datetime) -> bool:
    of_form = [a for a in person.activities if a.of == ("form", values["form"])]
    kind = "form_start" if values["act"] == "abandoned" else values["act"]
    found = [a for a in of_form if a.kind == kind and a.at >= since(values["days"], now)]
    if values["act"] != "abandoned":
        return bool(found)
    sent = [a.at for a in of_form if a.kind == "form_submit"]
    return any(not any(at >= a.at for at in sent) for a in found)


@meaning
def download(person: Person, values: Any, now: datetime) -> bool:
    wanted = ("download", ("document", values["document"]))
    found = [a for a in person.activities if (a.kind, a.of) == wanted and a.at >= since(values["days"], now)]
    return compare(values["comparison"], len(found), values["number"])


@meaning
def mail_sent(person: Person, values: Any, now: datetime) -> bool:
    found = [
        1
        for mail, state, sent_at in person.mails
        if state == "sent" and values["mail"] in (None, mail) and sent_at >= since(values["days"], now)
    ]
    return bool(found) == (values["is"] == "sent")


@meaning
def mail_clicked(person: Person, values: Any, now: datetime) -> bool:
    found = [
        a
        for a in person.activities
        if a.kind == "mail_click"
        and a.at >= since(values["days"], now)
        and (values["mail"] is None or a.of == ("mail", values["mail"]))
    ]
    return bool(found) == (values["is"] == "clicked")
