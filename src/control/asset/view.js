/* asset/view.js: words and counts, the button, asking for what is new, the replay, the frame. */
/* ---- words and numbers ---------------------------------------------------------------------------- */
function drawVerdict() {
  const row = live ? null : shownRow(), v = $('verdict');
  if (live && !now || !live && !row) return;
  const mode = live ? Math.max(now.mode, rows.length && link === 'live' ? recentMode() : 0) : row[MODE];
  const bits = live ? now.mode === mode ? now.reasons : recentReasons() : row[REASONS];
  const margin = live ? now.margin : row[MARGIN];
  mark(v, 'mode', mode);
  set($('mode'), data.modes[mode] || '?');
  set($('why'), live && now.blind ? 'Where the machine is has not been seen yet: nothing is sent to it.' :
    !data.envelope && mode === 0 ? 'There is no envelope: every proposal is applied.' : MEANS[mode] || '');
  set($('reasons'), mode > 0 ? 'Because of: ' + (reasons(bits) || 'nothing named') : '');
  const gauge = v.querySelector('.gauge');
  gauge.firstChild.style.width = 100 * Math.max(0, Math.min(1, data.envelope ? margin || 0 : 0)) + '%';
  mark(gauge, 'low', margin === null ? 0 : margin < 0 ? 2 : margin < 0.1 ? 1 : 0);
  set($('nearest'), !data.envelope ? 'no limits are declared' : margin === null ? 'none known' : part(margin) + ' \u2014 ' + (live ? nearest(now.limit, now.index) : nearest(row[LIMIT], row[INDEX])));
}
/* An intervention of one tick stays in words for half a second. */
function recent() { const t = rows[rows.length - 1][END] - 0.5; return rows.slice(Math.max(rowAt(t), rows.length - 20)); }
function recentMode() { return Math.max(...recent().map(r => r[MODE])); }
function recentReasons() { return recent().reduce((a, r) => a | r[REASONS], 0); }

const tiles = {};
function tile(key, name, value, small, bad) {
  if (!tiles[key]) {
    const d = make('div', {}, $('tiles'));
    make('dt', {}, d, name);
    const v = make('dd', {}, d);
    tiles[key] = {d, v: make('span', {}, v), s: make('small', {}, v)};
  }
  set(tiles[key].v, value);
  set(tiles[key].s, small || '');
  mark(tiles[key].d, 'bad', bad ? 1 : 0);
}
function drawTiles() {
  if (!sums) return;
  const share = n => sums.ticks ? (100 * n / sums.ticks).toFixed(n * 1000 < sums.ticks ? 2 : 1) + ' %' : '';
  const touched = sums.ticks - sums.modes[0];
  tile('ticks', 'ticks', whole(sums.ticks), '');
  tile('late', 'late ticks', whole(sums.late), sums.late ? share(sums.late) : '', sums.late > 0);
  tile('interventions', 'interventions', whole(sums.interventions), touched ? share(touched) + ' of ticks' : '', sums.interventions > 0);
  tile('least', 'smallest margin', part(sums.least), '', sums.least !== null && sums.least < 0);
  tile('chunks', 'chunk switches', whole(sums.switches), '');
  tile('starved', 'ticks without chunk', whole(sums.starved), sums.starved ? share(sums.starved) : '', sums.starved > 0);
  tile('faulty', 'faulty observations', whole(sums.faulty), '', sums.faulty > 0);
  tile('wake', 'wakes late, 99.9 %', micro(sums.wake.count && timed() ? sums.wake.p[2] : null), '');
  const lost = (live ? unseen : sums.unseen) + 0;
  if (lost || tiles.unseen) tile('unseen', 'not shown here', whole(lost), 'ticks', true);
}
function drawEvents() {
  const table = $('events'), body = table.tBodies[0], list = live ? events.slice().reverse() : events;
  const key = list.length + ':' + (list.length ? list[live ? 0 : list.length - 1].join() : '');
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  table.hidden = !list.length;
  $('calm').hidden = list.length > 0;
  body.textContent = '';
  list.forEach(e => {
    const tr = make('tr', live ? {} : {class: 'jump', tabindex: 0}, body);
    make('td', {class: 'num'}, tr, seconds(e[1]));
    make('td', {class: 'num'}, tr, micro(1e6 * (e[2] - e[1] + data.tick)));
    make('span', {class: 'chip', 'data-mode': e[4]}, make('td', {}, tr), data.modes[e[4]]);
    make('td', {}, tr, reasons(e[5]) + (e[8] >= 0 && e[5] >>> e[7] & 1 ? ' \u2013 ' + of(e[7], e[8]) : ''));
    make('td', {class: 'num'}, tr, part(e[6]));
    make('td', {class: 'num'}, tr, whole(e[3]));
    if (!live) {
      tr.addEventListener('click', () => { seek(e[1]); scrollTo({top: 0, behavior: 'smooth'}); });
      tr.addEventListener('keydown', k => { if (k.key === 'Enter') seek(e[1]); });
    }
  });
}
function drawClock() {
  const t = live ? (rows.length ? rows[rows.length - 1][END] : 0) : cursor;
  set($('clock'), seconds(t));
  const texts = {wait: 'connecting', live: 'live', quiet: 'no new ticks', lost: 'not connected', replay: 'replay'};
  mark($('link'), 'state', link);
  set($('link').lastChild, texts[link]);
  if (live) drawStop();
}

/* ---- the button --------------------------------------------------------------------------------- */
/* It says what the machine does, read back from its ticks, not what was asked of it. */
function stopState() {
  const bit = data.limits.indexOf('emergency_stop');
  if (link === 'lost') return ['lost', 'Emergency stop', 'not connected: use the machine\u2019s own'];
  if (now && now.mode === 4 && now.reasons >>> bit & 1) return ['done', 'Stopped', 'its ticks confirm it'];
  if (stopAsked) return ['asked', 'Stop asked', 'not confirmed by the machine yet'];
  return ['ready', 'Emergency stop', 'Space or Esc'];
}
function drawStop() {
  const b = $('stop'), s = stopState();
  mark(b, 'state', s[0]);
  set(b.firstChild, s[1]);
  set(b.lastChild, s[2]);
}
async function press(tries) {
  stopAsked = true;
  dirty = true;
  try {
    const r = await fetch('/stop', {method: 'POST', headers: {'X-Genba-Token': data.token}, signal: AbortSignal.timeout(1000)});
    if (!r.ok) throw new Error(r.status);
  } catch (e) {
    if (tries > 1) return setTimeout(() => press(tries - 1), 150);
    stopAsked = false;
    link = 'lost';
    dirty = true;
  }
}

/* ---- live: asks for what is new, 25 times a second ---------------------------------------------- */
let count = 0, newTick = -1, newAt = 0;
function apply(answer) {
  if (answer.end < next) return location.reload(); /* another run at the same address */
  const kept = rows.length ? next - rows.length : answer.first;
  if (answer.first > next || answer.first < kept) rows = [];
  else rows.length = answer.first - kept;
  rows = rows.concat(answer.rows);
  next = answer.first + answer.rows.length;
  if (rows.length > 800) rows = rows.slice(rows.length - 760);
  now = answer.now;
  scene = answer.scene;
  stopAsked = answer.stop;
  unseen = answer.unseen;
  if (answer.sums) { sums = answer.sums; events = answer.events; }
  if (now && now.tick !== newTick) { newTick = now.tick; newAt = performance.now(); }
  link = performance.now() - newAt > 1500 + 3000 * data.tick ? 'quiet' : 'live';
  return next < answer.end;
}
async function poll() {
  const began = performance.now();
  let more = false, pause = 40;
  try {
    /* The newest bucket may have grown since: ask for it again. */
    const r = await fetch('/live?after=' + Math.max(0, next - 1) + (count++ % 5 ? '' : '&more=1'), {cache: 'no-store', signal: AbortSignal.timeout(3000)});
    if (!r.ok) throw new Error(r.status);
    more = apply(await r.json());
  } catch (e) {
    link = 'lost';
    count = 0;
    pause = 500;
  }
  dirty = true;
  setTimeout(poll, more ? 0 : Math.max(8, pause - (performance.now() - began)));
}

/* ---- replay ------------------------------------------------------------------------------------- */
let playing = false, rate = 1, playedAt = 0;
function seek(t) {
  cursor = Math.min(Math.max(t, start), finish);
  $('slider').value = cursor;
  dirty = true;
}
function drawPlayer() {
  const row = shownRow();
  if (!row) return;
  set($('where'), seconds(cursor) + ', tick ' + whole(row[TICK]) + (rows[rows.length - 1][EPISODE] ? ', episode ' + row[EPISODE] : ''));
  const {g, w, h} = clear($('strip')), x = t => w * (t - start) / Math.max(finish - start, 1e-3);
  g.fillStyle = palette['--m0'];
  g.globalAlpha = 0.35;
  g.fillRect(0, h - 4, w, 4);
  g.globalAlpha = 1;
  /* The higher the worse: the colour is not the only sign. */
  for (let i = 0, j; i < rows.length; i = j) {
    const mode = rows[i][MODE];
    for (j = i + 1; j < rows.length && rows[j][MODE] === mode;) j++;
    if (!mode) continue;
    g.fillStyle = palette['--m' + mode];
    const top = h - 4 - (h - 4) * mode / 4, from = x(rows[i][AT]);
    g.fillRect(from, top, Math.max(x(j < rows.length ? rows[j][AT] : rows[j - 1][END]) - from, 1.5), h - top);
  }
}
function play(on) {
  playing = on;
  playedAt = performance.now();
  $('play').textContent = on ? '\u275a\u275a' : '\u25b6';
  if (on && cursor >= finish) seek(start);
}
function setUpReplay() {
  $('lede').hidden = !sums.ticks;
  if (sums.ticks) $('lede').textContent = lede();
  $('health').hidden = !timed();
  const slider = $('slider'), rates = [1, 2, 5, 10, 0.25];
  $('player').hidden = false;
  slider.min = start;
  slider.max = finish;
  slider.addEventListener('input', () => { play(false); seek(+slider.value); });
  $('play').addEventListener('click', () => play(!playing));
  $('speed').addEventListener('click', () => { rate = rates[(rates.indexOf(rate) + 1) % rates.length]; set($('speed'), rate + '\u00d7'); });
  document.addEventListener('keydown', e => {
    const row = rowAt(cursor), step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (e.key === ' ' && !/BUTTON|SELECT/.test(e.target.tagName)) { e.preventDefault(); play(!playing); }
    else if (step && row >= 0) { e.preventDefault(); play(false); seek(rows[Math.min(Math.max(row + step * (e.shiftKey ? 25 : 1), 0), rows.length - 1)][AT]); }
  });
  const asked = /[#&]t=([\d.]+)/.exec(location.hash);
  seek(asked ? +asked[1] : start);
}

/* false: the plant made its own time, as fast as it could. */
function timed() { return sums.wake.p[3] > 0 || sums.busy.p[3] > 0; }
/* The run in a paragraph, for people who read no further. */
function lede() {
  const s = sums, touched = s.ticks - s.modes[0], worst = s.modes.reduce((a, n, i) => n ? i : a, 0);
  const share = n => (100 * n / s.ticks).toPrecision(2) + ' %';
  let text = whole(s.ticks) + ' ticks at ' + num(1 / data.tick).replace(/\.?0+$/, '') + ' Hz in ' + seconds(s.seconds) + '. ';
  if (!data.envelope) text += 'There was no envelope. ' + (s.modes[4] ? 'Somebody stopped the machine. ' : '');
  else if (!touched) text += 'The envelope changed no command. ';
  else text += 'The envelope stepped in ' + whole(s.interventions) + (s.interventions === 1 ? ' time' : ' times') + ', in ' + share(touched) +
    ' of the ticks; at worst the mode was \u201c' + data.modes[worst] + '\u201d. ';
  text += s.late ? whole(s.late) + (s.late === 1 ? ' tick was' : ' ticks were') + ' late' : 'No tick was late';
  text += timed() ? '; 99.9 % of them began within ' + micro(s.wake.p[2]) + ' of their time. ' : '; time was simulated. ';
  if (s.starved) text += share(s.starved) + ' of the ticks had no action chunk. ';
  if (s.unseen || s.skipped) text += whole(Math.max(s.unseen, s.skipped)) + ' ticks did not reach this report; the black box has them. ';
  return text;
}

/* ---- the frame ---------------------------------------------------------------------------------- */
function draw() {
  dirty = false;
  drawClock();
  drawVerdict();
  drawTiles();
  drawScene();
  for (const p of plots) {
    if (p.kind === 'times') drawTimes(p);
    else if (p.kind === 'profile') drawProfile(p);
    else { readouts(p); drawPlot(p); }
  }
  drawEvents();
  if (!live) drawPlayer();
}
function frame() {
  if (playing) {
    const t = performance.now();
    seek(cursor + rate * (t - playedAt) / 1000);
    playedAt = t;
    if (cursor >= finish) play(false);
  }
  if (dirty) draw();
  requestAnimationFrame(frame);
}
function theme(name) {
  root.dataset.theme = name;
  readPalette();
  dirty = true;
}
/* Paper is white. */
function setUpPrint() {
  let before = null;
  matchMedia('print').addEventListener('change', e => {
    if (e.matches) before = root.dataset.theme;
    theme(e.matches ? 'light' : before || 'light');
    draw();
  });
}
function fact(name, value) {
  if (!value) return;
  const d = make('div', {}, $('facts'));
  make('dt', {}, d, name);
  make('dd', {}, d, value);
}
function setUp() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches, wanted = /[?&]theme=(dark|light)/.exec(location.search);
  theme(wanted ? wanted[1] : dark ? 'dark' : 'light');
  setUpPrint();
  $('theme').addEventListener('click', () => theme(root.dataset.theme === 'dark' ? 'light' : 'dark'));
  document.title = data.title || data.machine || 'genba';
  set($('title'), data.title || data.machine);
  fact('machine', data.machine); fact('what it does', data.summary); fact('asked of it', data.instruction);
  fact('model', data.model); fact('model hash', data.model_hash); fact('precision', data.precision); fact('envelope', data.envelope); fact('envelope hash', data.envelope_hash);
  fact('ticks a second', num(1 / data.tick).replace(/\.?0+$/, ''));
  if (sums && sums.began > 1e9) fact('began', new Date(1000 * sums.began).toISOString().replace('T', ' ').replace(/\..*/, ' UTC'));
  const missing = data.observations.filter(s => s.column < 0).map(s => s.name).join(', ');
  fact('too wide to show', missing);
  document.querySelector('.stage').classList.add('alone');
  const spans = live ? [5, 10, 30] : [0, 60, 10, 2].filter(s => s < finish - start || !s);
  spans.forEach(s => {
    const b = make('button', {type: 'button', 'aria-pressed': s === span}, $('ranges'), s ? s + ' s' : 'all');
    b.addEventListener('click', () => { span = s; $('ranges').querySelectorAll('button').forEach(o => o.setAttribute('aria-pressed', o === b)); dirty = true; });
  });
  $('foot').textContent = 'genba ' + data.version + '. ' + (live ? 'Served from this machine to this machine. The button on this page is no substitute for the emergency stop on the machine.'
    : 'This page loads nothing from anywhere.' + (data.events_beyond ? ' ' + data.events_beyond + ' interventions more are not listed.' : ''));
  addEventListener('resize', () => { dirty = true; });
  document.body.classList.toggle('live', live);
  if (!live) return setUpReplay();
  $('stop').hidden = false;
  $('stop').addEventListener('click', () => press(5));
  document.addEventListener('keydown', e => {
    if ((e.key === 'Escape' || e.key === ' ') && !e.repeat) { e.preventDefault(); press(5); }
  });
  poll();
}
setUp();
requestAnimationFrame(frame);
