"use strict";
// A series over its runs as an SVG: evenly spaced points, oldest first; failed runs as crosses on the axis.
// Left and right move a cursor, as the mouse does; what is under it is reported to `say`.

const crosscut = {};

crosscut.chart = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 240, LEFT = 64, RIGHT = 12, TOP = 12, BOTTOM = 28;

  function shape(name, attributes, ...children) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  // Unit of the axis by its largest value: one for all ticks.
  function scale(unit, most) {
    const steps = {
      seconds: [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]],
      instructions: [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]],
      bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "KB"], [1, "B"]],
    }[unit] || [[1, unit]];
    return steps.find(([factor]) => most >= factor) || steps[steps.length - 1];
  }

  function ticks(low, high) {
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const found = [];
    for (let n = Math.ceil(low / step); n * step <= high * (1 + 1e-12); n++) found.push(n * step);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  }

  // points: {value, middle, kind, failed, label}; `value` is null for a run without one.
  function draw(points, {unit, exact, width, title, say}) {
    const values = points.filter((p) => p.value !== null);
    let low = Math.min(...values.map((p) => p.value)), high = Math.max(...values.map((p) => p.middle));
    const room = Math.max(high - low, (exact ? 0.005 : 0.1) * high, 1e-9);
    const centre = (low + high) / 2;
    [low, high] = [Math.max(0, centre - room * 0.55), centre + room * 0.55];
    const x = (i) => LEFT + (width - LEFT - RIGHT) * (points.length > 1 ? i / (points.length - 1) : 0.5);
    const y = (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (v - low) / (high - low));
    const root = shape("svg", {viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, class: "chart", tabindex: 0,
      role: "img", "aria-label": title});

    const [factor, name] = scale(unit, high);
    const [marks, digits] = ticks(low / factor, high / factor);
    for (const mark of marks) {
      const at = y(mark * factor).toFixed(1);
      root.append(shape("line", {x1: LEFT, x2: width - RIGHT, y1: at, y2: at, class: "grid"}));
      root.append(shape("text", {x: LEFT - 6, y: at, class: "tick", "text-anchor": "end", dy: "0.32em"},
        `${mark.toFixed(digits)} ${name}`));
    }
    const room_for = Math.max(1, Math.floor((width - LEFT - RIGHT) / 90));
    const every = Math.max(1, Math.ceil(points.length / room_for));
    points.forEach((p, i) => {
      if ((points.length - 1 - i) % every === 0)
        root.append(shape("text", {x: x(i).toFixed(1), y: HEIGHT - 8, class: "tick",
          "text-anchor": i === points.length - 1 && points.length > 1 ? "end" : "middle"}, p.label));
    });

    let line = "", bars = "", follows = false;
    points.forEach((p, i) => {
      if (p.value === null) { follows = false; return; }
      line += `${follows ? "L" : "M"}${x(i).toFixed(1)} ${y(p.value).toFixed(1)}`;
      if (!exact && p.middle > p.value) bars += `M${x(i).toFixed(1)} ${y(p.value).toFixed(1)}V${y(p.middle).toFixed(1)}`;
      follows = true;
    });
    root.append(shape("path", {d: bars, class: "spread"}), shape("path", {d: line, class: "line"}));
    points.forEach((p, i) => {
      if (p.value === null) {
        if (p.failed) root.append(shape("text", {x: x(i).toFixed(1), y: HEIGHT - BOTTOM - 4, class: "failed",
          "text-anchor": "middle"}, "✗"));
        return;
      }
      const event = ["worse", "better", "other"].includes(p.kind);
      if (event || points.length <= 120)
        root.append(shape("circle", {cx: x(i).toFixed(1), cy: y(p.value).toFixed(1), r: event ? 4.5 : 2,
          class: `point ${p.kind}`}));
    });

    const cursor = shape("line", {y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden"});
    root.append(cursor);
    let at = points.length - 1;
    function move(i) {
      at = Math.min(points.length - 1, Math.max(0, i));
      cursor.setAttribute("x1", x(at));
      cursor.setAttribute("x2", x(at));
      cursor.setAttribute("visibility", "visible");
      say(at);
    }
    root.addEventListener("mousemove", (event) => {
      const box = root.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width * width - LEFT) / (width - LEFT - RIGHT);
      move(Math.round(place * (points.length - 1)));
    });
    root.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity}[event.key];
      if (step === undefined) return;
      event.preventDefault();
      move(at + step);
    });
    return root;
  }

  return {draw, scale};
})();
