/* Private to ingest: an anonymising policy as read from YAML, and the pieces that apply it. */
#ifndef GENBA_INGEST_ANONYMISE_H
#define GENBA_INGEST_ANONYMISE_H

#include "genba/anonymise.h"

#include <regex.h>

/* ---- the policy -------------------------------------------------------------------------------
 */

typedef enum gb_rule_kind {
    GB_RULE_KEEP,
    GB_RULE_DROP,
    GB_RULE_PSEUDONYM,
    GB_RULE_GENERALISE,
    GB_RULE_RESCALE,
    GB_RULE_NOISE,
    GB_RULE_BOXES,
    GB_RULE_SCRUB
} gb_rule_kind;

typedef enum gb_period {
    GB_PERIOD_NONE,
    GB_PERIOD_HOUR,
    GB_PERIOD_SHIFT,
    GB_PERIOD_DAY,
    GB_PERIOD_WEEK
} gb_period;

typedef struct gb_rule_bounds {
    double min, max;
} gb_rule_bounds;

typedef struct gb_rule_box {
    int64_t x, y, width, height; /* pixels, from the upper left corner */
} gb_rule_box;

typedef enum gb_fill {
    GB_FILL_BLACK,
    GB_FILL_BLUR
} gb_fill;

/* What becomes of a value, wherever it stands. */
typedef struct gb_generalise {
    double *width, *origin; /* equal bins */
    double *edges;          /* [edges_count] or bins between edges */
    uint32_t edges_count;
    int dates; /* gb_period, of text that is a date */
    int times; /* gb_period, of the samples' times */
} gb_generalise;

typedef struct gb_rule {
    char *match;    /* of a stream's name (fnmatch) */
    char **columns; /* [columns_count] patterns of column names; none: all */
    uint32_t columns_count;
    int kind;
    char *domain;
    gb_generalise general;
    gb_rule_bounds *range; /* of RESCALE */
    bool each_column;
    double *epsilon, *delta; /* of NOISE */
    char *unit;
    gb_rule_bounds *clip;
    int64_t *samples_per_unit;
    gb_rule_box *boxes;
    uint32_t boxes_count;
    int fill;
} gb_rule;

typedef struct gb_rule_pair {
    char *key; /* pattern */
    int kind;  /* KEEP, DROP, PSEUDONYM, GENERALISE */
    char *domain;
    gb_generalise general;
} gb_rule_pair;

typedef struct gb_rule_recording {
    int name, source, instruction, outcome; /* gb_rule_kind */
    gb_rule_pair *pairs;
    uint32_t pairs_count;
} gb_rule_recording;

typedef enum gb_time_step {
    GB_TIME_STEP_SECOND,
    GB_TIME_STEP_DAY
} gb_time_step;

typedef struct gb_rule_time_shift {
    char *entity;
    int64_t days;
    int step;
} gb_rule_time_shift;

typedef struct gb_rule_scrub {
    char *pattern, *replace;
} gb_rule_scrub;

typedef struct gb_work_shift {
    char *name;
    double from_h; /* local time of day */
} gb_work_shift;

typedef struct gb_rule_budget {
    char *unit;
    double epsilon, delta;
} gb_rule_budget;

typedef struct gb_rule_report {
    char **quasi_identifiers;
    uint32_t quasi_identifiers_count;
    char *sensitive;
    int64_t *segment;
} gb_rule_report;

typedef struct gb_policy_data {
    char *name, *description;
    int default_kind; /* DEFAULT_ERROR, or gb_rule_kind KEEP or DROP */
    gb_rule_recording recording;
    char **attachments, **stream_pairs; /* patterns of what is kept */
    uint32_t attachments_count, stream_pairs_count;
    gb_rule_time_shift *time_shift;
    double zone_h; /* local time minus UTC */
    gb_work_shift *shifts;
    uint32_t shifts_count;
    gb_rule_scrub *scrub;
    uint32_t scrub_count;
    gb_rule *streams;
    uint32_t streams_count;
    gb_rule_budget *budget;
    uint32_t budget_count;
    gb_rule_report report;
} gb_policy_data;

enum {
    GB_DEFAULT_ERROR = -1
};

struct gb_anonymise_policy {
    gb_policy_data *data;
    char *origin, *id;
    unsigned char hash[GB_HASH_BYTES]; /* of its text */
    regex_t *scrub;                    /* [data->scrub_count] */
    uint32_t scrub_compiled;
};

/* Pairs that the filter writes. */
#define GB_PAIR_PREFIX "anonymise."
#define GB_PAIR_POLICY GB_PAIR_PREFIX "policy"
#define GB_PAIR_KEY GB_PAIR_PREFIX "key"
#define GB_PAIR_UNDO GB_PAIR_PREFIX "undo"           /* sealed with the key */
#define GB_PAIR_PSEUDONYM GB_PAIR_PREFIX "pseudonym" /* this stream's samples are pseudonyms */
#define GB_PAIR_NOISE GB_PAIR_PREFIX "noise"

/* ---- secrets (anonymise_key.c) ----------------------------------------------------------------
 */

/* Keys of one filter, each for one end; wiped by gb_secrets_destroy. */
typedef struct gb_secrets {
    gb_key time, rescale, noise, undo;
    char id[GB_KEY_ID_BYTES];
} gb_secrets;

GB_MUST gb_status gb_secrets_create(const gb_key *key, gb_secrets **out);
void gb_secrets_destroy(gb_secrets *secrets); /* NULL is fine */
/* The same for all recordings of an entity. */
int64_t
gb_secret_offset_ns(const gb_secrets *secrets, const gb_rule_time_shift *shift, const char *value);
/* y = scale * (x - center) / unit + offset: scale in [1/4, 4], offset in [-2, 2]; column -1: of
 * the whole stream. */
typedef struct gb_affine {
    double center, unit, scale, offset;
} gb_affine;
gb_affine gb_secret_affine(const gb_secrets *secrets,
                           const char *stream,
                           int64_t column,
                           const gb_rule_bounds *range);
/* Text that only the key opens, as base64; the same text gives the same. free() it. */
GB_MUST gb_status gb_secret_seal(const gb_secrets *secrets, const char *text, char **out_text);
/* GB_ERR_CORRUPT: edited, or of another key. */
GB_MUST gb_status gb_secret_open(const gb_secrets *secrets, const char *sealed, char **out_text);

/* ---- texts (anonymise_text.c) -----------------------------------------------------------------
 */

/* Applies the policy's scrub patterns; json: to the texts within. free() *out_text, which ends in
 * 0. *out_changed says whether anything was replaced. */
GB_MUST gb_status gb_scrub_text(const gb_anonymise_policy *policy,
                                const char *text,
                                size_t size,
                                bool json,
                                char **out_text,
                                size_t *out_size,
                                bool *out_changed);
/* A date or number made coarse: "2024-03-05 early", "[20, 25)"; "unknown" when it is neither. */
void gb_generalise_text(const gb_policy_data *policy,
                        const gb_generalise *how,
                        const char *text,
                        size_t size,
                        char *out,
                        size_t out_size);
/* The middle of a number's bin; NaN stays. */
double gb_generalise_number(const gb_generalise *how, double value);
/* When the hour, shift, day or week of a time began. */
int64_t gb_generalise_time(const gb_policy_data *policy, gb_period period, int64_t time_ns);

/* ---- noise (anonymise_noise.c) ----------------------------------------------------------------
 */

typedef struct gb_ledger gb_ledger;

GB_MUST gb_status gb_ledger_create(const gb_anonymise_policy *policy, gb_ledger **out);
void gb_ledger_destroy(gb_ledger *ledger); /* NULL is fine */
/* A unit releases a stream by a rule; GB_ERR_REFUSED: over the policy's budget. *out_entry is for
 * gb_ledger_count. */
GB_MUST gb_status gb_ledger_release(gb_ledger *ledger,
                                    const gb_rule *rule,
                                    const char *unit_value,
                                    const char *stream,
                                    double mu,
                                    int *out_entry);
/* `count` more samples of it; GB_ERR_REFUSED: more than the rule declares. */
GB_MUST gb_status gb_ledger_count(gb_ledger *ledger, int entry, int64_t count);
int gb_ledger_spent(const gb_ledger *ledger, gb_privacy_spent *out, int room);

/* Standard normal numbers out [count] that are a function of the key and everything said of the
 * sample: equal only for the same sample of the same data under the same policy. */
typedef struct gb_noise_place {
    const unsigned char *policy; /* [GB_HASH_BYTES] */
    const char *recording, *stream;
    int64_t sample, time_ns;
    int rule;
} gb_noise_place;
void gb_noise_draw(const gb_secrets *secrets,
                   const gb_noise_place *place,
                   const double *values,
                   int64_t count,
                   double *out);

/* ---- pictures (anonymise_picture.c) -----------------------------------------------------------
 */

/* Covers boxes of pixels [height x width x channels] in place. grow: boxes are widened to
 * multiples of so many pixels (what a JPEG's blocks smear). */
GB_MUST gb_status gb_cover_boxes(const gb_rule *rule,
                                 unsigned char *pixels,
                                 int64_t height,
                                 int64_t width,
                                 int64_t channels,
                                 int64_t grow);
/* Decodes, covers, and encodes as PNG; free() *out_data. */
GB_MUST gb_status gb_cover_picture(const gb_rule *const *rules,
                                   int rule_count,
                                   const unsigned char *data,
                                   size_t size,
                                   unsigned char **out_data,
                                   size_t *out_size);

#endif
