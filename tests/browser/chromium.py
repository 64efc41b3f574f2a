"""A real Chromium with a window, driven over the DevTools pipe.

Playwright makes every page believe that it is focused and visible, which is just what a clock of
attention must not be tested with. This driver emulates nothing: tabs are hidden, windows lose the
focus, keys and clicks go the way of real input. It starts a display (Xvfb) for itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EXECUTABLE = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-search-engine-choice-screen",
    "--password-store=basic",
    "--use-mock-keychain",
    "--window-size=1280,860",
    "--window-position=0,0",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
]
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
BUTTONS = {"left": 1, "right": 2, "middle": 4}
CONTROL = 2


def available() -> bool:
    """Is there a Chromium, and a display or the means to make one?"""
    return bool(shutil.which(EXECUTABLE) and (os.environ.get("DISPLAY") or shutil.which("Xvfb")))


class PageError(RuntimeError):
    """A DevTools command was refused or a script in the page threw."""


class Browser:
    """A browser process with a profile of its own.

    :param preferences: what its user has set, as Chromium writes it into a profile.
    """

    def __init__(self, display: str, *arguments: str, preferences: dict[str, Any] | None = None) -> None:
        self.profile = tempfile.mkdtemp(prefix="ma-chromium-")
        if preferences is not None:
            folder = Path(self.profile, "Default")
            folder.mkdir()
            (folder / "Preferences").write_text(json.dumps(preferences))
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [EXECUTABLE, *ARGUMENTS, *arguments, f"--user-data-dir={self.profile}", "about:blank"]

        def place_pipes() -> None:  # Chromium reads commands from 3 and answers on 4
            first, second = os.dup(to_read), os.dup(to_write)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            command,
            env={**os.environ, "DISPLAY": display},
            preexec_fn=place_pipes,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.command("Target.setDiscoverTargets", discover=True)

    def _listen(self) -> None:
        rest = b""
        while chunk := os.read(self._read, 1 << 16):
            *whole, rest = (rest + chunk).split(b"\0")
            with self._news:
                for raw in whole:
                    message = json.loads(raw)
                    if "id" in message:
                        self._answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self._news.notify_all()

    def command(
        self, method: str, session: str = "", *, timeout: float = 20, **parameters: Any
    ) -> dict[str, Any]:
        """Send one DevTools command and return its result.

        Raises PageError when it is refused, TimeoutError when there is no answer in ``timeout`` seconds.
        """
        number = self.send(method, session, **parameters)
        with self._news:
            if not self._news.wait_for(lambda: number in self._answers, timeout):
                raise TimeoutError(method)
            answer = self._answers.pop(number)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def send(self, method: str, session: str = "", **parameters: Any) -> int:
        """Send a command without waiting for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._number

    def targets(self) -> list[dict[str, Any]]:
        """Open tabs."""
        return [t for t in self.command("Target.getTargets")["targetInfos"] if t["type"] == "page"]

    def tab(self, url: str = "about:blank", *, window: bool = False, background: bool = False) -> Tab:
        """Open a tab (or a window) and attach to it."""
        found = self.command("Target.createTarget", url=url, newWindow=window, background=background)
        return Tab(self, found["targetId"])

    def opened(self, known: set[str], seconds: float = 5) -> Tab:
        """The tab that a page opened by itself: the first one not in ``known`` (target ids)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for target in self.targets():
                if target["targetId"] not in known:
                    return Tab(self, target["targetId"])
            time.sleep(0.05)
        raise PageError("no tab was opened")

    def signal(self, number: int) -> None:
        """Send a signal to the browser and all its processes."""
        os.killpg(self.process.pid, number)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()
        self._listener.join(5)
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self.profile, ignore_errors=True)


class Tab:
    """One tab. Coordinates are CSS pixels of its window's content."""

    def __init__(self, browser: Browser, target: str) -> None:
        self.browser = browser
        self.target = target
        self.session = browser.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.command(method, self.session, **parameters)

    def before_load(self, script: str) -> None:
        """Run a script in every page of this tab before its own scripts."""
        self.command("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, url: str) -> None:
        """Load an address and wait for the load event."""
        self.command("Page.navigate", url=url)
        self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    def back(self) -> None:
        """The browser's Back button."""
        history = self.command("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self.command("Page.navigateToHistoryEntry", entryId=entry["id"])

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its JSON value; promises are waited for."""
        answer = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 10) -> None:
        """Wait until an expression is true in the page, whatever page that is by then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(PageError):
                if self.run(script):
                    return
            time.sleep(0.02)
        raise TimeoutError(script)

    def move(self, x: float = 300, y: float = 300) -> None:
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def wheel(self, pixels: float, x: float = 300, y: float = 300) -> None:
        self.command("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=pixels)

    def click(self, selector: str, *, button: str = "left", modifiers: int = 0) -> None:
        """Click in the middle of an element, with a real mouse button."""
        box = self.run(
            f"(() => {{ let b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        where = {"x": box[0], "y": box[1], "modifiers": modifiers}
        self.command("Input.dispatchMouseEvent", type="mouseMoved", **where)
        for kind, held in (("mousePressed", BUTTONS[button]), ("mouseReleased", 0)):
            # Not awaited: the answer may never come from a page that the click has left.
            self.browser.send(
                "Input.dispatchMouseEvent",
                self.session,
                type=kind,
                button=button,
                buttons=held,
                clickCount=1,
                **where,
            )

    def key(self, key: str, code: int = 0) -> None:
        """Press and release one key, for example ``key("End", 35)`` or ``key("a")``."""
        text = {"text": key} if len(key) == 1 else {}
        number = {"windowsVirtualKeyCode": code} if code else {}
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **number)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, **number)

    def become_phone(self) -> None:
        """Be a phone from now on: its screen, its name, fingers in place of a mouse."""
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 3, "mobile": True}
        self.command("Emulation.setDeviceMetricsOverride", **screen)
        self.command("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
        self.command("Emulation.setUserAgentOverride", userAgent=PHONE)

    def swipe(self, pixels: float, x: float = 200, y: float = 600) -> None:
        """Scroll down with a finger."""
        for kind, points in (
            ("touchStart", [{"x": x, "y": y}]),
            ("touchMove", [{"x": x, "y": y - pixels}]),
            ("touchEnd", []),
        ):
            self.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def front(self) -> None:
        """Make this the tab that is shown, in the window that has the focus."""
        self.command("Page.bringToFront")

    def place(self, left: int, top: int, width: int, height: int) -> None:
        """Put the tab's window somewhere on the screen."""
        window = self.browser.command("Browser.getWindowForTarget", targetId=self.target)["windowId"]
        bounds = {"left": left, "top": top, "width": width, "height": height}
        self.browser.command("Browser.setWindowBounds", windowId=window, bounds=bounds)

    def heard(self, method: str) -> list[dict[str, Any]]:
        """Parameters of all DevTools events of this name from this tab, so far."""
        events = list(self.browser.events)
        return [e["params"] for e in events if e["method"] == method and e.get("sessionId") == self.session]

    def errors(self) -> list[str]:
        """What the page's scripts threw and did not catch, so far."""
        thrown = [event["exceptionDetails"] for event in self.heard("Runtime.exceptionThrown")]
        return [details.get("exception", {}).get("description") or details["text"] for details in thrown]

    def close(self) -> None:
        """Close the tab as its user does: pagehide runs, nothing waits for answers."""
        self.browser.command("Target.closeTarget", targetId=self.target)


@contextlib.contextmanager
def display() -> Iterator[str]:
    """Name of an X display: that of an Xvfb of our own, or the present one where there is no Xvfb.

    (On one display two test processes would take the focus from each other, and from whoever sits there.)
    """
    if not shutil.which("Xvfb"):
        yield os.environ["DISPLAY"]
        return
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as answer:
            yield f":{answer.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def running_browser(
    screen: str, *arguments: str, preferences: dict[str, Any] | None = None
) -> Iterator[Browser]:
    """A browser on this display until the block ends."""
    browser = Browser(screen, *arguments, preferences=preferences)
    try:
        yield browser
    finally:
        browser.close()
