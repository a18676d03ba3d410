/* Checkpoints: a folder with weights, optimiser state and averages (safetensors) and a manifest
 * (checkpoint.json) that holds the counters and the files' checksums, and its own. */
#include "train/checkpoint.h"
#include "base/json.h"
#include "train/folder.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_BYTES = 4096,
    MANIFEST_LIMIT_BYTES = 1 << 20,
    HEX_BYTES = 2 * GB_HASH_BYTES + 1
};
static const char weights_file[] = "weights.safetensors";
static const char state_file[] = "state.safetensors";
static const char manifest_file[] = "checkpoint.json";

static gb_status path_in(const char *folder, const char *file, char path[PATH_BYTES])
{
    if (snprintf(path, PATH_BYTES, "%s/%s", folder, file) >= PATH_BYTES)
        return gb_fail(GB_ERR_ARGUMENT, "the path %s/%s is too long", folder, file);
    return GB_OK;
}

static gb_status hex_of_file(const char *path, char hex[HEX_BYTES])
{
    unsigned char hash[GB_HASH_BYTES];
    GB_TRY(gb_hash_file(path, hash));
    gb_hash_hex(hash, hex);
    return GB_OK;
}

/* Of the body as it is written: sorted keys, no spaces. */
static gb_status hex_of_body(const json_t *body, char hex[HEX_BYTES])
{
    unsigned char hash[GB_HASH_BYTES];
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "checkpoint: no memory for its manifest");
    gb_hash(text, strlen(text), hash);
    gb_hash_hex(hash, hex);
    free(text);
    return GB_OK;
}

/* ---- saving -----------------------------------------------------------------------------------
 */
static gb_status
save_tensors(const gb_tensors *set, const char *folder, const char *file, char hex[HEX_BYTES])
{
    char path[PATH_BYTES];
    GB_TRY(path_in(folder, file, path));
    GB_TRY(gb_tensors_save(set, path, NULL));
    return hex_of_file(path, hex);
}

static json_t *body_of(const gb_trainer *t,
                       const char *identity,
                       const char *const *notes,
                       const char *weights_hex,
                       const char *state_hex)
{
    json_t *drawn = json_array(), *noted = json_object();
    for (int i = 0; i < t->source_count; i++)
        json_array_append_new(drawn, json_integer(t->sampler.drawn[i]));
    for (; notes && notes[0]; notes += 2)
        json_object_set_new(noted, notes[0], json_string(notes[1]));
    return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:s, s:s, s:o, s:o}", "genba", gb_version(),
                     "identity", identity, "model", gb_model_get_config(t->model)->name, "step",
                     (json_int_t)t->step, "steps", (json_int_t)t->steps, "weights", weights_hex,
                     "state", state_hex, "drawn", drawn, "notes", noted);
}

static gb_status write_manifest(const json_t *body, const char *folder)
{
    char path[PATH_BYTES], hex[HEX_BYTES];
    GB_TRY(hex_of_body(body, hex));
    GB_TRY(path_in(folder, manifest_file, path));
    json_t *whole = json_pack("{s:O, s:s}", "body", body, "blake2b", hex);
    char *text = whole ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    json_decref(whole);
    gb_status status = text ? gb_file_replace(path, text, strlen(text))
                            : gb_fail(GB_ERR_MEMORY, "checkpoint: no memory for its manifest");
    free(text);
    return status;
}

gb_status gb_trainer_save(const gb_trainer *t,
                          const char *folder,
                          const char *identity,
                          const char *const *notes)
{
    char partial[PATH_BYTES], weights_hex[HEX_BYTES], state_hex[HEX_BYTES];
    json_t *body = NULL;
    gb_status status;
    GB_TRY(gb_folder_begin(folder, partial, sizeof partial));
    GB_TRY_OR(failed, save_tensors(gb_model_weights(t->model), partial, weights_file, weights_hex));
    GB_TRY_OR(failed, save_tensors(t->state, partial, state_file, state_hex));
    body = body_of(t, identity, notes, weights_hex, state_hex);
    if (!body)
        status = gb_fail(GB_ERR_MEMORY, "checkpoint: no memory for its manifest");
    else
        status = write_manifest(body, partial);
    json_decref(body);
    if (status == GB_OK)
        status = gb_folder_commit(partial, folder);
    if (status == GB_OK)
        return GB_OK;
failed:
    gb_folder_remove(partial);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------
 */
typedef struct manifest {
    int64_t step, steps;
    const char *identity, *weights, *state; /* borrowed from the document */
    gb_json_at drawn;
} manifest;

/* A manifest that does not parse was cut: corrupt, whatever the parser called it. */
static gb_status open_manifest(const char *folder, json_t **out, gb_json_at *body)
{
    char path[PATH_BYTES], hex[HEX_BYTES];
    GB_TRY(path_in(folder, manifest_file, path));
    json_t *document;
    gb_status status = gb_json_open(path, MANIFEST_LIMIT_BYTES, &document);
    if (status != GB_OK)
        return status == GB_ERR_MEMORY ? status
                                       : gb_fail_context(GB_ERR_CORRUPT, "checkpoint %s", folder);
    const json_t *inner = json_object_get(document, "body");
    const char *stored = json_string_value(json_object_get(document, "blake2b"));
    status = json_is_object(inner) && stored
                 ? hex_of_body(inner, hex)
                 : gb_fail(GB_ERR_CORRUPT, "%s: it has no body or no checksum", path);
    if (status == GB_OK && strcmp(stored, hex) != 0)
        status = gb_fail(GB_ERR_CORRUPT,
                         "%s: its checksum is %s, expected %s: it was edited; restore the file or "
                         "delete the checkpoint",
                         path, hex, stored);
    if (status != GB_OK) {
        json_decref(document);
        return status;
    }
    *body = gb_json_root("checkpoint.json", inner);
    *out = document;
    return GB_OK;
}

static gb_status read_manifest(const gb_json_at *body, manifest *out)
{
    GB_TRY(gb_json_text(body, "identity", &out->identity));
    GB_TRY(gb_json_int(body, "step", 0, INT64_MAX, &out->step));
    GB_TRY(gb_json_int(body, "steps", 0, INT64_MAX, &out->steps));
    GB_TRY(gb_json_text(body, "weights", &out->weights));
    GB_TRY(gb_json_text(body, "state", &out->state));
    return gb_json_array(body, "drawn", &out->drawn);
}

gb_status gb_checkpoint_note(const char *folder, const char *name, char *text, size_t size)
{
    json_t *document;
    gb_json_at body;
    GB_TRY(open_manifest(folder, &document, &body));
    const json_t *notes = json_object_get(body.value, "notes");
    const char *found = json_string_value(json_object_get(notes, name));
    snprintf(text, size, "%s", found ? found : "");
    json_decref(document);
    return GB_OK;
}

/* Loads a tensor file if it is the one the manifest speaks of. */
static gb_status
load_tensors(const char *folder, const char *file, const char *expected, gb_tensors **out)
{
    char path[PATH_BYTES], hex[HEX_BYTES];
    GB_TRY(path_in(folder, file, path));
    if (!gb_file_exists(path))
        return gb_fail(GB_ERR_CORRUPT, "%s is missing from its checkpoint", path);
    GB_TRY(hex_of_file(path, hex));
    if (strcmp(hex, expected) != 0)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: its checksum is %s, the checkpoint says %s: it was cut or edited", path,
                       hex, expected);
    return gb_tensors_load(path, out);
}

/* Same names, dtypes and shapes, none more. */
static gb_status match(const gb_tensors *have, const gb_tensors *found, const char *file)
{
    char is[96], should[96];
    for (int64_t i = 0; i < gb_tensors_count(have); i++) {
        const char *name;
        const gb_tensor *a = gb_tensors_at(have, i, &name), *b = gb_tensors_find(found, name);
        if (!b)
            return gb_fail(GB_ERR_MISMATCH, "%s is of another model: it has no tensor %s", file,
                           name);
        if (a->dtype != b->dtype || !gb_shape_equal(&a->shape, &b->shape))
            return gb_fail(
                GB_ERR_MISMATCH, "%s is of another model: tensor %s is %s %s, expected %s %s", file,
                name, gb_dtype_name(b->dtype), gb_shape_text(&b->shape, is, sizeof is),
                gb_dtype_name(a->dtype), gb_shape_text(&a->shape, should, sizeof should));
    }
    for (int64_t i = 0; i < gb_tensors_count(found); i++) {
        const char *name;
        (void)gb_tensors_at(found, i, &name);
        if (!gb_tensors_find(have, name))
            return gb_fail(GB_ERR_MISMATCH, "%s is of another model: tensor %s is not in this one",
                           file, name);
    }
    return GB_OK;
}

static gb_status check_drawn(const gb_trainer *t, const gb_json_at *drawn)
{
    int64_t value;
    if (gb_json_count(drawn) != (size_t)t->source_count)
        return gb_fail(GB_ERR_MISMATCH, "the checkpoint has %zu sources, the recipe %d",
                       gb_json_count(drawn), t->source_count);
    for (size_t i = 0; i < gb_json_count(drawn); i++) {
        gb_json_at item = gb_json_item(drawn, i);
        GB_TRY(gb_json_as_int(&item, 0, INT64_MAX, &value));
    }
    return GB_OK;
}

static gb_status take_over(gb_trainer *t, const manifest *m, gb_tensors *weights, gb_tensors *state)
{
    GB_TRY(match(gb_model_weights(t->model), weights, weights_file));
    GB_TRY(match(t->state, state, state_file));
    GB_TRY(check_drawn(t, &m->drawn));
    GB_TRY(gb_tensors_copy(gb_model_weights(t->model), weights, ""));
    GB_TRY(gb_tensors_copy(t->state, state, ""));
    for (int i = 0; i < t->source_count; i++) {
        gb_json_at item = gb_json_item(&m->drawn, (size_t)i);
        GB_TRY(gb_json_as_int(&item, 0, INT64_MAX, &t->sampler.drawn[i]));
    }
    t->step = m->step;
    t->steps = m->steps ? m->steps : t->steps;
    return gb_trainer_average(t);
}

gb_status gb_trainer_restore(gb_trainer *t, const char *folder, const char *identity)
{
    json_t *document;
    gb_json_at body;
    gb_tensors *weights = NULL, *state = NULL;
    manifest m;
    gb_status status;
    GB_TRY(open_manifest(folder, &document, &body));
    GB_TRY_OR(done, read_manifest(&body, &m));
    if (strcmp(m.identity, identity) != 0) {
        status = gb_fail(GB_ERR_MISMATCH,
                         "checkpoint %s is of another recipe, seed or data (%.12s, "
                         "expected %.12s)",
                         folder, m.identity, identity);
        goto done;
    }
    GB_TRY_OR(done, load_tensors(folder, weights_file, m.weights, &weights));
    GB_TRY_OR(done, load_tensors(folder, state_file, m.state, &state));
    status = take_over(t, &m, weights, state);
done:
    gb_tensors_destroy(weights);
    gb_tensors_destroy(state);
    json_decref(document);
    return status;
}
