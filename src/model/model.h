/* model/model.h: inside the model room: the model's own fields, what a codec and a head see while a
 * graph is built, and how a window reaches them. */
#ifndef GENBA_MODEL_MODEL_H
#define GENBA_MODEL_MODEL_H

#include <pthread.h>

#include "model/config.h"

/* ---- windows: which streams a model reads --------------------------------------------------- */

/* Streams being collected: by the codec (pasts), then by the head (futures). */
typedef struct gb_window_plan {
    gb_arena *arena; /* names and arrays live here */
    gb_window_stream *streams;
    int64_t *sizes; /* values a sample must have; 0: any */
    int count, capacity;
    int64_t pad_start, pad_end;
} gb_window_plan;

/* Adds a stream, or widens the one of that name: the larger look_back and the larger horizon. */
GB_MUST gb_status gb_window_plan_add(gb_window_plan *plan,
                                     const char *name,
                                     int64_t size,
                                     int64_t look_back,
                                     int64_t horizon,
                                     int64_t future_first);
/* The stream's number, or -1. */
int gb_window_plan_find(const gb_window_plan *plan, const char *name);

/* One stream's part of a window, as a feed read it or as a session's caller gives it. */
typedef struct gb_window_part {
    const char *name;
    const float *past;   /* [look_back x size], oldest first, NaN where missing */
    const float *future; /* [horizon x size]; NULL in a session */
    int64_t look_back, horizon, size;
} gb_window_part;

/* What codecs and heads fill a graph's inputs from. A codec by column sees one part of size 1. */
typedef struct gb_window_view {
    const gb_window_part *parts; /* [part_count] in the order of the window plan */
    int part_count;
    int symmetry;        /* 0 as recorded, i > 0: map by the codec's symmetry i - 1 */
    float center, scale; /* series: the units of the model are (x - center) / scale */
    int32_t identity;    /* series: which embedding the stream has; 0 unknown */
} gb_window_view;

const gb_window_part *gb_window_view_find(const gb_window_view *view, const char *name);

/* ---- graphs being built --------------------------------------------------------------------- */

#define GB_INPUTS_MAX 8 /* of a codec; of a head */

typedef struct gb_build {
    const gb_model_config *config;
    gb_graph *graph;
    int64_t batch;
    bool training; /* dropout on */
    int64_t rows;  /* 0: whole windows; else so many new tokens, continuing from caches */
} gb_build;

/* The "step" input of everything random. */
gb_value gb_build_step(const gb_build *build);
/* The "position" input of cached graphs: that of the first new token. */
gb_value gb_build_position(const gb_build *build);
/* x . weight^T + bias under the names "<name>.weight" and "<name>.bias". std 0: weights start at
 * zero, else normal(0, std); biases start at zero. */
gb_value gb_build_linear(
    const gb_build *build, const char *name, gb_value x, int64_t outputs, bool bias, float std);
/* 1 / sqrt(fan_in) */
float gb_init_std(int64_t fan_in);
gb_value gb_build_rmsnorm(const gb_build *build, const char *name, gb_value x);
gb_value gb_build_dropout(const gb_build *build, gb_value x);

/* What an encoder gives and a head reads. */
typedef struct gb_encoding {
    gb_value tokens; /* [B, T, D] */
    gb_value series; /* series: the normalised past [B, L], else GB_NONE */
    gb_value mean;   /* series: [B, 1], in the model's units */
    gb_value spread; /* series: [B, 1], standard deviation in the model's units */
} gb_encoding;

/* All layers over the tokens (backbone.c). */
gb_value gb_build_backbone(const gb_build *build, gb_value tokens);

/* ---- model ---------------------------------------------------------------------------------- */
struct gb_model {
    gb_model_config *config; /* defaults filled in */
    gb_tensors *weights;     /* parameters, then "stats.*" */
    gb_arena *arena;         /* window specs handed out */
    pthread_mutex_t lock;    /* of the arena */
    gb_window_plan plan;     /* streams of a model whose config names them all, else empty */
};

/* Appends forward pass and named outputs. */
GB_MUST gb_status gb_model_build_predict(const gb_model *model, gb_graph *graph, int64_t batch);
/* Appends the continuing graph of a token head: `rows` new tokens of one sequence. */
GB_MUST gb_status gb_model_build_read(const gb_model *model, gb_graph *graph, int64_t rows);

/* Notes in the config what units and rate the sources' streams have (units.c). What the config says
 * already stays. */
GB_MUST gb_status gb_units_learn(gb_model *model,
                                 gb_window_index *const *sources,
                                 int source_count);

/* ---- scale of series (scale.c): where 1 is a stream's usual spread --------------------------- */
#define GB_STREAM_IDENTITIES 64
/* Stores mean and population sigma of every column of every recording that sources read. */
GB_MUST gb_status gb_scale_fit(gb_model *model, gb_window_index *const *sources, int source_count);
/* Looks a column of a recording up; false if it was not there when statistics were fitted. */
bool gb_scale_find(
    const gb_model *model, const char *recording, int64_t column, float *center, float *scale);
/* Mean and spread of the values that are present; scale is never 0. */
void gb_scale_of(const float *values, int64_t count, float *center, float *scale);
/* 1..GB_STREAM_IDENTITIES - 1 from semantic and unit; 0 when both are unknown. */
int32_t gb_stream_identity(const gb_stream_spec *spec);

#endif
