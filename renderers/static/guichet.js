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

// Photographs are made smaller before they leave, and the sending shows how far it is.
const LONGEST = 1600;
const spoken = { fr: { shrink: "Préparation de la photo…", send: "Envoi en cours : ", wait: "Réseau lent. Nouvel essai…", cut: "Envoi interrompu. Rien n’est perdu : touchez « Envoyer cette pièce »." }, en: { shrink: "Preparing the photo…", send: "Sending: ", wait: "Slow network. Trying again…", cut: "Sending stopped. Nothing is lost: try again." } };
const say = spoken[document.documentElement.lang] || spoken.fr;
const smaller = async (file) => {
  if (!/^image\//.test(file.type) || !window.createImageBitmap) return file;
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const ratio = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * ratio);
  canvas.height = Math.round(picture.height * ratio);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.75));
  if (!blob || (blob.size >= file.size && ratio === 1)) return file;
  return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
};
const post = (form, data, onProgress) => new Promise((done, fail) => {
  const request = new XMLHttpRequest();
  request.open("POST", location.href);
  request.responseType = "document";
  request.upload.onprogress = onProgress;
  request.onload = () => (request.status < 500 ? done(request) : fail(new Error(request.status)));
  request.onerror = () => fail(new Error("network"));
  request.send(data);
});
const patiently = async (form, data, onProgress, status) => {
  for (const wait of [1, 2, 4, 8, 16, 0]) {
    try { return await post(form, data, onProgress); } catch (error) {
      if (!wait) throw error;
      status.textContent = say.wait;
      await new Promise((done) => setTimeout(done, wait * 1000));
    }
  }
};
// While a file is on its way, « Continuer » waits for it: the reason why it is refused is read before the page is left.
const leaving = new WeakMap();
const underWay = new WeakMap();
const arrived = (form, well) => {
  underWay.set(form, underWay.get(form) - 1);
  const button = leaving.get(form);
  if (!button || underWay.get(form)) return;
  leaving.delete(form);
  if (well) form.requestSubmit(button);
};
const holdBack = (event) => {
  const form = event.currentTarget;
  if (!underWay.get(form)) return;
  event.preventDefault();
  event.stopPropagation();
  leaving.set(form, event.submitter);
};
const sendPiece = async (form, input) => {
  underWay.set(form, (underWay.get(form) || 0) + 1);
  let well = false;
  try { well = await sendOne(form, input); } finally { arrived(form, well); }
};
// Questions that the answers kept with a file have brought appear in their place.
const grow = (form, page) => {
  let after = null;
  for (const block of page.querySelector("form[data-form]")?.children || []) {
    const mark = block.querySelector("[id]");
    const mine = mark && document.getElementById(mark.id);
    if (mine) after = mine.closest("form[data-form] > *");
    else if (mark && after) {
      after.after(document.importNode(block, true));
      after = after.nextElementSibling;
      watch(form, after);
    }
  }
};
const sendOne = async (form, input) => {
  const piece = input.closest(".piece");
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  status.textContent = say.shrink;
  const bar = Object.assign(document.createElement("progress"), { className: "up", max: 1, value: 0 });
  bar.setAttribute("aria-label", say.send);
  piece.append(status, bar);
  try {
    let file = input.files[0];
    try { file = await smaller(file); } catch (error) { console.warn(error); }
    const data = new FormData();
    for (const one of form.elements) {
      if (!one.name || one.disabled || one.type === "file" || one.type === "submit") continue;
      if (/radio|checkbox/.test(one.type) && !one.checked) continue;
      data.append(one.name, one.value);
    }
    data.set("send", input.name.replace(/^file:/, ""));
    data.append(input.name, file, file.name);
    const kb = (octets) => Math.round(octets / 1000);
    const answer = await patiently(form, data, (event) => {
      bar.value = event.total ? event.loaded / event.total : 0;
      status.textContent = say.send + kb(event.loaded) + " / " + kb(event.total) + " Ko";
    }, status);
    const page = answer.response;
    const fresh = page && page.getElementById(piece.id);
    if (!fresh) { location.reload(); return false; }
    for (const name of ["token", "revision", "csrf_token"]) {
      const mine = form.elements[name], theirs = page.querySelector(`form[data-form] [name=${name}]`);
      if (mine && theirs) mine.value = theirs.value;
    }
    const kept = document.importNode(fresh, true);
    piece.replaceWith(kept);
    watch(form, kept);
    grow(form, page);
    const told = kept.querySelector(".error, .got b");
    if (told) { told.setAttribute("role", "status"); told.tabIndex = -1; told.focus(); }
    return !kept.querySelector(".error");
  } catch (error) {
    bar.remove();
    status.textContent = say.cut;
    return false;
  }
};
const watch = (form, root) => {
  for (const input of all("input[data-photo]", root)) {
    input.addEventListener("change", () => { if (input.files.length) sendPiece(form, input); });
  }
};
safely(() => { for (const form of all("form[data-form]")) { watch(form, form); form.addEventListener("submit", holdBack); } });

// A payment that ends is shown at once.
safely(() => {
  const box = document.querySelector("[data-poll]");
  if (!box) return;
  let wait = 3;
  const ask = async () => {
    try {
      const answer = await fetch(box.dataset.poll, { headers: { Accept: "application/json" } });
      if (answer.ok && (await answer.json()).status !== "pending") { location.reload(); return; }
    } catch (error) { /* no network: ask again */ }
    wait = Math.min(15, wait * 1.3);
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
