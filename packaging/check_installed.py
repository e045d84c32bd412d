"""Run outside of the checkout: does the installed wheel offer all that it promises?

Ends with exit status 1 and a sentence for everything that is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGES = ("bridgewire", "callbridged", "daemonkit", "xmppd")
BIN = Path(sys.executable).parent


def output(*command: str) -> str:
    """What a command of this environment prints; empty if it fails."""
    done = subprocess.run(  # noqa: S603
        [BIN / command[0], *command[1:]], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        return ""
    return done.stdout


def page_faults() -> list[str]:
    """The sign-in page, and whatever its files name among themselves."""
    page = Path(__import__("xmppd").__file__ or "").parent / "web" / "page"
    wanted = {"index.html", "style.css", "vendor/manifest.json", "vendor/strophe.LICENSE.txt"}
    seen: set[str] = set()
    while wanted - seen:
        name = sorted(wanted - seen)[0]
        seen.add(name)
        if not (page / name).is_file():
            continue
        text = (page / name).read_text(encoding="utf-8")
        if name == "index.html":
            wanted |= set(re.findall(r'(?:href|src)="page/([^"]+)"', text))
        elif name.endswith(".js") and "vendor" not in name:
            wanted |= set(re.findall(r'(?:from|import) "\./([^"]+)"', text))
    return [f"the sign-in page lacks {name}" for name in seen if not (page / name).is_file()]


def admin_page_faults() -> list[str]:
    """The administrators' page: its texts, its templates, and whatever these load."""
    pages = Path(__import__("callbridged").__file__ or "").parent / "web" / "pages"
    templates = {path.name: path.read_text(encoding="utf-8") for path in pages.glob("templates/*")}
    every = "\n".join(templates.values())
    wanted = {"messages/en.json", "messages/ja.json", "templates/status.html", "static/morph.js"}
    wanted |= {f"static/{name}" for name in re.findall(r'(?:href|src)="/static/([^"]+)"', every)}
    wanted |= {
        f"templates/{name}" for name in re.findall(r'(?:extends|from|include) "(.+?)"', every)
    }
    return [
        f"the administrators' page lacks {one}" for one in wanted if not (pages / one).is_file()
    ]


def faults() -> list[str]:
    found = []
    for name in PACKAGES:
        module = __import__(name)
        where = Path(module.__file__ or "")
        if not where.is_relative_to(sys.prefix):
            found.append(f"{name} comes from {where}, not from the installed wheel")
        if not (where.parent / "py.typed").exists():
            found.append(f"{name} lacks py.typed")
    found += page_faults() + admin_page_faults()
    plugins = output("twistd", "--help")
    for plugin in ("xmppd", "callbridged"):
        if f"\n    {plugin} " not in plugins:
            found.append(f"twistd does not list the plugin {plugin}")
        if "--config" not in output("twistd", plugin, "--help"):
            found.append(f"twistd {plugin} --help does not tell of --config")
    for ctl in ("xmppctl", "callbridgectl"):
        if "--config" not in output(ctl, "--help"):
            found.append(f"{ctl} --help does not tell of --config")
    return found


if __name__ == "__main__":
    missing = faults()
    print("\n".join(missing) or "the wheel has both plugins, both commands, and both pages")
    sys.exit(bool(missing))
