"""A workflow for snippets of a kind: whoever sends one in waits for a colleague."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from wagtail.models import GroupApprovalTask, Workflow, WorkflowContentType, WorkflowTask


def approval_by(user: User, model: type[Model]) -> Workflow:
    """This person's group decides."""
    group = Group.objects.create(name="Heads")
    user.groups.add(group)
    task = GroupApprovalTask.objects.create(name="Head of marketing")
    task.groups.add(group)
    found = Workflow.objects.create(name="Approval")
    WorkflowTask.objects.create(workflow=found, task=task, sort_order=0)
    kind = ContentType.objects.get_for_model(model)
    WorkflowContentType.objects.create(workflow=found, content_type=kind)
    return found
