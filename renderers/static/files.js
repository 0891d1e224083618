// The pages that ask for files: a photograph is made smaller, and a file leaves as soon as it is chosen. Without this script it
// leaves with the form.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Photographs are made smaller before they leave, and the sending shows how far it is.
const LONGEST = 1600;
const spoken = {
  fr: { shrink: "Préparation de la photo…", send: "Envoi en cours : ", of: " ko sur ", unit: " ko", wait: "Réseau lent. Nouvel essai…", cut: "Envoi interrompu à {} %. Rien n’est perdu.", again: "Reprendre" },
  en: { shrink: "Preparing the photo…", send: "Sending: ", of: " kB of ", unit: " kB", wait: "Slow network. Trying again…", cut: "Sending stopped at {}%. Nothing is lost.", again: "Resume" },
};
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
  request.onload = () => (request.status < 500 || request.status === 507 ? done(request) : fail(new Error(request.status)));
  request.onerror = () => fail(new Error("network"));
  request.send(data);
});
const patiently = async (work, status) => {
  for (const wait of [1, 2, 4, 8, 16, 0]) {
    try { return await work(); } catch (error) {
      if (!wait) throw error;
      status.textContent = say.wait;
      await new Promise((done) => setTimeout(done, wait * 1000));
    }
  }
};
// A large file leaves in pieces: after a cut it goes on where it stopped, even from a page opened again.
const PIECE = 128000;
const keyOf = async (file) => {
  const digest = window.crypto && crypto.subtle
    ? await crypto.subtle.digest("SHA-256", await file.arrayBuffer()) : crypto.getRandomValues(new Uint8Array(16)).buffer;
  return [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
};
const sendPieces = async (form, file, key, show, status) => {
  const where = location.pathname.match(/^\D*\/\d{11}/)[0] + "/envois/" + key + ".json";
  const ask = async (address, options) => {
    const answer = await fetch(address, options);
    if (answer.status >= 500 && answer.status !== 507) throw new Error(answer.status);
    return answer.ok ? (await answer.json()).received : null;
  };
  let at = await patiently(() => ask(where), status);
  while (at !== null && at < file.size) {
    show(at, file.size);
    const from = at;
    at = await patiently(() => ask(where + "?at=" + from, {
      method: "POST", body: file.slice(from, from + PIECE),
      headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": form.elements.csrf_token.value },
    }), status);
    if (at !== null && at <= from) return false;
  }
  show(file.size, file.size);
  return at === file.size;
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
  all(".way, .error", piece).forEach((one) => one.remove()); // also what is said of the file before
  const way = Object.assign(document.createElement("div"), { className: "way" });
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  status.textContent = say.shrink;
  const bar = Object.assign(document.createElement("progress"), { className: "up", max: 1, value: 0 });
  bar.setAttribute("aria-label", say.send);
  way.append(status, bar);
  piece.append(way);
  const kb = (octets) => Math.round(octets / 1000);
  const show = (gone, whole) => {
    bar.value = whole ? gone / whole : 0;
    status.textContent = say.send + kb(gone) + say.of + kb(whole) + say.unit;
  };
  try {
    let file = input.files[0];
    try { file = await smaller(file); } catch (error) { console.warn(error); }
    if (input.dataset.most && file.size > +input.dataset.most) {
      bar.remove();
      status.className = "error";
      status.textContent = input.dataset.heavy;
      input.value = "";
      return false;
    }
    const path = input.name.replace(/^file:/, "");
    const key = file.size > PIECE ? await keyOf(file) : "";
    const came = key && await sendPieces(form, file, key, show, status);
    const data = new FormData();
    for (const one of form.elements) {
      if (!one.name || one.disabled || one.type === "file" || one.type === "submit") continue;
      if (/radio|checkbox/.test(one.type) && !one.checked) continue;
      data.append(one.name, one.value);
    }
    data.set("send", path);
    if (came) data.append("arrived:" + path, key + "/" + file.name);
    else data.append(input.name, file, file.name);
    data.delete("end"); // the last field: a post that was cut is seen to be
    data.append("end", "1");
    const answer = await patiently(() => post(form, data, (event) => came || show(event.loaded, event.total)), status);
    const page = answer.response;
    const fresh = page && page.getElementById(piece.id);
    if (!fresh) { location.reload(); return false; }
    for (const name of ["token", "revision", "csrf_token"]) {
      const mine = form.elements[name], theirs = page.querySelector(`form[data-form] [name=${name}]`);
      const old = name === "revision" && theirs && +theirs.value < +mine.value; // answers of two files may cross
      if (mine && theirs && !old) mine.value = theirs.value;
    }
    const kept = document.importNode(fresh, true);
    piece.replaceWith(kept);
    watch(form, kept);
    grow(form, page);
    const told = kept.querySelector(".error, .got b");
    if (told) { told.setAttribute("role", "status"); told.tabIndex = -1; told.focus(); }
    return !kept.querySelector(".error");
  } catch (error) {
    status.textContent = say.cut.replace("{}", Math.round(bar.value * 100));
    bar.remove();
    const again = Object.assign(document.createElement("button"), { type: "button", className: "button second slim", textContent: say.again });
    again.addEventListener("click", () => sendPiece(form, input));
    way.append(again);
    return false;
  }
};
const watch = (form, root) => {
  for (const input of all("input[data-photo]", root)) {
    input.addEventListener("change", () => { if (input.files.length) sendPiece(form, input); });
  }
};
for (const form of all("form[data-form]")) { watch(form, form); form.addEventListener("submit", holdBack); }
