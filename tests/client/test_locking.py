from __future__ import annotations

import threading

from hotshoe.client.locking import DocumentLock


def test_its_owner_may_take_it_again_and_others_wait() -> None:
    lock, order = DocumentLock(), []

    def other() -> None:
        assert not lock.held
        with lock:
            order.append("other")

    with lock:
        thread = threading.Thread(target=other)
        thread.start()
        with lock:
            assert lock.held
        assert lock.held
        thread.join(0.05)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]
    assert not lock.held
