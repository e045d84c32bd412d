"""Makes HTML of templates, views and texts. Everything that is put in is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from callbridged.web.pages.language import Language
from callbridged.web.pages.view import View

#: Seconds for which a duration that is shown may be wrong.
_LASTING = 10

#: The parts of a page that change while it is looked at, by the ids of their elements, with what
#: of a view they are made of: while that is the same they are.
_MADE_OF: Mapping[str, Callable[[View], object]] = {
    "summary": lambda view: (
        view.links,
        view.service,
        view.draining,
        view.at.timestamp() // _LASTING,
    ),
    "alarms": lambda view: (view.alarms, view.warnings),
    "flow": lambda view: view.links,
    "numbers": lambda view: (view.totals, view.minutes),
    "events": lambda view: view.events,
}
SECTIONS = tuple(_MADE_OF)


class Renderer:
    """The templates, read once."""

    def __init__(self) -> None:
        #: Those that were made last, with what of.
        self._sections: dict[tuple[str, str], tuple[object, str]] = {}
        folder = files("callbridged.web.pages") / "templates"
        self._environment = Environment(
            loader=DictLoader(
                {one.name: one.read_text(encoding="utf-8") for one in folder.iterdir()}
            ),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, language: Language, now: datetime, **values: object) -> bytes:
        """Answer the document of ``template``, named without ``.html``."""
        return self._render(template, language, now, values).encode()

    def sections(self, view: View, language: Language) -> dict[str, str]:
        """Answer each of `SECTIONS`, and the sentence that screen readers say, as ``announce``."""
        made = {one: self._section(one, view, language) for one in SECTIONS}
        return {"announce": announcement(view, language), **made}

    def _section(self, name: str, view: View, language: Language) -> str:
        source = _MADE_OF[name](view)
        before = self._sections.get((name, language.tag))
        if before is not None and before[0] == source:
            return before[1]
        html = self._render(name, language, view.at, {"view": view})
        self._sections[name, language.tag] = source, html
        return html

    def _render(
        self, name: str, language: Language, now: datetime, values: Mapping[str, object]
    ) -> str:
        def lasting(since: datetime) -> str:
            return language.duration((now - since).total_seconds())

        return self._environment.get_template(f"{name}.html").render(
            t=language.text,
            tag=language.tag,
            took=language.seconds,
            lasting=lasting,
            moment=moment,
            clock=clock,
            coded=coded,
            parsed=datetime.fromisoformat,
            **values,
        )


def markup(sections: Mapping[str, str]) -> dict[str, Markup]:
    """Answer sections for a page: they are HTML already, the sentence apart."""
    return {
        name: Markup.escape(html) if name == "announce" else Markup(html)  # noqa: S704  by us
        for name, html in sections.items()
    }


def announcement(view: View, language: Language) -> str:
    """Answer in one sentence how things are."""
    links = [one for one in view.links if not one.age]
    return language.text(
        "summary.announce",
        up=sum(one.registered for one in links),
        all=len(links),
        service=language.text(f"summary.{view.service}"),
        alarms=len(view.alarms),
    )


def coded(text: str) -> Markup:
    """Answer a sentence of ours with its commands, which stand between backticks, as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(text)
    code = Markup("<code>{}</code>")
    return Markup().join(
        code.format(part) if index % 2 else Markup.escape(part) for index, part in enumerate(parts)
    )


def clock(at: datetime) -> str:
    """Answer a time as text; a browser with JavaScript shows it in its own zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment(at: datetime) -> Markup:
    """Answer a time as an element."""
    return Markup('<time datetime="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), clock(at)
    )
