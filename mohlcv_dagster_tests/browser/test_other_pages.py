"""Web pages of other origins against the UI that `mohlcv up` serves, in a real browser; one story on its own home."""

import pytest

from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster_tests.browser import ui
from mohlcv_dagster_tests.browser.conftest import visitor
from mohlcv_dagster_tests.browser.hostile import MUTATION, WAYS, Hostile
from mohlcv_dagster_tests.defs.served import OVER, serve, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("steps_before")]

SYMBOL = "MMM"
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
    readable = {way for way, outcome in outcomes.items() if outcome.startswith(("basic", "cors", "default", "opened"))}
    assert (readable, launched(webserver), hostile.asked, vendor.requests) == (set(), ([], []), [], [])


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
    assert (statuses, launched(webserver), vendor.requests) == (403, ([], []), [])


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
    assert told["configured"]["__typename"] == "RunConfigValidationInvalid"
    assert [each["message"] for each in told["configured"]["errors"]] == [
        'Received unexpected config entry "base_url" at path root:resources:massive:config. Expected: "{ }".'
    ]
    until(lambda: [run.status in OVER for run in webserver.runs()] == [True, True], "both runs are over")
    assert hostile.asked == []
