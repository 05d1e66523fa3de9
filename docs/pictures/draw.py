"""Draws the pictures of README from the report, with a headless Chromium: ``make pictures``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Chromium refuses its sandbox to root, which is what a container has.
SANDBOX = () if os.geteuid() else ("--no-sandbox",)
OPTIONS = ("--headless", *SANDBOX, "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000")
LARGEST = 200_000
# Name, width and height in pixels, and the section that is shown alone; without one, the page from its top.
PICTURES = (
    ("report", 1200, 800, ""),
    ("answer", 900, 670, "answer-posts_by_category_and_year"),
    ("quality", 900, 755, "quality"),
)


def main() -> int:
    """Writes the pictures; returns the exit code."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    report = ROOT / "build" / "report.html"
    if browser is None or not report.is_file():
        print(f"error: needs build/report.html (make run) and one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    page = report.read_text(encoding="utf-8")
    for name, width, height, section in PICTURES:
        copy, picture = report.with_name(f"picture-{name}.html"), Path(__file__).with_name(f"{name}.png")
        copy.write_text(page.replace("<style>", f"<style>\n{_only(section)}", 1), encoding="utf-8")
        subprocess.run(
            [browser, *OPTIONS, f"--window-size={width},{height}", f"--screenshot={picture}", copy.as_uri()],
            check=True,
            timeout=120,
            stderr=subprocess.DEVNULL,
        )
        copy.unlink()
        size = picture.stat().st_size
        print(f"{picture.relative_to(ROOT)}: {size // 1000} kB")
        if size > LARGEST:
            print(f"error: a picture must be at most {LARGEST // 1000} kB, got {size // 1000} kB", file=sys.stderr)
            return 1
    return 0


def _only(section: str) -> str:
    """Style sheet that shows one section; empty for the whole page."""
    if not section:
        return ""
    return (
        f".top, nav, .numbers, footer, main > section:not(#{section}) {{ display: none !important; }}\n"
        ".frame { display: block !important; }\n"
    )


if __name__ == "__main__":
    sys.exit(main())
