"use strict";
// Nothing here is needed to read the verdict and what stands against it. Texts of gates become text nodes only.
(() => {
  const CHUNK = 200; // rows that are made at once
  const PRINTED = 300; // folded gates that are unfolded for paper
  const GLYPHS = { pass: "✓", warn: "▲", fail: "✗", error: "■", unknown: "?", skip: "–" };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const cards = all(".card").map((card) => ({ card, status: card.dataset.status, text: card.textContent.toLowerCase() }));
  const folds = all(".fold").map((fold, number) => ({ fold, number, name: fold.querySelector(".name"), title: fold.querySelector(".name").textContent }));
  const counters = all(".counter");
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const wanted = new Set();
  let data; // parsed when it is first needed

  const rowsOf = ({ number }) => {
    data ??= JSON.parse(document.getElementById("data").textContent);
    return data[number];
  };

  // -- elements ---------------------------------------------------------------------------------------------------

  const element = (tag, name, ...children) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children);
    return made;
  };

  const badge = (status) => {
    const glyph = element("span", "", GLYPHS[status]);
    glyph.setAttribute("aria-hidden", "true");
    return element("span", `badge ${status}`, glyph, ` ${status.toUpperCase()}`);
  };

  const details = (pairs) => {
    if (!pairs.length) return element("p", "more", "No more of this gate is in this file: see the JSON report.");
    const list = element("dl", "facts");
    let previous = "";
    for (const [label, text] of pairs) {
      if (label !== previous || label === "finding") list.append(element("dt", "", label));
      const plain = label === "try" ? element("code", "try", text) : text;
      list.append(element("dd", label === "finding" ? "name" : /^std/.test(label) ? "output" : "", plain));
      previous = label;
    }
    return list;
  };

  const row = ([status, id, headline, seconds, requirement, pairs]) => {
    const summary = element("summary", "", badge(status), " ", element("code", "", id), " ", element("span", "headline", headline));
    if (requirement) summary.append(" ", element("span", "tag", requirement));
    if (seconds) summary.append(" ", element("span", "seconds", seconds));
    const made = element("details", "row", summary);
    made.addEventListener("toggle", () => { if (made.open && made.childElementCount === 1) made.append(details(pairs)); });
    return made;
  };

  // -- folded gates -----------------------------------------------------------------------------------------------

  const matches = (status, text) => (!wanted.size || wanted.has(status)) && text.includes(find.value.trim().toLowerCase());
  const matching = (fold) => rowsOf(fold).filter(([status, id, headline]) => matches(status, `${id} ${headline}`.toLowerCase()));
  const active = () => wanted.size > 0 || find.value.trim() !== "";

  const extend = (place, rows, from) => {
    const some = rows.slice(from, from + CHUNK).map(row);
    const rest = rows.length - from - some.length;
    place.append(...some);
    if (rest > 0) {
      const button = element("button", "extend", `Show ${Math.min(rest, CHUNK)} of ${rest.toLocaleString("en")} more`);
      button.type = "button";
      button.addEventListener("click", () => {
        button.remove();
        extend(place, rows, from + CHUNK);
        if (some.length) place.children[from + CHUNK].firstElementChild.focus();
      });
      place.append(button);
    }
  };

  const fill = (folded) => {
    const place = folded.fold.querySelector(".rows");
    place.replaceChildren();
    if (folded.fold.open) extend(place, matching(folded), 0);
  };

  for (const folded of folds) folded.fold.addEventListener("toggle", () => fill(folded));

  // -- filters ----------------------------------------------------------------------------------------------------

  const apply = () => {
    let shown = 0, total = cards.length;
    for (const { card, status, text } of cards) {
      card.hidden = !matches(status, text);
      shown += !card.hidden;
    }
    for (const folded of folds) {
      const { fold, name, title } = folded;
      const there = active() ? rowsOf(folded).length : 0;
      const count = active() ? matching(folded).length : 0;
      shown += count;
      total += there;
      fold.hidden = active() && count === 0;
      name.textContent = count === there ? title : `${count.toLocaleString("en")} of ${title}`;
      if (count && wanted.size) fold.open = true;
      fill(folded);
    }
    found.textContent = active() ? (shown ? `${shown.toLocaleString("en")} of ${total.toLocaleString("en")} gates` : "No gate matches.") : "";
  };

  for (const counter of counters) {
    counter.addEventListener("click", () => {
      const { status } = counter.dataset;
      const on = !wanted.delete(status);
      if (on) wanted.add(status);
      counter.setAttribute("aria-pressed", String(on));
      apply();
    });
  }

  for (const link of all(".verdict a")) {
    link.addEventListener("click", () => { // what it leads to may be filtered out
      wanted.clear();
      find.value = "";
      for (const counter of counters) counter.setAttribute("aria-pressed", "false");
      apply();
    });
  }

  let waiting;
  find.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });

  // -- paper ------------------------------------------------------------------------------------------------------

  let unfolded = [];
  addEventListener("beforeprint", () => {
    if (folds.reduce((sum, folded) => sum + rowsOf(folded).length, 0) > PRINTED) return;
    unfolded = folds.filter(({ fold }) => !fold.open);
    for (const folded of unfolded) {
      folded.fold.open = true;
      fill(folded); // the toggle event would come too late
    }
  });
  addEventListener("afterprint", () => {
    for (const { fold } of unfolded) fold.open = false;
    unfolded = [];
  });
})();
