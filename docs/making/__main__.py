"""Write the pages of docs/reference/: `python -m docs.making`."""

from docs.making.pages import FOLDER, pages


def main() -> None:
    """Write every page anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
