/* Keeps a part of a screen current while it is open: asks every five seconds whether anything has
   happened (204: nothing), and puts what is new in place of what was there. What is folded open or
   pushed aside stays so, and nothing is replaced under the reader's fingers. */
(() => {
    const PAUSE = 5000;

    class LiveController extends window.StimulusModule.Controller {
        static values = { url: String };

        connect() {
            /* A flow that is wider than the window begins in its middle. */
            for (const box of this.element.querySelectorAll(".ma-flow__scroll")) {
                box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
            }
            this.timer = setInterval(() => this.ask(), PAUSE);
        }

        disconnect() {
            clearInterval(this.timer);
        }

        isInUse() {
            const focused = document.activeElement;
            const selection = document.getSelection();
            return (
                (focused !== document.body && this.element.contains(focused)) ||
                (selection && !selection.isCollapsed && this.element.contains(selection.anchorNode))
            );
        }

        async ask() {
            if (document.hidden || this.isAsking || this.isInUse()) return;
            this.isAsking = true;
            try {
                const url = new URL(this.urlValue, location);
                url.searchParams.set("stamp", this.element.firstElementChild.dataset.maLiveStamp);
                const response = await fetch(url, { credentials: "same-origin", redirect: "error" });
                if (response.status === 200 && !this.isInUse()) this.replace(await response.text());
            } catch {
                // No connection, or logged out: the next time.
            } finally {
                this.isAsking = false;
            }
        }

        replace(html) {
            const opened = new Map(this.boxes().map(([key, box]) => [key, box.open]));
            const regions = () => [...this.element.querySelectorAll("[role=region]")];
            const pushed = regions().map((box) => [box.scrollLeft, box.scrollTop]);
            this.element.innerHTML = html;
            regions().forEach((box, index) => box.scrollTo(...(pushed[index] ?? [0, 0])));
            this.boxes().forEach(([key, box]) => {
                box.open = opened.get(key) ?? box.open;
            });
        }

        /* What can be folded, each with what it is known by: new ones may come before it. */
        boxes() {
            const seen = {};
            return [...this.element.querySelectorAll("details")].map((box) => {
                const kind = box.dataset.maKey || box.className;
                seen[kind] = (seen[kind] || 0) + 1;
                return [`${kind} ${seen[kind]}`, box];
            });
        }
    }

    window.wagtail.app.register("ma-live", LiveController);
})();
