import pytest

from penstock.errors import ConflictError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import a_suite, an_evaluation, put_two_checkpoints


def test_an_evaluation_comes_back_with_its_figures(registry: Registry) -> None:
    put_two_checkpoints(registry)
    registry.suites.put(a_suite())
    alone = an_evaluation("e_2", checkpoint_id="c_stable", baseline_checkpoint_id=None, difference=None)
    registry.evaluations.put(an_evaluation())
    registry.evaluations.put(alone)
    assert registry.evaluations.get("e_1") == an_evaluation()
    assert registry.evaluations.list() == [an_evaluation(), alone]
    assert registry.evaluations.list("c_stable") == [alone]


def test_a_score_is_never_changed(registry: Registry) -> None:
    put_two_checkpoints(registry)
    registry.suites.put(a_suite())
    registry.evaluations.put(an_evaluation())
    with pytest.raises(ConflictError, match=r"another score: 0\.5, not 0\.9"):
        registry.evaluations.put(an_evaluation(score=0.9))


def test_an_evaluation_on_no_suite_is_refused(registry: Registry) -> None:
    put_two_checkpoints(registry)
    with pytest.raises(NotFoundError, match="names suite_id 'u_1'"):
        registry.evaluations.put(an_evaluation())
