"""What a Python program imports to report what became of an answer: it keeps no caller waiting, and says what it could not send.

It imports the standard library alone, so that a program pays nothing else for it.
"""

from penstock.client.feedback_client import FeedbackClient, LostReportsError
from penstock.client.report import About, build_report

__all__ = ["About", "FeedbackClient", "LostReportsError", "build_report"]
