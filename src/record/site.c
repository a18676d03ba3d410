/* The site: what this machine is and may do, and whether a recording's labels let it be used here.
 * Says yes or no only: who asks, and writes the answer down, is the store. */
#include "genba/store.h"

#include "base/yaml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SITE_FILE "/etc/genba/site.yaml"
#define NAME_BYTES 256
#define LABEL_BYTES 64
#define LIST_MAX 256

typedef struct site_data {
    char *name;
    char **residency;
    uint32_t residency_count;
    int *purposes; /* gb_use */
    uint32_t purposes_count;
    char **owners;
    uint32_t owners_count;
    char **licences_refused;
    uint32_t licences_refused_count;
} site_data;

struct gb_site {
    site_data *data; /* NULL: no site file; a machine of no stated place */
    char *origin;
};

static const cyaml_strval_t uses[] = {{"inspect", GB_USE_INSPECT},
                                      {"train", GB_USE_TRAIN},
                                      {"export", GB_USE_EXPORT},
                                      {"control", GB_USE_CONTROL}};

static const cyaml_schema_value_t label_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, LABEL_BYTES)};
static const cyaml_schema_value_t name_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, NAME_BYTES)};
static const cyaml_schema_value_t use_schema = {
    CYAML_VALUE_ENUM(CYAML_FLAG_DEFAULT, int, uses, CYAML_ARRAY_LEN(uses))};

/* A list is left out or has an entry: an empty one would read as "nothing" to one person and as
 * "no limit" to another. */
#define OPTIONAL_LIST(key, field, schema)                                                          \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, site_data, field, schema,  \
                         1, LIST_MAX)

static const cyaml_schema_field_t site_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, site_data, name, 1, NAME_BYTES),
    OPTIONAL_LIST("residency", residency, &label_schema),
    OPTIONAL_LIST("purposes", purposes, &use_schema),
    OPTIONAL_LIST("owners", owners, &name_schema),
    OPTIONAL_LIST("licences_refused", licences_refused, &name_schema),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t site_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, site_data, site_fields)};

/* ---- the file ---------------------------------------------------------------------------------
 */

static bool is_label(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '-' && *text != '_' && *text != '.')
            return false;
    return true;
}

static gb_status check_labels(const char *path, const site_data *data)
{
    for (uint32_t i = 0; i < data->residency_count; i++) {
        char where[48];
        snprintf(where, sizeof where, "residency[%u]", i);
        if (!is_label(data->residency[i]))
            return gb_yaml_fail_value(path, where,
                                      "expected one place of letters, digits, - _ . such as JP or "
                                      "JP-23, found \"%s\"; give each place its own entry",
                                      data->residency[i]);
    }
    return GB_OK;
}

static gb_status site_create(const char *origin, site_data *data, gb_site **out)
{
    gb_site *site = calloc(1, sizeof *site);
    if (site)
        site->origin = strdup(origin);
    if (!site || !site->origin) {
        free(site);
        return gb_fail(GB_ERR_MEMORY, "no memory for the site");
    }
    site->data = data;
    *out = site;
    return GB_OK;
}

gb_status gb_site_load(const char *path, gb_site **out)
{
    site_data *data = NULL;
    GB_TRY(gb_yaml_load(path, &site_schema, (void **)&data));
    gb_status status = check_labels(path, data);
    if (status == GB_OK)
        status = site_create(path, data, out);
    if (status != GB_OK)
        gb_yaml_free(&site_schema, data);
    return status;
}

gb_status gb_site_find(gb_site **out)
{
    const char *path = getenv("GENBA_SITE");
    if (path && path[0]) {
        gb_status status = gb_site_load(path, out);
        return status == GB_OK ? GB_OK : gb_fail_context(status, "GENBA_SITE");
    }
    if (gb_file_exists(SITE_FILE))
        return gb_site_load(SITE_FILE, out);
    return site_create("", NULL, out);
}

void gb_site_destroy(gb_site *site)
{
    if (!site)
        return;
    gb_yaml_free(&site_schema, site->data);
    free(site->origin);
    free(site);
}

const char *gb_site_name(const gb_site *site)
{
    return site->data ? site->data->name : "";
}

const char *gb_site_origin(const gb_site *site)
{
    return site->origin;
}

const char *gb_use_name(gb_use use)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (uses[i].val == (int64_t)use)
            return uses[i].str;
    return "?";
}

/* ---- labels -----------------------------------------------------------------------------------
 * A label that is present but cannot be understood forbids: nothing here guesses in favour of use.
 */

typedef struct word {
    const char *text;
    int size;
} word;

/* The next of the words that `separators` part, or false behind the last. */
static bool next_word(const char **text, const char *separators, word *out)
{
    const char *at = *text + strspn(*text, separators);
    size_t size = strcspn(at, separators);
    if (size == 0 || size > 4096)
        return false;
    *text = at + size;
    *out = (word){at, (int)size};
    return true;
}

static bool is_blank(const char *text)
{
    return !text || text[strspn(text, " \t\r\n")] == 0;
}

static bool equal(word found, const char *text)
{
    return strlen(text) == (size_t)found.size &&
           strncasecmp(found.text, text, (size_t)found.size) == 0;
}

/* A machine in JP-23 is in JP; one that only says JP may be anywhere in it. */
static bool lies_in(const char *place, word region)
{
    size_t size = (size_t)region.size;
    return strncasecmp(place, region.text, size) == 0 && (place[size] == 0 || place[size] == '-');
}

/* "JP, DE" of a list of names, cut to fit. */
static const char *join(char *const *names, uint32_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
    return text;
}

static const char *owner_of(const gb_recording_info *info)
{
    return is_blank(info->owner) ? "whoever gave you the recording" : info->owner;
}

static gb_status check_residency(const gb_site *site, const gb_recording_info *info)
{
    if (is_blank(info->residency))
        return GB_OK;
    const site_data *data = site->data;
    if (!data || data->residency_count == 0)
        return gb_fail(GB_ERR_REFUSED,
                       "recording %s must stay in %s and this machine does not say where it is; "
                       "set GENBA_SITE to a site file with residency: [%s] if that is so%s%s",
                       info->name, info->residency, info->residency, data ? "; it names " : "",
                       data ? site->origin : "");
    const char *rest = info->residency;
    for (word label; next_word(&rest, ", \t\r\n", &label);)
        for (uint32_t i = 0; i < data->residency_count; i++)
            if (lies_in(data->residency[i], label))
                return GB_OK;
    char places[256];
    return gb_fail(GB_ERR_REFUSED,
                   "recording %s must stay in %s and this machine, %s, is in %s (%s); use it on a "
                   "machine there, or ask its owner: %s",
                   info->name, info->residency, data->name,
                   join(data->residency, data->residency_count, places, sizeof places),
                   site->origin, owner_of(info));
}

static gb_status check_purpose(const gb_recording_info *info, gb_use use)
{
    if (is_blank(info->purpose))
        return GB_OK;
    const char *rest = info->purpose;
    for (word label; next_word(&rest, ", \t\r\n", &label);)
        if (equal(label, gb_use_name(use)))
            return GB_OK;
    return gb_fail(GB_ERR_REFUSED,
                   "recording %s may be used for %s, which does not name %s; ask its owner: %s",
                   info->name, info->purpose, gb_use_name(use), owner_of(info));
}

static gb_status check_owner(const gb_site *site, const gb_recording_info *info)
{
    const site_data *data = site->data;
    char owners[256];
    if (!data || data->owners_count == 0)
        return GB_OK;
    word owner = {0};
    if (!is_blank(info->owner)) {
        const char *end = info->owner + strlen(info->owner);
        owner.text = info->owner + strspn(info->owner, " \t\r\n");
        while (strchr(" \t\r\n", end[-1]))
            end--;
        owner.size = (int)(end - owner.text);
    }
    for (uint32_t i = 0; i < data->owners_count; i++)
        if (owner.text && equal(owner, data->owners[i]))
            return GB_OK;
    return gb_fail(GB_ERR_REFUSED,
                   "recording %s %s%s and this machine, %s, takes recordings of %s only (%s); ask "
                   "whoever keeps that file",
                   info->name, owner.text ? "is owned by " : "names no owner",
                   owner.text ? info->owner : "", data->name,
                   join(data->owners, data->owners_count, owners, sizeof owners), site->origin);
}

/* The refused name as the whole text, or as one of the words of an SPDX expression; "MIT OR GPL" is
 * refused with GPL: which of the two was taken is not for a machine to choose. */
static gb_status check_licence(const gb_site *site, const gb_recording_info *info)
{
    const site_data *data = site->data;
    if (!data || is_blank(info->licence))
        return GB_OK;
    for (uint32_t i = 0; i < data->licences_refused_count; i++) {
        const char *refused = data->licences_refused[i], *rest = info->licence;
        bool found = strcasecmp(refused, info->licence) == 0;
        for (word part; !found && next_word(&rest, " \t\r\n(),", &part);)
            found = equal(part, refused);
        if (found)
            return gb_fail(GB_ERR_REFUSED,
                           "recording %s has licence %s and this machine, %s, refuses %s (%s); "
                           "ask whoever keeps that file",
                           info->name, info->licence, data->name, refused, site->origin);
    }
    return GB_OK;
}

static gb_status check_machine(const gb_site *site, const gb_recording_info *info, gb_use use)
{
    const site_data *data = site->data;
    if (!data || data->purposes_count == 0)
        return GB_OK;
    for (uint32_t i = 0; i < data->purposes_count; i++)
        if (data->purposes[i] == (int)use)
            return GB_OK;
    char allowed[64] = "";
    for (uint32_t i = 0; i < data->purposes_count; i++)
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s", i ? ", " : "",
                 gb_use_name((gb_use)data->purposes[i]));
    return gb_fail(GB_ERR_REFUSED,
                   "this machine, %s, may %s only (%s), not %s recording %s; ask whoever keeps "
                   "that file",
                   data->name, allowed, site->origin, gb_use_name(use), info->name);
}

gb_status gb_site_check(const gb_site *site, const gb_recording_info *info, gb_use use)
{
    GB_TRY(check_machine(site, info, use));
    GB_TRY(check_residency(site, info));
    GB_TRY(check_purpose(info, use));
    GB_TRY(check_owner(site, info));
    return check_licence(site, info);
}
