"""Modules that libraries import in case they need them, and nothing here does: 4 MB of each process.

requests guesses a page's encoding by charset_normalizer or chardet where it is asked to; yt-dlp reads it from the page.
cffi parses C by pycparser; curl_cffi brings what it needs compiled.
"""

import sys
import warnings

for name in ("chardet", "charset_normalizer", "pycparser"):
    # To import it is an error, which both expect.
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # as the import system's documentation has it

with warnings.catch_warnings():
    # It says that it would rather have one.
    warnings.simplefilter("ignore")
    import requests as requests
