/*
 * First half: helps to fill in <form data-ma-form>. Without it all works, with the server's checks alone.
 *
 *   data-ma-repair="width" | "kana"   full-width letters and digits, or hiragana and half-width katakana, are
 *                                     put right when the field is left
 *   data-ma-pattern, data-ma-message  checked then; the message stands below the field, as the browser's own
 *   data-ma-if, data-ma-is            the element is shown, and its fields are sent, only while the field of
 *                                     that name has one of these values (JSON list)
 *
 * Second half: watches <form data-ma-form="<form key>"> and tells the page tracker, through window.ma, that a form was
 *
 *   form_view     seen: part of it stood in the upper four fifths of the window
 *   form_start    begun: something in it was changed for the first time
 *   form_submit   sent by the browser (the server says whether it was accepted)
 *   form_abandon  begun and left unsent; data.field is the name of the field where it stopped
 *
 * each with data.form = form key. Values are never read. Once per form and page view, except form_submit.
 *
 *   <script src=".../forms.js" defer></script>
 */
{
  // Loaded twice (two snippets, Turbo, htmx): watch once.
  let mark = Symbol.for("ma.forms");

  if (!window[mark]) {
    window[mark] = 1;

    // Only until the tracker is there, which then drains the queue.
    window.ma ||= (...call) => (ma.q = ma.q || []).push(call);

    let viewed = new Set();
    let started = new Set();
    let open = new Map(); // form with unsent changes → last field

    // The prototype's functions: a field may be called "dataset" or "getAttribute" and stand in for the form's own.
    let tell = (name, form, field) =>
      ma("event", name, { form: Element.prototype.getAttribute.call(form, "data-ma-form"), field });

    let formOf = ({ target }) => {
      // A field may stand outside its form and belong to it by its form attribute.
      let form = target instanceof HTMLFormElement ? target : target.form;
      return form && Element.prototype.hasAttribute.call(form, "data-ma-form") ? form : undefined;
    };

    let abandon = () => {
      for (let [form, field] of open) tell("form_abandon", form, field);
      open.clear();
    };

    let watcher = new IntersectionObserver(
      (entries) => {
        for (let { isIntersecting, target } of entries) {
          if (isIntersecting && !viewed.has(target)) {
            viewed.add(target);
            tell("form_view", target);
          }
          // Taken out of the page with a history navigation: there will be no other sign of it.
          if (!target.isConnected && open.has(target)) {
            tell("form_abandon", target, open.get(target));
            open.delete(target);
          }
        }
      },
      { rootMargin: "0px 0px -20%" },
    );

    // Observing a form twice does nothing, so every change of the page may look again.
    let look = () => {
      for (let form of document.querySelectorAll("form[data-ma-form]")) {
        watcher.observe(form);
        fit(form);
      }
    };

    // Hidden questions are disabled: they are neither checked by the browser nor sent.
    let fit = (form) => {
      for (let part of form.querySelectorAll("[data-ma-if]")) {
        let { maIf, maIs } = part.dataset;
        let fits = new FormData(form).getAll(maIf).some((value) => JSON.parse(maIs).includes(value));
        part.hidden = !fits;
        for (let field of part.querySelectorAll("input,select,textarea")) field.disabled = !fits;
        for (let note of part.querySelectorAll(".ma-form__only")) note.hidden = true;
      }
    };

    let check = (field) => {
      let { maRepair, maPattern, maMessage } = field.dataset;
      let box = field.closest(".ma-form__field");
      if (!box) return;
      let text = field.value;
      if (maRepair) {
        text = text.normalize("NFKC");
        text =
          maRepair == "kana"
            ? text.replace(/[ぁ-ゖ]/g, (letter) => String.fromCharCode(letter.charCodeAt() + 96))
            : text.replace(/[‐-―−ー]/g, "-");
        // Set only when it changes: setting moves the caret.
        if (text != field.value) field.value = text;
      }
      if (maPattern)
        field.setCustomValidity(!text || RegExp(`^(${maPattern})$`, "u").test(text.trim()) ? "" : maMessage);
      let note = box.querySelector(".errorlist");
      if (!note) {
        note = document.createElement("p");
        note.className = "errorlist";
        note.id = field.id + "_error";
        note.setAttribute("aria-live", "polite");
        field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") || ""} ${note.id}`.trim());
        box.append(note);
      }
      note.textContent = field.validationMessage;
      field.setAttribute("aria-invalid", !field.validity.valid);
    };

    let on = (names, listener) => names.split(" ").map((name) => addEventListener(name, listener, true));

    on("input change", (event) => {
      let form = formOf(event);
      if (!form) return;
      if (!started.has(form)) {
        started.add(form);
        tell("form_start", form);
      }
      open.set(form, event.target.name || open.get(form));
      fit(form);
      if (event.type == "change") check(event.target);
    });

    // Where somebody stopped is the field they were in, even if they typed nothing there.
    on("focusin", (event) => {
      let form = formOf(event);
      if (open.has(form) && event.target.name) open.set(form, event.target.name);
    });

    // Changes after a submit that came to nothing open the form again.
    on("submit", (event) => {
      let form = formOf(event);
      if (!form) return;
      open.delete(form);
      tell("form_submit", form);
    });

    on("pagehide", abandon);

    // Back from the back-forward cache is a new view: the forms count anew.
    on("pageshow", ({ persisted }) => {
      // Browsers have put back what was typed before a reload by now.
      look();
      if (!persisted) return;
      viewed.clear();
      started.clear();
      watcher.disconnect();
      look();
    });

    new MutationObserver(look).observe(document, { childList: true, subtree: true });
    look();
  }
}
