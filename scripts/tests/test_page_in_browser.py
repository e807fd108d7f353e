"""The page in headless Chromium, opened from disk: it answers, opens histories, copies commands, asks for no network."""

from __future__ import annotations

import shutil
import sqlite3

import made_records as made
import pytest

from crosscut import page as dashboard

NATIVE, EMULATED = made.NATIVE, "aarch64-linux"
EVIL = "<img src=x onerror=document.title='taken'>"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path, "chromium is missing: scripts/setup installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """An open page, with what it said on the console and what it asked for."""

    def __init__(self, browser, index, fragment="", **context):
        self.context = browser.new_context(**{"viewport": WIDE, **context})
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.problems, self.requests = [], []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(index.as_uri() + fragment)

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert self.problems == []
            assert all(url.startswith("file://") for url in self.requests), self.requests


def _history():
    """Twelve commits: at the last `slow` is slower, `fast` faster, `broken` fails, `new` is new, `old` was not run."""
    last = 11

    def change(number, row):
        name = row["model"]
        if name == "broken" and number == last and row["platform"] == EMULATED:
            return made.failing(name, EMULATED, "sample seeded: 3 of 10 values differ")
        if (name == "old" and number == last) or (name == "new" and number < last):
            return None
        factor = {"slow": 1.5, "fast": 0.5}.get(name, 1) if number == last else 1
        return made.scaled(made.scaled(row, "instructions", factor), "time", factor)

    records = made.history(last + 1, ["slow", "fast", "broken", "new", "old"], [NATIVE, EMULATED], change)
    records[last]["selection"] = {**records[last]["selection"], "models": ["slow", "fast", "broken", "new"]}
    return records


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    return dashboard.write(made.write(folder / "records", *_history()), folder / "page")


def _cell(page, model, platform):
    row = page.locator(".matrix tr", has=page.locator("th", has_text=model))
    return row.locator(f'td[data-platform="{platform}"] a')


def test_the_page_answers_and_shows_the_matrix(browser, index):
    with Visit(browser, index) as page:
        assert page.locator("h1").inner_text() == (
            f"1 of 8 cells fails (new); 2 are slower than at {made.commit_name(10)}; 2 are faster; "
            "2 cells of the matrix were not run."
        )
        assert page.locator("#broken article").count() == 1
        assert "3 of 10 values differ" in page.locator("#broken").inner_text()
        assert "▲ +50 %" in _cell(page, "slow", EMULATED).inner_text()
        assert "▼ −50 %" in _cell(page, "fast", NATIVE).inner_text()
        assert "✗ fails" in _cell(page, "broken", EMULATED).inner_text()
        assert "new" in _cell(page, "new", NATIVE).inner_text()
        assert f"at {made.commit_name(10)}" in _cell(page, "old", NATIVE).inner_text()


def test_links_of_the_sentence_lead_to_the_lists(browser, index):
    with Visit(browser, index) as page:
        assert not page.locator("#better table").is_visible()
        page.get_by_role("link", name="2 are faster").click()
        assert page.locator("#better table").is_visible()


@pytest.mark.parametrize("model, platform", [("slow", NATIVE), ("slow", EMULATED)])
def test_a_cell_opens_its_history_and_escape_comes_back(browser, index, model, platform):
    with Visit(browser, index) as page:
        cell = _cell(page, model, platform)
        value = cell.locator(".value").inner_text()
        cell.click()
        dialog = page.locator("dialog[open]")
        assert dialog.locator("h2").inner_text() == f"{model} · {platform}"
        assert dialog.locator("svg circle.point").count() == 12
        assert dialog.locator("svg circle.worse").count() == 1
        first = dialog.locator(".series tbody tr").first
        assert value in first.inner_text() and "▲ +50 %" in first.inner_text()
        assert dialog.locator(".series tbody tr").count() == 10
        dialog.get_by_role("button", name="Show all 12").click()
        assert dialog.locator(".series tbody tr").count() == 12
        text = dialog.inner_text()
        for fact in (f"{platform}-gnu", "+a, +b", "--opt-level=3", "crosscut-compile 0.1.0", "upright", "Made-up CPU"):
            assert fact in text
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert cell.evaluate("cell => cell === document.activeElement")
        page.go_back()
        page.locator("dialog[open]").wait_for()


def test_the_keyboard_opens_a_cell_and_reads_the_chart(browser, index):
    with Visit(browser, index) as page:
        _cell(page, "slow", NATIVE).focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        dialog = page.locator("dialog[open]")
        assert dialog.locator("h2").inner_text() == f"slow · {EMULATED}"
        dialog.locator("svg").focus()
        page.keyboard.press("Home")
        reading = dialog.locator(".reading")
        assert made.commit_name(0) in reading.inner_text()
        page.keyboard.press("ArrowRight")
        assert made.commit_name(1) in reading.inner_text()
        page.keyboard.press("End")
        assert made.commit_name(11) in reading.inner_text() and "+50 %" in reading.inner_text()
        dialog.locator("input:checked").focus()
        page.keyboard.press("ArrowRight")
        assert "Runs: Compile time" not in dialog.inner_text()
        assert dialog.locator("h3").first.inner_text() == "Runs: Code"


def test_a_link_opens_the_history_of_one_metric(browser, index):
    with Visit(browser, index) as page:
        link = page.locator("#worse a.change").first.get_attribute("href")
        cell = page.locator("#worse tbody tr").first
        wanted = f"{cell.locator('td').nth(0).inner_text()} · {cell.locator('td').nth(1).inner_text()}"
    with Visit(browser, index, link.partition("/")[0] + "/arena_bytes") as page:
        dialog = page.locator("dialog[open]")
        assert dialog.locator("h2").inner_text() == wanted
        assert dialog.locator("h3").first.inner_text() == "Runs: Arena"


def test_the_copy_button_has_the_command(browser, index):
    with Visit(browser, index, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.locator("#broken .copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        wanted = f"scripts/nightly --quick --model broken --platform {EMULATED}"
        assert page.evaluate("navigator.clipboard.readText()") == wanted
        _cell(page, "slow", NATIVE).click()
        page.locator("dialog .copy").first.click()
        page.locator("dialog").get_by_role("button", name="Copied").wait_for()
        wanted = f"scripts/nightly --quick --model slow --platform {NATIVE}"
        assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_another_metric_fills_the_matrix(browser, index):
    with Visit(browser, index) as page:
        cost = _cell(page, "slow", NATIVE).inner_text()
        page.get_by_label("Arena", exact=True).check(force=True)
        page.locator("#caption", has_text="Arena").wait_for()
        assert "MB" in _cell(page, "slow", NATIVE).inner_text()
        _cell(page, "slow", NATIVE).click()
        assert page.locator("dialog h3").first.inner_text() == "Runs: Arena"
        page.keyboard.press("Escape")
        page.get_by_label("Cost", exact=True).check(force=True)
        assert _cell(page, "slow", NATIVE).inner_text() == cost


def test_a_link_to_nothing_says_so(browser, index):
    visit = Visit(browser, index, "#nothing-01234567")
    with visit as page:
        assert "no history" in page.locator("dialog[open]").inner_text()
        visit.problems.clear()  # the browser's own word about the missing file
    with Visit(browser, index, "#../../secret") as page:
        assert page.locator("dialog[open]").count() == 0


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_nothing_makes_the_page_wider_than_the_window(browser, tmp_path, viewport):
    def long_reason(number, row):
        return made.failing(row["model"], EMULATED, "x" * 500) if row["platform"] == EMULATED else row

    records = made.history(2, ["slow", "a_model_with_a_long_name_" * 4], made.PLATFORMS * 2, long_reason)
    for record in records:
        for number, row in enumerate(record["rows"]):
            row["platform"] += f"-{number // 8 % 2}" if number // 8 % 2 else ""
    index = dashboard.write(made.write(tmp_path / "records", *records), tmp_path / "page")
    with Visit(browser, index, viewport=viewport) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        _cell(page, "slow", NATIVE).click()
        dialog = page.locator("dialog[open]")
        assert dialog.evaluate("d => d.scrollWidth <= d.clientWidth")


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_other_engines_stand_beside_with_their_machine_and_commit(browser, tmp_path, viewport):
    rows = made.compared("slow", {"crosscut": 0.004, "openvino 2026.4": 0.005, "ncnn 1": 0.0076}, threads=2)
    rows += made.compared("slow", {"crosscut": 5e6, "openvino 2026.4": 4e6, "iree 3": EVIL * 20}, platform=EMULATED)
    folder = made.write(tmp_path / "records", *_history(), made.comparison(3, rows))
    with Visit(browser, dashboard.write(folder, tmp_path / "page"), viewport=viewport) as page:
        lines = page.locator("#peers tbody tr")
        native, emulated = lines.nth(0).inner_text(), lines.nth(1).inner_text()
        for text in (
            "slow",
            "2 threads",
            "4.000 ms",
            "5.000 ms",
            "1.25",
            "1.90",
            made.commit_name(3),
            "Made-up CPU, 2 cores",
        ):
            assert text in native
        for text in (EMULATED, "5.000 M", "0.80", "not compiled"):
            assert text in emulated
        best = [lines.nth(i).locator(".change") for i in (0, 1)]
        assert [b.inner_text() for b in best] == ["1.25", "0.80"]
        colours = [b.evaluate("e => getComputedStyle(e).color") for b in best]
        assert colours[0] != colours[1]
        page.locator("#peers summary").click()
        assert EVIL * 20 in page.locator("#peers li").inner_text() and page.title().endswith(made.commit_name(11))
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest("svg, .stale")
    && [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((e) => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.className + ": " + e.textContent.trim().slice(0, 40)];
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser, index, scheme):
    """WCAG 2's 4.5 : 1, in both colour schemes."""
    with Visit(browser, index, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        _cell(page, "broken", EMULATED).click()
        found = page.evaluate(_CONTRAST)
        assert len(found) > 100
        assert [text for ratio, text in found if ratio < 4.5] == []
        dark = sum(
            int(part) for part in page.evaluate("getComputedStyle(document.body).backgroundColor")[4:-1].split(",")
        )
        assert (dark < 200) == (scheme == "dark")


def test_without_javascript_the_page_still_answers(browser, index):
    with Visit(browser, index, java_script_enabled=False) as page:
        assert page.locator("h1").inner_text().startswith("1 of 8 cells fails")
        assert "3 of 10 values differ" in page.locator("#broken").inner_text()
        assert f"--model broken --platform {EMULATED}" in page.locator("#broken").inner_text()
        assert "▲ +50 %" in _cell(page, "slow", NATIVE).inner_text()
        assert not page.locator(".copy").first.is_visible()
        assert not page.locator("#metrics").is_visible()


def test_markup_in_records_stays_text(browser, tmp_path):
    """Names in the index itself, too, as if something else had written there."""
    records = made.history(2, ["m", "target"], [NATIVE, EMULATED])
    for record in records:
        record["source"]["subject"] = f"</script><script>document.title='taken'</script>{EVIL}"
        record["machine"]["cpu"] = record["machine"]["system"] = record["compiler"]["version"] = EVIL
        for row in record["rows"]:
            row["target"] = {"triple": EVIL, "cpu": EVIL, "features": EVIL}
            row["flags"] = row["runner"] = [EVIL]
            row["commands"] = {"compile": EVIL}
            row["checks"] = [{"sample": EVIL, "ok": False, "answer": EVIL, "problem": EVIL}]
    records[1]["rows"][0].update(status="fail", phase="run", reason=EVIL, reproduce=f"'\"`{EVIL}")
    folder = made.write(tmp_path / "records", *records)
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    dashboard.write(folder, tmp_path / "page", url)
    with sqlite3.connect(tmp_path / "index.sqlite") as connection:
        connection.execute("update result set model = ? where model = 'target'", [EVIL])
        connection.execute("update result set platform = ? where platform = ?", [EVIL, EMULATED])
        connection.execute("update measurement set metric = ? where metric = 'arena_bytes'", [EVIL])
    (tmp_path / "empty").mkdir()
    index = dashboard.write(tmp_path / "empty", tmp_path / "page", url)
    with Visit(browser, index) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert EVIL in page.locator(".matrix thead").inner_text()
        for model in ("m", EVIL):
            page.locator(".matrix tbody tr", has=page.get_by_text(model, exact=True)).locator("td a").last.click()
            assert page.locator("dialog h2").inner_text() == f"{model} · {EVIL}"
            assert EVIL in page.locator("dialog .facts").inner_text()
            page.keyboard.press("Escape")
            page.locator("dialog h2").wait_for(state="detached")
        page.get_by_label(EVIL.replace("_", " "), exact=True).check(force=True)
        page.locator("#caption", has_text=EVIL).wait_for()
        page.wait_for_timeout(200)
        assert page.locator("img").count() == 0
        assert "taken" not in page.title()
        assert EVIL in page.locator("#broken").inner_text()


def test_a_page_without_records_opens(browser, tmp_path):
    (tmp_path / "records").mkdir()
    with Visit(browser, dashboard.write(tmp_path / "records", tmp_path / "page")) as page:
        assert page.locator("h1").inner_text() == "No run has been recorded yet."
