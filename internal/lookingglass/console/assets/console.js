// What the pages do besides htmx. Everything works without it.
(() => {
  "use strict";
  const $ = (selector, of = document) => of.querySelector(selector);
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];

  // What only makes sense with a script is hidden until there is one.
  const reveal = (of) => {
    for (const e of all("[data-script]", of)) e.hidden = false;
    for (const e of all(".apply", of)) e.hidden = true;
  };
  document.addEventListener("DOMContentLoaded", () => {
    reveal(document);
    $(".top nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  });
  document.addEventListener("htmx:load", (e) => reveal(e.target));

  // Parameters that choose nothing stay out of addresses.
  document.addEventListener("htmx:configRequest", (e) => {
    if (!e.target.closest("[data-lean]")) return;
    for (const name of Object.keys(e.detail.parameters)) {
      if (e.detail.parameters[name] === "") delete e.detail.parameters[name];
    }
  });

  // Copying.
  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-copy]");
    if (!button) return;
    const from = $(button.dataset.copy);
    let done = false;
    try {
      await navigator.clipboard.writeText(from.textContent);
      done = true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    const before = button.dataset.label ?? button.textContent;
    button.dataset.label = before;
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = before; }, 1500);
  });

  // The live page: one exchange beside the list.
  const open = async (link) => {
    mark(link);
    await htmx.ajax("GET", link.getAttribute("href"), { target: "#detail", swap: "innerHTML" });
    history.replaceState(null, "", link.href);
    const pane = $("#detail");
    if (matchMedia("(max-width: 60rem)").matches) scrollTo(0, 0);
    pane.scrollTop = 0;
  };
  const mark = (link) => {
    for (const a of all("#rows a[aria-current]")) {
      a.removeAttribute("aria-current");
      a.closest("tr").classList.remove("open");
    }
    if (!link) return;
    link.setAttribute("aria-current", "true");
    link.closest("tr").classList.add("open");
  };
  const close = () => {
    const pane = $("#detail");
    const shut = pane && $("[data-close]", pane);
    if (!shut) return false;
    const link = $("#rows a[aria-current]");
    history.replaceState(null, "", shut.href);
    pane.replaceChildren();
    mark(null);
    link?.focus();
    return true;
  };
  const plain = (e) => e.button === 0 && !e.metaKey && !e.ctrlKey && !e.shiftKey && !e.altKey;
  document.addEventListener("click", (e) => {
    if (!plain(e)) return;
    const shut = e.target.closest("[data-close]");
    if (shut && $("#rows")) {
      e.preventDefault();
      close();
      return;
    }
    const row = e.target.closest("#rows tr");
    if (!row || (e.target.closest("a") && !e.target.closest("[data-open]"))) return;
    if (!e.target.closest("a") && String(getSelection())) return;
    e.preventDefault();
    open($("a[data-open]", row));
  });

  // Arriving rows: no more than fit, none while paused.
  let missed = 0;
  const pause = (on) => {
    const button = $("[data-pause]");
    if (!button) return;
    if (!on && missed > 0) {
      missed = 0;
      location.reload();
      return;
    }
    button.setAttribute("aria-pressed", String(on));
    $("[data-label]", button).textContent = on ? "Resume" : "Pause";
  };
  const paused = () => $("[data-pause]")?.getAttribute("aria-pressed") === "true";
  document.addEventListener("htmx:sseBeforeMessage", (e) => {
    if (e.detail.type !== "rows") return;
    if (paused()) {
      missed += (e.detail.data.match(/<tr/g) ?? []).length;
      $("[data-pause] [data-label]").textContent = `Resume (${missed} new)`;
      e.preventDefault();
    }
  });
  document.addEventListener("htmx:sseMessage", (e) => {
    if (e.detail.type !== "rows") return;
    const rows = $("#rows");
    const seen = new Set(); // what other instances recorded may come twice
    for (const a of all("a[data-open]", rows).reverse()) {
      const path = a.pathname;
      if (seen.has(path)) a.closest("tr").remove();
      seen.add(path);
    }
    const most = Number(rows.dataset.most);
    for (let i = rows.rows.length - 1; i >= most; i--) {
      if (!rows.rows[i].contains(document.activeElement)) rows.rows[i].remove();
    }
    const empty = $("[data-empty]");
    if (empty) empty.hidden = true;
  });
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-pause]")) pause(!paused());
    for (const menu of all("details.menu[open]")) if (!menu.contains(e.target)) menu.open = false;
  });
  const connected = (on) => $("[data-live]")?.classList.toggle("on", on);
  document.addEventListener("htmx:sseOpen", () => connected(true));
  document.addEventListener("htmx:sseError", () => connected(false));

  // The keyboard.
  document.addEventListener("keydown", (e) => {
    if (e.metaKey || e.ctrlKey || e.altKey || e.isComposing) return;
    if (e.key === "Escape") {
      const menu = $("details.menu[open]");
      if (menu) {
        menu.open = false;
        $("summary", menu).focus();
      } else if (e.target.matches("#q")) {
        e.target.blur();
      } else {
        close();
      }
      return;
    }
    if (e.target.closest("input, select, textarea")) return;
    const search = $("#q, [data-search]");
    if (e.key === "/" && search) {
      e.preventDefault();
      search.focus();
      search.select();
    }
    const links = all("#rows a[data-open]");
    if (links.length === 0) return;
    if (e.key === "p") pause(!paused());
    if (e.key !== "j" && e.key !== "k") return;
    const at = links.findIndex((a) => a === document.activeElement);
    const from = at >= 0 ? at : links.findIndex((a) => a.hasAttribute("aria-current"));
    const to = e.key === "j" ? Math.min(from + 1, links.length - 1) : Math.max(from - 1, 0);
    links[to].focus();
  });
})();
