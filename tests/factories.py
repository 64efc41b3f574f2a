"""Plain functions that make rows for tests; each domain appends its own."""

from __future__ import annotations

# --- tracking ---------------------------------------------------------------------------------------------

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)


def page_hit(page=None, **fields):  # type: ignore[no-untyped-def]
    """A page view as the tracker would send it; ``page`` is a Wagtail page (or none: "/")."""
    from uuid import uuid4

    from wagtail_ma.tracking.hits import Hit, PageRef

    ref = PageRef(site_id=None, page_id=page.pk if page is not None else None, path="/")
    defaults = {
        "kind": "p",
        "view_id": uuid4(),
        "url": "http://localhost/",
        "page": ref,
        "user_agent": CHROME,
    }
    return Hit(**{**defaults, **fields})


def engagement_hit(view_id, engaged, *, page=None, **fields):  # type: ignore[no-untyped-def]
    """What the tracker sends of a view later; ``engaged`` in seconds."""
    totals = {"engaged_ms": round(engaged * 1000), "visible_ms": round(engaged * 1000)}
    return page_hit(page, **{**totals, "kind": "e", "view_id": view_id, **fields})


# --- messaging ---------------------------------------------------------------------------------------------


def make_lead(email="ann@example.com", *, now, **fields):  # type: ignore[no-untyped-def]
    """A named visitor with an e-mail identity."""
    from wagtail_ma.people.models import Identity, Lead, Visitor

    visitor = Visitor.objects.create(first_seen_at=now)
    Identity.objects.create(kind=Identity.Kind.EMAIL, key=email, visitor=visitor, created_at=now)
    return Lead.objects.create(visitor=visitor, email=email, created_at=now, **fields)


def make_consent(lead, *, now, is_granted=True):  # type: ignore[no-untyped-def]
    """The lead's word on marketing mail."""
    from wagtail_ma.messaging import consents

    return consents.record(
        lead.visitor,
        email=lead.email,
        is_granted=is_granted,
        text="I agree to get news by mail.",
        source_kind="form",
        source_key=f"test:{lead.pk}",
        now=now,
    )


def make_sender(**fields):  # type: ignore[no-untyped-def]
    """A sender with everything that the law wants shown."""
    from wagtail_ma.messaging.models import SenderProfile

    defaults = {
        "name": "Example Inc.",
        "email": "news@example.com",
        "legal_name": "Example Incorporated",
        "postal_address": "1-2-3 Chiyoda, Tokyo",
        "contact": "https://example.com/contact",
    }
    return SenderProfile.objects.create(**{**defaults, **fields})


def make_mail(*, text='<p>Hello {{ lead.full_name|default:"you" }}</p>', body=None, publish=True, **fields):  # type: ignore[no-untyped-def]
    """A mail, published unless told otherwise; ``body`` is raw StreamField data."""
    from wagtail.models import Locale

    from wagtail_ma.messaging.models import Mail

    Locale.objects.get_or_create(language_code="en")
    sender = fields.pop("sender", None) or make_sender()
    # Tests run at night too.
    defaults = {"name": "Welcome", "subject": "Hello", "language": "en", "sender": sender, "timing": "any"}
    mail = Mail(**{**defaults, **fields})
    mail.body = mail._meta.get_field("body").to_python(body or [{"type": "text", "value": text}])
    mail.live = publish
    mail.save()
    return mail


# --- people -----------------------------------------------------------------------------------------------


def browser(now):  # type: ignore[no-untyped-def]
    """A new anonymous browser identity."""
    from django.db import transaction

    from wagtail_ma.people import browsers

    with transaction.atomic():
        return browsers.recognise(None, now=now)


def activity(identity, now, *, kind="custom", key=None):  # type: ignore[no-untyped-def]
    """An act of this identity, written under its lock as the product does."""
    from uuid import uuid4

    from django.db import transaction

    from wagtail_ma.people import merge
    from wagtail_ma.tracking import activities

    with transaction.atomic():
        locked = merge.lock([identity.pk])[identity.pk]
        return activities.add(locked, kind=kind, now=now, source_key=key or uuid4().hex)


# --- forms ------------------------------------------------------------------------------------------------


def lead_form(*questions, consent_text="", **fields):  # type: ignore[no-untyped-def]
    """A form that asks for these ``maps_to`` (by default name, company and e-mail)."""
    from wagtail_ma.forms.models import LeadForm

    form = LeadForm(name=fields.pop("name", "Whitepaper"), consent_text=consent_text, **fields)
    for maps_to in questions or ("family_name", "company_name", "email"):
        form.fields.add(form.fields.model(maps_to=maps_to, is_required=maps_to != "message"))
    form.save()
    return form


def document(title="Whitepaper", content=b"%PDF-1.4 whitepaper"):  # type: ignore[no-untyped-def]
    """A document of Wagtail's own model."""
    from django.core.files.base import ContentFile
    from wagtail.documents import get_document_model
    from wagtail.models import Collection

    if Collection.get_first_root_node() is None:
        Collection.add_root(name="Root")
    made = get_document_model()(title=title)
    made.file.save("whitepaper.pdf", ContentFile(content), save=False)
    made.save()
    return made


# --- segments ----------------------------------------------------------------------------------------------


def condition(key, **values):  # type: ignore[no-untyped-def]
    """A condition as the editor stores it."""
    return {"type": key, "value": values}


def group(match, *conditions):  # type: ignore[no-untyped-def]
    """A group of conditions as the editor stores it."""
    return {"type": "group", "value": {"match": match, "conditions": list(conditions)}}


def make_segment(name="Readers", *conditions, match="all"):  # type: ignore[no-untyped-def]
    """A segment with these stored conditions."""
    from wagtail_ma.segments.models import Segment

    return Segment.objects.create(name=name, match=match, rule=list(conditions))


def make_browser(*, now, key=None):  # type: ignore[no-untyped-def]
    """A visitor known by a browser; returns the browser's identity."""
    from uuid import uuid4

    from wagtail_ma.people.models import Identity, Visitor

    visitor = Visitor.objects.create(first_seen_at=now)
    return Identity.objects.create(
        kind=Identity.Kind.BROWSER, key=key or uuid4().hex, visitor=visitor, created_at=now
    )


def make_view(identity, page, *, at, seconds=0.0, tracked_page=None):  # type: ignore[no-untyped-def]
    """A view of a Wagtail page, in a visit of its own."""
    from uuid import uuid4

    from wagtail_ma.tracking.models import PageView, TrackedPage, Visit

    if tracked_page is None:
        tracked_page, _created = TrackedPage.objects.get_or_create(
            key=f"page:{page.pk}",
            defaults={
                "url": "http://localhost/",
                "title": page.title,
                "page_id": page.pk,
                "translation_key": page.translation_key,
                "first_seen_at": at,
            },
        )
    whose = {"visitor_id": identity.visitor_id}
    visit = Visit.objects.create(**whose, identity=identity, started_at=at, last_at=at, medium="direct")
    return PageView.objects.create(
        **whose, visit=visit, tracked_page=tracked_page, view_id=uuid4(), at=at, engaged_seconds=seconds
    )
