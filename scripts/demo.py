"""``make demo``: the example site with six weeks of visitors, the web server and the worker.

Everything is kept under var/demo; a second start keeps it. Ctrl-C stops all.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "example_site" / "manage.py")]
HOST = "127.0.0.1"


def free_port(wanted: int) -> int:
    """``wanted``, or the next port that nobody listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port
    raise SystemExit(f"No free port between {wanted} and {wanted + 49}; set PORT.")


def environment(port: int) -> dict[str, str]:
    """The demo's own settings and place, beside what the shell gave."""
    var = ROOT / "var" / "demo"
    var.mkdir(parents=True, exist_ok=True)
    return {
        "WAGTAIL_MA_VAR": str(var),
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example.settings.demo",
        "WAGTAILADMIN_BASE_URL": f"http://localhost:{port}",
        "PYTHONUNBUFFERED": "1",
    }


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers, or dies."""
    for _attempt in range(300):
        if server.poll() is not None:
            raise SystemExit("The web server did not start; see above.")
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("The web server does not answer.")


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, then insist."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def forget_half_loaded(var: Path) -> None:
    """A first start that was stopped in the middle left visitors without their later weeks: begin again."""
    if (var / "unfinished").exists():
        print("The last start was stopped before it was done: beginning afresh.")
        for path in [*var.glob("example.sqlite3*"), var / "unfinished"]:
            path.unlink()


def main() -> None:
    """Set up, start, wait."""
    port = free_port(int(os.environ.get("PORT", "8000")))
    env = environment(port)
    forget_half_loaded(Path(env["WAGTAIL_MA_VAR"]))
    subprocess.run([*MANAGE, "ma_demo", "--migrate"], env=env, check=True)
    if "--load-only" in sys.argv:
        return
    processes = [
        subprocess.Popen(
            [*MANAGE, "runserver", f"{HOST}:{port}", "--noreload", "--insecure"],
            env=env,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ),
        subprocess.Popen(
            [*MANAGE, "qcluster"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ),
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        wait_for(port, processes[0])
        print(
            f"\n  Site   http://localhost:{port}/\n"
            f"  Admin  http://localhost:{port}/admin/   log in as admin, password admin\n"
            f"  Mails are written to {Path(env['WAGTAIL_MA_VAR']) / 'mail'}\n\n"
            "  Open the site in a private window (people logged in to the admin are not recorded).\n"
            "  Ctrl-C stops everything.\n"
        )
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        print("A process of the demo has ended; stopping.")
    except KeyboardInterrupt:
        print("\nStopping ...")
    finally:
        stop(processes)


if __name__ == "__main__":
    main()
