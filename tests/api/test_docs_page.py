"""The page of the API shows in a browser with a token as password, and loads nothing from elsewhere."""

import base64
import re
from html.parser import HTMLParser

import pytest

from tests.api.conftest import Client

LOADED = {
    "/docs/favicon-32x32.png": "image/png",
    "/docs/swagger-ui.css": "text/css; charset=utf-8",
    "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "/docs/start.js": "text/javascript; charset=utf-8",
}


class Page(HTMLParser):
    """What a page loads, and what of it is inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        for name, value in attributes:
            if name in ("src", "href"):
                self.loads.append(str(value))
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style") and data.strip():
            self.inline.append(self.inside)


def basic(token: str, name: str = "anna") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


@pytest.fixture
def token(client: Client) -> str:
    return str(client("viewer").headers["authorization"]).removeprefix("Bearer ")


def test_the_page_loads_only_what_is_served_here(client: Client, token: str) -> None:
    nobody = client(None)
    answer = nobody.get("/docs", headers=basic(token))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(answer.text)
    assert page.inline == []
    assert {f"/{where}" for where in page.loads} == set(LOADED)
    for where, kind in LOADED.items():
        part = nobody.get(where, headers=basic(token))
        assert (part.status_code, part.headers["content-type"]) == (200, kind)
        assert len(part.content) > 50


def test_its_policy_allows_what_it_loads_and_nothing_else(client: Client, token: str) -> None:
    answer = client(None).get("/docs", headers=basic(token))
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
        "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip


def test_its_styles_load_only_pictures_that_they_hold(client: Client, token: str) -> None:
    styles = client(None).get("/docs/swagger-ui.css", headers=basic(token)).text
    assert set(re.findall(r"url\([\"']?(\w+:)", styles)) == {"data:"}
    assert "@import" not in styles


def test_its_start_asks_for_the_document_of_this_server(client: Client, token: str) -> None:
    start = client(None).get("/docs/start.js", headers=basic(token)).text
    assert 'url: "openapi.json"' in start
    assert "validatorUrl: null" in start
    assert "://" not in start
    document = client(None).get("/openapi.json", headers=basic(token))
    assert document.json()["openapi"].startswith("3.1")
    assert document.json()["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert not [where for where in document.json()["paths"] if where.startswith("/docs")]


@pytest.mark.parametrize("where", ["/docs", "/docs/start.js", "/docs/nothing", "/openapi.json"])
def test_a_browser_is_asked_for_a_token(client: Client, where: str) -> None:
    answers = [
        client(None).get(where, headers=headers)
        for headers in ({}, basic("atlas_wrong"), basic(""), {"Authorization": "Basic ???"}, {"Authorization": "Basic"})
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers.get_list("www-authenticate") == [
            "Bearer",
            'Basic realm="Atlas: any name, a token as password"',
        ]


@pytest.mark.parametrize("name", ["anna", "", "somebody else", "Åse"])
def test_any_name_does(client: Client, token: str, name: str) -> None:
    assert client(None).get("/docs", headers=basic(token, name)).status_code == 200


def test_a_bearer_token_does_too(client: Client) -> None:
    assert client("viewer").get("/docs").status_code == 200


@pytest.mark.parametrize("where", ["/api/v1/me", "/api/v1/runs", "/docsx"])
def test_other_routes_take_no_password(client: Client, token: str, where: str) -> None:
    answer = client(None).get(where, headers=basic(token))
    assert answer.status_code == (404 if where == "/docsx" else 401)
    assert "Basic" not in answer.headers.get("www-authenticate", "")


@pytest.mark.parametrize("file", ["main.py", "..%2Fmain.py", "__init__.py", "%2e%2e%2fmain.py", "page.html"])
def test_no_other_file_is_served(client: Client, file: str) -> None:
    assert client("admin").get(f"/docs/{file}").status_code == 404
