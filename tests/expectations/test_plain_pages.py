"""Pages of results load nothing from elsewhere, and say what they said."""

from pathlib import Path

from expectations.plain_pages import make_plain, plain

PAGE = """<html><head>
<link rel="stylesheet" href="https://cdn.example/bootstrap.min.css">
<style>.logo { background: url('https://assets.example/logo.png') }</style>
<script src="https://code.example/jquery.js"></script>
</head><body>
<a href="../../index.html"> <img src="https://assets.example/logo.png?d=1"
  alt="Great Expectations"/> </a>
<a href="../../index.html">Home</a>
Suite: <a href="../../expectations/silver/readings.html" >silver.readings</a>
<script>
function show() { $("a").fadeIn(); }
</script>
<td><i class="fas fa-times text-danger"></i></td><td>a key is there once</td>
<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>
<footer>News: <a href="https://news.example/">Subscribe</a></footer>
</body></html>
"""


def test_nothing_is_loaded_from_elsewhere() -> None:
    found = plain(PAGE)
    assert "//" not in found
    assert "<script" not in found
    assert "<img" not in found


def test_what_was_found_stays_and_links_lead_somewhere() -> None:
    found = plain(PAGE)
    assert "a key is there once" in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert '<a href="../../overview.html">Home</a>' in found
    assert "Suite: silver.readings" in found


def test_every_page_of_a_result_is_made_plain(tmp_path: Path) -> None:
    page = tmp_path / "validations" / "silver" / "readings" / "run.html"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE, "utf-8")
    make_plain(tmp_path)
    assert page.read_text("utf-8") == plain(PAGE)
