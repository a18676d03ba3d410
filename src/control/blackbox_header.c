/* control/blackbox_header.c: the first record of a black box as JSON: the machine's streams, the
 * policy's sizes, what was used. Hashing of records too. Nothing here reads or writes files. */
#include "control/blackbox_format.h"

#include "base/json.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void gb_box_hash(unsigned char hash[GB_HASH_BYTES],
                 gb_box_kind kind,
                 const void *bytes,
                 size_t size)
{
    crypto_generichash_state state;
    uint32_t head[2] = {(uint32_t)kind, (uint32_t)size};
    (void)crypto_generichash_init(&state, NULL, 0, GB_HASH_BYTES);
    (void)crypto_generichash_update(&state, hash, GB_HASH_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)head, sizeof head);
    (void)crypto_generichash_update(&state, bytes, size);
    (void)crypto_generichash_final(&state, hash, GB_HASH_BYTES);
}

size_t gb_box_decision_bytes(const gb_plant_info *machine, int look_back, int horizon)
{
    return sizeof(gb_decision) + ((size_t)look_back * (size_t)machine->observation_size +
                                  (2 * (size_t)horizon + 1) * (size_t)machine->action_size) *
                                     sizeof(double);
}

/* ---- to text ---- */

/* JSON has no infinity: null stands for "no limit on this side". */
static json_t *print_limits(const double *limits, int size)
{
    if (!limits)
        return json_null();
    json_t *array = json_array();
    for (int i = 0; array && i < size; i++)
        if (json_array_append_new(array, isfinite(limits[i]) ? json_real(limits[i]) : json_null()))
            return NULL;
    return array;
}

static json_t *print_streams(const gb_plant_stream *streams, int count)
{
    json_t *array = json_array();
    for (int i = 0; array && i < count; i++) {
        const gb_plant_stream *s = &streams[i];
        json_t *shape = json_array();
        for (int k = 0; k < s->spec.rank; k++)
            json_array_append_new(shape, json_integer(s->spec.shape[k]));
        json_t *stream = json_pack(
            "{s:s, s:s, s:s, s:s, s:o, s:f, s:b, s:o, s:o}", "name", s->spec.name, "kind",
            gb_stream_kind_name(s->spec.kind), "unit", s->spec.unit ? s->spec.unit : "", "semantic",
            s->spec.semantic ? s->spec.semantic : "", "shape", shape, "wrap", s->wrap, "hold",
            s->hold, "low", print_limits(s->low, s->size), "high", print_limits(s->high, s->size));
        if (!stream || json_array_append_new(array, stream) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *print_header(const gb_box_header *h)
{
    const gb_plant_info *m = h->machine;
    json_t *machine =
        json_pack("{s:s, s:I, s:I, s:o, s:o}", "name", m->name, "period_ns",
                  (json_int_t)m->period_ns, "tick_ns", (json_int_t)m->tick_ns, "observations",
                  print_streams(m->observation_streams, m->observation_stream_count), "actions",
                  print_streams(m->action_streams, m->action_stream_count));
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:I, s:s, s:I, s:{s:s, s:s, s:i, s:i, s:i, s:s}, s:s, s:o}", "format",
        "genba.blackbox", "version", GB_BOX_VERSION, "software", gb_version(), "nonce", h->nonce,
        "started_wall_ns", (json_int_t)h->started_wall_ns, "link", h->machine_name, "tick_ns",
        (json_int_t)h->tick_ns, "model", "name", h->model_name, "hash", h->model_hash, "look_back",
        h->look_back, "horizon", h->horizon, "execute", h->execute, "precision",
        gb_precision_name(h->compute), "envelope_hash", h->envelope_hash, "machine", machine);
}

gb_status gb_box_header_print(const gb_box_header *header, char **out, size_t *out_size)
{
    json_t *document = print_header(header);
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(document);
    if (!text)
        return gb_fail(GB_ERR_ARGUMENT,
                       "black box: the machine %s cannot be described: a name is not UTF-8, or "
                       "memory is short",
                       header->machine->name);
    size_t size = strlen(text), padded = (size + 7) / 8 * 8; /* records stay aligned */
    char *grown = realloc(text, padded + 1);
    if (!grown) {
        free(text);
        return gb_fail(GB_ERR_MEMORY, "black box: no memory for its header");
    }
    memset(grown + size, ' ', padded - size);
    grown[padded] = 0;
    *out = grown;
    *out_size = padded;
    return GB_OK;
}

/* ---- from text ---- */

static gb_status keep_text(const gb_json_at *at, const char *key, gb_arena *arena, const char **out)
{
    const char *text = NULL;
    GB_TRY(gb_json_text(at, key, &text));
    *out = gb_arena_text(arena, text);
    return *out ? GB_OK : GB_ERR_MEMORY;
}

static gb_status parse_limits(const gb_json_at *stream,
                              const char *key,
                              int size,
                              double absent,
                              gb_arena *arena,
                              const double **out)
{
    gb_json_at array;
    if (!gb_json_has(stream, key))
        return GB_OK;
    GB_TRY(gb_json_array(stream, key, &array));
    if (gb_json_count(&array) != (size_t)size)
        return gb_json_fail(&array, GB_ERR_SHAPE, NULL, "%zu limits for %d values",
                            gb_json_count(&array), size);
    double *limits = gb_arena_alloc(arena, (size_t)size * sizeof *limits);
    if (!limits)
        return GB_ERR_MEMORY;
    for (size_t i = 0; i < (size_t)size; i++) {
        gb_json_at item = gb_json_item(&array, i);
        limits[i] = absent;
        if (!json_is_null(item.value))
            GB_TRY(gb_json_as_number(&item, -HUGE_VAL, HUGE_VAL, &limits[i]));
    }
    *out = limits;
    return GB_OK;
}

static gb_status parse_shape(const gb_json_at *at, gb_plant_stream *out)
{
    gb_json_at shape;
    int64_t size = 1;
    GB_TRY(gb_json_array(at, "shape", &shape));
    if (gb_json_count(&shape) > GB_STREAM_RANK_MAX)
        return gb_json_fail(&shape, GB_ERR_SHAPE, NULL, "more than %d axes", GB_STREAM_RANK_MAX);
    out->spec.rank = (int)gb_json_count(&shape);
    for (int i = 0; i < out->spec.rank; i++) {
        gb_json_at item = gb_json_item(&shape, (size_t)i);
        GB_TRY(gb_json_as_int(&item, 1, GB_BOX_SIZE_LIMIT, &out->spec.shape[i]));
        size *= out->spec.shape[i];
        if (size > GB_BOX_SIZE_LIMIT)
            return gb_json_fail(&shape, GB_ERR_SHAPE, NULL, "more than %d values",
                                GB_BOX_SIZE_LIMIT);
    }
    out->size = (int)size;
    return GB_OK;
}

static gb_status parse_stream(const gb_json_at *at, gb_arena *arena, gb_plant_stream *out)
{
    const char *kind = NULL;
    out->spec = gb_stream_spec_defaults("");
    GB_TRY(keep_text(at, "name", arena, &out->spec.name));
    GB_TRY(keep_text(at, "unit", arena, &out->spec.unit));
    GB_TRY(keep_text(at, "semantic", arena, &out->spec.semantic));
    GB_TRY(gb_json_text(at, "kind", &kind));
    GB_TRY(gb_stream_kind_parse(kind, &out->spec.kind));
    GB_TRY(parse_shape(at, out));
    GB_TRY(gb_json_number(at, "wrap", 0, HUGE_VAL, &out->wrap));
    GB_TRY(gb_json_bool(at, "hold", &out->hold));
    GB_TRY(parse_limits(at, "low", out->size, -HUGE_VAL, arena, &out->low));
    return parse_limits(at, "high", out->size, HUGE_VAL, arena, &out->high);
}

static gb_status parse_streams(const gb_json_at *machine,
                               const char *key,
                               gb_arena *arena,
                               const gb_plant_stream **out,
                               int *out_count,
                               int *out_size)
{
    gb_json_at array;
    GB_TRY(gb_json_array(machine, key, &array));
    size_t count = gb_json_count(&array);
    if (count > GB_STREAMS_MAX)
        return gb_json_fail(&array, GB_ERR_SHAPE, NULL, "more than %d streams", GB_STREAMS_MAX);
    gb_plant_stream *streams = gb_arena_alloc(arena, count * sizeof *streams);
    if (!streams)
        return GB_ERR_MEMORY;
    int size = 0;
    for (size_t i = 0; i < count; i++) {
        gb_json_at item = gb_json_item(&array, i);
        GB_TRY(gb_json_as_object(&item));
        GB_TRY(parse_stream(&item, arena, &streams[i]));
        size += streams[i].size;
        if (size > GB_BOX_SIZE_LIMIT)
            return gb_json_fail(&array, GB_ERR_SHAPE, NULL, "more than %d values",
                                GB_BOX_SIZE_LIMIT);
    }
    *out = streams;
    *out_count = (int)count;
    *out_size = size;
    return GB_OK;
}

static gb_status parse_machine(const gb_json_at *root, gb_arena *arena, gb_box_header *out)
{
    gb_json_at at;
    gb_plant_info *m = gb_arena_alloc(arena, sizeof *m);
    if (!m)
        return GB_ERR_MEMORY;
    GB_TRY(gb_json_object(root, "machine", &at));
    GB_TRY(keep_text(&at, "name", arena, &m->name));
    GB_TRY(gb_json_int(&at, "period_ns", 1, INT64_C(1) << 50, &m->period_ns));
    GB_TRY(gb_json_int(&at, "tick_ns", 1, INT64_C(1) << 50, &m->tick_ns));
    GB_TRY(parse_streams(&at, "observations", arena, &m->observation_streams,
                         &m->observation_stream_count, &m->observation_size));
    GB_TRY(parse_streams(&at, "actions", arena, &m->action_streams, &m->action_stream_count,
                         &m->action_size));
    m->summary = m->source = m->progress_name = m->instruction = "";
    out->machine = m;
    return GB_OK;
}

/* Recordings from before there was a choice do not say it. */
static gb_status parse_precision(const gb_json_at *model, gb_dtype *out)
{
    const char *text = NULL;
    *out = GB_F32;
    if (!gb_json_has(model, "precision"))
        return GB_OK;
    GB_TRY(gb_json_text(model, "precision", &text));
    if (gb_precision_parse(text, out) == GB_OK)
        return GB_OK;
    return gb_json_fail(model, GB_ERR_SCHEMA, "precision", "\"%.32s\", expected f32 or bf16", text);
}

static gb_status parse_model(const gb_json_at *root, gb_arena *arena, gb_box_header *out)
{
    gb_json_at at;
    int64_t look_back = 0, horizon = 0, execute = 0;
    GB_TRY(gb_json_object(root, "model", &at));
    GB_TRY(keep_text(&at, "name", arena, &out->model_name));
    GB_TRY(keep_text(&at, "hash", arena, &out->model_hash));
    GB_TRY(gb_json_int(&at, "look_back", 0, 1 << 16, &look_back));
    GB_TRY(gb_json_int(&at, "horizon", 0, 1 << 16, &horizon));
    GB_TRY(gb_json_int(&at, "execute", 0, 1 << 16, &execute));
    GB_TRY(parse_precision(&at, &out->compute));
    out->look_back = (int)look_back;
    out->horizon = (int)horizon;
    out->execute = (int)execute;
    if (gb_box_decision_bytes(out->machine, out->look_back, out->horizon) > GB_BOX_RECORD_LIMIT)
        return gb_json_fail(&at, GB_ERR_SHAPE, NULL, "a decision of more than %d bytes",
                            GB_BOX_RECORD_LIMIT);
    return GB_OK;
}

static gb_status parse_root(const gb_json_at *root, gb_arena *arena, gb_box_header *out)
{
    int64_t version = 0;
    const char *format = NULL;
    GB_TRY(gb_json_as_object(root));
    GB_TRY(gb_json_text(root, "format", &format));
    GB_TRY(gb_json_int(root, "version", 0, INT64_MAX, &version));
    if (strcmp(format, "genba.blackbox") != 0 || version != GB_BOX_VERSION)
        return gb_json_fail(root, GB_ERR_UNSUPPORTED, "version",
                            "this genba reads version %d of genba.blackbox", GB_BOX_VERSION);
    GB_TRY(parse_machine(root, arena, out));
    GB_TRY(parse_model(root, arena, out));
    GB_TRY(keep_text(root, "link", arena, &out->machine_name));
    GB_TRY(keep_text(root, "envelope_hash", arena, &out->envelope_hash));
    GB_TRY(keep_text(root, "nonce", arena, &out->nonce));
    GB_TRY(gb_json_int(root, "tick_ns", 1, INT64_C(1) << 50, &out->tick_ns));
    return gb_json_int(root, "started_wall_ns", INT64_MIN, INT64_MAX, &out->started_wall_ns);
}

gb_status gb_box_header_parse(const void *text, size_t size, gb_arena *arena, gb_box_header *out)
{
    json_t *document = NULL;
    gb_box_header header = {0};
    GB_TRY(gb_json_parse("the black box's header", text, size, &document));
    gb_json_at root = gb_json_root("the black box's header", document);
    gb_status status = parse_root(&root, arena, &header);
    json_decref(document);
    if (status == GB_OK)
        *out = header;
    return status;
}
