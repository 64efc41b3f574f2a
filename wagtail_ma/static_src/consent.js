/*
 * The visitor's word on being recorded: shows the banner to browsers that have not answered, and the answer on the
 * page "what we record".
 *
 *   <script src=".../consent.js" defer data-url="/ma/e/" data-p="<page token>" data-asks="1" data-server="1"></script>
 *
 * data-asks     nothing is recorded before the answer (CONSENT = "opt_in")
 * data-server   there is no tracker on the page (TRACKING = "server"): the answer is posted from here
 *
 *   [data-ma-consent]            the banner
 *   [data-ma-choice="1" | "0"]   buttons, anywhere
 *   [data-ma-when="1" | "0" | "" | "signal"]   shown when that is the answer; "signal": the browser's own
 *   [data-ma-buttons]            shown unless the browser's own signal decides
 *
 * The answer that counts is in cookies, which scripts cannot read; localStorage only remembers what to show, and
 * tells the server again once in a session, should a cookie have been lost. sessionStorage remembers what was told.
 */
{
  let { url, p, asks, server } = document.currentScript.dataset;
  let signal = navigator.globalPrivacyControl || navigator.doNotTrack > 0;
  let name = "ma_consent";
  let answer = "";
  // Storage may throw; then the question comes again with the next page.
  let read = (store) => {
    try {
      return window[store][name] || "";
    } catch {
      return "";
    }
  };
  let keep = (store) => {
    try {
      window[store][name] = answer;
    } catch {}
  };

  let say = (silent) => {
    if (!server) {
      // The tracker may come after us.
      window.ma ||= (...call) => (ma.q = ma.q || []).push(call);
      ma("consent", answer > 0, silent);
      // It sees to it that this arrives, once it is there.
      if (ma.page) keep("sessionStorage");
    } else if (!silent) {
      // What did not arrive is told by the next page.
      fetch(url, { method: "POST", keepalive: true, body: JSON.stringify({ k: "k", t: p, c: +answer }) }).then(
        ({ status }) => status < 500 && keep("sessionStorage"),
        () => {},
      );
    }
  };

  let show = (selector, test) => {
    for (let each of document.querySelectorAll(selector)) each.hidden = !test(each);
  };
  let update = () => {
    show("[data-ma-consent]", () => !signal && !answer);
    show("[data-ma-buttons]", () => !signal);
    show("[data-ma-when]", (each) => each.getAttribute("data-ma-when") == (signal ? "signal" : answer));
  };

  // Two tags on a page: one listener.
  if (!window.maConsent) {
    window.maConsent = 1;
    answer = read("localStorage");
    let told = read("sessionStorage") == answer;
    // What needs no consent is recorded as ever; an earlier refusal is in the cookie.
    if (answer && !signal && (asks ? answer > 0 || !told : answer < 1 && !told)) say(told);
    if (!server) keep("sessionStorage");

    addEventListener("click", (event) => {
      let button = event.target.closest?.("[data-ma-choice]");
      if (!button) return;
      let before = answer;
      answer = button.getAttribute("data-ma-choice");
      keep("localStorage");
      // Where recording needs no consent, "all right" only closes the notice.
      if (asks || answer < 1 || before) say();
      update();
    });
    update();
  }
}
