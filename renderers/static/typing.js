// The typing page of a paper form: Enter goes on, a digit picks an option, Ctrl and Enter send. Without it, plain controls.
const form = document.querySelector("[data-typing]");
const TYPED = "input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea";
// One stop for each question: of options, the chosen one or the first.
const stops = () => {
  const found = [...form.querySelectorAll(`${TYPED}, [type=checkbox], [type=radio]`)].filter((one) => one.getClientRects().length);
  const first = (one) => found.find((other) => other.name === one.name && other.checked) || found.find((other) => other.name === one.name);
  return found.filter((one) => one.matches(TYPED) || first(one) === one).concat(form.querySelector(".actions button"));
};
const next = (from) => {
  const all = stops(), here = all.findIndex((one) => one === from || (from.name && one.name === from.name && !one.matches(TYPED)));
  all[here + 1]?.focus();
};
form.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (key === "Enter" && event.ctrlKey) return form.requestSubmit();
  if (event.altKey || event.metaKey || event.ctrlKey || event.isComposing) return;
  if (key === "Enter" && target.matches("input, select")) {
    event.preventDefault();
    next(target);
  }
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code); // on AZERTY a digit needs Shift
  const picked = digit && target.matches("[type=radio], [type=checkbox]") && form.querySelectorAll(`[name="${CSS.escape(target.name)}"]`)[digit[1] - 1];
  if (!picked) return;
  event.preventDefault();
  picked.click();
  if (picked.type === "radio") next(picked);
});
if (!document.getElementById("errors")) stops()[0]?.focus();
