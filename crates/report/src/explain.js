"use strict";
// One column a word, shared by all rows; `state` is all there is to say about what is shown.
const { classes, explanation } = JSON.parse(document.getElementById("data").textContent);
const { tags, chain, sentences, head } = explanation;
const $ = (id) => document.getElementById(id);
const QUANTITIES = { i: "input gate", f: "forget gate", g: "candidate", o: "output gate", c: "cell state", h: "output" };
const state = { sentence: 0, word: 0, member: 0, walk: 0, quantity: "c", unit: 0, asked: 0, order: "stored", playing: null, reached: null };
const sentence = () => sentences[state.sentence];
const member = () => sentence().members[state.member];
const walk = () => member().walks[state.walk];
const several = sentences[0].members.length > 1;
const units = () => (walk() ? walk().c[0].length : 0);

const svgSpace = "http://www.w3.org/2000/svg";
function draw(parent, kind, attributes, text) {
  const node = document.createElementNS(svgSpace, kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}
function canvasOf(id, height) {
  const width = edges[edges.length - 1];
  const svg = document.createElementNS(svgSpace, "svg");
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  $(id).replaceChildren(svg);
  return svg;
}
/** Left edges of the words' columns and, at the end, the right edge of the last: as wide as the words, and wider where there is
 *  room. On a narrow screen the notes stand above the columns, which leave room for the names of tags. */
let edges = [];
const narrow = matchMedia("(max-width: 640px)");
const gutter = () => (narrow.matches ? 0 : document.querySelector(".gutter").offsetWidth);
function layOut() {
  const sheet = $("sheet"), { words } = sentence(), first = narrow.matches ? 52 : 0;
  sheet.style.setProperty("--room", sheet.clientWidth + "px");
  const room = sheet.clientWidth - gutter() - first - 2;
  const least = words.map((word) => Math.max(44, Math.min(130, 16 + 8.2 * [...word].length)));
  const spare = Math.max(0, Math.min(40, (room - least.reduce((a, b) => a + b, 0)) / words.length));
  edges = least.reduce((all, w) => [...all, all[all.length - 1] + Math.floor(w + spare)], [first]);
  $("words").style.paddingLeft = first + "px";
  sheet.style.setProperty("--now", left(state.word) + "px"); // the column that all rows show as chosen
  sheet.style.setProperty("--now-wide", wide(state.word) + "px");
}
const left = (t) => edges[t];
const wide = (t) => edges[t + 1] - edges[t];
const middle = (t) => (edges[t] + edges[t + 1]) / 2;
const columnAt = (x) => Math.max(0, edges.findLastIndex((edge, t) => edge <= x && t < edges.length - 1));
const number = (v) => (v < 0 ? "−" : "") + Math.abs(v).toFixed(2);
const percent = (p) => (p > 0.9995 ? "100" : (100 * p).toFixed(1)) + " %";
function button(parent, text, pressed, act) {
  const node = document.createElement("button");
  node.textContent = text;
  node.setAttribute("aria-pressed", pressed);
  node.onclick = act;
  parent.append(node);
  return node;
}

function drawWords() {
  const { words, best, marginals, known } = sentence();
  $("words").replaceChildren();
  words.forEach((word, t) => {
    const node = button($("words"), "", t === state.word, () => go(t));
    node.tabIndex = t === state.word ? 0 : -1; // one stop for the tab key; the arrows do the rest
    node.className = "word" + (known[t] ? "" : " new") + (classes[best[t]] ? " " + classes[best[t]] : "");
    node.style.width = wide(t) + "px";
    node.title = `${word}: ${tags[best[t]]}, ${percent(marginals[t][best[t]])}` + (known[t] ? "" : "; not in the word list");
    const top = document.createElement("b");
    top.textContent = word;
    const below = document.createElement("small");
    below.textContent = best[t] === 0 ? "" : tags[best[t]];
    node.append(top, below);
  });
}

function unitOrder() {
  const order = [...Array(units()).keys()];
  const { c, f } = walk();
  const mean = (u) => f.reduce((sum, row) => sum + row[u], 0);
  if (state.order === "now") order.sort((a, b) => Math.abs(c[state.word][b]) - Math.abs(c[state.word][a]));
  if (state.order === "keep") order.sort((a, b) => mean(b) - mean(a));
  return order;
}
function rgb(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
function drawHeat() {
  const canvas = $("heat");
  if (!walk()) return;
  const values = walk()[state.quantity], order = unitOrder();
  const high = Math.max(3, Math.min(9, Math.floor(260 / order.length)));
  const [width, height] = [edges[values.length], high * order.length], ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const on = canvas.getContext("2d");
  on.scale(ratio, ratio);
  const [plus, minus, zero] = ["--plus", "--minus", "--paper"].map(rgb);
  const most = state.quantity === "c" ? Math.max(...values.flat().map(Math.abs), 1e-6) : 1;
  values.forEach((row, t) => order.forEach((u, y) => {
    const share = Math.min(1, Math.abs(row[u]) / most), to = row[u] < 0 ? minus : plus;
    on.fillStyle = `rgb(${zero.map((z, k) => Math.round(z + (to[k] - z) * share)).join()})`;
    on.fillRect(left(t), y * high, wide(t) - 1, high);
  }));
  if (state.reached !== null) { // while playing, what has not been computed yet is veiled
    on.fillStyle = `rgba(${zero.join()},0.88)`;
    const [from, to] = walk().backward ? [0, state.reached] : [state.reached + 1, values.length];
    on.fillRect(left(from), 0, left(to) - left(from), height);
  }
  on.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  on.lineWidth = 2;
  on.strokeRect(left(state.word), 1, wide(state.word) - 1, height - 2);
  on.lineWidth = 1;
  on.strokeRect(left(0) + 0.5, order.indexOf(state.unit) * high - 0.5, width - left(0) - 1, high + 1);
  canvas.onmousemove = (e) => {
    const u = order[Math.floor(e.offsetY / high)], t = columnAt(e.offsetX);
    if (values[t] && u !== undefined) canvas.title = `${state.quantity} of unit ${u} at ${sentence().words[t]}: ${number(values[t][u])}`;
  };
  canvas.onclick = (e) => {
    state.unit = order[Math.min(order.length - 1, Math.floor(e.offsetY / high))];
    go(columnAt(e.offsetX));
  };
  $("heat-title").textContent = `${state.quantity}: ${QUANTITIES[state.quantity]}`;
  const way = walk().backward ? "reads from the right to the left" : "reads from the left to the right";
  $("heat-note").textContent = `${units()} units, one a line; ${way}. ` +
    ("ifo".includes(state.quantity) ? "0 is blank, 1 full." : `Orange is above 0, blue below; full is ±${most.toFixed(1)}.`);
}

function drawUnit() {
  const high = 130, svg = canvasOf("unit", high), { c } = walk();
  const most = Math.max(1, ...c.map((row) => Math.abs(row[state.unit])));
  const y = (v, full = 1) => high / 2 - (v / full) * (high / 2 - 8);
  for (const v of [-1, 0, 1]) draw(svg, "line", { class: v ? "grid faint" : "grid", x1: 0, x2: svg.getAttribute("width"), y1: y(v), y2: y(v) });
  for (const name of ["i", "f", "h", "c"]) {
    const points = walk()[name].map((row, t) => `${middle(t)},${y(row[state.unit], name === "c" ? most : 1)}`);
    draw(svg, "polyline", { class: `curve key-${name}`, points: points.join(" ") });
  }
  hits(svg, high);
  $("unit-title").textContent = `Unit ${state.unit} through time`;
  $("unit-note").textContent = `f near 1 keeps c, i near 0 lets nothing in; the outer lines are ±1, for c ±${most.toFixed(1)}`;
}
/** Columns that can be clicked. */
function hits(svg, height) {
  sentence().words.forEach((_, t) => {
    const hit = draw(svg, "rect", { class: "hit", x: left(t), y: 0, width: wide(t), height });
    hit.onclick = () => go(t);
  });
}

function drawLattice() {
  const { marginals, best, words } = sentence();
  const seen = tags.map((_, k) => $("all-tags").checked || marginals.some((row) => row[k] > 0.005) || best.includes(k));
  const shown = tags.map((_, k) => k).filter((k) => seen[k]);
  const line = 24, svg = canvasOf("lattice", shown.length * line + 6);
  const y = (k) => shown.indexOf(k) * line + line / 2 + 3;
  for (const k of shown) draw(svg, "line", { class: "grid", x1: 0, x2: svg.getAttribute("width"), y1: y(k), y2: y(k) });
  draw(svg, "polyline", { class: "path", points: best.map((k, t) => `${middle(t)},${y(k)}`).join(" ") });
  words.forEach((word, t) => shown.forEach((k) => {
    const p = marginals[t][k];
    if (p > 0.0005) draw(svg, "circle", { class: classes[k] || "", cx: middle(t), cy: y(k), r: 1.5 + 9 * Math.sqrt(p) });
  }));
  hits(svg, shown.length * line + 6);
  words.forEach((word, t) => shown.forEach((k) => {
    const hit = draw(svg, "rect", { class: "hit", x: left(t), y: y(k) - line / 2, width: wide(t), height: line });
    draw(hit, "title", {}, `${tags[k]} at ${word}: ${percent(marginals[t][k])}, score ${number(sentence().emissions[t][k])}`);
    hit.onclick = () => go(t, k);
  }));
  $("tag-names").replaceChildren();
  for (const k of shown) {
    const name = document.createElement("span");
    name.textContent = tags[k];
    name.style.setProperty("--y", y(k) + "px");
    name.className = best[state.word] === k ? "strong" : "";
    $("tag-names").append(name);
  }
}

function bars(id, values, high, signed) {
  const svg = canvasOf(id, high), most = Math.max(...values.map(Math.abs), 1e-6);
  const zero = signed ? high / 2 : high - 18, scale = (signed ? high / 2 - 18 : high - 36) / most;
  draw(svg, "line", { class: "grid", x1: 0, x2: svg.getAttribute("width"), y1: zero, y2: zero });
  values.forEach((v, t) => {
    const size = Math.abs(v) * scale, broad = Math.min(30, wide(t) * 0.6);
    const kind = signed ? (v > 0 ? "bar-plus" : "bar-minus") : "bar-accent";
    draw(svg, "rect", { class: kind, x: middle(t) - broad / 2, y: v < 0 ? zero : zero - size, width: broad, height: size, rx: 2 });
    const label = signed ? (v > 0 ? "+" : "−") + (100 * Math.abs(v)).toFixed(0) : v.toFixed(2);
    if (Math.abs(v) > most / 25 && /[1-9]/.test(label)) {
      const at = v < 0 ? zero + size + 12 : zero - size - 4;
      draw(svg, "text", { x: middle(t), y: at, "text-anchor": "middle", class: t === state.word ? "strong" : "" }, label);
    }
  });
  hits(svg, high);
}
const askedHere = () => sentence().influence.filter((one) => one.token === state.word);
function drawInfluence() {
  const { without, words, best, marginals } = sentence(), here = askedHere();
  state.asked = Math.min(state.asked, here.length - 1);
  $("asked").replaceChildren();
  here.forEach((one, k) => button($("asked"), tags[one.tag], k === state.asked, () => { state.asked = k; show(); }));
  bars("influence", here[state.asked].norms, 110, false);
  const tag = tags[best[state.word]], p = marginals[state.word][best[state.word]];
  $("without-note").textContent = without.length
    ? `by how many points ${tag} at “${words[state.word]}” (${percent(p)}) becomes less likely (+) or likelier (−) without each word`
    : "the sentence has one word only";
  bars("without", words.map((_, u) => (without.length ? without[u][state.word] : 0)), 110, true);
}

function describe(tag) {
  const { words, best, emissions, wide: votes, marginals } = sentence(), t = state.word, k = tag ?? best[t];
  $("place").textContent = `Word ${t + 1} of ${words.length}: “${words[t]}” is ${tags[best[t]]} with ${percent(marginals[t][best[t]])}.`;
  const lines = [`score of ${tags[k]} at “${words[t]}”: ${number(emissions[t][k])}`];
  if (votes.length) lines[0] += ` = ${number(emissions[t][k] - votes[t][k])} from the LSTMs ${votes[t][k] < 0 ? "−" : "+"} ${Math.abs(votes[t][k]).toFixed(2)} from the wide part`;
  if (several) {
    const { members } = sentence(), alone = members.filter((m) => m.best[t] === k).length;
    lines[0] += "\nmean of " + members.map((m) => number(m.emissions[t][k])).join(", ");
    lines.push(`${alone} of ${members.length} networks say ${tags[k]} here by themselves`);
  }
  if (chain && head === "crf") {
    const into = t === 0 ? chain.start[k] : chain.transitions[best[t - 1]][k];
    const from = t === 0 ? "the start" : tags[best[t - 1]];
    lines.push(`transition from ${from}: ${into === null ? "forbidden by the tag scheme" : number(into)}`);
  }
  lines.push("probability: " + percent(marginals[t][k]));
  $("tag-detail").textContent = lines.join("\n");
  if (!walk()) return;
  const at = (name, step = t) => (walk()[name][step] ? walk()[name][step][state.unit] : 0);
  const before = walk().backward ? t + 1 : t - 1, [i, f, g, o, c, h] = [..."ifgoch"].map((name) => at(name));
  const from = words[before] === undefined ? "nothing: it starts here" : `“${words[before]}”`;
  $("equations").textContent = [
    `unit ${state.unit} of ${walk().name}${several ? ` in network ${state.member + 1}` : ""} at “${words[t]}”, c′ from ${from}`,
    `i = ${number(i)}   f = ${number(f)}   g = ${number(g)}   o = ${number(o)}`,
    `c = f·c′ + i·g = ${number(f)} · ${number(at("c", before))} + ${number(i)} · ${number(g)} = ${number(c)}`,
    `h = o·tanh c = ${number(o)} · ${number(Math.tanh(c))} = ${number(h)}`,
  ].join("\n");
}

function show(tag) {
  // What is drawn anew would lose the focus of whoever goes by keys.
  const within = ["words", "asked"].find((id) => $(id).contains(document.activeElement));
  layOut();
  drawWords();
  if (walk()) { drawHeat(); drawUnit(); }
  drawLattice();
  drawInfluence();
  describe(tag);
  for (const node of $("quantities").children) node.setAttribute("aria-pressed", node.textContent === state.quantity);
  $("play").textContent = state.playing ? "❚❚ stop" : "▶ play";
  if (within) $(within).querySelector("[aria-pressed=true]").focus({ preventScroll: true });
}
function go(t, tag) {
  const n = sentence().words.length;
  if (t !== state.word) state.asked = 0;
  state.word = Math.max(0, Math.min(n - 1, t));
  show(tag);
  const sheet = $("sheet"), room = sheet.clientWidth - gutter();
  if (left(state.word) < sheet.scrollLeft) sheet.scrollLeft = left(state.word);
  if (edges[state.word + 1] > sheet.scrollLeft + room) sheet.scrollLeft = edges[state.word + 1] - room;
}
function stop() {
  clearInterval(state.playing);
  Object.assign(state, { playing: null, reached: null });
  show();
}
function play() {
  if (state.playing) return stop();
  const n = sentence().words.length, back = walk() && walk().backward;
  let step = 0;
  const advance = () => {
    if (step === n) return stop();
    state.reached = back ? n - 1 - step : step;
    step += 1;
    go(state.reached);
  };
  state.playing = setInterval(advance, 550);
  advance();
}
function choose(key, value) {
  if (state.playing) stop();
  state[key] = value;
  if (key === "sentence") Object.assign(state, { word: 0, asked: 0 });
  state.walk = Math.max(0, Math.min(state.walk, member().walks.length - 1));
  state.unit = Math.max(0, Math.min(state.unit, units() - 1));
  for (const key of ["sentence", "member", "walk"]) $(key).value = state[key];
  show();
}
function moveUnit(by) {
  const order = unitOrder(), at = order.indexOf(state.unit) + by;
  state.unit = order[Math.max(0, Math.min(order.length - 1, at))];
  show();
}
function option(select, value, text) {
  const node = document.createElement("option");
  [node.value, node.textContent] = [value, text];
  select.append(node);
}

function start() {
  sentences.forEach((s, k) => option($("sentence"), k, `${k + 1}: ${s.words.slice(0, 5).join(" ")}${s.words.length > 5 ? " …" : ""}`));
  $("choose-sentence").hidden = sentences.length < 2;
  sentence().members.forEach((_, k) => option($("member"), k, `${k + 1} of ${sentence().members.length}`));
  for (const id of ["choose-member", "member-keys", "member-note"]) $(id).hidden = !several;
  $("sentence-keys").hidden = sentences.length < 2;
  member().walks.forEach((w, k) => option($("walk"), k, `${w.name} ${w.backward ? "←" : "→"}`));
  for (const q of Object.keys(QUANTITIES)) button($("quantities"), q, false, () => choose("quantity", q)).title = QUANTITIES[q];
  $("sentence").onchange = (e) => choose("sentence", Number(e.target.value));
  $("member").onchange = (e) => choose("member", Number(e.target.value));
  $("walk").onchange = (e) => choose("walk", Number(e.target.value));
  $("order").onchange = (e) => choose("order", e.target.value);
  $("all-tags").onchange = () => show();
  $("back").onclick = () => go(state.word - 1);
  $("next").onclick = () => go(state.word + 1);
  $("play").onclick = play;
  const keys = {
    ArrowLeft: () => go(state.word - 1),
    ArrowRight: () => go(state.word + 1),
    ArrowUp: () => moveUnit(-1),
    ArrowDown: () => moveUnit(1),
    " ": play,
    Home: () => go(0),
    End: () => go(sentence().words.length - 1),
    "[": () => choose("walk", state.walk - 1),
    "]": () => choose("walk", state.walk + 1),
    l: () => choose("walk", (state.walk + 1) % member().walks.length), // brackets are far away on many keyboards
    n: () => choose("member", (state.member + 1) % sentence().members.length),
    s: () => choose("sentence", (state.sentence + 1) % sentences.length),
    a: () => $("all-tags").click(),
  };
  for (const k of [0, 1, 2]) keys[k + 1] = () => { if (askedHere()[k]) { state.asked = k; show(); } };
  addEventListener("keydown", (e) => {
    const bracket = e.getModifierState("AltGraph"); // as some keyboards have it
    if (((e.ctrlKey || e.metaKey || e.altKey) && !bracket) || e.target.tagName === "SELECT") return;
    const act = keys[e.key] || (QUANTITIES[e.key] && (() => choose("quantity", e.key)));
    if (!act || (e.key === " " && ["INPUT", "BUTTON"].includes(e.target.tagName))) return;
    e.preventDefault();
    act();
  });
  addEventListener("resize", () => show());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());
  // Begin where something was found.
  const { entities } = sentence();
  state.word = entities.length ? entities[0].start : 0;
  if (walk()) { // and with the unit that holds most
    const most = [...Array(units()).keys()].map((u) => Math.max(...walk().c.map((row) => Math.abs(row[u]))));
    state.unit = most.indexOf(Math.max(...most));
  }
  show();
  document.documentElement.dataset.ready = "yes";
}
start();
