"""A page in a real browser, in frames as wide as a phone, a tablet and a desk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no browser")
WIDTHS = (420, 768, 1200)
# Of each frame: how far page and curve reach, how many verdicts are seen, the colours of ground and axis.
_FRAMES = """<body><script>
const frames = $widths.map(width => {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  frame.src = "$page";
  return document.body.appendChild(frame);
});
onload = () => setTimeout(() => {
  document.title = JSON.stringify(frames.map(frame => {
    const page = frame.contentDocument;
    const inner = page.querySelector("#curve .main-svg").getBoundingClientRect();
    const shown = [...page.querySelectorAll(".verdict")].filter(verdict => !verdict.hidden);
    const ground = getComputedStyle(page.body).backgroundColor;
    const ink = getComputedStyle(page.querySelector("#curve .xtitle")).fill;
    return {
      page: page.documentElement.scrollWidth,
      curve: Math.ceil(inner.right),
      verdicts: shown.length,
      ground,
      ink,
    };
  }));
}, 500);
</script>"""


def frames(page: Path, *, dark: bool = False) -> list[dict[str, Any]]:
    """Return what is seen of the page in a frame of each of the `WIDTHS`."""
    frames = page.with_name("frames.html")
    frames.write_text(_FRAMES.replace("$widths", str(list(WIDTHS))).replace("$page", page.name))
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--allow-file-access-from-files"]
    if dark:
        options.append("--blink-settings=preferredColorScheme=0")
    profile = f"--user-data-dir={page.with_name('profile')}"
    done = subprocess.run(
        [str(BROWSER), *options, profile, "--virtual-time-budget=20000", "--dump-dom", frames.name],
        cwd=page.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout[-2000:] + done.stderr[-2000:]
    seen: list[dict[str, Any]] = json.loads(title[1])
    return seen
