"""The real Xet client in a process of its own, because it keeps its cache folder from its first use on.

Usage: ``xet_client.py upload CAS_URL TOKEN FILE...`` or ``xet_client.py download CAS_URL TOKEN HASH NBYTES FILE``.
"""

import sys
import time

import hf_xet

command, url, token, *rest = sys.argv[1:]
access = (token, int(time.time()) + 3600)
if command == "upload":
    hf_xet.upload_files(rest, url, access, None, None, "model")
else:
    name, nbytes, path = rest
    hf_xet.download_files([hf_xet.PyXetDownloadInfo(path, name, int(nbytes))], url, access, None, None)
