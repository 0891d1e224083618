// What the pages do a little better with a script. Each block stands alone: if one fails, the page still works.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const safely = (work) => { try { work(); } catch (error) { console.warn(error); } };

// The box of errors takes the focus.
safely(() => { const box = document.querySelector("[data-focus]"); if (box) box.focus(); });

// Questions that depend on an answer of the same page appear in place.
const answersTo = (form, name) => {
  const controls = [...form.elements].filter((one) => one.name === name && !one.disabled && one.type !== "hidden");
  return controls.filter((one) => !/radio|checkbox/.test(one.type) || one.checked).map((one) => one.value).filter(Boolean);
};
const holds = (form, test) => {
  if (test.all) return test.all.every((one) => holds(form, one));
  if (test.any) return test.any.some((one) => holds(form, one));
  if (test.not) return !holds(form, test.not);
  const given = answersTo(form, test.field);
  if (!given.length) return false; // what is not answered triggers nothing
  return test.in ? given.some((one) => test.in.includes(one)) : !given.some((one) => test.out.includes(one));
};
const reveal = (form) => {
  for (const block of all("[data-when]", form)) {
    const open = holds(form, JSON.parse(block.dataset.when)) && !block.parentElement.closest("[data-when][hidden]");
    block.hidden = !open;
    for (const one of all("input, select, textarea, button", block)) {
      if (!("shut" in one.dataset) && !one.closest("[data-when][hidden]")) one.disabled = false;
      else if (one.closest("[data-when][hidden]")) one.disabled = true;
    }
  }
};
safely(() => {
  for (const form of all("form")) {
    if (!form.querySelector("[data-when]")) continue;
    reveal(form);
    form.addEventListener("input", () => reveal(form));
    form.addEventListener("change", () => reveal(form));
  }
});

// A payment that ends is shown at once.
safely(() => {
  const box = document.querySelector("[data-poll]");
  if (!box) return;
  let wait = Number(box.dataset.again) || 3;
  const ask = async () => {
    try {
      const answer = await fetch(box.dataset.poll, { headers: { Accept: "application/json" } });
      const told = answer.ok ? await answer.json() : {};
      if (answer.ok && told.status !== (box.dataset.mark || "pending")) { location.reload(); return; }
      wait = told.again || Math.min(15, wait * 1.3);
    } catch (error) { wait = Math.min(15, wait * 1.3); /* no network: ask again */ }
    setTimeout(ask, wait * 1000);
  };
  setTimeout(ask, wait * 1000);
});

// A second tap on the same button within three seconds is not sent.
safely(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent && Date.now() - form.dataset.sent < 3000) event.preventDefault();
    else form.dataset.sent = Date.now();
  });
  addEventListener("pageshow", () => { for (const form of all("form")) delete form.dataset.sent; });
});

// A list in groups keeps the groups that the list above allows: a region leaves its prefectures, a prefecture its communes.
safely(() => {
  const named = (list, name) => [...list.options].some((one) => one.text === name);
  const pairs = all("select").map((list) => [list, all("optgroup", list)]).filter(([, groups]) => groups.length).map(([list, groups]) =>
    [list, groups, all("select", list.form).find((one) => one !== list && groups.every((group) => named(one, group.label)))]);
  for (const [list, groups, above] of pairs.filter(([, , one]) => one)) {
    const narrow = (event) => {
      const chosen = list.value, name = above.value && above.selectedOptions[0].text;
      list.replaceChildren(list.options[0], ...groups.filter((group) => (name ? group.label === name : named(above, group.label))));
      list.value = [...list.options].some((one) => one.value === chosen) ? chosen : "";
      if (event) list.dispatchEvent(new Event("change", { bubbles: true }));
    };
    above.addEventListener("change", narrow);
    narrow();
  }
});
