// Keys of the pages of agents. A key only follows a link, presses a button or enters a field that the page shows.
const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.getClientRects().length && !one.disabled);
const keysOf = (one) => one.getAttribute("aria-keyshortcuts").split(" ");
const keyed = (key) => all("[aria-keyshortcuts]").find((one) => keysOf(one).includes(key));
const use = (one) => (one.matches("input:not([type=submit]), select, textarea") ? one.focus() : one.click());
const TYPED = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";
const help = document.getElementById("keys");
document.documentElement.dataset.keys = "";

// In a list, the link of a row has the focus: there is no other mark of the row.
const move = (by) => {
  const links = all("table.dense tbody th a"), at = links.findIndex((one) => one.closest("tr").contains(document.activeElement));
  links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
};
const tick = () => document.activeElement.closest("tr")?.querySelector("[type=checkbox]")?.click();

const made = (tag, ...inside) => {
  const one = document.createElement(tag);
  one.append(...inside);
  return one;
};
// The words of a control, without its signs: « Agrandir », not « +Agrandir ».
const words = (one) => {
  const copy = one.cloneNode(true);
  for (const sign of copy.querySelectorAll("[aria-hidden]")) sign.remove();
  return copy.textContent.trim();
};
// The help lists what the page offers, by the words of each control.
const show = () => {
  const list = help.querySelector("dl"), known = new Set();
  for (const old of list.querySelectorAll(".found")) old.remove();
  for (const one of all("[aria-keyshortcuts]")) {
    for (const key of keysOf(one).filter((key) => !known.has(key))) {
      known.add(key);
      const name = one.ariaLabel || one.labels?.[0]?.textContent || words(one);
      list.append(made("div", made("dt", made("kbd", key)), made("dd", name)));
      list.lastChild.className = "found";
    }
  }
  for (const line of list.querySelectorAll("[data-where]")) line.hidden = !document.querySelector(line.dataset.where);
  help.showModal();
};

const OWN = { j: () => move(1), k: () => move(-1), x: tick, "?": show };
let section = 0; // when « g » was pressed: the next letter names a section
document.addEventListener("keydown", (event) => {
  const { ctrlKey, altKey, metaKey, isComposing, target } = event;
  if (ctrlKey || altKey || metaKey || isComposing || help.open || target.closest(TYPED)) return;
  const key = event.shiftKey ? event.key : event.key.toLowerCase(); // with the lock of capitals too
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code); // on AZERTY a digit needs Shift
  const inSection = Date.now() - section < 2000 && all(`[data-go="${CSS.escape(key)}"]`)[0];
  const found = inSection || keyed(key) || (digit && keyed(digit[1]));
  section = key === "g" && !inSection ? Date.now() : 0;
  if (!found && !OWN[key]) return;
  event.preventDefault();
  if (event.repeat && found) return;
  if (found) use(found);
  else OWN[key]();
});
