/* eval/forecaster.h: what continues a series, with or without a model. Private to eval. */
#ifndef GENBA_EVAL_FORECASTER_H
#define GENBA_EVAL_FORECASTER_H

#include "genba/eval.h"

typedef struct gb_forecaster {
    const char *name, *note;
    gb_result_source source;
    int64_t look_back, horizon; /* rows read and rows given */
    int quantile_count, median; /* numbers given for each row, and which of them is scored */
    const float *levels;        /* [quantile_count]; NULL: a point forecast */
    void *context;
    /* past [count][look_back] -> out [count][horizon][quantile_count]; count <= batch */
    gb_status (*forecast)(void *context, const float *past, int64_t count, float *out);
    void (*destroy)(void *context); /* may be NULL */
} gb_forecaster;

/* The last value, again and again. */
GB_MUST gb_status gb_forecaster_repeat(int64_t horizon, gb_forecaster *out);
/* One linear map for all columns, fit in closed form on the first train_rows of series. weights
 * live in the arena. */
GB_MUST gb_status gb_forecaster_ridge(const float *series,
                                      int64_t train_rows,
                                      int columns,
                                      int64_t look_back,
                                      int64_t horizon,
                                      int64_t batch,
                                      gb_pool *pool,
                                      gb_forecaster *out);
/* A model with a quantile head; borrowed. Pasts come z-scored. horizon: rows wanted, at most; 0:
 * all it can. */
GB_MUST gb_status gb_forecaster_model(const gb_model *model,
                                      const char *name,
                                      int64_t horizon,
                                      int64_t batch,
                                      gb_pool *pool,
                                      gb_forecaster *out);
void gb_forecaster_destroy(gb_forecaster *forecaster);

#endif
