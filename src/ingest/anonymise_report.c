/* The report on a policy: who can still be told apart, what can be traced, what it cost. How it is
 * written: anonymise_report_write.c. */
#include "ingest/anonymise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT 64 /* samples of a piece, unless the policy says otherwise */

/* ---- equivalence classes ----------------------------------------------------------------------
 */

typedef struct table {
    const char *const *quasi; /* [rows x columns] */
    int columns;
    const char *const *sensitive; /* [rows] or NULL */
} table;

static int compare_quasi(const table *t, int64_t a, int64_t b)
{
    for (int c = 0; c < t->columns; c++) {
        int order = strcmp(t->quasi[a * t->columns + c], t->quasi[b * t->columns + c]);
        if (order)
            return order;
    }
    return 0;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const table *t = context;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order = compare_quasi(t, x, y);
    if (!order && t->sensitive)
        order = strcmp(t->sensitive[x], t->sensitive[y]);
    return order;
}

/* order [rows]: by class, and within a class by the sensitive value. */
static void count_classes(const table *t, const int64_t *order, int64_t rows, gb_anonymity *out)
{
    for (int64_t first = 0, end = 0; first < rows; first = end) {
        int64_t different = 1;
        for (end = first + 1; end < rows && !compare_quasi(t, order[first], order[end]); end++)
            if (t->sensitive && strcmp(t->sensitive[order[end - 1]], t->sensitive[order[end]]) != 0)
                different++;
        int64_t size = end - first;
        out->unique += size == 1;
        out->k = out->classes == 0 || size < out->k ? size : out->k;
        if (t->sensitive)
            out->l = out->classes == 0 || different < out->l ? different : out->l;
        out->classes++;
    }
}

gb_status gb_anonymity_compute(const char *const *quasi,
                               int64_t rows,
                               int columns,
                               const char *const *sensitive,
                               gb_anonymity *out)
{
    table t = {quasi, columns, sensitive};
    gb_anonymity made = {.rows = rows};
    int64_t *order = malloc((size_t)(rows + 1) * sizeof *order);
    if (!order)
        return gb_fail(GB_ERR_MEMORY, "no memory to compare %lld rows", (long long)rows);
    for (int64_t i = 0; i < rows; i++)
        order[i] = i;
    qsort_r(order, (size_t)rows, sizeof *order, compare_rows, &t);
    count_classes(&t, order, rows, &made);
    free(order);
    *out = made;
    return GB_OK;
}

/* What a recording says of a quasi-identifier: a fact of its own, or a pair. */
static const char *value_of(const gb_recording *recording, const char *key)
{
    const gb_recording_info *info = gb_recording_get_info(recording);
    const struct {
        const char *key, *value;
    } facts[] = {{"name", info->name},       {"source", info->source},
                 {"outcome", info->outcome}, {"instruction", info->instruction},
                 {"owner", info->owner},     {"residency", info->residency},
                 {"licence", info->licence}, {"purpose", info->purpose}};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (strcmp(facts[i].key, key) == 0)
            return facts[i].value ? facts[i].value : "";
    const char *value = gb_pair_find(info->pairs, info->pair_count, key);
    return value ? value : "";
}

static gb_status tell_apart(const gb_anonymise_policy *policy,
                            const gb_recording *const *recordings,
                            int64_t count,
                            gb_anonymity *out)
{
    const gb_rule_report *asked = &policy->data->report;
    int columns = (int)asked->quasi_identifiers_count;
    const char **quasi = malloc((size_t)(count * columns + 1) * sizeof *quasi);
    const char **sensitive = malloc((size_t)(count + 1) * sizeof *sensitive);
    gb_status status = quasi && sensitive ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for a table");
    for (int64_t r = 0; status == GB_OK && r < count; r++) {
        for (int c = 0; c < columns; c++)
            quasi[r * columns + c] = value_of(recordings[r], asked->quasi_identifiers[c]);
        sensitive[r] = asked->sensitive ? value_of(recordings[r], asked->sensitive) : "";
    }
    if (status == GB_OK)
        status =
            gb_anonymity_compute(quasi, count, columns, asked->sensitive ? sensitive : NULL, out);
    free(quasi);
    free(sensitive);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* released[i] is what became of original[i]. */
static gb_status pair_recordings(const gb_anonymise_policy *policy,
                                 const gb_key *key,
                                 const gb_dataset *before,
                                 const gb_dataset *after,
                                 const gb_recording **original,
                                 const gb_recording **released)
{
    for (int64_t i = 0; i < gb_dataset_count(before); i++) {
        char *name = NULL;
        original[i] = gb_dataset_get(before, i);
        const char *was = gb_recording_get_info(original[i])->name;
        GB_TRY(gb_anonymise_recording_name(policy, key, was, &name));
        int64_t found = gb_dataset_find(after, name);
        free(name);
        if (found < 0)
            return gb_fail(GB_ERR_NOT_FOUND,
                           "recording %s has no counterpart among what was released: was it made "
                           "by this policy and this key?",
                           was);
        released[i] = gb_dataset_get(after, found);
    }
    return GB_OK;
}

static gb_status compute(const gb_anonymise_policy *policy,
                         const gb_recording *const *original,
                         const gb_recording *const *released,
                         int64_t count,
                         gb_anonymise_report *out)
{
    const int64_t *asked = policy->data->report.segment;
    int64_t segment = asked ? *asked : SEGMENT;
    GB_TRY(tell_apart(policy, original, count, &out->anonymity_before));
    GB_TRY(tell_apart(policy, released, count, &out->anonymity_after));
    GB_TRY(gb_linkage_attack(original, original, count, segment, true, &out->held_out_before));
    GB_TRY(gb_linkage_attack(original, released, count, segment, true, &out->held_out_after));
    GB_TRY(gb_linkage_attack(original, original, count, segment, false, &out->same_before));
    GB_TRY(gb_linkage_attack(original, released, count, segment, false, &out->same_after));
    return gb_forecast_cost_compute(original, released, count, &out->cost);
}

gb_status gb_anonymise_report_compute(const gb_anonymise_policy *policy,
                                      const gb_key *key,
                                      const gb_dataset *before,
                                      const gb_dataset *after,
                                      const gb_sink *filter,
                                      gb_anonymise_report *out)
{
    int64_t count = gb_dataset_count(before);
    gb_anonymise_report made = {.recordings = count,
                                .quasi_identifiers =
                                    (int)policy->data->report.quasi_identifiers_count};
    snprintf(made.policy, sizeof made.policy, "%s", policy->id);
    gb_key_id(key, made.key);
    const gb_recording **original = malloc((size_t)(count + 1) * sizeof *original);
    const gb_recording **released = malloc((size_t)(count + 1) * sizeof *released);
    gb_status status =
        original && released ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for a report");
    if (status == GB_OK)
        status = pair_recordings(policy, key, before, after, original, released);
    if (status == GB_OK)
        status = compute(policy, original, released, count, &made);
    if (status == GB_OK && filter)
        made.spent_count = gb_anonymise_spent(filter, made.spent, GB_ANONYMISE_UNITS);
    free(original);
    free(released);
    if (status == GB_OK)
        *out = made;
    return status;
}
