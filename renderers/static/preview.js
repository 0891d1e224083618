// The preview follows the file: what is wrong with it, and the page in the frame, without losing what was typed.
const frame = () => document.querySelector("iframe[name=vue]");
const pageOf = (one) => { try { return one && one.contentDocument; } catch (error) { return null; } };

// Where the reader is, and what they typed.
const snapshot = () => {
  const page = pageOf(frame());
  if (!page || !page.body) return null;
  const typed = [...page.forms].map((form) => [...form.elements].filter((one) => one.name && !/hidden|file|submit|button/.test(one.type)).map((one) => ({ name: one.name, value: one.value, type: one.type, checked: one.checked })));
  return { at: frame().contentWindow.scrollY, focus: page.activeElement && page.activeElement.id, typed };
};
const restore = (kept) => {
  const page = pageOf(frame());
  if (!kept || !page) return;
  kept.typed.forEach((controls, at) => {
    const form = page.forms[at];
    if (!form) return;
    for (const one of controls) {
      for (const control of [...form.elements].filter((mine) => mine.name === one.name && mine.type === one.type)) {
        if (/radio|checkbox/.test(one.type)) { if (control.value === one.value) control.checked = one.checked; } else control.value = one.value;
      }
    }
    form.dispatchEvent(new Event("input", { bubbles: true }));
  });
  frame().contentWindow.scrollTo(0, kept.at);
  const focused = kept.focus && page.getElementById(kept.focus);
  if (focused) focused.focus({ preventScroll: true });
};

// The parts of this page that speak of the file, taken from a fresh one.
const fetchPage = (address) => new Promise((done, fail) => {
  const call = new XMLHttpRequest();
  call.open("GET", address);
  call.responseType = "document";
  call.onload = () => (call.status === 200 && call.response ? done(call.response) : fail(new Error(call.status)));
  call.onerror = fail;
  call.send();
});
const refresh = async () => {
  const fresh = await fetchPage("/_apercu");
  if (!frame() !== !fresh.querySelector("iframe[name=vue]")) { location.reload(); return; }
  for (const id of ["fault", "health", "advice"]) {
    const mine = document.getElementById(id), theirs = fresh.getElementById(id);
    if (mine && theirs) mine.replaceWith(document.importNode(theirs, true));
  }
  for (const select of document.querySelectorAll(".tools select")) {
    const theirs = fresh.getElementById(select.id), chosen = select.value;
    if (theirs) { select.replaceChildren(...[...theirs.options].map((one) => document.importNode(one, true))); if ([...select.options].some((one) => one.value === chosen)) select.value = chosen; }
  }
  document.title = fresh.title;
};
const reload = (broken) => {
  const one = frame();
  if (!one || broken) return; // the last good version stays as it is
  const kept = snapshot();
  one.addEventListener("load", () => restore(kept), { once: true });
  one.contentWindow.location.reload();
};

const follow = async () => {
  for (;;) {
    try {
      const answer = await fetch(`/_apercu/version.json?n=${document.body.dataset.n}`);
      if (!answer.ok) throw new Error(answer.status);
      const told = await answer.json();
      if (String(told.n) !== document.body.dataset.n) {
        document.body.dataset.n = told.n;
        reload(told.broken);
        await refresh();
      }
    } catch (error) {
      await new Promise((done) => setTimeout(done, 1000)); // the preview was stopped, or starts again
    }
  }
};
follow();

// A tool that does not change page keeps the one in the frame.
document.addEventListener("submit", (event) => {
  const form = event.target, page = pageOf(frame());
  if (!("view" in form.dataset) || !page) return;
  const kept = document.createElement("input");
  kept.type = "hidden";
  kept.name = "view";
  kept.value = page.location.pathname + page.location.search;
  form.append(kept);
});
