"""What the site's builder asks of us: pages of whole folders in the navigation, and pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.making.pictures import FOLDER, pictured

Nav: TypeAlias = str | list["Nav"] | dict[str, "Nav"]
LEFT_OUT = "0000-template.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder in the place of `folder/*.md`; those that are named stay there."""
    docs = Path(config.docs_dir)
    named = set(_files(config.nav or []))
    config.nav = _filled(config.nav or [], docs, named)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures that `make screenshots` has taken."""
    for picture in sorted(FOLDER.glob("*.png")):
        address = f"screenshots/{picture.name}"
        files.append(File.generated(config, address, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show pictures where they are marked."""
    return pictured(markdown, page.file.src_uri, {each.stem for each in FOLDER.glob("*.png")})


def _files(nav: Nav) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for each in nav.values() if isinstance(nav, dict) else nav:
        yield from _files(each)


def _filled(nav: list[Nav], docs: Path, named: set[str]) -> list[Nav]:
    filled: list[Nav] = []
    for each in nav:
        if isinstance(each, dict):
            inside: Nav = {
                title: _filled(list(inner), docs, named) for title, inner in each.items()
            }
            filled.append(inside)
        elif isinstance(each, str) and "*" in each:
            found = (page.relative_to(docs).as_posix() for page in sorted(docs.glob(each)))
            filled += [page for page in found if page not in named and LEFT_OUT not in page]
        else:
            filled.append(each)
    return filled
