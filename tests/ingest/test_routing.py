from penstock.config import AttributeMatch, RouteSettings, RoutingSettings
from penstock.ingest.routing import Routing
from tests.rows import make_span, trace


def test_without_rules_everything_goes_where_the_default_says() -> None:
    spans = [make_span(trace(number), "s") for number in range(3)]
    assert Routing(RoutingSettings()).route(spans) == {"store": spans}
    assert Routing(RoutingSettings(default_pipelines=["store", "far", "far"])).route(spans) == {"store": spans, "far": spans}
    assert Routing(RoutingSettings(default_pipelines=[])).route(spans) == {}
    assert Routing(RoutingSettings()).route([]) == {}


def test_the_first_rule_that_matches_counts_and_one_without_pipelines_drops() -> None:
    table = [
        RouteSettings(name="noise", applications=["health"], pipelines=[]),
        RouteSettings(name="acme", attributes=[AttributeMatch(key="penstock.tenant", values=["acme"])], pipelines=["far"]),
        RouteSettings(name="also health", applications=["health", "shop"], pipelines=["store", "far"]),
    ]
    health, acme, shop, other = (
        make_span(trace(0), "a", application="health", tenant="acme"),
        make_span(trace(0), "b", tenant="acme"),
        make_span(trace(0), "c", application="shop"),
        make_span(trace(0), "d"),
    )
    assert Routing(RoutingSettings(table=table)).route([health, acme, shop, other]) == {
        "far": [acme, shop],
        "store": [shop, other],
    }
