"""A scoring rule in words."""

from __future__ import annotations

from typing import Any

import swapper
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.sentences import sentence as tree_sentence
from wagtail_ma.rules.tree import Broken
from wagtail_ma.scoring import fit
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking.act_kinds import ACTIVITY_KINDS

Kind = ScoringRule.Kind


def page_of(rule: ScoringRule) -> Any | None:
    """The page of a rule in the tree: the original before its translations."""
    if not rule.page_key:
        return None
    pages = swapper.load_model("wagtailcore", "Page").objects
    return pages.filter(translation_key=rule.page_key).order_by("pk").first()


def sentence(rule: ScoringRule) -> str:
    """What a rule pays for, in the reader's language."""
    if rule.has_conditions:
        if not stored(rule.rule):
            return _("Nothing: it has no conditions")
        tree = fit.trees([rule])[rule.pk]
        if isinstance(tree, Broken):
            return tree.reason
        if rule.is_fit:
            return tree_sentence(tree)
        text = _("Each time this comes to hold: %(conditions)s") % {"conditions": tree_sentence(tree)}
        return "; ".join([text, *_details(rule)])
    where = _where(rule)
    words = {"where": where, "page": where}
    if rule.kind == Kind.ACTIVITY:
        label = dict(ACTIVITY_KINDS).get(rule.activity_kind, rule.activity_kind)
        text = _("Somebody: %(activity)s") % {"activity": label}
        text = _("%(what)s, on %(where)s") % {"what": text, "where": where} if where else text
    elif rule.kind == Kind.VISIT:
        text = _("A visit begins on %(where)s") % words if where else _("A visit begins")
    elif rule.kind == Kind.ENGAGED:
        words["seconds"] = ngettext("%(n)d second", "%(n)d seconds", rule.min_seconds) % {
            "n": rule.min_seconds
        }
        text = (
            _("%(where)s is read for %(seconds)s") % words
            if where
            else _("A page is read for %(seconds)s") % words
        )
    else:
        text = _("%(where)s is viewed") % words if where else _("Any page is viewed")
    return capfirst("; ".join([text, *_details(rule)]))


def _where(rule: ScoringRule) -> str:
    """The pages that count, or "" for all."""
    parts = []
    if rule.page_key:
        page = page_of(rule)
        if page is None:
            parts.append(_("a page that was deleted"))
        elif rule.is_page_alone:
            parts.append(_("“%(page)s”") % {"page": page.title})
        else:
            parts.append(_("“%(page)s” or a page below") % {"page": page.title})
    if rule.page_class:
        parts.append(_("a page of the class “%(name)s”") % {"name": rule.page_class})
    if rule.topic:
        parts.append(_("a page about “%(name)s”") % {"name": rule.topic})
    return pgettext("between what a scoring rule looks at", ", ").join(parts)


def _details(rule: ScoringRule) -> list[str]:
    found = []
    if rule.kind == Kind.ENGAGED and rule.max_repeats > 1:
        found.append(_("again for each further such time, up to %(n)d times") % {"n": rule.max_repeats})
    if rule.kind == Kind.VISIT and rule.after_silence_days:
        found.append(
            ngettext("after %(n)d day of silence", "after %(n)d days of silence", rule.after_silence_days)
            % {"n": rule.after_silence_days}
        )
    if rule.times > 1:
        found.append(_pattern(rule))
    if rule.boost_when and rule.boost != 1:
        found.append(
            _("× %(factor)s if %(state)s")
            % {"factor": number_format(rule.boost), "state": ScoringRule.Boost(rule.boost_when).label}
        )
    return found


def _pattern(rule: ScoringRule) -> str:
    words = {"n": rule.times, "days": rule.within_days}
    if rule.is_same_page and rule.within_days:
        return _("each %(n)dth time for the same page within %(days)d days") % words
    if rule.is_same_page:
        return _("each %(n)dth time for the same page") % words
    if rule.within_days:
        return _("each %(n)dth time within %(days)d days") % words
    return _("each %(n)dth time") % words


def caps(rule: ScoringRule) -> str:
    """How often at most, and when."""
    if rule.is_fit:
        return _("as long as it holds")
    found = []
    if rule.max_per_day is not None:
        found.append(_("%(n)d per day") % {"n": rule.max_per_day})
    if rule.max_per_visit is not None:
        found.append(_("%(n)d per visit") % {"n": rule.max_per_visit})
    if rule.max_total is not None:
        found.append(_("%(n)d in all") % {"n": rule.max_total})
    if rule.cool_down_hours:
        hours = ngettext("%(n)d hour", "%(n)d hours", rule.cool_down_hours) % {"n": rule.cool_down_hours}
        found.append(_("once in %(hours)s") % {"hours": hours})
    return ", ".join(found) or _("no limit")
