// Reads a page aloud, line after line, with a voice that is on this machine: no word is sent to anybody. Without one, no button.
const button = document.querySelector("[data-aloud]");
const lines = [...document.querySelectorAll("[data-say]")];
const language = document.documentElement.lang;
const synthesis = window.speechSynthesis;
let at = -1;

const voice = () => synthesis.getVoices().find((one) => one.localService && one.lang.startsWith(language));

function mark(next) {
  lines[at]?.removeAttribute("aria-current");
  at = next;
  lines[at]?.setAttribute("aria-current", "true");
  lines[at]?.scrollIntoView({ block: "center" });
  button.textContent = at < 0 ? button.dataset.aloud : button.dataset.stop;
}

function say(next) {
  if (next >= lines.length) return mark(-1);
  mark(next);
  const told = new SpeechSynthesisUtterance(lines[next].dataset.say);
  told.voice = voice();
  told.lang = language;
  told.rate = 0.9;
  told.onend = () => { if (at === next) say(next + 1); };
  synthesis.speak(told);
}

function offer() {
  button.hidden = !voice();
}

if (button && synthesis) {
  button.addEventListener("click", () => {
    const begins = at < 0;
    mark(-1);
    synthesis.cancel();
    if (begins) say(0);
  });
  addEventListener("pagehide", () => synthesis.cancel());
  synthesis.addEventListener?.("voiceschanged", offer);
  offer();
}
