/* What becomes of one stream under a policy: which rules apply, and what it is called and made of
 * afterwards. Samples are anonymise_values.c. */
#include "ingest/anonymise_filter.h"

#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules that apply ---- */

static gb_status fail_rule(const gb_filter *filter,
                           const gb_stream_spec *spec,
                           const gb_rule *rule,
                           const char *problem)
{
    return gb_fail(GB_ERR_SCHEMA, "%s: rule %d (match: %s) cannot be applied to stream %s: %s",
                   filter->policy->origin, (int)(rule - filter->policy->data->streams) + 1,
                   rule->match, spec->name, problem);
}

static gb_sample_form form_of(const gb_stream_spec *spec)
{
    static const char *const texts[] = {"", "utf-8", "utf8", "text", "ascii"};
    if (spec->value_type != GB_VALUE_BYTES)
        return spec->kind == GB_STREAM_IMAGE && spec->value_type == GB_VALUE_U8 && spec->rank >= 2
                   ? GB_FORM_PIXELS
                   : GB_FORM_NUMBERS;
    const char *encoding = spec->encoding ? spec->encoding : "";
    if (strcmp(encoding, "jpeg") == 0 || strcmp(encoding, "png") == 0)
        return GB_FORM_PICTURE;
    if (strcmp(encoding, "json") == 0)
        return GB_FORM_JSON;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(encoding, texts[i]) == 0)
            return GB_FORM_TEXT;
    return GB_FORM_OTHER;
}

static bool is_text(gb_sample_form form)
{
    return form == GB_FORM_TEXT || form == GB_FORM_JSON;
}

/* What a column is called in patterns: its label, else its number from 0. */
static const char *column_name(const gb_stream_spec *spec, int64_t column, char text[24])
{
    if (spec->labels && spec->labels[column])
        return spec->labels[column];
    snprintf(text, 24, "%lld", (long long)column);
    return text;
}

/* Marks the columns a rule names in mask [size]. A pattern that fits none is a slip: what it
 * should have protected would go out as it is. */
static gb_status
mark_columns(const gb_filter *filter, const gb_stream_spec *spec, const gb_rule *rule, bool *mask)
{
    int64_t size = gb_stream_spec_size(spec);
    char text[24], problem[256];
    if (rule->columns_count == 0)
        memset(mask, 1, (size_t)size);
    else if (form_of(spec) != GB_FORM_NUMBERS || spec->rank > 1)
        return fail_rule(filter, spec, rule, "it has no columns; leave out columns:");
    for (uint32_t p = 0; p < rule->columns_count; p++) {
        bool found = false;
        for (int64_t c = 0; c < size; c++)
            if (fnmatch(rule->columns[p], column_name(spec, c, text), 0) == 0)
                mask[c] = found = true;
        if (!found) {
            snprintf(problem, sizeof problem, "no column is called %.100s", rule->columns[p]);
            return fail_rule(filter, spec, rule, problem);
        }
    }
    return GB_OK;
}

static gb_status
check_fits(const gb_filter *filter, const gb_stream_spec *spec, const gb_rule *rule, int64_t size)
{
    gb_sample_form form = form_of(spec);
    const gb_generalise *general = &rule->general;
    switch ((gb_rule_kind)rule->kind) {
    case GB_RULE_PSEUDONYM:
        if (!is_text(form) && !(form == GB_FORM_NUMBERS && size == 1 && rule->columns_count == 0))
            return fail_rule(filter, spec, rule, "pseudonyms are for texts and single numbers");
        return GB_OK;
    case GB_RULE_GENERALISE:
        if (general->dates && form != GB_FORM_TEXT)
            return fail_rule(filter, spec, rule,
                             "dates: is for texts; times: is for when samples "
                             "were taken");
        if ((general->width || general->edges_count) && form != GB_FORM_NUMBERS)
            return fail_rule(filter, spec, rule, "bins are for numbers");
        return GB_OK;
    case GB_RULE_RESCALE:
    case GB_RULE_NOISE:
        if (form != GB_FORM_NUMBERS)
            return fail_rule(filter, spec, rule, "it does not hold numbers");
        return GB_OK;
    case GB_RULE_BOXES:
        if (form != GB_FORM_PIXELS && form != GB_FORM_PICTURE)
            return fail_rule(filter, spec, rule,
                             "boxes are for pictures of 8 bits, JPEG and PNG; "
                             "drop other images and video");
        return GB_OK;
    case GB_RULE_SCRUB:
        if (is_text(form) && filter->policy->data->scrub_count == 0)
            return fail_rule(filter, spec, rule,
                             "there are no patterns; give scrub: at the top of "
                             "the policy");
        if (!is_text(form) && form != GB_FORM_PICTURE)
            return fail_rule(filter, spec, rule,
                             "scrub is for texts, and for what JPEG and PNG "
                             "files say beside their pixels");
        return GB_OK;
    default:
        return GB_OK;
    }
}

/* ---- columns that go on ---- */

/* Takes the dropped columns out: work->kept and sizes. size 0: nothing is left. */
static gb_status drop_columns(const gb_filter *filter,
                              const gb_stream_spec *spec,
                              gb_arena *arena,
                              gb_stream_work *work)
{
    const gb_policy_data *data = filter->policy->data;
    work->from_size = work->size = gb_stream_spec_size(spec);
    for (uint32_t i = 0; i < data->streams_count; i++) {
        const gb_rule *rule = &data->streams[i];
        if (rule->kind != GB_RULE_DROP || fnmatch(rule->match, spec->name, 0) != 0)
            continue;
        if (rule->columns_count == 0) {
            work->size = 0;
            return GB_OK;
        }
        bool *mask = gb_arena_alloc(arena, (size_t)work->from_size);
        if (!mask)
            return GB_ERR_MEMORY;
        GB_TRY(mark_columns(filter, spec, rule, mask));
        int64_t *kept = gb_arena_alloc(arena, (size_t)work->size * sizeof *kept + 1), size = 0;
        if (!kept)
            return GB_ERR_MEMORY;
        for (int64_t c = 0; c < work->size; c++) {
            int64_t column = work->kept ? work->kept[c] : c;
            if (!mask[column])
                kept[size++] = column;
        }
        work->kept = kept;
        work->size = size;
    }
    return GB_OK;
}

/* ---- preparing the rules ---- */

static gb_status prepare_noise(gb_filter *filter,
                               const gb_recording_work *recording,
                               const gb_stream_spec *spec,
                               gb_applied *applied,
                               int64_t columns)
{
    const gb_rule *rule = applied->rule;
    const char *unit = NULL;
    double each = rule->clip->max - rule->clip->min;
    double sensitivity = each * sqrt((double)*rule->samples_per_unit * (double)columns);
    applied->sigma = gb_gaussian_sigma(*rule->epsilon, *rule->delta, sensitivity);
    GB_TRY(gb_filter_value_of(filter, recording, rule->unit, "the noise", &unit));
    return gb_ledger_release(filter->ledger, rule, unit, spec->name, sensitivity / applied->sigma,
                             &applied->entry);
}

static gb_status prepare_rescale(const gb_filter *filter,
                                 const gb_stream_spec *spec,
                                 gb_arena *arena,
                                 const gb_stream_work *work,
                                 gb_applied *applied)
{
    const gb_rule *rule = applied->rule;
    applied->affine = gb_arena_alloc(arena, (size_t)work->size * sizeof *applied->affine);
    if (!applied->affine)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < work->size; c++) {
        int64_t column = work->kept ? work->kept[c] : c;
        applied->affine[c] = gb_secret_affine(filter->secrets, spec->name,
                                              rule->each_column ? column : -1, rule->range);
        for (int i = 0; i < work->applied_count; i++)
            if (work->applied[i].affine && work->applied[i].columns[c] && applied->columns[c])
                return fail_rule(filter, spec, rule, "a rule before it rescales a column already");
    }
    return GB_OK;
}

/* A rule that computes with numbers: its columns, and what it needs. */
static gb_status apply_numeric(gb_filter *filter,
                               gb_recording_work *recording,
                               const gb_stream_spec *spec,
                               const gb_rule *rule,
                               gb_stream_work *work)
{
    gb_applied applied = {.rule = rule};
    bool *mask = gb_arena_alloc(recording->arena, (size_t)work->from_size);
    applied.columns = gb_arena_alloc(recording->arena, (size_t)work->size);
    if (!mask || !applied.columns)
        return GB_ERR_MEMORY;
    GB_TRY(mark_columns(filter, spec, rule, mask));
    int64_t columns = 0;
    for (int64_t c = 0; c < work->size; c++) {
        applied.columns[c] = mask[work->kept ? work->kept[c] : c];
        columns += applied.columns[c];
    }
    if (columns == 0) /* all of them are dropped */
        return GB_OK;
    if (rule->kind == GB_RULE_NOISE)
        GB_TRY(prepare_noise(filter, recording, spec, &applied, columns));
    if (rule->kind == GB_RULE_RESCALE)
        GB_TRY(prepare_rescale(filter, spec, recording->arena, work, &applied));
    work->applied[work->applied_count++] = applied;
    work->numeric = true;
    return GB_OK;
}

static gb_status apply_rule(gb_filter *filter,
                            gb_recording_work *recording,
                            const gb_stream_spec *spec,
                            const gb_rule *rule,
                            gb_stream_work *work)
{
    GB_TRY(check_fits(filter, spec, rule, work->size));
    const gb_generalise *general = &rule->general;
    if (general->times)
        work->period = (gb_period)general->times;
    switch ((gb_rule_kind)rule->kind) {
    case GB_RULE_PSEUDONYM:
        work->domain = rule->domain ? rule->domain : work->name;
        return GB_OK;
    case GB_RULE_GENERALISE:
        if (general->dates)
            work->dates = general;
        if (!general->width && general->edges_count == 0)
            return GB_OK;
        return apply_numeric(filter, recording, spec, rule, work);
    case GB_RULE_RESCALE:
    case GB_RULE_NOISE:
        return apply_numeric(filter, recording, spec, rule, work);
    case GB_RULE_BOXES:
        work->applied[work->applied_count++] = (gb_applied){.rule = rule};
        work->clean_picture = work->form == GB_FORM_PICTURE;
        return GB_OK;
    case GB_RULE_SCRUB:
        work->clean_picture = work->form == GB_FORM_PICTURE;
        return GB_OK;
    default:
        return GB_OK;
    }
}

static gb_status apply_rules(gb_filter *filter,
                             gb_recording_work *recording,
                             const gb_stream_spec *spec,
                             gb_stream_work *work)
{
    const gb_policy_data *data = filter->policy->data;
    bool named = false;
    work->applied =
        gb_arena_alloc(recording->arena, (data->streams_count + 1) * sizeof *work->applied);
    if (!work->applied)
        return GB_ERR_MEMORY;
    for (uint32_t i = 0; i < data->streams_count; i++) {
        const gb_rule *rule = &data->streams[i];
        if (fnmatch(rule->match, spec->name, 0) != 0)
            continue;
        named = true;
        GB_TRY(apply_rule(filter, recording, spec, rule, work));
        if (work->domain && (work->numeric || work->dates))
            return fail_rule(filter, spec, rule, "a pseudonym leaves nothing for other rules");
    }
    if (!named && data->default_kind == GB_DEFAULT_ERROR)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: recording %s: no rule names stream %s; add one, or say default: keep "
                       "or default: drop",
                       filter->policy->origin, recording->name, spec->name);
    if (!named && data->default_kind == GB_RULE_DROP)
        work->size = 0;
    return GB_OK;
}

/* ---- what it is afterwards ---- */

/* {"type", "unit", "offset_ns", "all", "columns": [null | [center, unit, scale, offset]]} */
static json_t *undo_value(const gb_stream_spec *spec, const gb_stream_work *work)
{
    json_t *made = json_object(), *columns = json_array();
    bool rescaled = false, other = work->domain || work->dates || work->period;
    for (int64_t c = 0; c < work->size && work->numeric; c++) {
        json_t *map = json_null();
        for (int i = 0; i < work->applied_count; i++) {
            const gb_applied *applied = &work->applied[i];
            other |= !applied->affine;
            if (!applied->affine || !applied->columns[c])
                continue;
            gb_affine a = applied->affine[c];
            rescaled = true;
            map = json_pack("[ffff]", a.center, a.unit, a.scale, a.offset);
        }
        json_array_append_new(columns, map);
    }
    if (!rescaled)
        json_array_clear(columns);
    other |= work->clean_picture || (!work->numeric && work->applied_count > 0);
    json_object_set_new(made, "type", json_string(gb_value_type_name(spec->value_type)));
    json_object_set_new(made, "unit", json_string(spec->unit ? spec->unit : ""));
    json_object_set_new(made, "offset_ns", json_integer(work->offset_ns));
    json_object_set_new(made, "all", json_boolean(!other));
    json_object_set_new(made, "columns", columns);
    return made;
}

static gb_status seal_undo(const gb_filter *filter,
                           const gb_stream_spec *spec,
                           const gb_stream_work *work,
                           gb_arena *arena,
                           const char **out_text)
{
    json_t *value = undo_value(spec, work);
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17)), *sealed = NULL;
    gb_status status = text ? gb_secret_seal(filter->secrets, text, &sealed)
                            : gb_fail(GB_ERR_MEMORY, "no memory to seal a text");
    if (status == GB_OK && !(*out_text = gb_arena_text(arena, sealed)))
        status = GB_ERR_MEMORY;
    json_decref(value);
    free(text);
    free(sealed);
    return status;
}

static const char *noise_note(const gb_stream_work *work, gb_arena *arena)
{
    const char *note = NULL;
    for (int i = 0; i < work->applied_count; i++) {
        const gb_applied *a = &work->applied[i];
        if (a->rule->kind != GB_RULE_NOISE)
            continue;
        note = gb_arena_format(arena, "%s%sepsilon %g, delta %g, per %s, sigma %.6g",
                               note ? note : "", note ? "; " : "", *a->rule->epsilon,
                               *a->rule->delta, a->rule->unit, a->sigma);
    }
    return note;
}

static bool is_kept(char *const *patterns, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static bool is_rescaled(const gb_stream_work *work)
{
    for (int i = 0; i < work->applied_count; i++)
        if (work->applied[i].affine)
            return true;
    return false;
}

/* The pairs that go on: those the policy keeps, and what was done. */
static gb_status write_pairs(const gb_filter *filter,
                             const gb_stream_spec *spec,
                             const gb_stream_work *work,
                             gb_arena *arena,
                             gb_stream_spec *out)
{
    const gb_policy_data *data = filter->policy->data;
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)(spec->pair_count + 3) * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    int count = 0;
    for (int i = 0; i < spec->pair_count; i++) {
        const gb_pair *pair = &spec->pairs[i];
        if (strncmp(pair->key, GB_PAIR_PREFIX, strlen(GB_PAIR_PREFIX)) == 0 ||
            !is_kept(data->stream_pairs, data->stream_pairs_count, pair->key))
            continue;
        pairs[count].key = pair->key;
        if (!(pairs[count++].value = gb_filter_scrubbed(filter->policy, pair->value, arena)))
            return GB_ERR_MEMORY;
    }
    if (is_rescaled(work) || work->offset_ns) {
        pairs[count].key = GB_PAIR_UNDO;
        GB_TRY(seal_undo(filter, spec, work, arena, &pairs[count++].value));
    }
    if (work->domain)
        pairs[count++] = (gb_pair){GB_PAIR_PSEUDONYM, "1"};
    const char *note = noise_note(work, arena);
    if (note)
        pairs[count++] = (gb_pair){GB_PAIR_NOISE, note};
    out->pairs = pairs;
    out->pair_count = count;
    return GB_OK;
}

static gb_status write_texts(const gb_filter *filter,
                             const gb_stream_spec *spec,
                             const gb_stream_work *work,
                             gb_arena *arena,
                             gb_stream_spec *out)
{
    const gb_anonymise_policy *policy = filter->policy;
    out->name = gb_filter_scrubbed(policy, spec->name, arena);
    out->semantic = gb_filter_scrubbed(policy, spec->semantic, arena);
    out->clock = gb_filter_scrubbed(policy, spec->clock, arena);
    out->frame = gb_filter_scrubbed(policy, spec->frame, arena);
    if (!out->name || !out->semantic || !out->clock || !out->frame)
        return GB_ERR_MEMORY;
    if (!spec->labels)
        return GB_OK;
    const char **labels = gb_arena_alloc(arena, (size_t)work->size * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < work->size; c++)
        if (!(labels[c] =
                  gb_filter_scrubbed(policy, spec->labels[work->kept ? work->kept[c] : c], arena)))
            return GB_ERR_MEMORY;
    out->labels = labels;
    return GB_OK;
}

static gb_status write_spec(const gb_filter *filter,
                            const gb_stream_spec *spec,
                            gb_stream_work *work,
                            gb_arena *arena,
                            gb_stream_spec *out)
{
    *out = *spec;
    if (work->kept && work->size != work->from_size) {
        out->rank = 1;
        out->shape[0] = work->size;
    }
    if (work->domain) { /* an identity is a text, also where it was a number */
        out->value_type = GB_VALUE_BYTES;
        out->encoding = "utf-8";
        out->rank = 0;
        out->unit = "";
        if (out->kind != GB_STREAM_EVENT)
            out->kind = GB_STREAM_TEXT;
    } else if (work->numeric && spec->value_type != GB_VALUE_F32) {
        out->value_type = GB_VALUE_F64;
    }
    if (work->clean_picture)
        out->encoding = "png";
    work->to = out->value_type;
    if (is_rescaled(work))
        out->unit = "1";
    GB_TRY(write_texts(filter, spec, work, arena, out));
    if (work->domain)
        out->labels = NULL;
    return write_pairs(filter, spec, work, arena, out);
}

gb_status gb_filter_plan_stream(gb_filter *filter,
                                gb_recording_work *recording,
                                const gb_stream_spec *spec,
                                gb_stream_work *work,
                                gb_stream_spec *out_spec)
{
    work->next = -1;
    work->form = form_of(spec);
    work->from = spec->value_type;
    work->name = gb_arena_text(recording->arena, spec->name);
    if (!work->name)
        return GB_ERR_MEMORY;
    GB_TRY(drop_columns(filter, spec, recording->arena, work));
    if (work->size == 0)
        return GB_OK;
    if (work->form == GB_FORM_PIXELS) {
        work->height = spec->shape[0];
        work->width = spec->shape[1];
        work->channels = spec->rank > 2 ? spec->shape[2] : 1;
    }
    GB_TRY(apply_rules(filter, recording, spec, work));
    if (work->size == 0)
        return GB_OK;
    work->clean_text = is_text(work->form) && filter->policy->data->scrub_count > 0;
    if (spec->kind == GB_STREAM_TEXT && work->form == GB_FORM_NUMBERS && !work->domain &&
        filter->policy->data->scrub_count > 0)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: stream %s is a text kept as numbers, in which patterns find nothing: "
                       "drop it, or ingest it as text",
                       filter->policy->origin, spec->name);
    work->offset_ns = spec->time_base == GB_TIME_UTC ? recording->offset_ns : 0;
    work->times_changed = work->offset_ns != 0 || work->period != GB_PERIOD_NONE;
    return write_spec(filter, spec, work, recording->arena, out_spec);
}
