"""What the editor of rules and steps loads: the same meaning in fewer bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup
from wagtail.admin.telepath import JSContext

from wagtail_ma.rules.block_widget import CompactBlockWidget, quoted, shared
from wagtail_ma.rules.blocks import rule_stream_block
from wagtail_ma.scenarios.blocks import steps_block


def unpacked(packed: Any) -> Any:
    """As telepath.js reads it, with objects as plain data."""
    by_id: dict[int, Any] = {}

    def scan(raw: Any) -> None:
        if isinstance(raw, list):
            for each in raw:
                scan(each)
        elif isinstance(raw, dict):
            if "_id" in raw:
                assert raw["_id"] not in by_id
                by_id[raw["_id"]] = raw
            is_marked = any(mark in raw for mark in ("_id", "_type", "_val", "_ref", "_list", "_dict"))
            inside = (raw.get("_list", []), raw.get("_args", []), raw.get("_dict", {}).values())
            for part in inside if is_marked else [raw.values()]:
                for each in part:
                    scan(each)

    def read(raw: Any) -> Any:
        if isinstance(raw, list):
            return [read(each) for each in raw]
        if not isinstance(raw, dict):
            return raw
        if "_ref" in raw:
            return read(by_id[raw["_ref"]])
        if "_val" in raw:
            return raw["_val"]
        if "_list" in raw:
            return [read(each) for each in raw["_list"]]
        if "_type" in raw:
            return ("object", raw["_type"], [read(each) for each in raw["_args"]])
        assert "_id" not in raw or "_dict" in raw
        return {key: read(each) for key, each in raw.get("_dict", raw).items()}

    scan(packed)
    return read(packed)


TEXT = "a text that is worth a reference, as long as it is"


@pytest.mark.parametrize(
    "packed",
    [
        [TEXT, TEXT, {"a": TEXT, "b": [TEXT]}, [TEXT]],
        [1, True, 1.0, None, "", "1", [1], [True]],
        [{"_val": TEXT, "_id": 3}, {"_ref": 3}, {"_ref": 3}, {"_list": [{"_ref": 3}, TEXT], "_id": 9}],
        # A reference may come before what it refers to.
        [{"_ref": 0}, {"_type": "x", "_args": [TEXT, {"_dict": {"k": TEXT}}], "_id": 0}],
        # Data that looks like telepath's own words.
        [{"_dict": {"_id": 5, "_ref": TEXT}}, {"_dict": {"_id": 5, "_ref": TEXT}}, {"_dict": {"_type": 1}}],
        [{"_type": "x", "_args": [{"a": TEXT}]}, {"_type": "y", "_args": [{"a": TEXT}]}],
        [[], {}, [[], {}], "x" * 1_000],
    ],
)
def test_shared__any_packed_value__means_the_same(packed):
    found = shared(packed)
    assert unpacked(found) == unpacked(packed)
    # (1 == True in Python.)
    assert json.dumps(unpacked(found)) == json.dumps(unpacked(packed))
    # Nothing is left to share.
    assert json.dumps(found).count(TEXT) <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("build", [rule_stream_block, steps_block])
def test_shared__our_editors__mean_the_same_in_fewer_bytes(build):
    packed = json.loads(json.dumps(JSContext().pack(build())))
    found = shared(packed)
    assert unpacked(found) == unpacked(packed)
    assert len(json.dumps(found)) < 0.8 * len(json.dumps(packed))


@pytest.mark.django_db
def test_widget__rendered__browser_reads_what_wagtail_wrote():
    block = steps_block()
    value = block.to_python(
        [{"type": "place", "value": {"name": 'it\'s <b>"A" & B</b> 場所&quot;'}, "id": "p"}]
    )
    tag = BeautifulSoup(CompactBlockWidget(block).render("steps", value), "html.parser").div
    assert tag is not None and tag["id"] == "steps" and tag["data-controller"] == "w-block"
    packed = json.loads(json.dumps(JSContext().pack(block)))
    assert unpacked(json.loads(str(tag["data-w-block-data-value"]))) == unpacked(packed)
    state, error = json.loads(str(tag["data-w-block-arguments-value"]))
    assert state == json.loads(json.dumps(block.get_form_state(value))) and error is None


def test_quoted__breaking_out__impossible():
    assert quoted("""'"><script>&#39;""") == """'&#x27;"&gt;&lt;script&gt;&amp;#39;'"""
