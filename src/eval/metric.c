/* eval/metric.c: figures of merit, each from its published definition. No data, no intervals. */
#include "genba/eval.h"

#include <math.h>

#define EARLY_CYCLES 13.0
#define LATE_CYCLES 10.0

double gb_metric_mse(const float *predicted, const float *truth, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)predicted[i] - (double)truth[i];
        sum += difference * difference;
    }
    return count > 0 ? sum / (double)count : NAN;
}

double gb_metric_mae(const float *predicted, const float *truth, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += fabs((double)predicted[i] - (double)truth[i]);
    return count > 0 ? sum / (double)count : NAN;
}

void gb_confusion_add(gb_confusion *confusion, bool alarm, bool anomaly)
{
    if (alarm && anomaly)
        confusion->true_alarms++;
    else if (alarm)
        confusion->false_alarms++;
    else if (anomaly)
        confusion->missed_alarms++;
    else
        confusion->true_silence++;
}

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

double gb_confusion_f1(const gb_confusion *c)
{
    return ratio(2 * c->true_alarms, 2 * c->true_alarms + c->false_alarms + c->missed_alarms);
}

double gb_confusion_false_alarm_percent(const gb_confusion *c)
{
    return 100.0 * ratio(c->false_alarms, c->false_alarms + c->true_silence);
}

double gb_confusion_missed_alarm_percent(const gb_confusion *c)
{
    return 100.0 * ratio(c->missed_alarms, c->missed_alarms + c->true_alarms);
}

double gb_metric_life_score(double difference_cycles)
{
    return difference_cycles < 0.0 ? exp(-difference_cycles / EARLY_CYCLES) - 1.0
                                   : exp(difference_cycles / LATE_CYCLES) - 1.0;
}

double gb_metric_percentile(const double *sorted, int64_t count, double percent)
{
    if (count <= 0)
        return NAN;
    double place = fmin(fmax(percent, 0.0), 100.0) / 100.0 * (double)(count - 1);
    int64_t below = (int64_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    double part = place - (double)below;
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}
