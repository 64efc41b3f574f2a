"""Convert public reference lists into the compact data files of wagtail_ma.

    python scripts/import_reference_data.py SRC

SRC holds, unpacked:

* ``bots/crawler-user-agents.json`` and ``bots/LICENSE``: monperrus/crawler-user-agents, MIT
* ``channels/matomo_{SearchEngines,Socials,AIAssistants}.yml``:
  matomo-org/searchengine-and-social-list, CC0
* ``mail_domains/kikobeats_free-email-domains.json``: Kikobeats/free-email-domains, MIT
* ``mail_domains/disposable_email_blocklist.conf``: disposable-email-domains, CC0

Written are ``bots.json``, ``channels.json`` and the licence notice in wagtail_ma/tracking/data/,
the mail domains in wagtail_ma/people/data/, and the example user agents for the tests. Run it
again when the lists have a new version, then run the tests: they hold the new names against real browsers.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "wagtail_ma" / "tracking" / "data"
PEOPLE_DATA = ROOT / "wagtail_ma" / "people" / "data"
TESTS = ROOT / "tests" / "tracking" / "data"

# Patterns of the source that also match people, each with the people it would lose.
NOT_BOTS = {
    r"AP3A\.240617\.008": "a build number of Android 15, on any phone that runs it",
    "MetaIAB Facebook": "the in-app browser of Facebook",
    r"Code\/1\.": "a person looking at a page inside a code editor",
    r"Trae\/": "a person looking at a page inside a code editor",
    "Fluid": "a site-specific browser for the desktop",
    "Sogou": "the Sogou browser; its crawler says spider as well",
    "Butterfly": "phones of that name; the crawler gives an address as well",
    "Fever": "phones of that name",
    "Charlotte": "an ordinary name; the crawler gives an address as well",
    "Goodreads": "the in-app browser of Goodreads; its fetcher gives an address as well",
    r"mail\.ru": "browsers and toolbars of that portal",
    "coccoc": "the Coc Coc browser; its crawler says bot as well",
    "speedy": "an ordinary word; the crawler says spider as well",
    "Yeti": "an ordinary word; the crawler gives an address as well",
    "Viber": "the in-app browser of Viber",
    "WhatsApp": "the desktop programme; its link preview does not look like a browser",
    "Sonic": "an ordinary word; the crawler gives an address as well",
    r"Operator\/": "network operators write it into the user agents of their phones",
}


# A name shorter than six characters may stand in the name of some phone. These are needed:
# nothing else gives their bots away.
SHORT_NAMES = {"ptst/", "dlc/", "nikto"}


def bot_names(patterns: list[dict]) -> list[str]:
    """The names that betray a bot inside a user agent that otherwise looks like a browser's.

    A bot that does not even begin with ``Mozilla/`` needs no name (bots.py knows it by its
    shape), and a short name nobody needs is only a risk for real people.
    """
    names = set()
    for entry in patterns:
        if entry["pattern"] in NOT_BOTS:
            continue
        looks_real = [text for text in entry["instances"] if "Mozilla/" in text]
        name = _literal(entry["pattern"])
        if name is None or not looks_real or (len(name) < 6 and name not in SHORT_NAMES):
            continue
        at_start = re.compile(rf"(?<![a-z0-9]){re.escape(name)}")
        if any(at_start.search(text.lower()) for text in looks_real):
            names.add(name)
    return sorted(names)


def _literal(pattern: str) -> str | None:
    """A pattern of the source as lower-case plain text, None where it is a true expression."""
    text = re.sub(r"\[(\w)(\w)\]", lambda m: m[1] if m[1].lower() == m[2].lower() else m[0], pattern)
    text = re.sub(r"^\(\^\| \)", "", text)
    if re.search(r"(?<!\\)[\[\](){}|*+?^$]|(?<!\\)\.|\\[a-zA-Z]", text):
        return None
    return re.sub(r"\\(.)", r"\1", text).strip().lower()


def check_patterns(patterns: list[dict]) -> list[str]:
    """What is wrong with the source: patterns that miss one of their own examples."""
    return [
        f"{entry['pattern']!r} does not match {text!r}"
        for entry in patterns
        for text in entry["instances"]
        if not re.search(entry["pattern"], text)
    ]


def read_lists(path: Path) -> dict[str, list[dict]]:
    """Read the small part of YAML that these lists use.

    Returns name -> groups, each ``{"urls": [...], "params": [...], "hiddenkeyword": [...]}``; the
    plain lists (social networks, AI assistants) become one group with ``urls`` only.
    """
    lists: dict[str, list[dict]] = {}
    groups: list[dict] = []
    key = "urls"
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.rstrip()
        if not line or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            groups = lists.setdefault(line.rstrip(":").strip("'\""), [])
            key = "urls"
        elif line == "  -":
            groups.append({})
        elif match := re.fullmatch(r"    (\w+):.*", line):
            key = match[1]
        elif match := re.fullmatch(r"(?:  |      )- (.+)", line):
            if not groups:
                groups.append({})
            groups[-1].setdefault(key, []).append(match[1].strip("'\""))
        else:
            raise ValueError(f"{path.name}: cannot read {raw!r}")
    return lists


# Variants of one source count as one: "Google Images" is Google.
FAMILIES = ("google", "bing", "yahoo", "baidu", "yandex", "ask", "aol", "naver", "goo", "biglobe")
NAMES = {
    "google%2b": "google+",
    "auone": "au",
    "ozone": "qzone",
    "le chat": "mistral",
    "c\u1ed1c c\u1ed1c": "coccoc",
}
# Ordinary sites that once carried somebody's search box, and log-in pages.
NOT_SEARCH = {"www.cnn.com", "www.fastweb.it", "cgi2.nintendo.co.jp", "msnbc.msn.com"}
NOT_SOCIAL = {"login.live.com", "linkedin.android"}
# Engines whose host is proof enough although the list asks for a parameter: browsers send the
# bare origin as referrer nowadays, and these hosts are nothing but search engines.
DEDICATED = {*FAMILIES, "kagi", "sogou", "360search", "freespoke", "metager", "oceanhero", "sm.cn"}
DEDICATED |= {"coccoc", "swisscows", "mojeek", "presearch", "stract", "yep", "you", "lycos"}
# Start pages and portals inside those families.
PORTALS = {"jp.hao123.com", "home.kingsoft.jp", "it.luna.tv", "netlavis.azione.jp"}


def source_name(name: str) -> str:
    """How a source is written in reports: lower case, one name per family."""
    plain = name.lower().replace("!", "").strip()
    first = plain.split(" ")[0]
    return NAMES.get(plain, first if first in FAMILIES else plain)


def search_engines(lists: dict[str, list[dict]]) -> dict[str, list]:
    """Host -> [source, parameters].

    Empty parameters: the host alone is proof. Otherwise one of them must be in the referrer,
    because the host is also a portal or a shop.
    """
    engines: dict[str, list] = {}
    for name, groups in lists.items():
        for group in groups:
            params = [p for p in group.get("params", []) if re.fullmatch(r"[\w.]+", p)]
            for url in group.get("urls", []):
                if url in NOT_SEARCH or "/" in url:  # the host alone is in the list as well
                    continue
                source = source_name(name)
                surely = "hiddenkeyword" in group or source in DEDICATED or _says_search(url)
                needed = [] if surely and url not in PORTALS else params
                engines.setdefault(url.lower().rstrip("/"), [source, needed])
    return engines


def _says_search(url: str) -> bool:
    """Whether a host says by its own name that it is a search engine."""
    return bool(re.search(r"search|suche|recherche|zoek|buscador|busca\.|hledani|otsing", url))


def plain_hosts(lists: dict[str, list[dict]], *, without: set[str] = frozenset()) -> dict[str, str]:
    """Host (or host/path, or Android package) -> source."""
    return {
        url.lower().rstrip("/"): source_name(name)
        for name, groups in lists.items()
        for group in groups
        for url in group.get("urls", [])
        if url not in without
    }


def write_json(path: Path, data: dict) -> None:
    """One value per line would be 3,000 lines; one key per line keeps differences readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in data.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def import_bots(source: Path) -> None:
    """bots.json, its licence, and the examples for the tests."""
    patterns = json.loads((source / "crawler-user-agents.json").read_text(encoding="utf-8"))
    problems = check_patterns(patterns)
    if problems:
        sys.exit("The source contradicts itself:\n" + "\n".join(problems))
    origin = "monperrus/crawler-user-agents, MIT, see LICENSE.crawler-user-agents"
    write_json(DATA / "bots.json", {"origin": origin, "names": bot_names(patterns)})
    shutil.copyfile(source / "LICENSE", DATA / "LICENSE.crawler-user-agents")
    (DATA / "LICENSE.crawler-user-agents").chmod(0o644)
    examples = [
        text.strip()
        for entry in patterns
        if entry["pattern"] not in NOT_BOTS
        for text in entry["instances"][:2]
        if text.strip() and "\n" not in text
    ]
    TESTS.mkdir(parents=True, exist_ok=True)
    header = f"# {origin.replace('see ', 'notice in wagtail_ma/tracking/data/')}\n"
    text = header + "\n".join(dict.fromkeys(examples)) + "\n"
    (TESTS / "bot_user_agents.txt").write_text(text, encoding="utf-8")


def import_channels(source: Path) -> None:
    """channels.json: search engines, social networks and AI assistants by host."""
    assistants = plain_hosts(read_lists(source / "matomo_AIAssistants.yml"))
    socials = plain_hosts(read_lists(source / "matomo_Socials.yml"), without=NOT_SOCIAL)
    engines = search_engines(read_lists(source / "matomo_SearchEngines.yml"))
    for host in [*assistants, *socials]:
        engines.pop(host, None)
        engines.pop(f"www.{host}", None)
    origin = "matomo-org/searchengine-and-social-list, CC0 1.0 (public domain)"
    data = {"origin": origin, "ai": assistants, "social": socials, "search": engines}
    write_json(DATA / "channels.json", data)


def import_mail_domains(source: Path) -> None:
    """free_mail_domains.txt and disposable_domains.txt: one domain a line, sorted."""
    free = set(json.loads((source / "kikobeats_free-email-domains.json").read_text(encoding="utf-8")))
    text = (source / "disposable_email_blocklist.conf").read_text(encoding="utf-8")
    disposable = {line.strip() for line in text.splitlines() if line.strip() and line[0] not in "#/"}
    write_domains("free_mail_domains.txt", free - disposable, "Kikobeats/free-email-domains, MIT")
    write_domains("disposable_domains.txt", disposable, "disposable-email-domains, CC0 1.0")


def write_domains(name: str, domains: set[str], origin: str) -> None:
    """A plain list with its notice in the first line."""
    PEOPLE_DATA.mkdir(parents=True, exist_ok=True)
    plain = sorted(domain.lower() for domain in domains if domain.isascii() and "." in domain)
    path = PEOPLE_DATA / name
    path.write_text(f"# {origin}; notices in NOTICE.txt\n" + "\n".join(plain) + "\n", encoding="ascii")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def main() -> None:
    """Read the argument and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder that holds bots/, channels/ and mail_domains/")
    source = parser.parse_args().source
    import_bots(source / "bots")
    import_channels(source / "channels")
    import_mail_domains(source / "mail_domains")


if __name__ == "__main__":
    main()
