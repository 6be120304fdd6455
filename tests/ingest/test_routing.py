from penstock.ingest.routing import Routing, group
from penstock.policy_settings import AttributeMatch, RouteSettings, RoutingSettings
from tests.rows import make_span, trace


def test_without_rules_everything_goes_where_the_default_says() -> None:
    spans = [make_span(trace(number), "s") for number in range(3)]
    assert Routing(RoutingSettings()).pipelines(spans) == [("store",)] * 3
    assert Routing(RoutingSettings(default_pipelines=["store", "far", "far"])).pipelines(spans) == [("store", "far")] * 3
    assert Routing(RoutingSettings(default_pipelines=[])).pipelines(spans) == [()] * 3
    assert Routing(RoutingSettings()).pipelines([]) == []


def test_the_first_rule_that_matches_counts_and_one_without_pipelines_drops() -> None:
    table = [
        RouteSettings(name="noise", applications=["health"], pipelines=[]),
        RouteSettings(name="acme", attributes=[AttributeMatch(key="penstock.tenant", values=["acme"])], pipelines=["far"]),
        RouteSettings(name="also health", applications=["health", "shop"], pipelines=["store", "far"]),
    ]
    spans = [
        make_span(trace(0), "a", application="health", tenant="acme"),
        make_span(trace(0), "b", tenant="acme"),
        make_span(trace(0), "c", application="shop"),
        make_span(trace(0), "d"),
    ]
    assert Routing(RoutingSettings(table=table)).pipelines(spans) == [(), ("far",), ("store", "far"), ("store",)]


def test_spans_are_grouped_by_pipeline_in_order_and_shared_where_all_go_alike() -> None:
    one, two, three = (make_span(trace(number), "s") for number in range(3))
    assert group([one, two, three], [("far",), ("store", "far"), ("store",)]) == {"far": [one, two], "store": [two, three]}
    spans = [one, two]
    alike = group(spans, [("store", "far")] * 2)
    assert alike["store"] is alike["far"] is spans
    assert group([], []) == {}
