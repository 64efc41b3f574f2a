"""Lead forms, what was sent with them, and documents that ask for one first."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.documents import get_document_model

from wagtail_ma.people.models import Identity, Visitor


class LeadForm(ClusterableModel):
    """A form whose sending names its sender."""

    name = models.CharField(_("name"), max_length=120)
    heading = models.CharField(_("heading"), max_length=160, blank=True)
    intro = models.TextField(_("introduction"), blank=True)
    submit_label = models.CharField(_("label of the button"), max_length=60, blank=True)
    thanks = models.TextField(
        _("thank-you message"), blank=True, help_text=_("Shown after the form was sent.")
    )
    # The exact words agreed to; kept with each consent.
    consent_text = models.TextField(
        _("consent text"),
        blank=True,
        help_text=_("Shown beside a check box. Only people who tick it get marketing mail."),
    )

    class Meta:
        verbose_name = _("form")
        verbose_name_plural = _("forms")

    def __str__(self) -> str:
        return self.name


class LeadFormField(models.Model):
    """One question of a form."""

    class MapsTo(models.TextChoices):
        EMAIL = "email", _("E-mail address")
        FAMILY_NAME = "family_name", _("Family name")
        GIVEN_NAME = "given_name", _("Given name")
        COMPANY = "company_name", _("Company")
        DEPARTMENT = "department", _("Department")
        TITLE = "title", _("Job title")
        PHONE = "phone", _("Phone")
        MESSAGE = "message", _("Message")

    form = ParentalKey(LeadForm, on_delete=models.CASCADE, related_name="fields")
    sort_order = models.PositiveSmallIntegerField(default=0, editable=False)
    # Makes the questions of a form sortable in the admin.
    sort_order_field = "sort_order"
    maps_to = models.CharField(_("asks for"), max_length=20, choices=MapsTo.choices)
    label = models.CharField(_("label"), max_length=80, blank=True, help_text=_("Empty: the usual label."))
    is_required = models.BooleanField(_("required"), default=True)

    class Meta:
        ordering = ["sort_order"]
        verbose_name = _("question")
        verbose_name_plural = _("questions")

    def __str__(self) -> str:
        return self.label or str(self.get_maps_to_display())


class Submission(models.Model):
    """Fact: what somebody typed into a form."""

    form = models.ForeignKey(
        LeadForm, null=True, on_delete=models.SET_NULL, related_name="submissions", db_index=False
    )
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="+")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="submissions")
    # The browser it was typed in, when it may be recognised: only this one is let through a gate.
    # (``identity`` differs from it for an address like info@, which is nobody's browser.)
    browser = models.ForeignKey(Identity, null=True, on_delete=models.SET_NULL, related_name="+")
    data = models.JSONField(default=dict)
    # The document that was asked for. By id: the document model is the host project's choice.
    document_id = models.PositiveBigIntegerField(null=True)
    at = models.DateTimeField()
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


class GatedDocument(models.Model):
    """A document that can be had only after a form."""

    # By id and not by foreign key: the document model is the host project's choice.
    document_id = models.PositiveBigIntegerField(_("document"), unique=True)
    form = models.ForeignKey(LeadForm, verbose_name=_("form"), on_delete=models.PROTECT, related_name="gated")

    class Meta:
        verbose_name = _("gated document")
        verbose_name_plural = _("gated documents")

    def __str__(self) -> str:
        document = get_document_model().objects.filter(pk=self.document_id).first()
        return document.title if document else _("Deleted document")
