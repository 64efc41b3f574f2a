"""English: the home page, the products and what they cost."""

from __future__ import annotations

from company.content.structure import Text

HOME = """
Most firms do not lack documents. They lack the right one at the right moment: the signed version,
the current drawing, the invoice an auditor has just asked for. Sample Software makes two products
for firms of fifty to two thousand people. One keeps documents where everybody finds them. The
other carries a request from the person who needs something to the person who may say yes.

* Sample Cabinet | One home for contracts, drawings and invoices, with versions, search and
  retention built in. | products/sample-cabinet
* Sample Flow | Approvals that move by themselves, show where they stand and leave a complete
  trail. | products/sample-flow
* See what it costs | Three plans, no set-up fee, and a price for every size of firm. | pricing

## Built for the people between the departments

Large systems are built for specialists; small tools end at the edge of one team. Our customers
live in between. An office manager sets up a folder plan in an afternoon. A plant supervisor
approves a purchase on a phone between two meetings. The finance team closes the month without
walking from desk to desk with a folder.

## What changes in the first three months

- **Less searching.** Documents are found by what is in them, not by who remembers the folder.
- **Shorter waits.** A request that used to rest on a desk for a week is reminded, delegated or
  decided within two days.
- **A calm audit.** Every version, every decision and every access is on record.

> We expected a software project. What we got was a habit that people kept.
-- A head of administration in one of our example stories

## Start small

You need no project team. Begin with one kind of document and one kind of request, look at the
result after four weeks and add the next. Our customers take about a hundred days from the first
conversation to the point where nobody asks for the paper copy any more. If you would like to
know how they do it, read their stories or take our working plan with you.

* Case studies | How a maker of parts, a logistics firm and a food company went about
  it. | case-studies
* Whitepaper | Ninety days to orderly documents: a plan with check lists for every
  week. | whitepaper
* From the blog | Short articles on approvals, bookkeeping rules and access rights. | blog

!! Would you like to see both products with your own documents? | Ask for a demonstration | contact
"""

PRODUCTS = """
Documents and decisions belong together. A contract is drafted, discussed, approved, signed, kept
and one day destroyed. Where the steps live in different tools, somebody has to carry the paper
from one to the next, and that somebody is usually your most experienced colleague.

* Sample Cabinet | Document management: keep, find, share and retain every business
  document. | products/sample-cabinet
* Sample Flow | Workflow: requests, approvals and reminders without chasing
  anybody. | products/sample-flow

## Each one works alone

You can start with either product. Firms with a pile of paper usually begin with Cabinet, because
the relief of finding things is immediate. Firms that grow quickly often begin with Flow, because
approvals are where growth hurts first. Neither needs the other, and neither punishes you for
waiting with the second.

## Together they close the circle

When both are in place, an approved request in Flow files its documents in Cabinet by itself, with
the right name, the right retention period and the right readers. The decision and the evidence
stay linked, so a question that comes up three years later takes a minute to answer.

- One directory of people, groups and deputies for both products
- One search across documents and decisions
- One log for the auditors, readable without training

## Where it runs

Both products run in data centres in two regions of the country, or on your own servers if your
rules ask for it. They open in an ordinary browser, on a phone as well as on a desk, and they
speak Japanese and English side by side: each person chooses the language, and the documents stay
the same. Nightly exports in open formats come with every plan, so leaving us is always possible.
We think that is a good reason to stay.

!! Not sure which one to begin with? | Tell us about your firm | contact
"""

CABINET = """
Every firm has a shared drive on which six people know their way around. Sample Cabinet replaces
memory with order. Each document is kept once, with its versions, its readers and the date on
which it may be destroyed, and everybody who may see it can find it within seconds.

## Found by what is in it

Scans are read as they arrive. Cabinet recognises printed Japanese and English, takes dates,
amounts and counterparties from invoices and contracts, and offers them for a quick check. From
then on you search the way you think: the invoice from spring over two million yen, the contract
with the carrier that ends this year.

[[search | Search results with versions and retention dates]]

## One version that counts

- **Check out and check in** without copies called final, final-2 and really-final
- **Compare** two versions side by side, also for drawings and scans
- **Share** with a customer or supplier by a link that ends on a date you choose

## Rules that look after themselves

A retention plan says how long each kind of document is kept and what happens afterwards. Cabinet
applies it, warns before anything is destroyed and keeps a record of what was. For electronic
transactions it keeps date, amount and counterparty searchable, as the bookkeeping rules
require, and it logs every correction.

## Access without a specialist

Rights follow groups and kinds of documents rather than hundreds of folders. An office manager can
read on one page who may see what, and change it there. Personnel files and board papers get a
second lock that administrators cannot open alone.

## Moving in

Bring your shared drive as it is. The import shows duplicates, empty folders and files nobody has
opened for five years before a single one is moved, so that you move less than you own. Most firms
leave a third behind. Sample Cabinet connects to scanners, mail boxes and accounting systems, and
to Sample Flow, which files approved documents by itself.

!! Curious what it would cost for your firm? | See the plans | pricing
"""

FLOW = """
A request is a question to somebody who may decide. In most firms the question travels by paper,
by mail or by mouth, and nobody can say where it is today. Sample Flow gives it a route, a clock
and a memory.

## Forms you build yourself

Choose the fields, say who decides up to which amount, and try the form with three colleagues
before everybody gets it. Purchase requests, travel, contracts, new employees and price
exceptions come as ready examples that you bend to your own rules. No programming is involved,
and changing a rule does not disturb the requests that are already under way.

[[route | A purchase request with two approvals and a deputy]]

## Routes that know your firm

- **By amount, department or project**, with as many steps as needed and no more
- **Deputies** who take over during holidays, with their own name on the decision
- **Consultation** beside the route: ask the legal team without handing over the decision
- **Reminders** that grow more insistent, and an escalation nobody has to feel bad about

## A decision in a minute

The approver sees the request, its attachments, the budget that is left and what was decided the
last time, on one screen. A phone is enough. Questions go back to the sender within the request,
so the conversation stays where the decision is made.

## See the traffic

Flow measures how long each step takes. A monthly picture shows where requests wait, which
rules send everything to the same desk and which approvals have never once been refused. Many
customers drop a quarter of their steps after the first look, and nobody misses them.

## A trail that lasts

Who asked, who decided, on which information and when: all of it is kept unchanged for as long as
your rules say. With Sample Cabinet, the approved document files itself beside the decision.

!! See how a logistics firm cut its waiting time | Read the story |
   case-studies/example-logistics
"""

PRICING = """
## What every plan contains

All prices are per person and month, without tax, and start at ten people. People who only read
documents cost nothing: in most firms that is every second employee. Updates, nightly exports,
encryption at rest and the help desk in Japanese and English are part of every plan. There is no
set-up fee and no minimum term beyond the current month; those who pay a year in advance get two
months free.

## Which one fits?

Choose **Light** if one team wants to bring its own documents or requests in order. Choose
**Standard** if several departments take part, if you need retention rules for an audit, or if
Cabinet and Flow shall work together. Choose **Enterprise** if the software has to run on your own
servers, sign on through your own directory or serve several companies of a group. You can change
the plan at any time; the difference is settled to the day.

## An example

A firm of 180 people takes Standard. Sixty people file documents or send requests, a hundred and
twenty only read. The firm pays for sixty: 72,000 yen a month. The same firm on Light would pay
36,000 yen, but would have to do without retention rules and shared routes.

## Questions about prices

? Is there a trial?
Yes, thirty days with all functions of Standard and up to twenty people. You need no credit card,
and whatever you set up in the trial stays when you go on.

? What does the move cost?
Nothing if you do it yourself with the import tool. If you would rather have it done, a fixed price
is agreed beforehand, usually between three and ten days of work.

? Are there discounts?
Schools, hospitals and other non-profit bodies pay half. Apart from that everybody pays the same
price, so nobody has to negotiate.

!! Would you like a quotation to show around? | Ask for a quotation | contact
"""

PLANS = [
    {
        "name": "Light",
        "price": "¥600",
        "unit": "per person and month",
        "text": "One product for one team that wants to begin.",
        "features": [
            "Cabinet or Flow",
            "100 GB of documents",
            "Five forms or folder plans",
            "Help desk by mail",
        ],
        "recommended": False,
    },
    {
        "name": "Standard",
        "price": "¥1,200",
        "unit": "per person and month",
        "text": "Both products for a firm whose departments work together.",
        "features": [
            "Cabinet and Flow",
            "1 TB of documents",
            "Retention rules and audit log",
            "Unlimited forms and routes",
            "Help desk by phone",
        ],
        "recommended": True,
    },
    {
        "name": "Enterprise",
        "price": "On request",
        "unit": "",
        "text": "For groups, strict rules and your own servers.",
        "features": [
            "Everything in Standard",
            "Your own servers or ours",
            "Single sign-on",
            "Several companies",
            "A named person who knows you",
        ],
        "recommended": False,
    },
]

TEXTS = {
    "": Text(
        "Home",
        "Sample Software makes document management and workflow software for mid-size firms: "
        "quick to introduce, pleasant to use and ready for the auditor.",
        HOME,
        heading="Documents in order. Decisions on time.",
    ),
    "products": Text(
        "Products",
        "Two products that share one idea: nobody should have to look for a document or wait "
        "for a signature without knowing why.",
        PRODUCTS,
        heading="Two products, one idea",
    ),
    "products/sample-cabinet": Text(
        "Sample Cabinet",
        "Document management for firms that have outgrown the shared drive: keep, find, share "
        "and retain, with rules that look after themselves.",
        CABINET,
        heading="Sample Cabinet: every document, once",
    ),
    "products/sample-flow": Text(
        "Sample Flow",
        "Workflow for requests and approvals: routes you draw yourself, decisions on any "
        "device and a trail that answers every question later.",
        FLOW,
        heading="Sample Flow: decisions that keep moving",
    ),
    "pricing": Text(
        "Pricing",
        "Three plans, the same price for everybody, and readers free of charge.",
        PRICING,
        heading="What it costs",
        values={"plans": PLANS},
    ),
}
