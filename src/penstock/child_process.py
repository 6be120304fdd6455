"""What a process that runs others owes them: that none of them outlives it, however it ends."""

import ctypes
import multiprocessing
import os
import signal
import threading

_PR_SET_PDEATHSIG = 1  # Linux: which signal to get when the parent ends


def die_with_parent() -> None:
    """In a child before it runs its program: have the kernel stop it when its parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:  # it was gone before we asked to be told
        os.kill(os.getpid(), signal.SIGTERM)


def end_with_parent() -> None:
    """In a child of `multiprocessing`: tell it to stop when its parent is gone, however that went."""
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
