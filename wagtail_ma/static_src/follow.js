// The page between a mail and this site: tells who follows the link, then leads on. A scanner that runs
// no scripts, or never shows the page, tells nothing.
(() => {
  const { action, token, target } = document.currentScript.dataset;
  let gone = false;
  const go = () => {
    if (!gone) location.replace(target);
    gone = true;
  };
  const tell = () => {
    fetch(action, { method: "POST", body: token, credentials: "same-origin", keepalive: true }).then(go, go);
    setTimeout(go, 2000);
  };
  if (document.visibilityState === "visible") tell();
  else document.addEventListener("visibilitychange", tell, { once: true });
})();
