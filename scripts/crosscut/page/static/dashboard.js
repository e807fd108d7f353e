"use strict";
// What the page can do beyond being read: choose a metric, open a cell, copy a command. Without it the page still says
// what is broken and what changed.

(() => {
  const dialog = document.getElementById("cell");
  const place = document.getElementById("table");
  const form = document.getElementById("metrics");
  const caption = document.getElementById("caption");
  // Also what keeps a made-up link from naming a file elsewhere.
  const LINK = /^#([a-z0-9-]+-[0-9a-f]{8})(?:\/([a-z0-9_-]+))?$/;

  for (const element of document.querySelectorAll(".copy, #metrics")) element.hidden = false;

  function chosen() {
    const input = form && form.querySelector("input:checked");
    return input && input.value !== "cost" ? input.value : undefined;
  }

  async function open(id, metric) {
    try {
      await Promise.all([crosscut.load("history/runs.js"), crosscut.load(`history/${id}.js`)]);
      if (!dialog.open) dialog.showModal();
      crosscut.show(dialog, crosscut.loaded.cells.get(id), metric || chosen());
      document.getElementById("cell-title").focus();
      dialog.scrollTop = 0;
    } catch (error) {
      dialog.replaceChildren(crosscut.h("p", {}, `There is no history: ${error.message}.`));
      if (!dialog.open) dialog.showModal();
    }
  }

  function follow() {
    const link = LINK.exec(location.hash);
    if (link) open(link[1], link[2]);
    else if (dialog.open) dialog.close();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && LINK.test(link.getAttribute("href")) && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault(); // the cell is in view: no jump to it
      history.pushState(null, "", link.getAttribute("href"));
      follow();
      return;
    }
    if (link) {
      const section = document.getElementById(link.getAttribute("href").slice(1));
      const details = section && section.querySelector("details");
      if (details) details.open = true;
      return;
    }
    const button = event.target.closest(".copy");
    if (button) copy(button);
    else if (event.target === dialog) dialog.close(); // beside the dialogue
  });

  async function copy(button) {
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // Without the right to write, select it for the person to copy.
      getSelection().selectAllChildren(button.previousElementSibling);
      done = "Selected";
    }
    button.textContent = done;
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (LINK.test(location.hash)) history.pushState(null, "", "#");
  });
  addEventListener("popstate", follow);
  addEventListener("resize", () => {
    const input = dialog.open && dialog.querySelector("input[name=series]:checked");
    if (input) input.dispatchEvent(new Event("change"));
  });

  if (form) {
    const first = place.firstElementChild, text = caption.textContent;
    form.addEventListener("change", async (event) => {
      const {value} = event.target;
      if (value === "cost") {
        place.replaceChildren(first);
        caption.textContent = text;
        return;
      }
      await crosscut.load(`tables/${value}.js`);
      if (chosen() !== value) return; // another was chosen meanwhile
      place.innerHTML = crosscut.loaded.tables.get(value); // markup of the template, escaped there
      caption.textContent = `${event.target.parentElement.textContent.trim()}. A cell opens its history.`;
    });
  }
  follow();
})();
