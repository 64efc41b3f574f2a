"""Lead forms, what was sent with them, and documents that ask for one first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.coreutils import get_content_languages
from wagtail.documents import get_document_model

from wagtail_ma.core.text import split_lines
from wagtail_ma.people.models import Identity, Visitor


def form_languages() -> list[tuple[str, str]]:
    """The content languages of the site. (A callable, so that they stay out of migrations.)"""
    return list(get_content_languages().items())


class LeadForm(ClusterableModel):
    """A form whose sending names its sender."""

    class Purpose(models.TextChoices):
        CONTACT = "contact", _("Contact")
        WHITEPAPER = "whitepaper", _("Whitepaper")
        NEWSLETTER = "newsletter", _("Newsletter")
        SEMINAR = "seminar", _("Seminar")
        DIAGNOSIS = "diagnosis", _("Diagnosis")

    class FreeMail(models.TextChoices):
        ALLOW = "allow", _("Accept them")
        WARN = "warn", _("Ask once for a company address, then accept")
        REFUSE = "refuse", _("Refuse them")

    name = models.CharField(_("name"), max_length=120)
    purpose = models.CharField(_("purpose"), max_length=12, choices=Purpose.choices, default=Purpose.CONTACT)
    language = models.CharField(
        _("language of these texts"),
        max_length=12,
        blank=True,
        choices=form_languages,
        help_text=_("Its texts in the other languages of the site are written on pages of their own."),
    )
    heading = models.CharField(_("heading"), max_length=160, blank=True)
    intro = models.TextField(_("introduction"), blank=True)
    submit_label = models.CharField(_("label of the button"), max_length=60, blank=True)
    thanks = models.TextField(
        _("thank-you message"), blank=True, help_text=_("Shown after the form was sent.")
    )
    # By id, and the page by its translation key: documents and pages are the host project's
    # models, and the thank-you page follows the visitor's language.
    thanks_page_key = models.UUIDField(_("thank-you page"), null=True, blank=True)
    document_id = models.PositiveBigIntegerField(_("document"), null=True, blank=True)
    # The exact words agreed to; kept with each consent.
    consent_text = models.TextField(
        _("consent text"),
        blank=True,
        help_text=_("Shown beside a check box. Only people who tick it get marketing mail."),
    )
    asks_confirmation = models.BooleanField(
        _("confirm the address by mail"),
        default=False,
        help_text=_(
            "The sender gets a mail with a button. Only after it was pressed the consent counts "
            "(double opt-in)."
        ),
    )
    free_mail = models.CharField(
        _("addresses of free mail providers"),
        max_length=6,
        choices=FreeMail.choices,
        default=FreeMail.ALLOW,
        help_text=_("Throw-away addresses are always refused."),
    )
    asks_only_unknown = models.BooleanField(
        _("ask only what is not known yet"),
        default=False,
        help_text=_(
            "Questions that were answered in the same browser before are left out. Works on the form's own "
            "page, and in a page where the block is set to adapt to the visitor."
        ),
    )
    max_questions = models.PositiveSmallIntegerField(
        _("questions at a time"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("Beside the e-mail address. Empty: all that are not known."),
    )
    notify = models.TextField(
        _("tell these addresses"),
        blank=True,
        help_text=_("One e-mail address per line. Each gets a mail with the answers."),
    )
    # By language: the texts above by their names, a document of its own, and under "questions" those of the
    # questions by their names (forms/translations.py).
    translations = models.JSONField(default=dict, blank=True, editable=False)

    # Of a form in another language (translations.in_language): the form as edited, and the questions' texts.
    own: Self | None = None
    question_words: Mapping[str, Mapping[str, Any]] = {}

    class Meta:
        verbose_name = _("form")
        verbose_name_plural = _("forms")

    def __str__(self) -> str:
        return self.name

    @property
    def notified(self) -> list[str]:
        """The addresses of staff to be told, as written."""
        return split_lines(self.notify)


class LeadFormField(models.Model):
    """One question of a form."""

    class MapsTo(models.TextChoices):
        EMAIL = "email", _("E-mail address")
        FAMILY_NAME = "family_name", _("Family name")
        GIVEN_NAME = "given_name", _("Given name")
        FAMILY_NAME_KANA = "family_name_kana", _("Family name (kana)")
        GIVEN_NAME_KANA = "given_name_kana", _("Given name (kana)")
        COMPANY = "company_name", _("Company")
        DEPARTMENT = "department", _("Department")
        TITLE = "title", _("Job title")
        PHONE = "phone", _("Phone")
        POSTAL_CODE = "postal_code", _("Postal code")
        ADDRESS = "address", _("Address")
        MESSAGE = "message", _("Message")
        ATTRIBUTE = "attribute", _("Lead field of your own")
        QUESTION = "question", _("Question of your own")

    class Kind(models.TextChoices):
        USUAL = "", _("As usual")
        LINE = "line", _("One line")
        TEXT = "text", _("Several lines")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        SELECT = "select", _("Drop-down list")
        RADIO = "radio", _("One of several choices")
        CHECKBOXES = "checkboxes", _("Any of several choices")
        CHECKBOX = "checkbox", _("Check box")
        HIDDEN = "hidden", _("Hidden value")

    # What takes its answers from a list.
    CHOICE_KINDS = (Kind.SELECT, Kind.RADIO, Kind.CHECKBOXES)

    form = ParentalKey(LeadForm, on_delete=models.CASCADE, related_name="fields")
    sort_order = models.PositiveSmallIntegerField(default=0, editable=False)
    # Makes the questions of a form sortable in the admin.
    sort_order_field = "sort_order"
    maps_to = models.CharField(_("asks for"), max_length=20, choices=MapsTo.choices)
    label = models.CharField(_("label"), max_length=200, blank=True, help_text=_("Empty: the usual label."))
    is_required = models.BooleanField(_("required"), default=True)
    kind = models.CharField(_("kind of answer"), max_length=12, choices=Kind.choices, blank=True)
    key = models.CharField(
        _("short name"),
        max_length=40,
        blank=True,
        help_text=_(
            "For a question of your own: its name in exports and conditions, e.g. budget. For a lead field "
            "of your own: the short name of that field."
        ),
    )
    choices = models.TextField(_("choices"), blank=True, help_text=_("One per line."))
    help_text = models.CharField(_("help text"), max_length=255, blank=True)
    default = models.CharField(
        _("value"),
        max_length=200,
        blank=True,
        help_text=_("Of a hidden value. The address of the form's page may replace it: ?short-name=value."),
    )
    show_if = models.CharField(
        _("only if this question …"),
        max_length=40,
        blank=True,
        help_text=_("Short name of an earlier question. Empty: always asked."),
    )
    show_if_values = models.TextField(_("… is answered with"), blank=True, help_text=_("One per line."))

    # Of a question in another language: its own label, and its choices as they are shown.
    own_label: str | None = None
    choice_words: Mapping[str, str] = {}

    class Meta:
        ordering = ["sort_order"]
        verbose_name = _("question")
        verbose_name_plural = _("questions")

    def __str__(self) -> str:
        return self.label or str(self.get_maps_to_display())

    @property
    def name(self) -> str:
        """The name of the field in the page and of its answer in ``Submission.data``."""
        if self.maps_to == self.MapsTo.ATTRIBUTE:
            return f"attribute_{self.key}"
        return self.key if self.maps_to == self.MapsTo.QUESTION else self.maps_to

    @property
    def choice_list(self) -> list[str]:
        """The answers to choose from."""
        return split_lines(self.choices)

    @property
    def choice_pairs(self) -> list[tuple[str, str]]:
        """Each answer to choose from, as it is kept and as it is shown."""
        return [(choice, self.choice_words.get(choice, choice)) for choice in self.choice_list]

    @property
    def wanted_values(self) -> list[str]:
        """The answers of the other question for which this one is asked."""
        return split_lines(self.show_if_values)


class FormVersion(models.Model):
    """What a form asked and said at a time; never changed. Submissions and consents refer to it."""

    form = models.ForeignKey(LeadForm, null=True, on_delete=models.SET_NULL, related_name="versions")
    number = models.PositiveIntegerField(_("revision"))
    fingerprint = models.CharField(max_length=64)
    # {"consent_text": …, "asks_confirmation": …, "questions": [{"name", "label", "kind", …}]}
    content = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("form revision")
        verbose_name_plural = _("form revisions")
        constraints = [
            models.UniqueConstraint(fields=["form", "fingerprint"], name="ma_form_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.form} #{self.number}"

    @property
    def labels(self) -> dict[str, str]:
        """The label of each question by its name, usual ones in the present language."""
        usual = dict(LeadFormField.MapsTo.choices)
        return {
            question["name"]: question["label"] or str(usual.get(question["maps_to"], question["name"]))
            for question in self.content["questions"]
        }


class Submission(models.Model):
    """Fact: what somebody typed into a form."""

    class State(models.TextChoices):
        ACCEPTED = "accepted", _("Accepted")
        # What was typed looks like no answer ("aaaa"): nobody was named, nothing was sent.
        SUSPECT = "suspect", _("Looks like a dummy")
        # The document waits for somebody to release it, or is refused, by rule of its gate.
        HELD = "held", _("Waits for review")
        REFUSED = "refused", _("Refused")

    form = models.ForeignKey(
        LeadForm, null=True, on_delete=models.SET_NULL, related_name="submissions", db_index=False
    )
    version = models.ForeignKey(
        FormVersion, null=True, on_delete=models.SET_NULL, related_name="submissions", db_index=False
    )
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="+")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="submissions")
    # The browser it was typed in, when it may be recognised: only this one is let through a gate.
    # (``identity`` differs from it for an address like info@, which is nobody's browser.)
    browser = models.ForeignKey(Identity, null=True, on_delete=models.SET_NULL, related_name="+")
    data = models.JSONField(default=dict)
    # The document that was asked for. By id: the document model is the host project's choice.
    document_id = models.PositiveBigIntegerField(null=True)
    page_id = models.PositiveBigIntegerField(null=True)
    language = models.CharField(max_length=12, blank=True)
    at = models.DateTimeField()
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACCEPTED)
    # The sender was asked by mail to confirm the address, and did.
    asked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    # From what was drawn when the form was shown and from what was typed: a double click or a
    # retry is one submission, even where many people get the same cached page.
    nonce = models.CharField(max_length=40, unique=True)
    # Keyed hash of the sender's network (never the address itself), for the limit per hour.
    network = models.CharField(max_length=16, blank=True)

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        indexes = [
            # forms.limits: how many came from this network within the hour.
            models.Index(fields=["network", "at"], name="ma_submission_network"),
            # The list of a form's submissions, newest first.
            models.Index(fields=["form", "-at"], name="ma_submission_form"),
        ]

    def __str__(self) -> str:
        return f"{self.form} {self.at:%Y-%m-%d %H:%M}"

    @property
    def sender(self) -> str:
        """Who sent it, as typed: name, else address."""
        name = " ".join(str(self.data.get(part, "")) for part in ("family_name", "given_name")).strip()
        return name or str(self.data.get("email", ""))

    @property
    def is_suspect(self) -> bool:
        """Whether what was typed looks like no answer."""
        return self.state == self.State.SUSPECT

    def answers(self) -> list[tuple[str, Any]]:
        """``(label, answer)`` in the order of the form, as it was when this was sent."""
        labels = self.version.labels if self.version else {}
        usual = dict(LeadFormField.MapsTo.choices)
        named = [(labels[name], name) for name in labels if name in self.data]
        named += [(str(usual.get(name, name)), name) for name in self.data if name not in labels]
        return [(label, self.data[name]) for label, name in named if name != "consent"]


class GatedDocument(models.Model):
    """A gate: a document, or all documents of a collection, can be had only after a form."""

    class ForBlocked(models.TextChoices):
        REFUSE = "refuse", _("Refuse it")
        HOLD = "hold", _("Hold it until somebody releases it")

    # By id and not by foreign key: the document model is the host project's choice.
    document_id = models.PositiveBigIntegerField(_("document"), unique=True, null=True, blank=True)
    collection = models.OneToOneField(
        "wagtailcore.Collection",
        verbose_name=_("collection"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("All its documents, also those of the collections below it."),
    )
    form = models.ForeignKey(LeadForm, verbose_name=_("form"), on_delete=models.PROTECT, related_name="gated")
    blocked_domains = models.TextField(
        _("not for these mail domains"),
        blank=True,
        help_text=_("One per line, e.g. example.com; their sub-domains are included."),
    )
    blocks_competitors = models.BooleanField(
        _("nor for people of competitors"),
        default=True,
        help_text=_(
            "Companies that are marked as competitors, by the domain of the address or by their name."
        ),
    )
    for_blocked = models.CharField(
        _("when they ask for a document"),
        max_length=6,
        choices=ForBlocked.choices,
        default=ForBlocked.HOLD,
    )
    lets_known_through = models.BooleanField(
        _("let known visitors through"),
        default=False,
        help_text=_("Whoever sent any form in the same browser before gets the document without this one."),
    )

    class Meta:
        verbose_name = _("gated document")
        verbose_name_plural = _("gated documents")
        constraints = [
            models.CheckConstraint(
                condition=Q(document_id__isnull=False, collection__isnull=True)
                | Q(document_id__isnull=True, collection__isnull=False),
                name="ma_gate_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        if self.collection_id is not None:
            return str(_("Collection “%(name)s”") % {"name": self.collection})
        document = get_document_model().objects.filter(pk=self.document_id).first()
        return document.title if document else str(_("Deleted document"))
