/* Merge fields while a mail is written: "{{" opens the list of what may follow, arrow keys and Enter
   (or the pointer) take one, Escape closes it. Only what is still missing is inserted, so that nothing
   already typed has to be taken away: rich text editors keep their own record of it. */
(() => {
    const TYPED = /\{\{\s?((?:l(?:e(?:a(?:d(?:\.[a-z_]*)?)?)?)?)?)$/;

    const isPlain = (element) =>
        element instanceof HTMLTextAreaElement ||
        (element instanceof HTMLInputElement && element.type === "text");

    class MergeFieldsController extends window.StimulusModule.Controller {
        static values = { fields: Array, label: String };

        connect() {
            this.form = this.element.closest("form");
            if (!this.form) return;
            this.list = document.createElement("div");
            this.list.className = "ma-merge-list";
            this.list.id = "ma-merge-list";
            this.list.setAttribute("role", "listbox");
            this.list.setAttribute("aria-label", this.labelValue);
            this.list.hidden = true;
            document.body.append(this.list);
            this.listeners = [
                [this.form, "input", (event) => this.look(event.target), false],
                [this.form, "keyup", (event) => this.afterKey(event), false],
                [this.form, "keydown", (event) => this.onKey(event), true],
                [this.form, "focusout", () => this.close(), false],
                [window, "resize", () => this.follow(), false],
                [document, "scroll", () => this.follow(), true],
            ];
            for (const [target, name, act, capture] of this.listeners) {
                target.addEventListener(name, act, capture);
            }
            // Before the field loses its focus to the list.
            this.list.addEventListener("mousedown", (event) => {
                event.preventDefault();
                const option = event.target.closest("[role=option]");
                if (option) this.take(Number(option.dataset.index));
            });
        }

        disconnect() {
            if (!this.form) return;
            for (const [target, name, act, capture] of this.listeners) {
                target.removeEventListener(name, act, capture);
            }
            this.list.remove();
        }

        afterKey(event) {
            // Draft.js takes the input for itself: there is no "input" event then.
            if (event.key.length === 1 || event.key === "Backspace") this.look(event.target);
        }

        /** What stands before the caret of the field, or null where this is no field for text. */
        before(element) {
            if (isPlain(element)) return element.value.slice(0, element.selectionStart);
            if (!element.isContentEditable) return null;
            const selection = window.getSelection();
            const node = selection.anchorNode;
            return selection.isCollapsed && node?.nodeType === Node.TEXT_NODE
                ? node.data.slice(0, selection.anchorOffset)
                : null;
        }

        look(element) {
            const text = this.before(element);
            const found = text === null ? null : TYPED.exec(text);
            if (!found) return this.close();
            const typed = found[1];
            this.space = found[0] === "{{" ? " " : "";
            this.found = this.fieldsValue.filter((field) => `lead.${field.name}`.startsWith(typed));
            this.rest = this.found.map(
                (field) => `${this.space}${`lead.${field.name}`.slice(typed.length)}${field.tail} }}`,
            );
            if (!this.found.length) return this.close();
            this.target = element;
            this.show();
        }

        show() {
            this.list.replaceChildren(
                ...this.found.map((field, index) => {
                    const option = document.createElement("div");
                    option.id = `ma-merge-${index}`;
                    option.setAttribute("role", "option");
                    option.dataset.index = index;
                    const name = document.createElement("code");
                    name.textContent = field.name;
                    option.append(field.label, " ", name);
                    return option;
                }),
            );
            this.list.hidden = false;
            this.follow();
            this.target.setAttribute("aria-controls", this.list.id);
            this.point(0);
        }

        /** Keep the list below the caret, also while something scrolls. */
        follow() {
            if (this.list.hidden) return;
            const box = this.place();
            const start = Math.max(0, Math.min(box.left, window.innerWidth - this.list.offsetWidth - 8));
            this.list.style.setProperty("inset-block-start", `${box.bottom + 4}px`);
            this.list.style.setProperty("inset-inline-start", `${start}px`);
        }

        place() {
            if (!isPlain(this.target)) {
                const box = window.getSelection().getRangeAt(0).getBoundingClientRect();
                if (box.bottom) return box;
            }
            return this.target.getBoundingClientRect();
        }

        point(index) {
            this.index = (index + this.found.length) % this.found.length;
            [...this.list.children].forEach((option, position) => {
                option.setAttribute("aria-selected", String(position === this.index));
            });
            this.list.children[this.index].scrollIntoView({ block: "nearest" });
            this.target.setAttribute("aria-activedescendant", `ma-merge-${this.index}`);
        }

        onKey(event) {
            if (this.list.hidden) return;
            const acts = {
                ArrowDown: () => this.point(this.index + 1),
                ArrowUp: () => this.point(this.index - 1),
                Enter: () => this.take(this.index),
                Tab: () => this.take(this.index),
                Escape: () => this.close(),
            };
            if (!acts[event.key] || event.isComposing) return;
            event.preventDefault();
            event.stopPropagation();
            acts[event.key]();
        }

        take(index) {
            const rest = this.rest[index];
            const target = this.target;
            this.close();
            if (!isPlain(target)) {
                document.execCommand("insertText", false, rest);
                return;
            }
            target.setRangeText(rest, target.selectionStart, target.selectionEnd, "end");
            target.dispatchEvent(new Event("input", { bubbles: true }));
            target.dispatchEvent(new Event("change", { bubbles: true }));
            this.close();
        }

        close() {
            if (this.list.hidden) return;
            this.list.hidden = true;
            this.target?.removeAttribute("aria-controls");
            this.target?.removeAttribute("aria-activedescendant");
        }
    }

    window.wagtail.app.register("ma-merge-fields", MergeFieldsController);
})();
