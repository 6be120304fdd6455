"""What a failure amounts to for the one who sent the request."""

import logging

import pytest

from penstock.edge.refusal import ClientGoneError, inviting_a_second_try, refuse
from penstock.errors import BadInputError, PenstockError, StorageError


def test_whatever_was_not_foreseen_is_logged_and_invites_a_second_try(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(PenstockError) as raised, inviting_a_second_try("A request to /v1/x"):
        raise ZeroDivisionError
    assert (refuse(raised.value).status, refuse(raised.value).retry_after_s) == (503, 2)
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.ERROR, "A request to /v1/x failed")]


@pytest.mark.parametrize("error", [BadInputError("no"), StorageError("full"), ClientGoneError()])
def test_what_was_foreseen_passes_as_it_is(error: PenstockError, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(type(error)) as raised, inviting_a_second_try("A request"):
        raise error
    assert raised.value is error
    assert not caplog.records
