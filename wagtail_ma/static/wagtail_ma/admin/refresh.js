/* Fetches a part of a screen again every few seconds while somebody looks at it. Does nothing while the
   tab is hidden or a button in the part has the focus; stops when the server says it is over (204). */
(() => {
    class RefreshController extends window.StimulusModule.Controller {
        static values = { url: String, seconds: { type: Number, default: 5 } };

        connect() {
            this.timer = setInterval(() => this.refresh(), this.secondsValue * 1000);
        }

        disconnect() {
            clearInterval(this.timer);
            this.request?.abort();
        }

        async refresh() {
            if (document.hidden || this.element.contains(document.activeElement)) return;
            this.request?.abort();
            this.request = new AbortController();
            try {
                const response = await fetch(this.urlValue, {
                    credentials: "same-origin",
                    headers: { "X-Requested-With": "XMLHttpRequest" },
                    signal: this.request.signal,
                });
                if (response.status === 204) return this.disconnect();
                if (response.ok && !response.redirected) this.element.innerHTML = await response.text();
            } catch (error) {
                if (error.name !== "AbortError") console.warn(error);
            }
        }
    }

    window.wagtail.app.register("ma-refresh", RefreshController);
})();
