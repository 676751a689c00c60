"""mkdocs hooks: pages of the repository's root, generated reference, links that leave docs/, and drawings."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # `mkdocs` is no part of the checkout: `sim` and `tools` are found from here

from tools.docs_site import diagrams, fragments, reference  # noqa: E402

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages that stay where a repository has them, by their name on the site."""
PICTURES = {".svg", ".png"}
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:!\[[^\]]*\]\([^)]*\)|[^\]])*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)]*)?\)")
"""The words of a link may be a picture."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of the root, the site's own assets, and the pictures that pages show from elsewhere."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for asset in sorted((ROOT / "tools/docs_site/assets").iterdir()):
        files.append(File.generated(config, f"assets/{asset.name}", abs_src_path=str(asset)))
    for page in [ROOT / source for source in PAGES] + sorted((ROOT / "docs").rglob("*.md")):
        for _, _, target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            picture = (page.parent / target).resolve()
            place = _picture_place(picture)
            if place and picture.is_file() and files.get_file_from_path(place) is None:
                files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and lead links to where their target is on the site."""
    del config, files
    source = next((name for name, place in PAGES.items() if place == page.file.src_uri), f"docs/{page.file.src_uri}")
    if source == "CHANGELOG.md":  # a kind in brackets would be read as a reference
        markdown = re.sub(r"\[([A-Z]{3,})\]", r"**\1**", markdown)
    text = fragments.MARK.sub(
        lambda mark: _generated(mark[1]), MERMAID.sub(lambda block: diagrams.from_mermaid(block[1]), markdown)
    )
    return LINK.sub(lambda link: _link(link, source, page.file.src_uri), text)


def _generated(name: str) -> str:
    makers: dict[str, Any] = {**fragments.MAKERS, **reference.MAKERS, **diagrams.MAKERS}
    return f"{makers[name]()}\n"


def _picture_place(file: Path) -> str:
    """Where a picture outside docs/ lies on the site; empty: it is no such picture."""
    outside = file.suffix in PICTURES and file.is_relative_to(ROOT) and not file.is_relative_to(ROOT / "docs")
    return f"pictures/{file.relative_to(ROOT).as_posix()}" if outside else ""


def _link(link: re.Match[str], source: str, here: str) -> str:
    """A relative link as the site needs it; what is no page of the site becomes a path of the repository."""
    bang, target, anchor = link[1], link[3], link[4] or ""
    words = LINK.sub(lambda inner: _link(inner, source, here), link[2])
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path.startswith("docs/"):
        place = path.removeprefix("docs/")
        if (ROOT / path).is_dir():
            place += "/README.md" if (ROOT / path / "README.md").is_file() else "/index.md"
    elif path in PAGES:
        place = PAGES[path]
    elif _picture_place(ROOT / path):
        place = _picture_place(ROOT / path)
    else:
        return f"`{path}`" if words in (path, f"`{path}`", posixpath.basename(path)) else f"{words} (`{path}`)"
    return f"{bang}[{words}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page of hundreds of headings lists its sections only; one without sections uses the room of the list."""
    del config, files
    if not any(title.children for title in page.toc):
        page.meta["hide"] = [*page.meta.get("hide", ()), "toc"]
    if page.file.src_uri == "reference/keys.md":
        for title in page.toc:
            for section in title.children:
                section.children = []
    return html
