"""Great Expectations' own pages about a verdict (Data Docs), made so that they name nobody and load nothing.

What they say of a measure is whether it met its expectation, never its value. As Great Expectations writes them they
fetch style sheets and scripts from a dozen servers, whose owners would learn when somebody reads them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from photo_anonymizer.files import published_folder, write_bytes, write_json

SITE = "gate"
PAGES = {"index.html": "validations/**/*.html", "expectations.html": "expectations/*.html"}
"""What is kept, and what Great Expectations calls it. Its own index is empty without scripts."""
RESULT = "validation.json"
_HEAD = Path(__file__).with_name("data_docs_head.html.j2")
_FETCHING = re.compile(
    r"<script\b.*?</script\s*>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer\s*>|url\([^)]*\)",
    re.DOTALL | re.IGNORECASE,
)
"""Scripts, style sheets, pictures, and the footer that asks for an e-mail address."""
_LINK = re.compile(r'href="[^"#]*\.html"')


def action(context: Any) -> Any:
    """What a checkpoint does to have the pages written.

    :param context: Great Expectations' context, to which the site is added.
    """
    from great_expectations.checkpoint import UpdateDataDocsAction

    for name in list(context.variables.data_docs_sites):
        context.delete_data_docs_site(name)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": tempfile.mkdtemp(prefix="data_docs_")}
    context.add_data_docs_site(
        SITE,
        {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": store,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "show_cta_footer": False},
        },
    )
    return UpdateDataDocsAction(name="pages", site_names=[SITE])


def write(context: Any, result: Any, folder: Path) -> None:
    """Moves the pages that a checkpoint wrote to ``folder``, in place of what is there, with the result as JSON."""
    made = Path(context.variables.data_docs_sites[SITE]["store_backend"]["base_directory"])
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with published_folder(folder) as place:
            for name, pattern in PAGES.items():
                (page,) = made.glob(pattern)
                write_bytes(place / name, self_contained(page.read_text(encoding="utf-8")).encode())
            write_json(place / RESULT, result.to_json_dict())
    finally:
        shutil.rmtree(made, ignore_errors=True)


def self_contained(page: str) -> str:
    """The page without anything that is fetched, with a style sheet of its own, beside the other one."""
    kept = _FETCHING.sub("", page)
    kept = _LINK.sub(lambda found: f'href="{"expectations" if "expectations/" in found[0] else "index"}.html"', kept)
    return kept.replace("</head>", f"{_HEAD.read_text(encoding='utf-8')}</head>", 1)
