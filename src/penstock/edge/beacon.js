// The beacon: tells Penstock what readers do with an answer, an element with data-penstock="REQUEST ID".
//
// It knows no framework: it listens on the document and looks at what is tagged twice a second, whatever else a page does. No text
// leaves the page that its author did not ask for. beacon.py serves it without comments and white space; it has no template strings
// and no regular expressions, which would not survive that.
(() => {
  const { src, dataset: { key, endpoint = src.replace("beacon.js", "v1/feedback") } } = document.currentScript;
  const page = crypto.getRandomValues(new Uint32Array(4)).join("-"),
    inView = new WeakSet(), // answers
    dwells = new Map(), // seconds, by request id
    grown = new Set(), // request ids whose dwell has not been told
    edits = new Map(); // texts, by the field that is written in
  let seen = new Set(), // request ids of what is in view
    isAway = document.hidden,
    waiting = [],
    number = 0,
    timer;

  const answers = () => document.querySelectorAll("[data-penstock]");
  const on = (type, listener) => document.addEventListener(type, listener, true);

  function report(request_id, name, fields) {
    waiting.push({ request_id, name, occurred_at: new Date(), idempotency_key: page + ++number, ...fields });
    timer ||= setTimeout(flush, 3000);
  }

  function flush() {
    timer = clearTimeout(timer);
    while (waiting[0]) send(waiting.splice(0, 50));
  }

  // Not by sendBeacon: it cannot set an Authorization header, and a key in the URL would end up in logs. A fetch with keepalive
  // outlives the page as well; browsers refuse one that carries more than 64 KiB.
  async function send(reports) {
    const headers = { "content-type": "application/json", ...(key && { authorization: "Bearer " + key }) },
      body = JSON.stringify(reports),
      keepalive = new Blob([body]).size < 64e3;
    const answer = await fetch(endpoint, { method: "POST", headers, body, keepalive }).catch(() => ({ status: 503 }));
    if (answer.status < 429) return answer.ok || console.warn(await answer.text());
    waiting = [...reports, ...waiting].slice(-1000);
    timer ||= setTimeout(flush, 1000 * (+answer.headers?.get("retry-after") || 10));
  }

  function turn(away) {
    if (away == isAway) return;
    isAway = away;
    for (const id of seen) report(id, "left", { value: +away });
    if (!away) return;
    // One report that grows: under the same key it amends itself.
    for (const id of grown) report(id, "dwell", { value: dwells.get(id), idempotency_key: page + "/" + id });
    grown.clear();
    edits.forEach(tellEdit);
    flush();
  }

  const sight = new IntersectionObserver((entries) =>
    entries.forEach(({ target, isIntersecting }) => (isIntersecting ? inView.add(target) : inView.delete(target)))
  );

  function look() {
    const before = seen,
      present = new Set();
    seen = new Set();
    for (const answer of answers()) {
      const id = answer.dataset.penstock;
      sight.observe(answer);
      present.add(id);
      if (inView.has(answer)) seen.add(id);
    }
    for (const id of before) present.has(id) || report(id, "left", { value: 1 });
    isAway || seen.forEach((id) => grown.add(id) && dwells.set(id, (dwells.get(id) || 0) + 0.5));
  }

  // Whole or not at all: a part would pass for what was kept.
  function textFor(use, answer, text) {
    if (answer.dataset.penstockText?.includes(use) && text.length <= 2e4) return text.toWellFormed();
  }

  function selectedIn(answer, target) {
    const { value, selectionStart, selectionEnd } = answer,
      selection = getSelection();
    if (value) return answer == target && value.slice(selectionStart, selectionEnd);
    if (!selection.containsNode(answer, true)) return "";
    const range = selection.getRangeAt(0).cloneRange();
    if (!answer.contains(range.startContainer)) range.setStart(answer, 0);
    if (!answer.contains(range.endContainer)) range.setEnd(answer, answer.childNodes.length);
    return String(range);
  }

  on("copy", ({ target }) => {
    for (const answer of answers()) {
      const part = selectedIn(answer, target),
        characters = part.length,
        metadata = { characters, share: characters / (answer.value || answer.textContent).length };
      if (part) report(answer.dataset.penstock, "copy", { value: 1, text: textFor("copy", answer, part), metadata });
    }
  });

  // A field is an answer where it is tagged itself; one that merely stands within an answer, such as a comment's, is none.
  function write({ target }) {
    const answer = target.closest("[data-penstock]"),
      id = answer?.dataset.penstock,
      isField = "form" in target,
      after = isField ? target.value : target.innerText;
    if (!id || (isField && answer != target)) return;
    if (edits.get(target)?.id != id) edits.set(target, { id, answer, before: after, told: after });
    edits.get(target).after = after;
  }

  // The share kept: what stands before the first change, and what stands after the last.
  function tellEdit(edit) {
    const { id, answer, before, after, told } = edit,
      most = Math.min(before.length, after.length);
    if (!before || after == told) return;
    edit.told = after;
    let start = 0,
      end = 0;
    while (start < most && before[start] == after[start]) start++;
    while (start + end < most && before.at(~end) == after.at(~end)) end++;
    report(id, "edited", { value: (start + end) / before.length, text: textFor("edit", answer, after) });
  }

  // In the capturing phase, before the page's own listener can take the button or its answer away.
  on("click", ({ target }) => {
    const { penstockReport: name, penstockFor } = target.closest("[data-penstock-report]")?.dataset ?? {},
      id = penstockFor ?? target.closest("[data-penstock]")?.dataset.penstock;
    if (name && id) report(id, name, { value: +(name != "rejected") });
  });

  on("beforeinput", write);
  on("input", write);
  on("focusout", () => edits.forEach(tellEdit));
  on("visibilitychange", () => turn(document.hidden));
  addEventListener("pagehide", () => turn(true));
  setInterval(look, 500);
  window.penstock = { report, flush };
})();
