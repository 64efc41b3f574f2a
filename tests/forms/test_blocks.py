"""The block that places a form in a page."""

from __future__ import annotations

import pytest
from wagtail.blocks import StreamBlock

from tests import factories
from wagtail_ma.blocks import LeadFormBlock
from wagtail_ma.forms.models import LeadForm, Submission

pytestmark = pytest.mark.django_db

ANSWERS = {"family_name": "Suzuki", "company_name": "Example Ltd", "email": "ann@example.com"}


def stream(value):
    block = StreamBlock([("lead_form", LeadFormBlock())])
    return block.to_python([{"type": "lead_form", "value": value}])


def test_render__form_chosen__posts_to_it_and_remembers_the_page(client, home):
    form = factories.lead_form(heading="Get it")
    html = stream({"form": form.pk})[0].render({"page": home})
    assert "Get it" in html
    assert f'action="/ma/form/{form.pk}/"' in html
    state = html.split('name="ma_state" value="')[1].split('"')[0]
    response = client.post(f"/ma/form/{form.pk}/", {**ANSWERS, "ma_state": state})
    thanks = client.get(response["Location"]).content.decode()
    assert "Back to “Home”" in thanks
    assert Submission.objects.get().form == form


@pytest.mark.parametrize("value", [{}, {"form": None}, {"form": 999}])
def test_render__form_deleted__nothing(value, db):
    assert stream(value)[0].render() == ""


def test_render__fault_inside__nothing_and_no_error(monkeypatch):
    form = factories.lead_form()
    value = stream({"form": form.pk})[0]

    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("wagtail_ma.forms.blocks.new_state", broken)
    assert value.render() == ""


def test_deconstruct__in_a_migration__only_wagtail_s_own_blocks():
    path, args, kwargs = LeadFormBlock().deconstruct()
    assert path == "wagtail.blocks.StructBlock"
    children = dict(args[0])
    paths = [child.deconstruct()[0] for child in children.values()]
    assert all(path.startswith("wagtail.") for path in paths)
    assert children["form"].deconstruct()[0] == "wagtail.blocks.IntegerBlock"


def test_form_state__chosen_form__is_its_key():
    form = factories.lead_form()
    block = LeadFormBlock().child_blocks["form"]
    # Wagtail's script for a list of options wants a list of texts.
    assert block.get_form_state(form) == [str(form.pk)]
    assert block.get_form_state(None) == []
    assert block.clean(form) == form


def test_references__chosen_form__is_found():
    form = factories.lead_form()
    value = stream({"form": form.pk})[0]
    references = list(value.block.extract_references(value.value))
    assert (LeadForm, str(form.pk)) in [(model, key) for model, key, *_rest in references]
