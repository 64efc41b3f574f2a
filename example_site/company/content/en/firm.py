"""English: the whitepaper, questions, careers, contact and privacy."""

from __future__ import annotations

from company.content.structure import Text

WHITEPAPER = """
A plan you can pin to the wall: three phases, twelve weeks, one page for each. It was written for
office managers and heads of administration who have been asked to "do something about the paper"
beside their daily work.

## What is in it

- **Before you begin:** how to choose the first kind of document, and which number to measure
- **Weeks 1 to 4:** one team, a folder plan on a single page, and the questions of the third day
- **Weeks 5 to 8:** the second team, retention periods, and what may stay on paper for good
- **Weeks 9 to 12:** the date on which the old way ends, help on that day, and the second measurement
- **Check lists** to copy: contents of a retention plan, access by kind of document, scanner
  settings, and a letter to all colleagues

## Who it is for

You do not have to use our products to use the plan. It names no buttons and no screens. Firms
between fifty and a thousand people will get the most from it; in larger ones, take it for a single
site first. You will need about half a day a week, the support of one person who may decide, and a
team that would rather be rid of its paper today than tomorrow.

## What firms ask before they start

Do we have to scan the archive? Almost never: old records leave when their retention ends. Do we
need a consultant? Not for this plan. What if somebody refuses? Then you have found the person
whose question nobody has answered yet, and the plan has a page for that as well.

## From the contents

> Do not begin with the biggest pile. Begin with the pile that somebody asks for every day. The
biggest pile is big because nobody needs it.
-- Page 1 of the plan

The paper is a PDF of one page for each phase, in English and Japanese, and may be passed on within
your firm.
"""

FAQ = """
We collect what we are asked most often, in the words in which it was asked. If your question is
missing, the contact page leads to a person.

## Before buying

? How long does an introduction take?
The first team usually works with the software after two weeks. For a whole firm of two hundred
people, plan about a hundred days, most of which is getting used to it rather than installing it.

? Can we try it with our own documents?
Yes. The trial lasts thirty days, holds up to twenty people and contains all functions of the
Standard plan. Nothing is lost when you go on.

? Do we need both products?
No. Sample Cabinet and Sample Flow work alone. Together they save the step of filing approved
documents by hand.

? Does it support electronic bookkeeping rules?
Cabinet keeps date, amount and counterparty searchable and logs every correction. Whether your
procedures as a whole meet the rules is a question for your tax adviser, and we will gladly explain
the technical part.

## Technology and safety

? Where is our data?
In two data centres in the country, encrypted and copied between them every hour. Enterprise
customers may also run both products on their own servers.

? Which browsers and phones work?
The current versions of the common browsers, on computers, tablets and phones. There is nothing to
install.

? Can it be connected with our accounting system?
Yes, by file exchange in every plan and by a documented interface from Standard on. Ready-made
connections exist for several accounting and personnel systems.

? What happens if your service is down?
Nightly exports can be kept on your own storage, so the documents stay readable. Over the year we
promise 99.9 per cent, and pay back the fee of any month in which we miss it.

## After buying

? Who helps our people?
Our help desk answers in Japanese and English on working days from nine to six. Standard and
Enterprise customers can call.

? How do we leave?
You end the contract to the end of a month. All documents, versions and logs are exported in open
formats, and deleted on our side after thirty days.

!! Still looking for an answer? | Ask us | contact
"""

CAREERS = """
Sample Software is ninety people in three places. We make tools for work that nobody writes about:
finding the right paper, getting a yes, passing an audit. We like that work, and we like the people
who do it. If you enjoy making something dull pleasant, you may feel at home here.

## How we work

Teams are small and stay together. Everybody spends two days a quarter with a customer, developers
included, and writes down what was awkward. Those notes decide what we build next more often than
any plan does. We release every two weeks, on a Tuesday morning, so that nobody spends a weekend
with it.

- Office, home or a mixture: agreed within the team, not by decree
- Working hours between seven and ten in the evening are nobody's idea of dedication
- One afternoon a week for learning, alone or together
- Japanese and English side by side, with lessons for both

[[office | Small teams that stay together]]

## How we choose

You send us a short letter and whatever shows your work best. We talk for an hour by video. Then you
spend half a day with the team you would join, on a real but harmless problem, and are paid for it.
We decide within a week and tell you why, in either case. Where you went to school and how old you
are play no part in it.

## What you will find here

The first month belongs to you: a colleague at your side, a list of people to meet and no
expectations of output. After three months we ask you what we should stop doing. New people see
things that we have stopped seeing, and some of our best changes came from that conversation.
"""

CONTACT = """
Tell us briefly what your firm does, how many people work there and what hurts most at the moment:
looking for documents, waiting for approvals, or the next audit. The more concrete the question, the
more concrete the answer. You will hear from a person within one working day.

## What we can do for you

- **A demonstration** of forty-five minutes by video, with examples from your line of business. You
  may send us three of your own documents beforehand, and we will use them.
- **A trial** of thirty days for up to twenty people, with somebody who sets up the first folder
  plan or the first form together with you.
- **A quotation** that you can show around, with the number of people who file or send and the number
  of people who only read.
- **Help** for customers: please have your customer number at hand, then we can look at once.

## How to reach us

Telephone: 03-0000-0000, working days from nine to six. Mail: info@sample-software.example. Post:
Sample Software Inc., 1-2-3 Mihon-cho, Example City. Both the number and the addresses are
examples, like the rest of this firm, and lead nowhere.

## What happens next

Your message goes to the team that knows your subject, not to a queue. If a call makes more sense
than a letter, we will suggest two times. We do not pass your details on, we do not add you to a
mailing list because you asked a question, and we delete inquiries that led to nothing after a
year. The privacy page has the details.

## Before you write

Many questions about plans, data centres and the move from a shared drive are answered on the
questions page. Please never send passwords or personal data of third parties in a message.

!! Perhaps the answer is already there | Read the questions | faq
"""

PRIVACY = """
This page explains which data this website processes and why. Sample Software Inc. is an invented
firm, and this policy is an example that shows what such a page may contain. It is not legal advice.

## Who is responsible

Sample Software Inc., 1-2-3 Mihon-cho, Example City. Questions about your data:
privacy@sample-software.example.

## What is recorded when you visit

This website records which of its pages are opened, in which order and for how long they are
read. It does so with software that runs on this website's own server. A random number in a cookie
lets the server recognise the browser on the next visit. The number says nothing about you; it is
linked with a name only when you fill in a form or follow a link in a mail that we sent you. No
data is passed to advertising networks, and no other company's scripts are loaded.

## What we use it for

- To see which contents are read and which are not
- To show contents that fit your interest
- To recognise when an inquiry needs an early answer
- To send information that you have asked for

## Forms and downloads

If you ask for a whitepaper or write to us, we keep what you entered, the time and the page. We use
it to answer, and to send related information if you have agreed. Every such mail contains a link
with which you can stop it at once.

## How long we keep it

Page views are deleted after twenty-five months. Inquiries that lead to no contract are deleted
after a year. Records that the law requires us to keep are kept as long as it says.

## Your choices

You can refuse cookies in your browser, and the website will work as before. If your browser sends
a signal against tracking, we respect it. You may ask what we have stored about you, have it
corrected or deleted, and object to its use. Write to the address above; we answer within two
weeks.
"""

POSITIONS = [
    {
        "title": "Software developer, workflow engine",
        "place": "Example City or remote",
        "terms": "Permanent, full or part time",
        "text": "You make routes, deputies and deadlines behave in cases nobody thought of. "
        "You like clear models, tests that say something and colleagues who ask why.",
    },
    {
        "title": "Customer advisor, introductions",
        "place": "Example City, with travel",
        "terms": "Permanent, full time",
        "text": "You accompany firms through their first hundred days, listen on the third day, "
        "and bring home what the rest of us should know. Japanese and good English.",
    },
    {
        "title": "Designer for forms and lists",
        "place": "Mihon Town or remote",
        "terms": "Permanent, part time possible",
        "text": "Most of our screens are forms and lists, used all day by people with other "
        "things to do. You make them calm, quick and readable for everybody.",
    },
]

TEXTS = {
    "whitepaper": Text(
        "Whitepaper",
        "A working plan of twelve weeks for firms that want their documents in order, whatever "
        "software they use.",
        WHITEPAPER,
        heading="Ninety days to orderly documents",
    ),
    "faq": Text(
        "FAQ",
        "Short answers to what firms ask us before, during and after the introduction.",
        FAQ,
        heading="Frequently asked questions",
    ),
    "careers": Text(
        "Careers",
        "Ninety people in three places who make the dull parts of office work pleasant.",
        CAREERS,
        heading="Work with us",
        values={"positions": POSITIONS},
    ),
    "contact": Text(
        "Contact",
        "Ask for a demonstration, a trial, a quotation or simply an opinion. A person answers "
        "within one working day.",
        CONTACT,
        heading="Talk to us",
    ),
    "privacy": Text(
        "Privacy policy",
        "What this website records, why, for how long, and what you can do about it.",
        PRIVACY,
    ),
}
