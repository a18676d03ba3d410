/* asset/view_plot.js: draws plots, histograms and the scene from what the page knows. */
/* ---- what there is: one list of plots ----------------------------------------------------------- */
const columns = [];   /* of observations, for names */
const plots = [];
let slot = 0, wide = 0;
function columnName(s, i) { return s.labels ? s.labels[i] : s.size > 1 ? String(i) : ''; }
data.observations.forEach(s => {
  const names = [];
  for (let i = 0; i < s.size; i++) columns.push(s.name + (s.size > 1 ? ' ' + columnName(s, i) : ''));
  if (s.column < 0) return;
  if (s.size > data.wide) {
    plots.push({kind: 'profile', stream: s, at: wide, host: 'observations'});
    wide += s.size;
    return;
  }
  const series = [];
  for (let i = 0; i < s.size; i++) series.push({slot: slot++, name: columnName(s, i), colour: '--c' + i % 8, dash: i >= 8});
  plots.push({kind: 'stream', stream: s, series, host: 'observations', names});
});
const actionNames = [];
data.actions.forEach(s => {
  for (let i = 0; i < s.size; i++) {
    const name = s.name + (s.size > 1 ? ' ' + columnName(s, i) : ''), k = s.column + i;
    actionNames.push(name);
    plots.push({kind: 'action', stream: s, name, host: 'actions', low: s.low && s.low[i], high: s.high && s.high[i],
      series: [{slot: slot + k, name: 'proposed', colour: '--c1', dash: true},
               {slot: slot + data.action + k, name: 'applied', colour: '--c0'}]});
  }
});
if (actionNames.length > 2) $('actions').classList.add('many');
plots.push({kind: 'row', row: AGE, name: 'age of the observation', unit: 'ms', host: 'observations',
  series: [{row: AGE, name: '', colour: '--c7'}], zero: true});
plots.push({kind: 'row', row: MARGIN, name: 'margin of the envelope', unit: '', host: 'observations',
  series: [{row: MARGIN, name: '', colour: '--c0'}], zero: true, margin: true});
[['wake', 'waking up late'], ['period', 'period, off by'], ['busy', 'work in a tick']].forEach(t =>
  plots.push({kind: 'times', key: t[0], name: t[1], host: 'times'}));

/* The column that a margin is of: of the observation for what is sensed, else of the action. */
function of(limit, index) {
  return (/^(sensor|force)/.test(data.limits[limit]) ? columns : actionNames)[index] || '';
}
function nearest(limit, index) {
  if (limit < 0 || limit >= data.limits.length) return 'no limit is near';
  const name = data.limits[limit], column = index >= 0 ? of(limit, index) : '';
  return (WORDS[name] || name) + (column ? ' of ' + column : '');
}

plots.forEach(p => {
  const f = p.figure = make('figure', {}, $(p.host)), head = make('figcaption', {}, f), title = make('b', {}, head);
  title.textContent = p.name || p.stream.name;
  const u = p.unit !== undefined ? p.unit : p.stream ? unit(p.stream.unit) : '';
  if (u) make('i', {}, title, u);
  const out = make('output', {}, head);
  (p.series || []).forEach(s => {
    const v = make('span', {class: 'value' + (s.dash ? ' dashed' : ''), style: '--of:var(' + s.colour + ')'}, out);
    if (s.name) make('em', {}, v, s.name);
    s.out = make('span', {}, v);
  });
  p.canvas = make('canvas', {class: 'plot', role: 'img', 'aria-label': title.textContent}, f);
  if (p.kind === 'times') p.list = make('dl', {class: 'percentiles'}, f);
  if (p.kind === 'times' || p.kind === 'profile') return;
  p.canvas.addEventListener('pointermove', e => {
    const r = p.canvas.getBoundingClientRect(), w = range();
    const part = (e.clientX - r.left - LEFT) / (r.width - LEFT - RIGHT);
    hover = part >= 0 && part <= 1 ? w[0] + part * (w[1] - w[0]) : null;
    dirty = true;
  });
  p.canvas.addEventListener('pointerleave', () => { hover = null; dirty = true; });
  if (!live) p.canvas.addEventListener('click', () => { if (hover !== null) seek(hover); });
});

/* ---- drawing ------------------------------------------------------------------------------------ */
const LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 20;
let palette = {};
function readPalette() {
  ['ink', 'soft', 'faint', 'rule', 'card', 'm0', 'm1', 'm2', 'm3', 'm4', 'stop', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7']
    .forEach(n => { palette['--' + n] = colour('--' + n); });
}
/* The canvas's context in CSS pixels, cleared. */
function clear(canvas) {
  const r = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * r) || canvas.height !== Math.round(h * r)) {
    canvas.width = Math.round(w * r);
    canvas.height = Math.round(h * r);
  }
  const g = canvas.getContext('2d');
  g.setTransform(r, 0, 0, r, 0, 0);
  g.clearRect(0, 0, w, h);
  g.font = '11.5px system-ui, sans-serif';
  return {g, w, h};
}
/* The span of time that plots show. */
function range() {
  if (!rows.length) return [0, 1];
  const last = rows[rows.length - 1][END];
  if (live) {
    const length = Math.max(span, 20 * data.bucket);
    return [last - length, last];
  }
  if (!span || span >= finish - start) return [start, Math.max(finish, start + 1e-3)];
  const from = Math.min(Math.max(cursor - span / 2, start), finish - span);
  return [from, from + span];
}
/* The row that holds or is nearest before a time. */
function rowAt(t) {
  let a = 0, b = rows.length - 1;
  if (b < 0) return -1;
  while (a < b) { const m = (a + b + 1) >> 1; if (rows[m][AT] <= t) a = m; else b = m - 1; }
  return a;
}
function steps(low, high, about) {
  const raw = (high - low) / about, p = Math.pow(10, Math.floor(Math.log10(raw))), n = raw / p;
  const step = p * (n < 1.5 ? 1 : n < 3.5 ? 2 : n < 7.5 ? 5 : 10), out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return out;
}
function short(v) { return Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3) ? v.toExponential(0) : String(+v.toPrecision(4)).replace('-', '\u2212'); }
function bounds(p, from, until) {
  let low = Infinity, high = -Infinity;
  for (let i = from; i <= until; i++) for (const s of p.series) {
    const a = s.row !== undefined ? rows[i][s.row] : rows[i][LEAST][s.slot], b = s.row !== undefined ? a : rows[i][MOST][s.slot];
    if (a !== null && a < low) low = a;
    if (b !== null && b > high) high = b;
  }
  if (low > high) return [0, 1];
  if (p.zero) { low = Math.min(low, 0); high = Math.max(high, p.margin ? 1 : 0); }
  const pad = (high - low) * 0.08 || Math.abs(high) * 0.05 || 0.5;
  return [p.zero && low === 0 ? 0 : low - pad, high + pad];
}
/* Bands where the envelope stepped in, over the whole height: seen at once in every plot. */
function bands(g, x, from, until, top, height) {
  for (let i = from; i <= until;) {
    const mode = rows[i][MODE];
    let j = i;
    while (j < until && rows[j + 1][MODE] === mode) j++;
    if (mode > 0) {
      const a = x(rows[i][AT]), b = x(j < until ? rows[j + 1][AT] : rows[j][END]);
      g.globalAlpha = mode === 4 ? 0.13 : 0.26;
      g.fillStyle = palette['--m' + mode];
      g.fillRect(a, top, Math.max(b - a, 1.5), height);
      g.globalAlpha = 1;
      g.fillRect(a, top, Math.max(b - a, 1.5), 1 + mode);
    }
    i = j + 1;
  }
}
function axes(g, w, h, t, y, low, high, x) {
  g.lineWidth = 1;
  g.textBaseline = 'middle';
  g.textAlign = 'right';
  for (const v of steps(low, high, 3)) {
    g.strokeStyle = palette['--rule'];
    g.beginPath(); g.moveTo(LEFT, y(v)); g.lineTo(w - RIGHT, y(v)); g.stroke();
    g.fillStyle = palette['--soft'];
    g.fillText(short(v), LEFT - 6, y(v));
  }
  g.textBaseline = 'alphabetic';
  g.textAlign = 'center';
  const origin = live ? t[1] : 0; /* live: so long ago */
  for (const from of steps(t[0] - origin, t[1] - origin, Math.max(2, w / 110))) {
    const v = from + origin;
    if (x(v) < LEFT + 4 || x(v) > w - 14) continue;
    g.strokeStyle = palette['--faint'];
    g.beginPath(); g.moveTo(x(v), h - BOTTOM); g.lineTo(x(v), h - BOTTOM + 4); g.stroke();
    g.fillText(short(from) + ' s', x(v), h - 4);
  }
}
/* Least to most as an area with an edge, so that one tick of thirty seconds is still a line. */
function area(g, s, from, until, x, y) {
  g.beginPath();
  let open = false;
  for (let i = from; i <= until; i++) {
    const v = rows[i][MOST][s.slot];
    if (v === null) continue;
    if (open) g.lineTo(x(rows[i][AT]), y(v)); else { g.moveTo(x(rows[i][AT]), y(v)); open = true; }
  }
  for (let i = until; i >= from; i--) { const v = rows[i][LEAST][s.slot]; if (v !== null) g.lineTo(x(rows[i][AT]), y(v)); }
  g.globalAlpha = 0.3;
  g.fillStyle = g.strokeStyle = palette[s.colour];
  g.fill();
  g.lineWidth = 0.8;
  g.stroke();
  g.globalAlpha = 1;
}
function line(g, s, from, until, x, y, wrap) {
  g.beginPath();
  let before = null;
  for (let i = from; i <= until; i++) {
    const v = s.row !== undefined ? rows[i][s.row] : rows[i][LAST][s.slot];
    const broken = before === null || rows[i][EPISODE] !== rows[i - 1][EPISODE] || (wrap && Math.abs(v - before) > wrap / 2);
    if (v !== null) g[broken ? 'moveTo' : 'lineTo'](x(rows[i][AT]), y(v));
    before = v;
  }
  g.strokeStyle = palette[s.colour];
  g.lineWidth = 1.7;
  g.setLineDash(s.dash ? [5, 3] : []);
  g.stroke();
  g.setLineDash([]);
}
/* What lies between proposal and command: one shape for each run in which they differ. */
function between(g, p, from, until, x, y) {
  const [a, b] = p.series, differ = i => {
    const u = rows[i][LAST][a.slot], v = rows[i][LAST][b.slot];
    return u !== null && v !== null && u !== v;
  };
  g.fillStyle = palette['--c1'];
  g.globalAlpha = 0.32;
  for (let i = from; i <= until; i++) {
    if (!differ(i)) continue;
    let j = i;
    while (j < until && differ(j + 1)) j++;
    g.beginPath();
    for (let k = i; k <= j; k++) g.lineTo(x(rows[k][AT]), y(rows[k][LAST][a.slot]));
    for (let k = j; k >= i; k--) g.lineTo(x(rows[k][AT]), y(rows[k][LAST][b.slot]));
    g.fill();
    i = j;
  }
  g.globalAlpha = 1;
}
function limits(g, p, w, y, low, high) {
  g.strokeStyle = palette['--ink'];
  g.lineWidth = 1;
  g.setLineDash([1.5, 3]);
  for (const v of [p.low, p.high]) if (v !== null && v !== undefined && v >= low && v <= high) {
    g.beginPath(); g.moveTo(LEFT, y(v)); g.lineTo(w - RIGHT, y(v)); g.stroke();
  }
  g.setLineDash([]);
}
function upright(g, x, h, style) {
  g.strokeStyle = style;
  g.lineWidth = 1;
  g.beginPath(); g.moveTo(x, TOP - 4); g.lineTo(x, h - BOTTOM); g.stroke();
}
function drawPlot(p) {
  const {g, w, h} = clear(p.canvas), t = range();
  if (!rows.length || w < 80) return;
  const from = Math.max(0, rowAt(t[0])), until = Math.min(rows.length - 1, Math.max(rowAt(t[1]), from));
  const [low, high] = bounds(p, from, until);
  const x = v => LEFT + (w - LEFT - RIGHT) * (v - t[0]) / (t[1] - t[0]);
  const y = v => TOP + (h - TOP - BOTTOM) * (high - v) / (high - low);
  axes(g, w, h, t, y, low, high, x);
  g.save();
  g.beginPath(); g.rect(LEFT, 0, w - LEFT - RIGHT, h - BOTTOM + 1); g.clip();
  bands(g, x, from, until, TOP - 6, h - TOP - BOTTOM + 6);
  if (p.kind === 'action') { between(g, p, from, until, x, y); limits(g, p, w, y, low, high); }
  if (p.margin) { g.fillStyle = palette['--m3']; g.globalAlpha = 0.18; g.fillRect(LEFT, y(0), w, h); g.globalAlpha = 1; }
  const wrap = p.stream ? p.stream.wrap : 0;
  for (const s of p.series) { if (s.slot !== undefined && !wrap) area(g, s, from, until, x, y); line(g, s, from, until, x, y, wrap); }
  g.strokeStyle = palette['--faint'];
  for (let i = from + 1; i <= until; i++) if (rows[i][EPISODE] !== rows[i - 1][EPISODE]) upright(g, x(rows[i][AT]), h, palette['--faint']);
  if (!live) upright(g, x(cursor), h, palette['--ink']);
  if (hover !== null) upright(g, x(hover), h, palette['--soft']);
  g.restore();
  p.canvas.dataset.points = String(until - from + 1);
}
/* Values of the row under the pointer, at the cursor, or the newest. */
function shownRow() {
  const i = hover !== null ? rowAt(hover) : live ? rows.length - 1 : rowAt(cursor);
  return i >= 0 ? rows[i] : null;
}
function readouts(p) {
  const row = shownRow();
  for (const s of p.series) set(s.out, row ? num(s.row !== undefined ? row[s.row] : row[LAST][s.slot]) : '\u2013');
}
function drawProfile(p) {
  const {g, w, h} = clear(p.canvas), s = p.stream, row = shownRow();
  let v = null;
  if (!live && row) v = row[WIDE].slice(p.at, p.at + s.size);
  else if (now) v = now.values.slice(s.column, s.column + s.size);
  if (!v || w < 80) return;
  const known = v.filter(n => n !== null);
  let low = s.low ? Math.min(...s.low.filter(n => n !== null)) : Math.min(...known, 0);
  let high = s.high ? Math.max(...s.high.filter(n => n !== null)) : Math.max(...known);
  if (!(high > low)) { low -= 0.5; high = low + 1; }
  const x = i => LEFT + (w - LEFT - RIGHT) * i / s.size, y = n => TOP + (h - TOP - BOTTOM) * (high - n) / (high - low);
  axes(g, w, h, [0, 0.001], y, low, high, () => -1);
  g.fillStyle = palette['--c0'];
  v.forEach((n, i) => { if (n !== null) g.fillRect(x(i), y(n), Math.max((w - LEFT - RIGHT) / s.size - 0.3, 0.7), y(low) - y(n)); });
  g.fillStyle = palette['--soft'];
  g.textAlign = 'left'; g.fillText('0', LEFT, h - 4);
  g.textAlign = 'right'; g.fillText(String(s.size - 1), w - RIGHT, h - 4);
  p.canvas.dataset.points = String(known.length);
}
function drawTimes(p) {
  const {g, w, h} = clear(p.canvas), times = sums && sums[p.key];
  if (!times || !times.count || w < 80) return;
  const left = 8, value = bin => sums.floor * Math.pow(2, bin / sums.octave);
  const low = 0.5, high = Math.max(1e4, 2 * times.p[3]);
  const x = us => left + (w - left - RIGHT) * Math.log(Math.max(us, low) / low) / Math.log(high / low);
  let most = 1;
  for (let i = 1; i < times.bins.length; i += 2) most = Math.max(most, times.bins[i]);
  const y = n => h - BOTTOM - (h - TOP - BOTTOM) * Math.log1p(n) / Math.log1p(most);
  g.textAlign = 'center';
  for (let us = 1; us <= high; us *= 10) {
    g.strokeStyle = palette['--rule'];
    g.beginPath(); g.moveTo(x(us), TOP); g.lineTo(x(us), h - BOTTOM); g.stroke();
    g.fillStyle = palette['--soft'];
    g.fillText(us >= 1e6 ? us / 1e6 + ' s' : us >= 1e3 ? us / 1e3 + ' ms' : us + ' \u00b5s', Math.min(Math.max(x(us), 16), w - 20), h - 4);
  }
  for (let i = 0; i < times.bins.length; i += 2) {
    const bin = times.bins[i], n = times.bins[i + 1], a = bin ? x(value(bin - 1)) : left, b = x(value(bin));
    g.fillStyle = palette['--c0'];
    g.fillRect(a, y(n), Math.max(b - a - 0.5, 1), h - BOTTOM - y(n));
  }
  const marks = ['--c2', '--c1', '--c3', '--ink'];
  marks.forEach((c, i) => {
    g.strokeStyle = palette[c];
    g.lineWidth = i === 3 ? 1.5 : 1;
    g.setLineDash(i === 3 ? [] : [3, 2]);
    g.beginPath(); g.moveTo(x(times.p[i]), TOP - 4); g.lineTo(x(times.p[i]), h - BOTTOM); g.stroke();
  });
  g.setLineDash([]);
  p.canvas.dataset.points = String(times.count);
  if (!p.list.firstChild) ['median', '99 %', '99.9 %', 'longest'].forEach((n, i) => { make('dt', {style: '--of:var(' + marks[i] + ')'}, p.list, n); make('dd', {}, p.list); });
  p.list.querySelectorAll('dd').forEach((d, i) => set(d, micro(times.p[i])));
}

/* ---- scene -------------------------------------------------------------------------------------- */
const KINDS = ['polygon', 'circle', 'polyline'], ROLES = {wall: '--faint', rack: '--faint', table: '--faint', goal: '--sand', block: '--ink', object: '--ink',
  agent: '--accent', heading: '--card', target: '--c1', person: '--m3', route: '--c0', lidar: '--c5'};
const SPARE = ['--c2', '--c4', '--c6', '--c3', '--m2'];
let spare = 0, box = null, shapes = [], roles = '';
function roleColour(role) {
  if (!ROLES[role]) ROLES[role] = SPARE[spare++ % SPARE.length];
  return ROLES[role];
}
function grow(shape) {
  for (let i = 3; i + 1 < shape.length; i += 2) {
    const r = shape[2] || 0;
    if (shape[i] === null || shape[i + 1] === null) continue;
    box = box || [Infinity, Infinity, -Infinity, -Infinity];
    box = [Math.min(box[0], shape[i] - r), Math.min(box[1], shape[i + 1] - r), Math.max(box[2], shape[i] + r), Math.max(box[3], shape[i + 1] + r)];
  }
}
function place(e, s) {
  const solid = s[0] !== 2, c = 'var(' + roleColour(s[1]) + ')', outline = s[1] === 'target';
  if (s[0] === 1) { e.setAttribute('cx', s[3]); e.setAttribute('cy', s[4]); e.setAttribute('r', s[2]); }
  else e.setAttribute('points', s.slice(3).join(' '));
  e.style.fill = solid && !outline ? c : 'none';
  e.style.stroke = c;
  e.style.opacity = s[1] === 'goal' ? 0.55 : 1;
  e.style.strokeWidth = !solid && s[2] ? 2 * s[2] : outline ? 2.5 : solid ? 0 : 1.5;
  e.classList.toggle('thick', !solid && s[2] > 0);
  e.style.strokeLinecap = e.style.strokeLinejoin = 'round';
}
function drawScene() {
  const list = live ? scene : sceneAt(cursor), world = $('world');
  if (!list || !list.length) return;
  const hidden = $('scene').hidden;
  list.forEach((s, i) => {
    if (live) grow(s);
    if (!shapes[i] || shapes[i].kind !== s[0]) {
      const e = document.createElementNS(NS, KINDS[s[0]]);
      if (shapes[i]) world.replaceChild(e, shapes[i].e); else world.appendChild(e);
      shapes[i] = {kind: s[0], e};
    }
    shapes[i].e.style.display = '';
    place(shapes[i].e, s);
  });
  for (let i = list.length; i < shapes.length; i++) shapes[i].e.style.display = 'none';
  const w = box[2] - box[0] || 1, h = box[3] - box[1] || 1, pad = 0.02 * Math.max(w, h);
  const view = [box[0] - pad, box[1] - pad, w + 2 * pad, h + 2 * pad].map(n => n.toPrecision(6)).join(' ');
  if (world.getAttribute('viewBox') !== view) world.setAttribute('viewBox', view);
  const present = [...new Set(list.map(s => s[1]))].filter(r => r !== 'heading');
  if (present.join() !== roles) {
    roles = present.join();
    $('roles').textContent = '';
    present.forEach(r => make('span', {class: 'key role', style: '--of:var(' + roleColour(r) + ')'}, $('roles'), r === 'target' ? 'target: where the command points' : r));
  }
  if (hidden) { $('scene').hidden = false; document.querySelector('.stage').classList.remove('alone'); }
}
/* Scenes of a report: 0 stands for the shape of the scene before. */
if (!live) {
  let before = [];
  data.scenes.forEach((list, k) => {
    data.scenes[k] = list.map((s, i) => s === 0 ? before[i] : s);
    data.scenes[k].forEach((s, i) => { before[i] = s; grow(s); });
  });
}
function sceneAt(t) {
  return data.scenes.length ? data.scenes[Math.min(Math.floor(rowAt(t) / data.every), data.scenes.length - 1)] : null;
}
