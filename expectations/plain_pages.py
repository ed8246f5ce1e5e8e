"""Great Expectations' pages made to stand alone: they load styles and scripts from ten hosts.

Without these they are bare; with them, whoever looks is told to others. What a page says is
plain HTML, and stays as it is.
"""

import re
from pathlib import Path

STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; color: #222;
  padding: 0 1rem }
h5 { font-size: 1.15rem; margin: 1.2rem 0 .3rem } h6, .h6 { font-size: 1rem; font-weight: 600 }
ol.breadcrumb, ol.ge-breadcrumbs { list-style: none; padding: 0; color: #666 }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem;
  border-bottom: 1px solid #ddd }
.badge { background: #eef1f4; border-radius: 4px; padding: .05rem .35rem; font-weight: 600 }
.fa-check-circle::before { content: "holds"; color: #176f2c }
.fa-times::before, .fa-exclamation-triangle::before { content: "fails"; color: #b3261e }
[hidden], .sticky, .col-lg-2, #section-1-content-block-3 { display: none }
</style>
"""
_HOSTED = r"(?:https?:)?//[^\"'>]*"
_GONE = (
    r"<script\b.*?</script>",
    r"<style\b.*?</style>",
    rf"<link\b[^>]*href=[\"']{_HOSTED}[^>]*>",
    r"<link\b[^>]*rel=[\"']shortcut icon[\"'][^>]*>",
    r"<a\b[^>]*>\s*<img\b[^>]*>\s*</a>",
    rf"<img\b[^>]*src=[\"']{_HOSTED}[^>]*>",
    r"<footer>.*?</footer>",
    r"<a\b[^>]*data-toggle=[\"']collapse[\"'][^>]*>.*?</a>",
)
"""What loads from elsewhere, or does nothing without what it loads."""


def make_plain(pages: Path) -> None:
    """Rewrite all pages of results in place."""
    for page in pages.joinpath("validations").rglob("*.html"):
        page.write_text(plain(page.read_text("utf-8")), "utf-8")


def plain(page: str) -> str:
    """Return a page that asks nobody for anything, and leads back to the overview."""
    for pattern in _GONE:
        page = re.sub(pattern, "", page, flags=re.DOTALL)
    page = re.sub(r"<a\b[^>]*href=\"[^\"]*/expectations/[^>]*>(.*?)</a>", r"\1", page)
    page = page.replace("/index.html", "/overview.html")
    return page.replace("</head>", f"{STYLE}</head>", 1)
