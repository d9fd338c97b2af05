"""Web pages of other origins against the UI that `mohlcv up` serves, in a real browser; one story on its own home."""

import pytest

from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster_tests.browser import ui
from mohlcv_dagster_tests.browser.conftest import visitor
from mohlcv_dagster_tests.browser.hostile import MUTATION, ROUTES, WAYS, Hostile
from mohlcv_dagster_tests.defs.served import OVER, serve, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("steps_before")]

SYMBOL = "MMM"
BARS = "v2/aggs/ticker/SPY/range/1/second/1704205800000/1704205801000?apiKey=any"
RECORDED = """{assetOrError(assetKey: {path: ["raw_1s"]}) {
  ...on Asset {assetMaterializations {description} assetObservations {description}}}
  instance {concurrencyLimits {concurrencyKey}}}"""
CONNECT = """address => new Promise(done => { const made = new WebSocket(address, "graphql-ws");
  made.onopen = () => done("opened"); made.onerror = () => done("failed"); })"""
POST = """([query, variables]) => fetch("/graphql", {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({query, variables})})"""


@pytest.fixture(scope="module")
def vendor():
    with Sandbox(SyntheticMarket()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def webserver(chromium, vendor, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("attacked"), vendor.url) as webserver:
        yield webserver


@pytest.fixture(scope="module")
def hostile(webserver):
    with Hostile().serving() as hostile:
        hostile.aim(webserver.url)
        yield hostile


@pytest.fixture
def page(chromium, webserver):
    with visitor(chromium, webserver) as page:
        yield page


def launched(webserver):
    """The runs there are, and the symbols."""
    return webserver.runs(), webserver.symbols()


def untouched(webserver):
    """Whether nothing was recorded of the asset, and no pool of another name was made."""
    told = webserver.ask(RECORDED)
    pools = {each["concurrencyKey"] for each in told["instance"]["concurrencyLimits"]}
    return not told["assetOrError"].get("assetMaterializations") and "STOLEN" not in pools


def readable(outcomes):
    """The ways by which a page could read the answer."""
    return {way for way, outcome in outcomes.items() if outcome.startswith(("basic", "cors", "default", "opened"))}


@pytest.mark.parametrize(
    ("page_of", "name_of_the_ui"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("evil.example", "127.0.0.1"),
        ("evil.example", "localhost"),
    ],
)
def test_a_page_of_another_origin_launches_nothing_by_any_way(  # noqa: PLR0913, PLR0917 - fixtures
    page, webserver, hostile, vendor, page_of, name_of_the_ui
):
    hostile.aim(webserver.url.replace("127.0.0.1", name_of_the_ui))
    page.goto(f"http://{page_of}:{hostile.port}/")

    outcomes = page.evaluate("attack()")

    assert len(outcomes) == WAYS
    assert (readable(outcomes), launched(webserver), hostile.asked, vendor.requests) == (set(), ([], []), [], [])
    assert untouched(webserver)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "rebound.example"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_page_of_another_origin_reads_and_records_nothing_by_any_other_route(page, webserver, hostile, name, route):
    page.goto(f"http://evil.example:{hostile.port}/")

    outcomes = page.evaluate("url => reach(url)", f"{webserver.url.replace('127.0.0.1', name)}/{route}")

    assert len(outcomes) == 9
    assert (readable(outcomes), untouched(webserver)) == (set(), True)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "rebound.example"])
def test_a_page_of_another_origin_is_answered_nothing_by_the_sandbox(page, vendor, hostile, name):
    page.goto(f"http://evil.example:{hostile.port}/")

    outcomes = page.evaluate("url => reach(url)", f"{vendor.url.replace('127.0.0.1', name)}/{BARS}")

    assert (readable(outcomes), vendor.requests) == (set(), [])


def test_a_foreign_name_that_leads_to_the_sandbox_is_told_no_bars(page, vendor):
    rebound = vendor.url.replace("127.0.0.1", "rebound.example")

    answer = page.goto(f"{rebound}/{BARS}")

    assert answer.status == 403
    assert page.evaluate("async url => (await fetch(url)).status", f"{rebound}/{BARS}") == 403
    assert vendor.requests == []


def test_a_link_to_a_mutation_shows_the_editor_and_executes_nothing(page, webserver, hostile, vendor):
    hostile.aim(webserver.url)
    page.goto(f"http://evil.example:{hostile.port}/")

    page.evaluate("follow()")

    page.wait_for_url(f"{webserver.url}/graphql?**")
    page.wait_for_load_state("networkidle")
    assert (launched(webserver), hostile.asked, vendor.requests) == (([], []), [], [])


def test_a_foreign_name_that_leads_to_the_ui_shows_no_page_and_executes_nothing(page, webserver, hostile, vendor):
    rebound = webserver.url.replace("127.0.0.1", "rebound.example")

    answer = page.goto(f"{rebound}/")

    assert answer.status == 403
    ui.told(page, "The Dagster UI does not answer to the host 'rebound.example:")
    statuses = page.evaluate(f"async what => (await ({POST})(what)).status", [MUTATION, hostile.variables()])
    assert page.evaluate(CONNECT, f"{rebound.replace('http', 'ws')}/graphql") == "failed"
    assert (statuses, launched(webserver), vendor.requests) == (403, ([], []), [])
    assert untouched(webserver)


def test_the_ui_launches_a_run_by_its_own_dialog(page, webserver, vendor, hostile):
    webserver.add_symbol(SYMBOL)
    dialog = ui.launch_dialog(page, "2024-01")
    ui.choose_symbol(dialog, SYMBOL)

    ui.launch(page, dialog)

    ui.run_ends(page, "Success")
    assert any(f"/ticker/{SYMBOL}/" in request.path for request in vendor.requests)
    assert hostile.asked == []


def test_the_uis_own_page_may_launch_the_same_but_not_with_another_vendor(page, webserver, hostile):
    page.goto("/")

    told = page.evaluate(f"async what => (await ({POST})(what)).json()", [MUTATION, hostile.variables()])["data"]

    assert told["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    assert told["plain"]["__typename"] == "LaunchRunSuccess"
    assert told["pool"] is True
    assert page.evaluate(CONNECT, f"{webserver.url.replace('http', 'ws')}/graphql") == "opened"
    assert told["configured"]["__typename"] == "RunConfigValidationInvalid"
    assert [each["message"] for each in told["configured"]["errors"]] == [
        'Received unexpected config entry "base_url" at path root:resources:massive:config. Expected: "{ }".'
    ]
    # a third run may be that of quality/coverage, which follows
    until(lambda: sum(run.status in OVER for run in webserver.runs()) >= 2, "both runs are over")
    assert hostile.asked == []
