/* Shows, while a segment is edited, whom its rule finds. Sends the form as it stands to the server
   400 ms after the last change; a slow answer to an older form never replaces a newer one. */
(() => {
    const PAUSE = 400;

    class SegmentController extends window.StimulusModule.Controller {
        static targets = ["result", "failure"];
        static values = { url: String };

        connect() {
            this.form = this.element.closest("form");
            if (!this.form) return;
            this.later = () => this.schedule();
            for (const name of ["input", "change"]) this.form.addEventListener(name, this.later);
            // Conditions are added, removed and moved, and choosers filled, without any event.
            this.observer = new MutationObserver((records) => {
                if (records.some((record) => !this.element.contains(record.target))) this.schedule();
            });
            this.observer.observe(this.form, {
                attributes: true,
                attributeFilter: ["value"],
                childList: true,
                subtree: true,
            });
            this.schedule();
        }

        disconnect() {
            if (!this.form) return;
            for (const name of ["input", "change"]) this.form.removeEventListener(name, this.later);
            this.observer.disconnect();
            clearTimeout(this.timer);
            this.request?.abort();
        }

        schedule() {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.send(), PAUSE);
        }

        async send() {
            const body = new URLSearchParams(new FormData(this.form));
            const text = body.toString();
            if (text === this.sent) return;
            this.sent = text;
            this.request?.abort();
            this.request = new AbortController();
            try {
                const response = await fetch(this.urlValue, {
                    method: "POST",
                    body,
                    credentials: "same-origin",
                    headers: { "X-Requested-With": "XMLHttpRequest" },
                    signal: this.request.signal,
                });
                if (!response.ok) throw new Error(String(response.status));
                this.resultTarget.innerHTML = await response.text();
                this.failureTarget.hidden = true;
            } catch (error) {
                if (error.name === "AbortError") return;
                this.sent = null;
                this.failureTarget.hidden = false;
            }
        }
    }

    window.wagtail.app.register("ma-segment", SegmentController);
})();
