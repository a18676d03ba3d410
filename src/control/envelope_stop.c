/* control/envelope_stop.c: how one column comes to rest in whole ticks, in closed form: where it
 * ends and how far it goes on the way. It chooses no commands. */
#include "control/envelope_axis.h"

#include <math.h>

enum {
    TICKS_MAX = 1000000000, /* of a phase: keeps counts in an int */
    NEIGHBOURS = 7          /* of a hump's lengths that are tried */
};

/* ---- second order: |d2| is limited, |d3| is not ------------------------------------------------
 * n equal steps down: d1, d1 (n-1)/n, ..., 0. Their sum is d1 (n-1)/2. */
static bool stop_second(const gb_axis_limits *limits, double x, double d1, gb_axis_stop *out)
{
    double n = ceil(fabs(d1) / limits->most[2]);
    if (!(n <= TICKS_MAX))
        return false;
    *out = (gb_axis_stop){.peak = fabs(d1), .end = x};
    if (n > 0.0) {
        out->ticks[0] = (int)n;
        out->top[0] = -d1 / n;
        out->end = x + d1 * (n - 1.0) / 2.0;
    }
    out->low = fmin(x, out->end);
    out->high = fmax(x, out->end);
    return true;
}

/* ---- third order -------------------------------------------------------------------------------
 * d2 goes in n1 equal steps from its value a to -p, stays for n2 ticks, and goes in n3 equal steps
 * to 0. With v the d1 before, the sum of all d2 is
 *     a (n1 - 1)/2 - p ((n1 + n3)/2 + n2),
 * which must be -v: for any whole n1, n2, n3 one p makes the stop exact. All is mirrored so that v
 * would be positive if d2 went to zero as fast as it can; then p >= 0. */

typedef struct hump {
    double v, a; /* mirrored */
    double n1, n2, n3, p;
} hump;

static bool hump_fits(const gb_axis_limits *limits, hump *h)
{
    double sum = h->v + h->a * (h->n1 - 1.0) / 2.0;
    h->p = sum / ((h->n1 + h->n3) / 2.0 + h->n2);
    return h->p >= 0.0 && h->p <= limits->most[2] && h->p <= h->n3 * limits->most[3] &&
           fabs(h->p + h->a) <= h->n1 * limits->most[3];
}

/* The lengths that the continuous problem has, rounded up, then their neighbours. */
static bool hump_find(const gb_axis_limits *limits, hump *h)
{
    static const int neighbours[NEIGHBOURS][2] = {{0, 0}, {0, -1}, {1, -1}, {1, 0},
                                                  {0, 1}, {1, 1},  {2, 0}};
    double jerk = limits->most[3];
    double p = fmin(limits->most[2], sqrt(fmax(0.0, jerk * h->v + h->a * h->a / 2.0)));
    double n1 = fmax(1.0, ceil((p + h->a) / jerk)), n3 = fmax(1.0, ceil(p / jerk));
    for (int i = 0; i < NEIGHBOURS; i++) {
        h->n1 = n1 + neighbours[i][0];
        h->n3 = fmax(1.0, n3 + neighbours[i][1]);
        double sum = h->v + h->a * (h->n1 - 1.0) / 2.0;
        h->n2 = fmax(0.0, ceil(sum / p - (h->n1 + h->n3) / 2.0));
        if (h->n1 <= TICKS_MAX && h->n2 <= TICKS_MAX && h->n3 <= TICKS_MAX && hump_fits(limits, h))
            return true;
    }
    return false;
}

/* Distance gone after k ticks of a phase that begins with first difference v, second a, and adds c
 * to the second in each tick. */
static double gone(double v, double a, double c, double k)
{
    return k * v + a * k * (k + 1.0) / 2.0 + c * k * (k + 1.0) * (k + 2.0) / 6.0;
}

static double speed(double v, double a, double c, double k)
{
    return v + a * k + c * k * (k + 1.0) / 2.0;
}

/* How far a hump reaches backwards (*low <= 0), and its largest |d1|. The speed can change its sign
 * only in the first phase and only once, from negative to positive: it would end positive if d2
 * went to zero, and is positive from there on until it ends. */
static void hump_reach(const hump *h, double *low, double *peak)
{
    double c = -(h->p + h->a) / h->n1;
    *peak = fabs(h->v);
    if (h->a > 0.0) { /* d2 passes zero on its way to -p: there d1 is highest */
        double k = fmin(h->n1, floor(-h->a / c));
        *peak = fmax(*peak, speed(h->v, h->a, c, k));
    }
    /* speed(k) = 0; the smaller root, in the form that cancels nothing; not above 0, or no number,
     * where the speed is not negative. Around it the speed is nearly 0: rounding does no harm. */
    double b = h->a + c / 2.0;
    double root = -2.0 * h->v / (b + sqrt(fmax(0.0, b * b - 2.0 * c * h->v)));
    *low = fmin(0.0, gone(h->v, h->a, c, fmin(fmax(floor(root), 0.0), h->n1)));
}

static bool
stop_third(const gb_axis_limits *limits, double x, double d1, double d2, gb_axis_stop *out)
{
    double n = ceil(fabs(d2) / limits->most[3]);
    double left = d1 + d2 * (n - 1.0) / 2.0;
    double sign = left < 0.0 ? -1.0 : 1.0;
    hump h = {.v = sign * d1, .a = sign * d2};
    if (d1 == 0.0 && d2 == 0.0) {
        *out = (gb_axis_stop){.end = x, .low = x, .high = x};
        return true;
    }
    if (!hump_find(limits, &h))
        return false;
    double c1 = -(h.p + h.a) / h.n1, c3 = h.p / h.n3;
    double v1 = speed(h.v, h.a, c1, h.n1);
    double v2 = v1 - h.p * h.n2;
    double end = gone(h.v, h.a, c1, h.n1) + gone(v1, -h.p, 0.0, h.n2) + gone(v2, -h.p, c3, h.n3);
    double low, peak;
    hump_reach(&h, &low, &peak);
    *out = (gb_axis_stop){
        .ticks = {(int)h.n1, (int)h.n2, (int)h.n3},
        .top = {sign * c1, 0.0, sign * c3},
        .end = x + sign * end,
        .peak = peak,
    };
    double one = x + sign * low, other = x + sign * fmax(0.0, end);
    out->low = fmin(one, other);
    out->high = fmax(one, other);
    return true;
}

bool gb_axis_stop_find(
    const gb_axis_limits *limits, double x, double d1, double d2, gb_axis_stop *out)
{
    if (limits->order == 3)
        return stop_third(limits, x, d1, d2, out);
    if (limits->order == 2)
        return stop_second(limits, x, d1, out);
    /* It may stop at once. */
    *out = (gb_axis_stop){.end = x, .low = x, .high = x, .peak = fabs(d1)};
    return true;
}

double gb_axis_stop_at(const gb_axis_limits *limits, const gb_axis_state *state, double ticks)
{
    const gb_axis_stop *stop = &state->stop;
    double x = state->x, d1 = state->d1, d2 = state->d2, left = ticks;
    for (int phase = 0; phase < 3; phase++) {
        double k = fmin(left, stop->ticks[phase]), top = stop->top[phase];
        if (limits->order == 3) {
            x += gone(d1, d2, top, k);
            d1 = speed(d1, d2, top, k);
            d2 += top * k;
        } else { /* the only phase adds `top` to d1 in each tick */
            x += gone(d1, top, 0.0, k);
        }
        left -= k;
    }
    return x;
}
