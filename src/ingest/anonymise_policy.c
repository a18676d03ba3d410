/* Anonymising policies: the YAML schema and the checks a schema cannot express. What a policy does
 * to a recording is anonymise.c. */
#include "ingest/anonymise.h"

#include "base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define LIST_MAX 4096

/* In the file 0 is a key left out. */
#define CHOICE(text, value)                                                                        \
    {                                                                                              \
        text, (value) + 1                                                                          \
    }

static const cyaml_strval_t defaults[] = {
    CHOICE("error", GB_DEFAULT_ERROR), CHOICE("keep", GB_RULE_KEEP), CHOICE("drop", GB_RULE_DROP)};
static const cyaml_strval_t stream_rules[] = {
    {"keep", GB_RULE_KEEP},           {"drop", GB_RULE_DROP},
    {"pseudonym", GB_RULE_PSEUDONYM}, {"generalise", GB_RULE_GENERALISE},
    {"rescale", GB_RULE_RESCALE},     {"noise", GB_RULE_NOISE},
    {"boxes", GB_RULE_BOXES},         {"scrub", GB_RULE_SCRUB}};
static const cyaml_strval_t pair_rules[] = {{"keep", GB_RULE_KEEP},
                                            {"drop", GB_RULE_DROP},
                                            {"pseudonym", GB_RULE_PSEUDONYM},
                                            {"generalise", GB_RULE_GENERALISE}};
static const cyaml_strval_t text_rules[] = {CHOICE("keep", GB_RULE_KEEP),
                                            CHOICE("drop", GB_RULE_DROP),
                                            CHOICE("pseudonym", GB_RULE_PSEUDONYM)};
static const cyaml_strval_t name_rules[] = {CHOICE("keep", GB_RULE_KEEP),
                                            CHOICE("pseudonym", GB_RULE_PSEUDONYM)};
static const cyaml_strval_t periods[] = {{"hour", GB_PERIOD_HOUR},
                                         {"shift", GB_PERIOD_SHIFT},
                                         {"day", GB_PERIOD_DAY},
                                         {"week", GB_PERIOD_WEEK}};
static const cyaml_strval_t fills[] = {{"black", GB_FILL_BLACK}, {"blur", GB_FILL_BLUR}};
static const cyaml_strval_t time_steps[] = {{"second", GB_TIME_STEP_SECOND},
                                            {"day", GB_TIME_STEP_DAY}};

#define TEXT(key, type, field)                                                                     \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, field, 1, LINE_BYTES)
#define OPTIONAL_TEXT(key, type, field)                                                            \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field, 1,          \
                           LINE_BYTES)
#define OPTIONAL_NUMBER(key, type, field)                                                          \
    CYAML_FIELD_FLOAT_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field)
#define OPTIONAL_LIST(key, type, field, schema)                                                    \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field, schema, 1,    \
                         LIST_MAX)
#define OPTIONAL_CHOICE(key, type, field, list)                                                    \
    CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL, type, field, list, CYAML_ARRAY_LEN(list))

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, LINE_BYTES)};
static const cyaml_schema_value_t number_schema = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};

static const cyaml_schema_field_t bounds_fields[] = {
    CYAML_FIELD_FLOAT("min", CYAML_FLAG_DEFAULT, gb_rule_bounds, min),
    CYAML_FIELD_FLOAT("max", CYAML_FLAG_DEFAULT, gb_rule_bounds, max),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t box_fields[] = {
    CYAML_FIELD_INT("x", CYAML_FLAG_DEFAULT, gb_rule_box, x),
    CYAML_FIELD_INT("y", CYAML_FLAG_DEFAULT, gb_rule_box, y),
    CYAML_FIELD_INT("width", CYAML_FLAG_DEFAULT, gb_rule_box, width),
    CYAML_FIELD_INT("height", CYAML_FLAG_DEFAULT, gb_rule_box, height),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t box_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rule_box, box_fields)};

#define GENERALISE_FIELDS(type)                                                                    \
    OPTIONAL_NUMBER("width", type, general.width),                                                 \
        OPTIONAL_NUMBER("origin", type, general.origin),                                           \
        OPTIONAL_LIST("edges", type, general.edges, &number_schema),                               \
        OPTIONAL_CHOICE("dates", type, general.dates, periods)

static const cyaml_schema_field_t rule_fields[] = {
    TEXT("match", gb_rule, match),
    OPTIONAL_LIST("columns", gb_rule, columns, &text_schema),
    CYAML_FIELD_ENUM(
        "rule", CYAML_FLAG_DEFAULT, gb_rule, kind, stream_rules, CYAML_ARRAY_LEN(stream_rules)),
    OPTIONAL_TEXT("domain", gb_rule, domain),
    GENERALISE_FIELDS(gb_rule),
    OPTIONAL_CHOICE("times", gb_rule, general.times, periods),
    CYAML_FIELD_MAPPING_PTR(
        "range", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_rule, range, bounds_fields),
    CYAML_FIELD_BOOL("each_column", CYAML_FLAG_OPTIONAL, gb_rule, each_column),
    OPTIONAL_NUMBER("epsilon", gb_rule, epsilon),
    OPTIONAL_NUMBER("delta", gb_rule, delta),
    OPTIONAL_TEXT("unit", gb_rule, unit),
    CYAML_FIELD_MAPPING_PTR(
        "clip", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_rule, clip, bounds_fields),
    CYAML_FIELD_INT_PTR(
        "samples_per_unit", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_rule, samples_per_unit),
    OPTIONAL_LIST("boxes", gb_rule, boxes, &box_schema),
    OPTIONAL_CHOICE("fill", gb_rule, fill, fills),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rule, rule_fields)};

static const cyaml_schema_field_t pair_fields[] = {
    TEXT("key", gb_rule_pair, key),
    CYAML_FIELD_ENUM(
        "rule", CYAML_FLAG_DEFAULT, gb_rule_pair, kind, pair_rules, CYAML_ARRAY_LEN(pair_rules)),
    OPTIONAL_TEXT("domain", gb_rule_pair, domain),
    GENERALISE_FIELDS(gb_rule_pair),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rule_pair, pair_fields)};

static const cyaml_schema_field_t recording_fields[] = {
    OPTIONAL_CHOICE("name", gb_rule_recording, name, name_rules),
    OPTIONAL_CHOICE("source", gb_rule_recording, source, text_rules),
    OPTIONAL_CHOICE("instruction", gb_rule_recording, instruction, text_rules),
    OPTIONAL_CHOICE("outcome", gb_rule_recording, outcome, text_rules),
    OPTIONAL_LIST("pairs", gb_rule_recording, pairs, &pair_schema),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t time_shift_fields[] = {
    TEXT("entity", gb_rule_time_shift, entity),
    CYAML_FIELD_INT("days", CYAML_FLAG_DEFAULT, gb_rule_time_shift, days),
    OPTIONAL_CHOICE("step", gb_rule_time_shift, step, time_steps),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t shift_fields[] = {
    TEXT("name", gb_work_shift, name),
    CYAML_FIELD_FLOAT("from_h", CYAML_FLAG_DEFAULT, gb_work_shift, from_h),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t shift_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_work_shift, shift_fields)};

static const cyaml_schema_field_t scrub_fields[] = {
    TEXT("pattern", gb_rule_scrub, pattern),
    CYAML_FIELD_STRING_PTR(
        "replace", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_rule_scrub, replace, 0, LINE_BYTES),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t scrub_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rule_scrub, scrub_fields)};

static const cyaml_schema_field_t budget_fields[] = {
    TEXT("unit", gb_rule_budget, unit),
    CYAML_FIELD_FLOAT("epsilon", CYAML_FLAG_DEFAULT, gb_rule_budget, epsilon),
    CYAML_FIELD_FLOAT("delta", CYAML_FLAG_DEFAULT, gb_rule_budget, delta),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t budget_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rule_budget, budget_fields)};

static const cyaml_schema_field_t report_fields[] = {
    OPTIONAL_LIST("quasi_identifiers", gb_rule_report, quasi_identifiers, &text_schema),
    OPTIONAL_TEXT("sensitive", gb_rule_report, sensitive),
    CYAML_FIELD_INT_PTR(
        "segment", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_rule_report, segment),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t policy_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, gb_policy_data, name, 1, GB_STREAM_NAME_MAX),
    OPTIONAL_TEXT("description", gb_policy_data, description),
    OPTIONAL_CHOICE("default", gb_policy_data, default_kind, defaults),
    CYAML_FIELD_MAPPING(
        "recording", CYAML_FLAG_OPTIONAL, gb_policy_data, recording, recording_fields),
    OPTIONAL_LIST("attachments", gb_policy_data, attachments, &text_schema),
    OPTIONAL_LIST("stream_pairs", gb_policy_data, stream_pairs, &text_schema),
    CYAML_FIELD_MAPPING_PTR("time_shift",
                            CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                            gb_policy_data,
                            time_shift,
                            time_shift_fields),
    CYAML_FIELD_FLOAT("zone_h", CYAML_FLAG_OPTIONAL, gb_policy_data, zone_h),
    OPTIONAL_LIST("shifts", gb_policy_data, shifts, &shift_schema),
    OPTIONAL_LIST("scrub", gb_policy_data, scrub, &scrub_schema),
    OPTIONAL_LIST("streams", gb_policy_data, streams, &rule_schema),
    OPTIONAL_LIST("budget", gb_policy_data, budget, &budget_schema),
    CYAML_FIELD_MAPPING("report", CYAML_FLAG_OPTIONAL, gb_policy_data, report, report_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t policy_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_policy_data, policy_fields)};

/* ---- what the schema cannot say ---------------------------------------------------------------
 */

/* The text being parsed, to find a value's line in, and the way to the value looked at. */
typedef struct place {
    const char *text, *origin;
    size_t size;
    char path[96];
} place;

static gb_status wrong(const place *at, const char *key, const char *problem)
{
    gb_arena *arena = NULL;
    gb_yaml_node *root = NULL;
    char path[160];
    int line = 0;
    snprintf(path, sizeof path, "%s%s%s", at->path, at->path[0] && key[0] ? "." : "", key);
    GB_TRY(gb_arena_create(0, &arena));
    if (gb_yaml_tree(at->origin, at->text, at->size, arena, &root) == GB_OK && root) {
        bool exact;
        line = gb_yaml_find(root, path, &exact)->line;
    }
    gb_status status = gb_fail(GB_ERR_SCHEMA, "%s:%d: %s: %s", at->origin, line, path, problem);
    gb_arena_destroy(arena);
    return status;
}

static gb_status check_bounds(const place *at, const char *key, const gb_rule_bounds *bounds)
{
    if (!bounds)
        return wrong(at, key, "is missing: give the least and greatest value, {min: 0, max: 100}");
    if (!(bounds->min < bounds->max) || !isfinite(bounds->max - bounds->min))
        return wrong(at, key, "min must be less than max");
    return GB_OK;
}

static gb_status check_generalise(const place *at, const gb_generalise *how)
{
    int ways = (how->width != NULL) + (how->edges_count > 0);
    if (ways > 1)
        return wrong(at, "edges", "bins have either a width or edges, not both");
    if (ways + (how->dates != 0) + (how->times != 0) == 0)
        return wrong(at, "", "generalise needs width, edges, dates or times");
    if (how->width && !(*how->width > 0 && isfinite(*how->width)))
        return wrong(at, "width", "must be more than 0");
    if (how->origin && !(how->width && isfinite(*how->origin)))
        return wrong(at, "origin", "is where a bin of some width begins; give width too");
    if (how->edges_count == 1)
        return wrong(at, "edges", "bins need two edges or more");
    for (uint32_t i = 0; i < how->edges_count; i++)
        if (!isfinite(how->edges[i]) || (i > 0 && !(how->edges[i - 1] < how->edges[i])))
            return wrong(at, "edges", "must rise from one to the next");
    return GB_OK;
}

static gb_status check_privacy(const place *at, const double *epsilon, const double *delta)
{
    if (!epsilon || !(*epsilon > 0 && *epsilon <= 100))
        return wrong(at, "epsilon", "must be more than 0 and at most 100");
    if (!delta || !(*delta > 0 && *delta < 1))
        return wrong(at, "delta", "must be more than 0 and less than 1, such as 1e-6");
    return GB_OK;
}

static gb_status check_noise(const place *at, const gb_rule *rule)
{
    GB_TRY(check_privacy(at, rule->epsilon, rule->delta));
    GB_TRY(check_bounds(at, "clip", rule->clip));
    if (!rule->unit)
        return wrong(at, "unit",
                     "is missing: whom the noise protects: recording, or a pair of recordings "
                     "such as lot");
    if (!rule->samples_per_unit || *rule->samples_per_unit < 1 ||
        *rule->samples_per_unit > INT64_C(1) << 40)
        return wrong(at, "samples_per_unit",
                     "is missing or out of range: the most samples that one unit gives a stream");
    return GB_OK;
}

static gb_status check_boxes(const place *at, const gb_rule *rule)
{
    if (rule->boxes_count == 0)
        return wrong(at, "boxes", "is missing: [{x: 0, y: 0, width: 64, height: 32}]");
    for (uint32_t i = 0; i < rule->boxes_count; i++) {
        const gb_rule_box *box = &rule->boxes[i];
        const int64_t most = 1 << 20;
        if (box->x < 0 || box->y < 0 || box->width < 1 || box->height < 1 || box->x > most ||
            box->y > most || box->width > most || box->height > most)
            return wrong(at, "boxes", "x and y must be 0 or more, width and height 1 or more");
    }
    return GB_OK;
}

/* A key of another rule is a slip that would be read as protection. */
static gb_status check_strays(const place *at, const gb_rule *rule)
{
    const struct {
        const char *key;
        bool given;
        gb_rule_kind of;
    } keys[] = {
        {"domain", rule->domain != NULL, GB_RULE_PSEUDONYM},
        {"width", rule->general.width != NULL, GB_RULE_GENERALISE},
        {"edges", rule->general.edges != NULL, GB_RULE_GENERALISE},
        {"origin", rule->general.origin != NULL, GB_RULE_GENERALISE},
        {"dates", rule->general.dates != 0, GB_RULE_GENERALISE},
        {"times", rule->general.times != 0, GB_RULE_GENERALISE},
        {"range", rule->range != NULL, GB_RULE_RESCALE},
        {"each_column", rule->each_column, GB_RULE_RESCALE},
        {"epsilon", rule->epsilon != NULL, GB_RULE_NOISE},
        {"delta", rule->delta != NULL, GB_RULE_NOISE},
        {"unit", rule->unit != NULL, GB_RULE_NOISE},
        {"clip", rule->clip != NULL, GB_RULE_NOISE},
        {"samples_per_unit", rule->samples_per_unit != NULL, GB_RULE_NOISE},
        {"boxes", rule->boxes != NULL, GB_RULE_BOXES},
        {"fill", rule->fill != 0, GB_RULE_BOXES},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].given && rule->kind != (int)keys[i].of) {
            char problem[96];
            snprintf(problem, sizeof problem, "belongs to rule: %s, not to rule: %s",
                     stream_rules[keys[i].of].str, stream_rules[rule->kind].str);
            return wrong(at, keys[i].key, problem);
        }
    return GB_OK;
}

static gb_status check_rule(const place *at, const gb_rule *rule)
{
    GB_TRY(check_strays(at, rule));
    switch ((gb_rule_kind)rule->kind) {
    case GB_RULE_GENERALISE:
        return check_generalise(at, &rule->general);
    case GB_RULE_RESCALE:
        return check_bounds(at, "range", rule->range);
    case GB_RULE_NOISE:
        return check_noise(at, rule);
    case GB_RULE_BOXES:
        return check_boxes(at, rule);
    default:
        return GB_OK;
    }
}

static gb_status check_shifts(place *at, const gb_policy_data *data)
{
    snprintf(at->path, sizeof at->path, "shifts");
    for (uint32_t i = 0; i < data->shifts_count; i++) {
        double from = data->shifts[i].from_h;
        if (!(from >= 0 && from < 24) || (i > 0 && !(data->shifts[i - 1].from_h < from)))
            return wrong(at, "", "from_h must rise from one shift to the next and lie in 0..24");
    }
    at->path[0] = 0;
    if (!(data->zone_h >= -24 && data->zone_h <= 24))
        return wrong(at, "zone_h", "must lie between -24 and 24: local time minus UTC, in hours");
    if (data->time_shift && (data->time_shift->days < 1 || data->time_shift->days > 36500))
        return wrong(at, "time_shift.days", "must be a number from 1 to 36500");
    return GB_OK;
}

static gb_status check_policy(place *at, const gb_policy_data *data)
{
    GB_TRY(check_shifts(at, data));
    for (uint32_t i = 0; i < data->streams_count; i++) {
        snprintf(at->path, sizeof at->path, "streams[%u]", i);
        GB_TRY(check_rule(at, &data->streams[i]));
    }
    for (uint32_t i = 0; i < data->recording.pairs_count; i++) {
        const gb_rule_pair *pair = &data->recording.pairs[i];
        const gb_rule as_rule = {
            .kind = pair->kind, .domain = pair->domain, .general = pair->general};
        snprintf(at->path, sizeof at->path, "recording.pairs[%u]", i);
        GB_TRY(check_rule(at, &as_rule));
    }
    for (uint32_t i = 0; i < data->budget_count; i++) {
        snprintf(at->path, sizeof at->path, "budget[%u]", i);
        GB_TRY(check_privacy(at, &data->budget[i].epsilon, &data->budget[i].delta));
    }
    at->path[0] = 0;
    if (data->report.segment && (*data->report.segment < 8 || *data->report.segment > 1 << 20))
        return wrong(at, "report.segment", "must be a number of samples from 8 to 1048576");
    return GB_OK;
}

static gb_status compile_patterns(place *at, gb_anonymise_policy *policy)
{
    const gb_policy_data *data = policy->data;
    policy->scrub = calloc(data->scrub_count + 1, sizeof *policy->scrub);
    if (!policy->scrub)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its patterns", at->origin);
    for (uint32_t i = 0; i < data->scrub_count; i++) {
        regex_t *made = &policy->scrub[i];
        int error = regcomp(made, data->scrub[i].pattern, REG_EXTENDED);
        snprintf(at->path, sizeof at->path, "scrub[%u]", i);
        if (error) {
            char words[128], problem[192];
            regerror(error, made, words, sizeof words);
            snprintf(problem, sizeof problem, "is no POSIX extended expression: %s", words);
            return wrong(at, "pattern", problem);
        }
        policy->scrub_compiled++;
        regmatch_t empty;
        if (regexec(made, "", 1, &empty, 0) == 0)
            return wrong(at, "pattern", "matches nothing at all, so it would match everywhere");
    }
    at->path[0] = 0;
    return GB_OK;
}

/* ---- from text to policy ----------------------------------------------------------------------
 */

static void set_defaults(gb_policy_data *data)
{
    gb_rule_recording *r = &data->recording;
    data->default_kind -= 1;
    r->name = r->name ? r->name - 1 : GB_RULE_PSEUDONYM;
    r->source = r->source ? r->source - 1 : GB_RULE_DROP;
    r->instruction = r->instruction ? r->instruction - 1 : GB_RULE_DROP;
    r->outcome = r->outcome ? r->outcome - 1 : GB_RULE_DROP;
}

static gb_status name_policy(gb_anonymise_policy *policy, const place *at)
{
    char hex[2 * GB_HASH_BYTES + 1], id[GB_STREAM_NAME_MAX + 24];
    gb_hash(at->text, at->size, policy->hash);
    gb_hash_hex(policy->hash, hex);
    snprintf(id, sizeof id, "%s %.16s", policy->data->name, hex);
    policy->id = strdup(id);
    policy->origin = strdup(at->origin);
    return policy->id && policy->origin
               ? GB_OK
               : gb_fail(GB_ERR_MEMORY, "%s: no memory for the policy", at->origin);
}

gb_status gb_anonymise_policy_parse(const char *text,
                                    size_t size,
                                    const char *origin,
                                    gb_anonymise_policy **out)
{
    gb_policy_data *data = NULL;
    place at = {.text = text, .origin = origin, .size = size};
    GB_TRY(gb_yaml_load_text(origin, text, size, &policy_schema, (void **)&data));
    gb_anonymise_policy *policy = calloc(1, sizeof *policy);
    if (!policy) {
        gb_yaml_free(&policy_schema, data);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for the policy", origin);
    }
    policy->data = data;
    set_defaults(data);
    gb_status status = check_policy(&at, data);
    if (status == GB_OK)
        status = compile_patterns(&at, policy);
    if (status == GB_OK)
        status = name_policy(policy, &at);
    if (status != GB_OK) {
        gb_anonymise_policy_destroy(policy);
        return status;
    }
    *out = policy;
    return GB_OK;
}

gb_status gb_anonymise_policy_load(const char *path, gb_anonymise_policy **out)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_file_read(path, 16 << 20, arena, &text, &size);
    if (status == GB_OK)
        status = gb_anonymise_policy_parse(text, size, path, out);
    gb_arena_destroy(arena);
    return status;
}

void gb_anonymise_policy_destroy(gb_anonymise_policy *policy)
{
    if (!policy)
        return;
    for (uint32_t i = 0; i < policy->scrub_compiled; i++)
        regfree(&policy->scrub[i]);
    free(policy->scrub);
    gb_yaml_free(&policy_schema, policy->data);
    free(policy->origin);
    free(policy->id);
    free(policy);
}

const char *gb_anonymise_policy_name(const gb_anonymise_policy *policy)
{
    return policy->data->name;
}

const char *gb_anonymise_policy_id(const gb_anonymise_policy *policy)
{
    return policy->id;
}
