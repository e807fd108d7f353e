"use strict";
// The dialogue of a cell: chart, how to run it again, what was compiled, what it answered, every run.
// Texts of records only ever become text nodes.

(() => {
  const loaded = {cells: new Map(), tables: new Map(), runs: null};
  crosscut.cell = (id, data) => loaded.cells.set(id, data);
  crosscut.runs = (data) => { loaded.runs = data; };
  crosscut.table = (id, markup) => loaded.tables.set(id, markup);
  crosscut.loaded = loaded;

  // Data are scripts: a page opened from disk may load scripts beside it, and read nothing else.
  const pending = new Map();
  crosscut.load = (path) => {
    if (!pending.has(path)) {
      pending.set(path, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = path;
        script.onload = resolve;
        script.onerror = () => { pending.delete(path); reject(new Error(`${path} is missing`)); };
        document.head.append(script);
      }));
    }
    return pending.get(path);
  };

  function h(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "on") for (const [event, action] of Object.entries(value)) element.addEventListener(event, action);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }
  crosscut.h = h;

  const LISTED = 10;
  const moment = (time) => `${time.slice(0, 10)} ${time.slice(11, 16)}`;
  const middle = (samples) => {
    const sorted = [...samples].sort((a, b) => a - b), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  function command(text) {
    return h("p", {class: "command"}, h("code", {}, text), " ",
      h("button", {type: "button", class: "copy", "data-copy": text}, "Copy"));
  }

  function change(point) {
    const [, , , kind, percent, why] = point;
    const text = kind === "first" ? "first" : percent || "=";
    const event = kind === "better" || kind === "worse";
    const symbol = kind === "other" ? "◆ " : kind === "same" && percent ? "≈ " : event ? (percent.startsWith("−") ? "▼ " : "▲ ") : "";
    return h("span", {class: `change ${kind}`, title: why}, symbol + text);
  }

  function failure(data) {
    const [, status, phase, reason] = data.rows[data.rows.length - 1];
    if (status === "pass") return null;
    return h("p", {class: "failure"}, h("b", {}, `${status === "fail" ? "✗ " : ""}${phase || status}: `), reason || "");
  }

  function samples(series, point) {
    const values = point[6];
    if (values.length === 1) return "";
    const [factor, unit] = crosscut.chart.scale(series.unit, Math.max(...values));
    const text = (value) => (value / factor).toPrecision(4);
    const all = values.map(text).join(" ");
    return h("details", {}, h("summary", {}, `${values.length}: median ${text(middle(values))} ${unit}`), all);
  }

  function table(data, series, all) {
    const by_run = new Map(series ? series.points.map((point) => [point[0], point]) : []);
    const rows = all ? data.rows : data.rows.slice(-LISTED);
    const body = rows.slice().reverse().map(([number, status, phase, reason, module]) => {
      const run = loaded.runs[number], point = by_run.get(number);
      return h("tr", {},
        h("td", {"data-label": "Commit"}, h("code", {title: run.commit}, run.name), " ", run.subject),
        h("td", {"data-label": "Measured", class: "when", title: `${run.machine}\n${run.system}\n${run.file}`}, moment(run.started)),
        h("td", {"data-label": "Value", class: "number"}, point ? point[2] : status === "fail" ? "✗ fails" : status),
        h("td", {"data-label": "Change", class: "number"}, point ? change(point) : ""),
        h("td", {"data-label": "Samples"}, point ? samples(series, point) : status === "pass" ? "" : `${phase || ""} ${reason || ""}`.trim()),
        h("td", {"data-label": "Module"}, h("code", {}, module)));
    });
    const heads = ["Commit", "Measured", "Value", "Change", "Samples, or why not", "Module"];
    return h("table", {class: "events"}, h("thead", {}, h("tr", {}, ...heads.map((text, i) =>
      h("th", {scope: "col", class: i === 2 || i === 3 ? "number" : null}, text)))), h("tbody", {}, ...body));
  }

  const error = (value) => value && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));

  function answers(data) {
    if (!data.checks.length) return null;
    const rows = data.checks.map((check) => h("tr", {},
      h("td", {"data-label": "Sample"}, check.sample),
      h("td", {"data-label": "Right"}, check.ok ? "✓ yes" : "✗ no"),
      h("td", {"data-label": "Answer"}, check.answer || ""),
      h("td", {"data-label": "Largest error", class: "number"},
        typeof check.largest_error === "number" ? error(check.largest_error) : ""),
      h("td", {"data-label": "Problem"}, check.problem || "")));
    return h("section", {}, h("h3", {}, "What it answers"), h("table", {class: "events"}, h("thead", {}, h("tr", {},
      ...["Sample", "Right", "Answer", "Largest error", "Problem"].map((text, i) =>
        h("th", {scope: "col", class: i === 3 ? "number" : null}, text)))),
      h("tbody", {}, ...rows)));
  }

  function facts(data) {
    const entries = Object.entries(data.facts).filter(([, value]) => value);
    const run = loaded.runs[data.rows[data.rows.length - 1][0]];
    entries.push(["Compiler", run.compiler || "unknown"], ["Machine", `${run.machine}, ${run.system}`], ["Record", run.file]);
    return h("section", {}, h("h3", {}, "What was compiled and where it ran"),
      h("dl", {class: "facts"}, ...entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("code", {}, value))))),
      ...Object.entries(data.commands).flatMap(([step, text]) => [h("h4", {}, `The bare command: ${step}`), command(text)]));
  }

  // The chart and the table of one metric.
  function follow(data, series, place) {
    const by_run = new Map(series.points.map((point) => [point[0], point]));
    const points = data.rows.map(([number, status]) => {
      const point = by_run.get(number), run = loaded.runs[number];
      return {value: point ? point[1] : null, middle: point ? middle(point[6]) : null, kind: point ? point[3] : "",
        failed: status === "fail", label: run.name, point, run, status};
    });
    const output = h("p", {class: "reading", "aria-live": "polite"});
    const say = (i) => {
      const {point, run, status} = points[i];
      output.replaceChildren(h("code", {}, run.name), ` ${moment(run.started)} `, h("b", {}, point ? point[2] : status === "fail" ? "✗ fails" : status), " ",
        point ? change(point) : "", " ", run.subject);
    };
    const chart = crosscut.chart.draw(points, {unit: series.unit, exact: series.exact, width: Math.max(300, place.clientWidth),
      title: `${series.title} of ${data.title} over ${points.length} runs`, say});
    const rows = h("div", {class: "scroll"}, table(data, series, false));
    const more = data.rows.length > LISTED ? h("button", {type: "button", on: {click: (event) => {
      rows.replaceChildren(table(data, series, true));
      event.target.remove();
    }}}, `Show all ${data.rows.length}`) : null;
    place.replaceChildren(chart, output, h("h3", {}, `Runs: ${series.title}`), rows, ...(more ? [more] : []));
    say(points.length - 1);
  }

  crosscut.show = (dialog, data, wanted) => {
    const place = h("div", {class: "series"});
    const chosen = data.metrics.find((series) => series.name === wanted) || data.metrics.find((series) => series.name === "time")
      || data.metrics.find((series) => series.name === "instructions") || data.metrics[0];
    const tabs = h("fieldset", {class: "metrics"}, h("legend", {}, "Show"), ...data.metrics.map((series) =>
      h("label", {}, h("input", {type: "radio", name: "series", value: series.name, checked: series === chosen,
        on: {change: () => follow(data, series, place)}}), ` ${series.title}`)));
    dialog.replaceChildren(
      h("header", {}, h("h2", {id: "cell-title", tabindex: -1}, data.title),
        h("button", {type: "button", class: "close", "aria-label": "Close", on: {click: () => dialog.close()}}, "✕")),
      failure(data) || "", command(data.reproduce), data.metrics.length ? tabs : "", place, answers(data) || "", facts(data));
    if (chosen) follow(data, chosen, place);
    else place.replaceChildren(h("h3", {}, "Runs"), table(data, null, true));
  };
})();
