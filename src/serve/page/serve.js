// What the page does beside being read: it refreshes, asks before it acts, and shows what is under
// the pointer. Without it, everything can still be read.
"use strict";
(() => {
  const main = document.getElementById("main");
  const said = document.getElementById("said");
  const say = (text, failed) => {
    if (!said) return;
    said.textContent = text;
    said.classList.toggle("failed", Boolean(failed));
  };

  // The zone of this browser, beside those that the server offers.
  const place = document.getElementById("own-zone");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const shown = place && place.parentElement.querySelector("b").textContent;
  if (place && own && own !== shown && own !== "UTC") {
    const link = document.createElement("a");
    link.href = "/zone?" + new URLSearchParams({ zone: own, back: place.dataset.back });
    link.textContent = own;
    place.append(" · ", link);
  }

  // Buttons: the fields of a form, as JSON. What nobody filled in is left out; a hidden field has
  // the value of its row, also an empty one.
  const bodyOf = (form) => {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || (field.value === "" && field.type !== "hidden")) continue;
      if (field.type === "checkbox" && !field.checked) continue;
      if (["days", "hours"].includes(field.name)) body[field.name] = Number(field.value);
      else if (field.name === "force") body[field.name] = field.value === "true";
      else body[field.name] = field.value;
    }
    return body;
  };
  const act = async (form) => {
    say("Working…");
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const answer = await fetch(form.dataset.post, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Carom-Action": "1" },
        body: JSON.stringify(bodyOf(form)),
      });
      const text = await answer.text();
      let value = {};
      try { value = JSON.parse(text); } catch { /* The status says enough. */ }
      if (!answer.ok) throw new Error([value.detail, value.fix].filter(Boolean).join("; ") || answer.statusText);
      const isGone = value.released === false || value.done === 0;
      sessionStorage.setItem("said", isGone ? "Nothing to do: it was gone already."
        : value.for_old_failures ? `Done. For failures that are in the index already: ${value.for_old_failures}.`
          : "Done.");
      if (form.dataset.then) location.href = form.dataset.then;
      else location.reload();
    } catch (error) {
      say("Not done: " + error.message, true);
      buttons.forEach((button) => { button.disabled = false; });
    }
  };
  const enable = () => {
    document.querySelectorAll("form[data-post] button").forEach((button) => { button.disabled = false; });
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.post) return;
    event.preventDefault();
    say("");
    if (form.dataset.ask && !window.confirm(form.dataset.ask)) return;
    act(form);
  });
  enable();
  const before = sessionStorage.getItem("said");
  if (before) {
    sessionStorage.removeItem("said");
    say(before);
    // The button is gone: whoever uses the keyboard goes on from the view.
    if (main) main.focus();
  }

  // What shows the present is fetched again, unless somebody is busy in it.
  const live = document.getElementById("live");
  const isBusy = () => main.contains(document.activeElement) && document.activeElement !== main
    || document.hidden || main.querySelector("details[open]") || !window.getSelection().isCollapsed;
  // On the clock of the reader, who may have chosen another than this browser's.
  let shownAt = live && live.dataset.at;
  // What is shown is not the present any more: since when, and why.
  const stale = document.createElement("p");
  stale.className = "unreadable";
  stale.setAttribute("role", "status");
  const isOld = (why) => {
    stale.textContent = `This is how it was at ${shownAt}: ${why}.`;
    if (!stale.isConnected) main.before(stale);
  };
  const refresh = async () => {
    if (!live.checked || isBusy()) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.status === 401) return isOld("the token is not known any more, so sign in again");
      if (!answer.ok) return isOld(`the server answers with ${answer.status}`);
      const now = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = now.getElementById("main");
      if (fresh && !isBusy()) {
        main.replaceChildren(...fresh.childNodes);
        enable();
        shownAt = now.getElementById("live").dataset.at;
        stale.remove();
      }
    } catch {
      isOld("the server does not answer");
    }
  };
  if (live && main) {
    live.closest("p").hidden = false;
    live.checked = localStorage.getItem("live") !== "off";
    live.addEventListener("change", () => localStorage.setItem("live", live.checked ? "on" : "off"));
    window.setInterval(refresh, Number(live.dataset.every) * 1000);
    // Who comes back to the view sees the present at once.
    document.addEventListener("visibilitychange", refresh);
  }

  // The words of a bar, under the pointer.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };
  document.addEventListener("pointermove", (event) => {
    const bar = event.target.closest && event.target.closest("svg g");
    const title = bar && bar.querySelector("title");
    if (!title) return hide();
    tip.textContent = title.textContent;
    tip.hidden = false;
    const width = document.documentElement.clientWidth;
    tip.style.left = Math.min(event.clientX + 14, width - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.max(event.clientY - tip.offsetHeight - 10, 8) + "px";
  });
  document.addEventListener("click", (event) => {
    const bar = event.target.closest && event.target.closest("svg g[data-step]");
    const rows = document.querySelectorAll("#course ~ details tbody th a");
    if (bar && rows[bar.dataset.step]) location.href = rows[bar.dataset.step].href;
  });
  document.addEventListener("pointerleave", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
