"""Whether there is a server at the other end, asked before a download that would take minutes to find out."""

import queue
import threading

PATIENCE = 1.5  # seconds for a server to answer


def answers(url: str) -> bool:
    """Whether a server, or a proxy for it, answers in time; asked in a thread, since finding its address may hang."""
    heard = queue.SimpleQueue()
    threading.Thread(target=lambda: heard.put(_knock(url)), daemon=True).start()
    try:
        return heard.get(timeout=PATIENCE)
    except queue.Empty:
        return False


def _knock(url: str) -> bool:
    import http.client  # here, for most who import jaxae never ask
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.build_opener().open(request, timeout=PATIENCE).close()  # an opener heeds the proxies set by now
    except urllib.error.HTTPError as error:
        return error.code < 500  # the server is there; TFDS, which asks differently, may fare better
    except (OSError, http.client.HTTPException):
        return False
    return True
