"""English: the blog."""

from __future__ import annotations

from company.content.structure import Text

INDEX = """
## What we write about

We write when a question has come up three times. Most articles come from the help desk, from
introductions at new customers or from mistakes we made ourselves. They are short on purpose: you
should be able to read one between two meetings and to use something from it on the same day.

You will find four subjects here. **Approvals** are about how decisions travel and where they get
stuck. **Rules** are about keeping records the way tax offices, inspectors and auditors expect.
**Introduction** is about the weeks in which a new way of working either takes root or does not.
**Access** is about who may see which document, and about keeping that question small.

We do not write about our product's latest buttons; the release notes do that. Where an article
mentions a law or a rule, it explains the idea and not your case: please ask your tax adviser or
lawyer before you rely on it. If you miss a subject, or if you have found something that works
better in your firm, write to us. Two of the articles on this page began as a letter of complaint
from a reader, and they are the better for it.

!! A question we should write about? | Write to us | contact
"""

BOTTLENECKS = """
Ask ten people why an approval takes a week, and nine will name a person. Look at the numbers, and
it is almost never the person. It is the route.

## Measure waiting, not working

Take thirty requests from the last month and write down two times for each step: when the request
arrived and when it was decided. Then estimate how long the decision itself took. In the firms we
have seen, the work adds up to between five and twenty minutes, and the rest is waiting. Nobody can
work faster than twenty minutes; everybody can wait less than five days.

## Three patterns to look for

- **The stamp that never says no.** If a step has agreed to every request for a year, it is not a
  control. It is a notification, and can be sent as one.
- **The desk where all roads meet.** When more than a third of all requests pass one person, the
  limits are too low. Double the amount below which the person need not be asked, and look again
  after a month.
- **The question outside the route.** If people call each other before they decide, the form does
  not show what they need. Add that one piece of information and remove two others.

## Deputies are not a detail

A fifth of all waiting time in our own numbers falls into holidays and business trips. A deputy who
is named in advance, decides in their own name and sees the same information removes it almost
completely. It costs a conversation of ten minutes and no software at all.

## Change one thing at a time

It is tempting to redraw everything. Resist. Change one limit or remove one step, tell everybody
why, and measure the same thirty requests a month later. Small changes that are seen to work build
the trust that the larger ones will need.

!! Routes, deputies and measured waiting times in one product | See Sample Flow |
   products/sample-flow
"""

BOOKKEEPING = """
Since January 2024, firms in Japan have had to keep the data of electronic transactions as data. An
invoice that arrived by mail as a PDF must not be printed and filed on paper only. Two years on,
many firms do what the rule says, and still feel uneasy about it. Here is what helps.

## Know what belongs to it

The rule is about documents of a transaction that were exchanged electronically: invoices, orders,
receipts, quotations, contracts. It does not matter whether they came as an attachment, from a
portal or through an exchange system. Make a list of all the ways in which such documents reach
your firm. The list is usually twice as long as expected, because every department has a portal of
its own.

## Make three things searchable

Date, amount and counterparty must be searchable, and ranges of dates and amounts should work too.
A file name with these three in a fixed order is enough for a small firm. From a few hundred
documents a month on, people stop being careful, and a system that reads the three values and asks
for a quick check becomes cheaper than the mistakes.

## Protect against silent change

Either a time stamp, or a system that keeps every correction on record, or written office rules
against alteration: one of these has to be in place. Whichever you choose, try it. Ask a colleague
to correct an amount and see whether you can tell afterwards who did it, when and why.

## Practise the visit

Pick a supplier and a month, and show all transactions within ten minutes. Do it twice a year with
a different person each time. The exercise finds more gaps than any check list, and it turns an
inspection from an event into an ordinary Tuesday.

This article explains the idea and is not advice on your case; please ask your tax adviser.

!! Date, amount and counterparty, read on arrival | See Sample Cabinet | products/sample-cabinet
"""

HUNDRED = """
Whether a new way of working stays is decided in the first hundred days. The software matters less
than we would like. These are the things that mattered in the introductions we have accompanied.

## Before day one: a number everybody believes

Count something simple. How long does it take to find last year's contract with a given customer?
How many days does a purchase request wait? Write the number on a wall. Without it, the discussion
in week ten will be about feelings, and the loudest will win it.

## Days 1 to 30: one team, one kind of document

Choose a team that suffers and a document that hurts. Move only that. Sit with the people on the
first morning, and again on the third day, when the real questions come. Change the folder plan or
the form at once when somebody stumbles; the freedom to change things on the spot is worth more
than a perfect plan.

## Days 31 to 60: the second team learns from the first

Do not explain the system to the second team yourself. Let a member of the first team do it, in
their own words, with their own documents. They will leave out half of what you would have said,
and it will be the right half.

## Days 61 to 100: switch the old way off

Two ways of working are more work than either of them. Announce the date on which the shared folder
becomes read-only and the paper tray is taken away, and keep to it. Have help at hand on that day.
Then measure the number on the wall again, and write the new one beside it.

## What usually goes wrong

Too many rights, too many fields, too many folders. If you must choose, begin with too little. An
addition is welcomed by the person who asked for it; a removal is fought by somebody who has never
used it.

!! The same road with check lists for every week | Get the whitepaper | whitepaper
"""

ACCESS = """
Access rights begin as a small table and end as a secret science. After a few years nobody dares to
touch them, and new employees get "the same as the colleague before". There is a way back, and it
does not begin with a tool.

## Ask about kinds, not folders

A firm of three hundred people has tens of thousands of folders, but only about thirty kinds of
documents: invoices, contracts, drawings, personnel files, minutes. For each kind, write down who
has to read it, who has to change it and who must never see it. That is one page. Everything else
follows from it, and everybody can check it.

## Open is the normal case

Most documents may be read by most colleagues, and work gets faster when they can. Start with
open, and give reasons for the exceptions. The list of exceptions is short: persons, pay, board,
ongoing negotiations, and what customers have asked you to protect. A short list can be watched;
a long one only looks safe.

## Groups come from the organisation

Rights that are given to a person stay when the person moves on. Give them to a role, fill the role
from the personnel system, and the change of department takes care of itself. Twice a year, let
each head of department read the list of members of their groups. It takes five minutes, and
somebody always laughs.

## Look at what happens

A log is useful when somebody reads it. Do not read everything. Look for three things: exports at
unusual hours, people who open far more documents than their colleagues, and rights that nobody has
used for a year. The first two deserve a friendly question. The third may simply be removed.

## The second lock

For the few really sensitive kinds, let two people open the door together, administrators included.
It is rarely needed, and it changes how everybody sleeps.

!! One page that shows who may see what | See Sample Cabinet | products/sample-cabinet
"""

TEXTS = {
    "blog": Text(
        "Blog",
        "Short articles on documents, decisions and the people in between.",
        INDEX,
        heading="Notes from the filing room",
    ),
    "blog/approval-bottlenecks": Text(
        "Where approvals really wait",
        "It is almost never the person and almost always the route. How to measure it with "
        "thirty requests and a pencil.",
        BOTTLENECKS,
        values={"author": "Sample Software, workflow team"},
    ),
    "blog/electronic-bookkeeping": Text(
        "Electronic bookkeeping without the unease",
        "What has to be kept as data, what has to be searchable, and an exercise that turns an "
        "inspection into an ordinary day.",
        BOOKKEEPING,
        values={"author": "Sample Software, customer support"},
    ),
    "blog/first-hundred-days": Text(
        "The first hundred days decide",
        "What matters more than the software when a firm leaves paper behind: one number, one "
        "team and one date.",
        HUNDRED,
        values={"author": "Sample Software, introductions"},
    ),
    "blog/who-may-see-what": Text(
        "Who may see what? One page is enough",
        "Access rights become manageable again when you ask about kinds of documents instead of folders.",
        ACCESS,
        values={"author": "Sample Software, product team"},
    ),
}
