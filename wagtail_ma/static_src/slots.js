/*
 * Fills the personalised blocks of a page that caches keep for everybody.
 *
 *   <script src=".../slots.js" defer data-url="..."></script>
 *   <div data-ma-slot="<block>" data-ma-page="<signed page>">default</div>
 *
 * Asks once for all of them; slots.css hides them until data-ma-done is set, for a second at most. What comes
 * later than that is not shown: nobody's page changes under their eyes.
 */
{
  let url = document.currentScript.dataset.url;
  let all = [...document.querySelectorAll("[data-ma-slot]")];
  let name = (slot) => slot.getAttribute("data-ma-slot");
  // The endpoint takes so many.
  let names = [...new Set(all.map(name))].slice(0, 20);

  let fill = (found) => {
    for (let slot of all) {
      let html = found[name(slot)];
      let { animationDuration, visibility } = getComputedStyle(slot);
      // Where the style was not loaded, or takes no time (reduced motion), the default was there from the start.
      let late = parseFloat(animationDuration) >= 1 && visibility == "visible";
      if (html != null && !late) {
        let range = document.createRange();
        range.selectNodeContents(slot);
        range.deleteContents();
        // Unlike innerHTML this runs the scripts in it.
        range.insertNode(range.createContextualFragment(html));
      }
    }
  };

  if (all.length) {
    fetch(url, {
      method: "POST",
      body: JSON.stringify({
        t: all[0].getAttribute("data-ma-page"),
        u: location.href,
        r: document.referrer,
        b: names,
      }),
      signal: AbortSignal.timeout(1000),
    })
      .then((answer) => (answer.ok ? answer.json() : {}))
      .then(fill)
      .catch(() => {})
      .then(() => {
        for (let slot of all) slot.setAttribute("data-ma-done", "");
      });
  }
}
