/* Private to ingest: what the anonymising filter knows of recordings and streams that are open. */
#ifndef GENBA_INGEST_ANONYMISE_FILTER_H
#define GENBA_INGEST_ANONYMISE_FILTER_H

#include "ingest/anonymise.h"

/* A rule as it applies to one stream. */
typedef struct gb_applied {
    const gb_rule *rule;
    bool *columns;     /* [size] of the columns that are handed on: does it apply? */
    gb_affine *affine; /* [size] of RESCALE */
    double sigma;      /* of NOISE */
    int entry;         /* of NOISE, in the ledger */
} gb_applied;

typedef enum gb_sample_form {
    GB_FORM_NUMBERS,
    GB_FORM_PIXELS,  /* [height, width, channels] of u8 */
    GB_FORM_PICTURE, /* bytes: JPEG, PNG */
    GB_FORM_TEXT,    /* bytes */
    GB_FORM_JSON,
    GB_FORM_OTHER /* bytes that nothing here can look into */
} gb_sample_form;

/* What happens to the samples of one stream. */
typedef struct gb_stream_work {
    int next; /* its number in the next sink; -1: dropped */
    char *name;
    gb_sample_form form;
    gb_value_type from, to;
    int64_t from_size, size; /* values of a sample that come and go */
    int64_t *kept;           /* [size] columns that go on; NULL: all */
    gb_applied *applied;     /* [applied_count] that touch values */
    int applied_count;
    bool numeric;       /* some rule computes with numbers */
    const char *domain; /* samples become pseudonyms of it; NULL: they do not */
    const gb_generalise *dates;
    bool clean_text;    /* scrub patterns apply */
    bool clean_picture; /* is decoded and encoded again */
    gb_period period;   /* of times */
    int64_t offset_ns;  /* of times */
    bool times_changed;
    int64_t height, width, channels;
    int64_t samples; /* seen so far */
} gb_stream_work;

typedef struct gb_recording_work {
    bool open;
    int next;
    gb_arena *arena; /* name, pairs, and all that streams point to */
    char *name;      /* as it came */
    gb_pair *pairs;  /* [pair_count] as they came */
    int pair_count;
    int64_t offset_ns;
    gb_stream_work **streams; /* [stream_count] */
    int stream_count, stream_room;
} gb_recording_work;

typedef struct gb_pseudonym_cache gb_pseudonym_cache;

/* Memory for one batch, kept from call to call. */
typedef struct gb_batch {
    int64_t *times;
    uint8_t *reasons;
    double *numbers, *drawn;
    void *values;
    unsigned char **runs; /* owned */
    size_t *run_sizes;
    size_t times_room, reasons_room, numbers_room, drawn_room, values_room, runs_room, sizes_room;
    int64_t run_count;
} gb_batch;

typedef struct gb_filter {
    gb_sink sink;
    gb_sink *next;
    const gb_anonymise_policy *policy;
    gb_key *key; /* memory of libsodium */
    gb_secrets *secrets;
    gb_ledger *ledger;
    gb_pseudonym_cache *cache;
    gb_recording_work *recordings; /* [room] */
    int room;
    gb_batch batch;
} gb_filter;

/* Pseudonyms that were made before are looked up. */
GB_MUST gb_status gb_filter_pseudonym(gb_filter *filter,
                                      const char *domain,
                                      const char *text,
                                      size_t size,
                                      char out[GB_PSEUDONYM_BYTES]);
void gb_pseudonym_cache_destroy(gb_pseudonym_cache *cache); /* NULL is fine */
/* What a recording says of an entity or unit: its name, a pair, or "" of "all". */
GB_MUST gb_status gb_filter_value_of(const gb_filter *filter,
                                     const gb_recording_work *recording,
                                     const char *key,
                                     const char *user,
                                     const char **out_value);
/* A text scrubbed, in the arena; NULL: no memory. */
char *gb_filter_scrubbed(const gb_anonymise_policy *policy, const char *text, gb_arena *arena);

/* Decides what becomes of a stream (anonymise_stream.c): *work and the spec to hand on. work->next
 * is -1 when it is dropped. */
GB_MUST gb_status gb_filter_plan_stream(gb_filter *filter,
                                        gb_recording_work *recording,
                                        const gb_stream_spec *spec,
                                        gb_stream_work *work,
                                        gb_stream_spec *out_spec);
/* Does it (anonymise_values.c): *out borrows from the filter's batch. */
GB_MUST gb_status gb_filter_apply(gb_filter *filter,
                                  gb_recording_work *recording,
                                  gb_stream_work *work,
                                  const gb_samples *samples,
                                  gb_samples *out);
void gb_batch_free_runs(gb_batch *batch);
void gb_batch_free(gb_batch *batch);

/* Numbers of any type as doubles. */
void gb_numbers_read(gb_value_type type, const void *values, int64_t count, double *out);
/* Doubles as any type but BYTES, rounded and held within its range. */
void gb_numbers_write(gb_value_type type, const double *values, int64_t count, void *out);
/* Room for count items of `size` bytes in *items, which may move. */
GB_MUST gb_status gb_batch_room(void **items, size_t *room, int64_t count, size_t size);

#endif
