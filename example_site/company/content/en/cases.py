"""English: the case studies. The firms in them are invented and say so."""

from __future__ import annotations

from company.content.structure import Text

INDEX = """
## Three firms, three starting points

The stories on this page are examples. The firms, the people and the figures in them are invented,
but the situations are the ones we meet every week: drawings that exist in four versions,
approvals that travel by courier, and records that must be shown to an inspector on the spot.

Each story follows the same order, so that you can compare them. It begins with what hurt, goes on
to what was changed first and why, and ends with what could be measured afterwards. We also asked
what did not work, because those paragraphs are usually the most useful ones.

## What they have in common

- They began with **one** kind of document or request, not with the whole firm.
- They named one person who was allowed to decide about the rules.
- They measured something simple before they began: days, minutes or metres of shelf.
- They switched the old way off on a date that everybody knew.

None of them had a project team, and none of them needed more than four months. If you recognise
your own firm in one of the stories, we would be glad to hear from you. If you do not, our working
plan describes the same road step by step, without the names, and with the check lists that these
three firms would have liked to have at the beginning.

!! Take the plan behind these stories with you | Get the whitepaper | whitepaper
"""

WORKS = """
## The starting point

Fictional Works makes metal parts for machine builders. Its drawings lived in three places: on the
designers' computers, on a shared drive and on paper beside the machines. Twice in one year a
batch was made from an outdated drawing. The second time, the customer noticed first.

The quality manager counted. In one ordinary week, forty-one people looked for a drawing more than
once a day, and each search took eleven minutes on average. For a quarter of them it ended with a
call to the design office.

## What was changed first

The firm did not begin with all documents. It moved only released drawings to Sample Cabinet,
about nine thousand of them, and put a screen beside every group of machines. A drawing shown
there is always the current one. The paper copies were collected on a Friday afternoon, and the
boxes were carried out of the hall by the managing director himself.

Releasing a new version now runs through Sample Flow. Design asks, quality and production agree,
and the new version replaces the old one on every screen within a minute.

> The screens did not convince anybody. The empty wall where the paper used to hang did.
-- Quality manager, Fictional Works (invented)

## What did not work

The first folder plan copied the departments. Nobody outside a department found anything. In the
third week the plan was thrown away and replaced by two simple questions: which part, and which
customer? That plan is still in use.

## What came of it

After six months the search time had fallen to under one minute, and no batch has been made from an
outdated drawing since. The audit for the yearly certificate took one day instead of three. The
next step is the maintenance records of the machines, which will follow the same two questions.

!! The product in this story: one home for every document | See Sample Cabinet |
   products/sample-cabinet
"""

LOGISTICS = """
## The starting point

Example Logistics runs eleven warehouses between two ports. Every purchase above fifty thousand
yen needed three stamps, and the stamps sat in the head office. Forms went there by the firm's own
lorries. If a head of department was travelling, the envelope waited. On average, eight working
days passed before a forklift could be repaired.

The warehouses helped themselves. They split purchases into smaller ones that needed no stamp, and
the finance team learned about them when the invoices came.

## What was changed first

The head of administration refused to copy the paper form to the screen. She took the two hundred
requests of the last quarter and asked for each of them which stamp had changed anything. The
answer was one in forty. Together with the managing director she drew new limits: a warehouse
decides on its own up to two hundred thousand yen, and everything above goes to exactly one person.

Only then did the new route go into Sample Flow, first in two warehouses, after a month in all of
them. Every approver named a deputy, and requests are answered by phone from the quay.

> We did not speed up eight days of work. There had only ever been twelve minutes of it.
-- Head of administration, Example Logistics (invented)

## What did not work

Reminders after two hours were too many. People began to approve without reading. Now the first
reminder comes on the next morning, and the second one goes to the deputy.

## What came of it

The average request is decided after nineteen hours, nights included. Split purchases have all but
disappeared, because nobody needs them. The finance team sees what has been ordered on the day it
happens, and month-end closes two days earlier. Contracts with carriers come next.

!! The product in this story: approvals that keep moving | See Sample Flow | products/sample-flow
"""

FOODS = """
## The starting point

Placeholder Foods cooks side dishes for supermarkets in two plants. Cleaning logs, temperature
records and supplier certificates filled a room of forty metres of shelf. When a customer asked for
the records of one batch, two people disappeared into that room, sometimes for a whole day.

A new large customer made it a condition of the contract that the records of any batch must be
shown within two hours. The plant managers tried it on a quiet Tuesday. It took nine.

## What was changed first

The firm began at the source. Temperatures and cleaning are now entered on tablets beside the
kettles, as forms of Sample Flow with limits that speak up when a value is out of range. The
finished form files itself in Sample Cabinet under the batch number. Supplier certificates, which
still arrive on paper, are scanned at the gate, and their end dates are read and watched.

The forty metres of old records were not scanned. They are destroyed shelf by shelf as their
retention ends, and the last shelf will be empty in three years.

> The inspector asked for a batch from March. I turned the tablet round, and we went on to coffee.
-- Plant manager, Placeholder Foods (invented)

## What did not work

The first forms had thirty fields, because the paper had thirty. People filled in the last ten at
the end of the shift, from memory. After a review of what anybody ever reads, eleven fields were
left, and they are filled in when the thing happens.

## What came of it

The records of a batch are on the screen in four minutes. Missing entries fell from six in a
hundred to fewer than one. The large customer signed, and the room with the shelves is being turned
into a canteen, which has done more for the project's reputation than any presentation.

!! Would this work in your plant? | Talk to us | contact
"""


def _figures(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"figure": figure, "label": label} for figure, label in pairs]


TEXTS = {
    "case-studies": Text(
        "Case studies",
        "How firms like yours brought documents and approvals in order. All stories are examples.",
        INDEX,
        heading="What it looks like in practice",
    ),
    "case-studies/fictional-works": Text(
        "Fictional Works: one drawing, one truth",
        "A maker of metal parts stopped producing from outdated drawings, and won back the time "
        "its people spent looking for the right ones.",
        WORKS,
        values={
            "client": "Fictional Works Co., Ltd. (invented)",
            "industry": "Metal parts",
            "headcount": "240",
            "figures": _figures(
                ("11 → 1 min", "to find a drawing"),
                ("0", "batches from outdated drawings"),
                ("3 → 1 day", "for the yearly audit"),
            ),
        },
    ),
    "case-studies/example-logistics": Text(
        "Example Logistics: from eight days to nineteen hours",
        "A warehouse operator asked which approvals had ever changed anything, and kept only those.",
        LOGISTICS,
        values={
            "client": "Example Logistics Inc. (invented)",
            "industry": "Logistics",
            "headcount": "620",
            "figures": _figures(
                ("19 h", "until a request is decided"),
                ("3 → 1", "approvals for a purchase"),
                ("2 days", "earlier month-end"),
            ),
        },
    ),
    "case-studies/placeholder-foods": Text(
        "Placeholder Foods: any batch in four minutes",
        "A maker of side dishes moved its records from forty metres of shelf to the place where they arise.",
        FOODS,
        values={
            "client": "Placeholder Foods Co., Ltd. (invented)",
            "industry": "Food",
            "headcount": "410",
            "figures": _figures(
                ("4 min", "to show the records of a batch"),
                ("6 % → under 1 %", "missing entries"),
                ("40 m", "of shelf given back"),
            ),
        },
    ),
}
