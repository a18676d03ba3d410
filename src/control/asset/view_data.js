/* asset/view_data.js: what the page knows, and how it writes numbers. The three scripts run as one,
 * in the order view_data, view_plot, view. */
const data = JSON.parse(document.getElementById('data').textContent);
const live = data.live, NS = 'http://www.w3.org/2000/svg', root = document.documentElement;
const $ = id => document.getElementById(id);
/* Positions in a row, as control/view_json.c writes them. */
const AT = 0, END = 1, TICK = 2, TICKS = 3, MODE = 4, REASONS = 5, MARGIN = 6, LIMIT = 7, INDEX = 8, LATE = 9,
  AGE = 12, WAKE = 13, EPISODE = 16, LEAST = 19, MOST = 20, LAST = 21, WIDE = 22;
const WORDS = {position: 'position limit', velocity: 'speed limit', acceleration: 'acceleration limit',
  jerk: 'jerk limit', force: 'force limit', workspace: 'edge of the workspace', keep_out: 'keep-out zone',
  separation: 'distance to a person', observation_age: 'observation too old', command_age: 'command too old',
  sensor_nan: 'a sensor gives no number', sensor_range: 'a sensor is out of its range',
  sensor_stuck: 'a sensor is stuck', sensor_jump: 'a sensor jumped', deadline: 'a tick came too late',
  proposal: 'no usable proposal', shape: 'the machine is not what it said', emergency_stop: 'emergency stop pressed'};
const MEANS = ['The proposal is the command.', 'The proposal is moved to the nearest allowed command.',
  'The way is kept, its speed is reduced.', 'The backup controller commands; the model is not followed.',
  'The backup controller holds the machine until a person releases it.'];

/* ---- state ---------------------------------------------------------------------------------- */
let rows = live ? [] : data.rows, now = null, scene = [], sums = data.sums || null, events = data.events || [];
let next = 0, stopAsked = false, link = live ? 'wait' : 'replay', unseen = 0;
let cursor = 0, hover = null, span = live ? 10 : 0, dirty = true;
const start = rows.length ? rows[0][AT] : 0, finish = rows.length ? rows[rows.length - 1][END] : 0;

/* ---- small things --------------------------------------------------------------------------- */
function make(name, attributes, parent, text) {
  const e = document.createElement(name);
  for (const k in attributes || {}) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}
function set(e, text) { if (e.textContent !== text) e.textContent = text; }
function mark(e, name, value) { if (e.dataset[name] !== String(value)) e.dataset[name] = value; }
function colour(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }
function num(v) {
  if (v === null || v === undefined || !isFinite(v)) return '\u2013';
  const a = Math.abs(v);
  if (a >= 1e6 || (a > 0 && a < 1e-4)) return v.toExponential(2);
  return v.toFixed(a >= 1000 ? 1 : a >= 100 ? 2 : a >= 10 ? 3 : 4).replace('-', '\u2212');
}
function part(v) { return v === null ? '\u2013' : String(+v.toFixed(3)).replace('-', '\u2212'); }
function whole(n) { return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, '\u202f'); }
function micro(us) {
  if (us === null || us === undefined) return '\u2013';
  return us >= 1e6 ? (us / 1e6).toPrecision(3) + ' s' : us >= 1e3 ? (us / 1e3).toPrecision(3) + ' ms' :
    (us >= 100 ? us.toFixed(0) : us.toPrecision(2)) + ' \u00b5s';
}
function seconds(s) {
  const m = Math.floor(s / 60), rest = s - 60 * m;
  return (m ? m + ':' + (rest < 10 ? '0' : '') : '') + rest.toFixed(s < 600 ? 2 : 1) + (m ? '' : ' s');
}
function reasons(bits) {
  return data.limits.filter((_, i) => bits >>> i & 1).map(n => WORDS[n] || n).join(', ');
}
function unit(u) { /* UCUM as people write it: m-1, m/s2 */
  return u === '1' ? '' : u.replace(/^Cel$/, '\u00b0C').replace(/(-?)([1-3])(?!\d)/g, (_, minus, n) => (minus ? '\u207b' : '') + '\u00b9\u00b2\u00b3'[n - 1]);
}
