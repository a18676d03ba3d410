/* A sink that hands everything to two others, which number recordings and streams as they like. */
#include "ingest/tee.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 65536 /* recordings open at once */

typedef struct tee_recording {
    bool open;
    int numbers[2];
    int (*streams)[2]; /* [count] */
    int count, room;
} tee_recording;

typedef struct tee {
    gb_sink sink;
    gb_sink *to[2];
    tee_recording *recordings; /* [room] */
    int room;
} tee;

static gb_status find(tee *t, int recording, tee_recording **out)
{
    if (recording < 0 || recording >= t->room || !t->recordings[recording].open)
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this sink", recording);
    *out = &t->recordings[recording];
    return GB_OK;
}

static void close_recording(tee_recording *work)
{
    free(work->streams);
    *work = (tee_recording){0};
}

static gb_status tee_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    tee *t = (tee *)sink;
    tee_recording made = {.open = true};
    int place = 0;
    while (place < t->room && t->recordings[place].open)
        place++;
    if (place == OPEN_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once", OPEN_MAX);
    if (place == t->room) {
        int room = t->room ? 2 * t->room : 8;
        tee_recording *grown = realloc(t->recordings, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for a recording");
        memset(grown + t->room, 0, (size_t)(room - t->room) * sizeof *grown);
        t->recordings = grown;
        t->room = room;
    }
    GB_TRY(gb_sink_begin(t->to[0], info, &made.numbers[0]));
    gb_status status = gb_sink_begin(t->to[1], info, &made.numbers[1]);
    if (status != GB_OK) {
        gb_sink_abandon(t->to[0], made.numbers[0]);
        return status;
    }
    t->recordings[place] = made;
    *out_recording = place;
    return GB_OK;
}

static gb_status
tee_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    tee *t = (tee *)sink;
    tee_recording *work = NULL;
    int numbers[2];
    GB_TRY(find(t, recording, &work));
    if (work->count == work->room) {
        int room = work->room ? 2 * work->room : 8;
        int(*grown)[2] = realloc(work->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", spec->name);
        work->streams = grown;
        work->room = room;
    }
    for (int i = 0; i < 2; i++)
        GB_TRY(gb_sink_stream(t->to[i], work->numbers[i], spec, &numbers[i]));
    memcpy(work->streams[work->count], numbers, sizeof numbers);
    *out_stream = work->count++;
    return GB_OK;
}

static gb_status tee_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    tee *t = (tee *)sink;
    tee_recording *work = NULL;
    GB_TRY(find(t, recording, &work));
    if (stream < 0 || stream >= work->count)
        return gb_fail(GB_ERR_ARGUMENT, "this recording has no stream %d", stream);
    for (int i = 0; i < 2; i++)
        GB_TRY(gb_sink_append(t->to[i], work->numbers[i], work->streams[stream][i], samples));
    return GB_OK;
}

static gb_status tee_attach(gb_sink *sink,
                            int recording,
                            const char *name,
                            const char *media_type,
                            const void *data,
                            size_t size)
{
    tee *t = (tee *)sink;
    tee_recording *work = NULL;
    GB_TRY(find(t, recording, &work));
    for (int i = 0; i < 2; i++)
        GB_TRY(gb_sink_attach(t->to[i], work->numbers[i], name, media_type, data, size));
    return GB_OK;
}

static gb_status tee_end(gb_sink *sink, int recording)
{
    tee *t = (tee *)sink;
    tee_recording *work = NULL;
    GB_TRY(find(t, recording, &work));
    for (int i = 0; i < 2; i++)
        if (work->numbers[i] >= 0) {
            GB_TRY(gb_sink_end(t->to[i], work->numbers[i]));
            work->numbers[i] = -1; /* its number is free again */
        }
    close_recording(work);
    return GB_OK;
}

static void tee_abandon(gb_sink *sink, int recording)
{
    tee *t = (tee *)sink;
    if (recording < 0 || recording >= t->room || !t->recordings[recording].open)
        return;
    for (int i = 0; i < 2; i++)
        if (t->recordings[recording].numbers[i] >= 0)
            gb_sink_abandon(t->to[i], t->recordings[recording].numbers[i]);
    close_recording(&t->recordings[recording]);
}

static void tee_destroy(gb_sink *sink)
{
    tee *t = (tee *)sink;
    for (int i = 0; i < t->room; i++)
        tee_abandon(sink, i);
    free(t->recordings);
    free(t);
}

static const gb_sink_ops tee_ops = {tee_begin, tee_stream,  tee_append, tee_attach,
                                    tee_end,   tee_abandon, tee_destroy};

gb_status gb_tee_create(gb_sink *a, gb_sink *b, gb_sink **out)
{
    tee *made = calloc(1, sizeof *made);
    if (!made)
        return gb_fail(GB_ERR_MEMORY, "no memory for a sink");
    made->sink.ops = &tee_ops;
    made->to[0] = a;
    made->to[1] = b;
    *out = &made->sink;
    return GB_OK;
}
