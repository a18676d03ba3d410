/* eval/inspect.h: what an inspection keeps of a stream. Private to eval. */
#ifndef GENBA_EVAL_INSPECT_H
#define GENBA_EVAL_INSPECT_H

#include "genba/eval.h"

enum {
    GB_INSPECT_BUCKETS = 1024, /* of the envelope; twice as wide whenever time runs beyond */
    GB_INSPECT_BINS = 48,
    GB_INSPECT_CURVES = 8, /* values of a sample that are drawn */
    GB_INSPECT_GAPS = 64,
    GB_INSPECT_WORDS = 64,
    GB_INSPECT_WORD_BYTES = 80,
    GB_INSPECT_MARKS = 256, /* of texts, on the time line */
    GB_INSPECT_THUMBS = 8,
    GB_INSPECT_THUMB_PIXELS = 168 /* of the longer side */
};

/* Equal bins that grow by pairs, so that one pass is enough whatever the range turns out to be. */
typedef struct gb_inspect_bins {
    double from, width; /* width 0: no value yet */
    int64_t counts[GB_INSPECT_BINS];
} gb_inspect_bins;

typedef struct gb_inspect_curve {
    double sum, least, most;
    int64_t count, missing;
    gb_inspect_bins bins;
    float low[GB_INSPECT_BUCKETS], high[GB_INSPECT_BUCKETS]; /* low > high: empty */
} gb_inspect_curve;

typedef struct gb_inspect_mark {
    int64_t time_ns;
    int word; /* number of the word, -1: not kept */
} gb_inspect_mark;

typedef struct gb_inspect_thumb {
    int64_t time_ns;
    unsigned char *png; /* [size] */
    size_t size;
} gb_inspect_thumb;

typedef struct gb_inspect_stream {
    gb_stream_spec spec; /* texts in the recording's arena */
    int64_t size, count;
    int64_t qualities[GB_QUALITY_MISSING + 1], reasons[GB_REASON_COUNT];
    int64_t first_ns, last_ns, previous_ns;
    double mean_step_ns;
    int64_t steps, backward;
    int64_t from_ns, bucket_ns; /* bucket_ns 0: no sample yet */
    int64_t samples[GB_INSPECT_BUCKETS];
    uint8_t worst[GB_INSPECT_BUCKETS];
    int64_t gap_count;
    int64_t gaps[GB_INSPECT_GAPS][2];
    int curve_count;
    gb_inspect_curve *curves; /* [curve_count] */
    int word_count;
    char (*words)[GB_INSPECT_WORD_BYTES]; /* [GB_INSPECT_WORDS] of texts, or NULL */
    int64_t word_counts[GB_INSPECT_WORDS], words_other;
    int mark_count;
    gb_inspect_mark *marks; /* [GB_INSPECT_MARKS] */
    int64_t thumb_every;
    int thumb_count;
    gb_inspect_thumb thumbs[GB_INSPECT_THUMBS];
    int64_t run_bytes;
} gb_inspect_stream;

typedef struct gb_inspect_recording {
    gb_arena *arena;
    gb_recording_info info;
    gb_inspect_stream **streams; /* [stream_count] */
    int stream_count, stream_room;
    int64_t attachments;
    bool open;
} gb_inspect_recording;

struct gb_inspection {
    gb_sink sink;
    int most;
    gb_inspect_recording **recordings; /* [count], NULL: abandoned */
    int count, room;
    int64_t beyond; /* recordings over `most` */
};

/* A batch of samples into what is kept of a stream. */
GB_MUST gb_status gb_inspect_take(gb_inspect_stream *stream, const gb_samples *samples);
void gb_inspect_stream_free(gb_inspect_stream *stream);
/* Lines of the page's script, ended by NULL. */
extern const char *const gb_inspect_js[], *const gb_inspect_css[];

#endif
