/*
 * Tells that an offer was really seen, or clicked.
 *
 *   <div data-ma-offer="<token>">…</div>
 *   <script src="…/offers.js" defer></script>
 *
 * Seen: half of it, or half of the window where it is taller, for a second in a tab that is in front.
 * Clicked: a link or a button in it. Both are told once, by the tracker of the page (ma.event), which
 * knows about consent; without a tracker nothing is told. The script may be on the page more than once.
 */
{
  let tell = (name, offer) =>
    (window.ma ||= Object.assign((...call) => window.ma.q.push(call), { q: [] }))("event", name, { o: offer });

  let timers = new Map();

  let seen = new IntersectionObserver(
    (entries) => {
      for (let { target, intersectionRect, boundingClientRect } of entries) {
        clearInterval(timers.get(target));
        if (intersectionRect.height && intersectionRect.height * 2 >= Math.min(boundingClientRect.height, innerHeight)) {
          let left = 4;
          let timer = setInterval(() => {
            // A tab in the background shows nothing.
            if (document.hidden || left--) return;
            clearInterval(timer);
            seen.unobserve(target);
            tell("offer_shown", target.offer);
          }, 250);
          timers.set(target, timer);
        }
      }
    },
    { threshold: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1] },
  );

  for (let element of document.querySelectorAll("[data-ma-offer]")) {
    element.offer = element.getAttribute("data-ma-offer");
    // Whichever copy of this script comes first has it.
    element.removeAttribute("data-ma-offer");
    seen.observe(element);
    let told;
    let clicked = (event) => {
      if (!told && event.isTrusted && event.button < 2 && event.target.closest("a, button")) {
        told = 1;
        tell("offer_click", element.offer);
      }
    };
    element.addEventListener("click", clicked);
    element.addEventListener("auxclick", clicked);
  }
}
