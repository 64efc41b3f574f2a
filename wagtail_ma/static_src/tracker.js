/*
 * First-party page tracker. The unit is the page view: it gets a UUIDv7 here and everything else hangs on it.
 *
 *   <script src=".../tracker.js" defer data-url="/ma/e/" data-p="<page token>"></script>
 *
 * data-url      where messages go (same origin)
 * data-p        signed token naming the page
 * data-idle     idle gate in seconds, default 30; ten times as long while an embedded frame has the focus
 * data-consent  "opt-in": nothing is sent or stored before ma('consent', true) in this load, but a refusal on an
 *               earlier page that has not arrived;
 *               "granted", "off" or absent: starts at once
 *
 * ma('event', name, data) = ma.track(name, data)       a custom activity; data is a flat object
 * ma('consent', yes)      = ma.consent(yes)            false also forgets everything not yet sent,
 *                                                      and is sent until it has arrived, by the next pages, too
 * ma('view')              = ma.view()                  begins a new view of the same page
 * ma('page', token)       = ma.page(token)             the token of the page now shown, for single-page sites
 * A stub that filled window.ma.q before we were loaded is drained.
 *
 * Messages: POST, JSON in text/plain (needs no preflight), answered 204; all carry k (kind) and t (page token), and
 * once there is a view also v (view id), u (address) and y (how the view came about: n load, b back-forward cache,
 * s history navigation, r back after 30 min hidden, m manual); g is true with Global Privacy Control, Do Not Track, or where the
 * browser refuses us storage (and cookies with it): whoever has no cookie would be a new visitor with each view.
 *
 *   p page view   r referrer (first view of a load only), z window width, l language, w 1 when automated
 *   e engagement  q sequence, e engaged ms, o visible ms, s deepest % of the content
 *   c activity    i event id, n name, d data
 *   k consent     c true | false
 *
 * Engagement is sent as totals of the view, never as differences, and carries what re-creates its view. The server
 * keeps the maximum, up to its own limit, and knows views and activities by id, so that lost, doubled, late and
 * reordered messages do no harm. The client sends durations, never times: the server's clock dates everything.
 *
 * "let" throughout: the minifier joins it, and we have 1,536 bytes (gzip) for all of this.
 */
{
  let tag = document.currentScript.dataset;
  let stub = window.ma;

  // Two snippets on a page, or the next page's brought in by Turbo or htmx: one clock. The new tag only says where
  // we are now.
  if (stub?.page) stub.page(tag.p);
  else {
    let idle = (tag.idle || 30) * 1e3;
    let privacy = navigator.globalPrivacyControl || navigator.doNotTrack > 0;

    let allowed; // may we send
    let wanted = "n"; // kind of view to begin once the page can be seen: background tabs and prerendering are no views
    let view = 0; // the current one; it gets its token (t) with its page message
    let path; // what it is a view of
    let engaged, visible; // ms
    let deepest, height; // px of the content
    let beat; // engaged ms at which the next heartbeat is due
    let reported; // what the last engagement message said
    let sequence = 0;

    let last; // what came before is counted
    let seen, live; // visible, and visible with focus, since then
    let input; // last sign of life
    let left; // wall clock when hidden: performance.now() may stand still while the machine sleeps

    let busy = 0; // messages on their way
    let ticks = 0;
    let pause = 1; // ticks between tries

    // --- Outbox -----------------------------------------------------------------------------------------------------

    // What the server has not answered yet: key → body. A later total takes the place of an earlier one. The
    // bodies on their way are noted as properties of the same object, for the sake of a few bytes.
    let box = new Map();

    let post = async ([key, body]) => {
      if (box[body]) return;
      box[body] = 1;
      busy++;
      pause *= 2;
      try {
        // fetch first: where blockers drop beacons, sendBeacon still says true. 4xx will not get better: dropped.
        if ((await fetch(tag.url, { keepalive: true, method: "POST", body })).status < 500) {
          pause = 1;
          if (box.get(key) == body) box.delete(key);
        }
      } catch {
        // It stays in the box all the same: offline, a beacon is "queued" and lost. (What a refusal has taken out of
        // the box does not go.)
        if (box.get(key) == body) navigator.sendBeacon(tag.url, body);
      }
      box[body] = 0;
      busy--;
      if (pause < 2) pump();
    };

    // One at a time, oldest first: two first messages at once would come back with two visitors' cookies, and a consent
    // given and withdrawn must not overtake each other.
    let pump = () => {
      for (let entry of box) return busy || post(entry);
    };

    let send = (k, fields) => {
      // The caller's data may not be JSON; that must not break the caller.
      try {
        box.set(k + (fields.i || view.v), JSON.stringify({ k, t: tag.p, ...view, ...fields, g: privacy }));
        pump();
      } catch {}
    };

    // Version 7: time first, so that the server's index grows at its end. The random part comes from a blob's address:
    // crypto.randomUUID is missing on plain http.
    let uuid = () => {
      let time = "0" + Date.now().toString(16);
      return time.slice(0, 8) + "-" + time.slice(8) + "-7" + URL.createObjectURL(new Blob()).slice(-21);
    };

    // --- Clock ------------------------------------------------------------------------------------------------------

    // Pixels, divided when sent: content grows while its pictures load.
    let measure = () => {
      let content = document.querySelector("[data-ma-content]") || document.body;
      height = content.scrollHeight;
      deepest = Math.max(deepest, content.scrollTop - content.getBoundingClientRect().top + innerHeight);
    };

    // Called four times a second and at every change, so that the time it counts had one state throughout.
    let tick = () => {
      let now = performance.now();
      // Never more than two seconds: sleep, freezing, dialogs and blocked threads add nothing.
      let step = Math.min(now - last, 2e3);
      // The gate closed at an exact moment, not at the tick after it. Input inside a frame cannot be seen from here.
      let open = input + (document.activeElement?.src ? 10 * idle : idle) - last;
      if (seen) visible += step;
      if (open > 0 && live) engaged += Math.min(open, step);
      last = now;

      seen = !document.hidden;
      // Asked for, not taken from blur events: those also come when an embedded frame is clicked.
      if (live != (live = seen && document.hasFocus())) input = now;

      // Turbo, htmx and routers change the address; looking at it leaves the site's history functions alone. A change
      // of query or fragment is no view.
      if (view && path != location.pathname) {
        flush();
        wanted = "s";
      }
      if (wanted && allowed && seen) {
        view = { u: location.href.slice(0, 1500), v: uuid(), y: wanted };
        path = location.pathname;
        beat = 5e3;
        wanted = engaged = visible = deepest = reported = 0;
        // After a history navigation the tag with the new token comes a moment later.
        if (view.y == "s") setTimeout(flush, 500);
        else flush();
      }
    };

    // The page message first, engagement only once there is something worth a message: pagehide and visibilitychange
    // come a moment apart.
    let flush = () => {
      let s = ((deepest / height) * 100 + 0.5) | 0;
      let news = engaged + visible + s - reported;
      if (view.t) {
        if (news > 30) {
          reported += news;
          send("e", { q: ++sequence, e: engaged, o: visible, s });
        }
      } else if (view) {
        // Kept from now on: the next page's tag may come before its address is noticed.
        view.t = tag.p;
        send("p", {
          r: view.y == "n" ? document.referrer.slice(0, 300) : "",
          z: innerWidth,
          l: navigator.language,
          w: navigator.webdriver,
        });
      }
    };

    // Perhaps the last moment: everything at once, and a copy for the next page of this tab: what is in the box, or
    // "false" for a refusal, beside which there is nothing in it.
    let leave = () => {
      tick();
      flush();
      for (let entry of box) post(entry);
      // Storage may throw; then only the copy is lost.
      try {
        if (box.size && !privacy) sessionStorage.ma = JSON.stringify(allowed && [...box]);
      } catch {}
    };

    // --- API --------------------------------------------------------------------------------------------------------

    let next = (y = "m") => {
      tick();
      flush();
      wanted = y;
      tick();
    };

    // Before the first view it waits; without consent it is not kept.
    let track = (n, d) => {
      if (view) send("c", { i: uuid(), n, d });
      else if (allowed) setTimeout(track, 1e3, n, d);
    };

    let consent = (yes, silent) => {
      try {
        let kept = JSON.parse(sessionStorage.ma);
        // Refused on the page before, and it may not have arrived: once more, and nothing else.
        if (silent && !kept) yes = silent = 0;
        // Taken out of the storage, so that nothing is left there after a refusal (but not by an opt-in page that
        // has not been told yet). Nine at most: with a collector that is blocked for good the pile must not grow
        // from page to page.
        if (!silent || yes) delete sessionStorage.ma;
        kept.slice(-9).map((entry) => box.set(...entry));
      } catch (error) {
        // Nothing kept (no code), or all storage refused (SecurityError has one).
        privacy ||= error.code;
      }
      allowed = !!yes;
      if (!yes) {
        wanted = "n";
        view = 0;
        box.clear();
      }
      if (!silent) send("k", { c: allowed });
      tick();
    };

    let ma = (window.ma = Object.assign((name, ...rest) => ma[name]?.(...rest), {
      consent,
      event: track,
      track,
      page: (token) => (tag.p = token),
      view: next,
    }));

    // --- Events -----------------------------------------------------------------------------------------------------

    let on = (names, listener) => names.split(" ").map((name) => addEventListener(name, listener, true));

    // Scrolling is no sign of life by itself, or a carousel would hold the gate open: wheel, touch and keys are. Media
    // playing aloud are watched without input; muted ones are decoration.
    on("pointerdown pointermove keydown wheel timeupdate", (event) => {
      if (event.isTrusted && !event.target.muted) {
        tick(); // closes the account of the idle time first
        input = last;
      }
    });

    on("scroll", measure); // capturing, so that inner scrollers are seen, too
    on("focus blur", tick);
    // Not capturing: other scripts' capturing listeners may still track something. Never unload or beforeunload: they
    // keep pages out of the back-forward cache.
    addEventListener("pagehide", leave);

    on("visibilitychange", () => {
      if (document.hidden) {
        left = Date.now();
        leave();
      } else (Date.now() - left > 18e5 ? next : tick)("r");
    });

    on("pageshow", (event) => {
      if (event.persisted) {
        consent(allowed, 1); // picks up what the page in between could not send
        next("b");
      }
    });

    on("click auxclick", (event) => {
      let { host, pathname, href } = (event.button < 2 && event.target.closest?.("a")) || "";
      let name = /documents\/\d|\.(pdf|zip|(doc|xls|ppt)x)$/i.test(pathname)
        ? "file_click"
        : location.host != host && "outbound_click";
      if (name && host) track(name, { u: href.slice(0, 1500) });
    });

    setInterval(() => {
      tick();
      // Not before three seconds: a short page would be "read to the end" by everybody who bounces.
      if (engaged >= 3e3) measure();
      // 5, 20, 35, 50, 65 seconds, then each minute: what a killed browser cannot send is at most that.
      if (engaged >= beat) {
        beat += beat > 6e4 ? 6e4 : 15e3;
        flush();
      }
      if (!(++ticks % pause)) pump();
    }, 250);

    consent(tag.consent != "opt-in", 1);
    stub?.q?.map((call) => ma(...call));
  }
}
