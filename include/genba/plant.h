/* genba/plant.h: controlled machines, simulated here, behind one interface: an arm, a line, a
 * vehicle and the pushing table all have named observation and action streams, a control period, a
 * reset, a step and a score. Floor 3.
 *
 * What differs between plants is data (gb_plant_info): streams, bodies with landmarks, goals,
 * symmetries, limits. Codecs, evaluation and reports read that data and hold no plant's name.
 *
 * Numbers are doubles, in the units the streams declare, so that a replay is exact. An observation
 * is one flat array: the observation streams one after another, in the order of the description.
 * The same holds for an action.
 *
 * Thread-safety: one thread at a time for each plant; any number of plants side by side. The
 * descriptions are constant and may be read from anywhere. */
#ifndef GENBA_PLANT_H
#define GENBA_PLANT_H

#include "genba/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- description ---------------------------------------------------------------------------- */

/* A named, typed part of the observation or of the action. */
typedef struct gb_plant_stream {
    gb_stream_spec spec; /* as it goes into recordings: name, unit, shape, rate */
    int size;            /* numbers in one sample: the product of spec.shape */
    double wrap;         /* the value is periodic with this length (2 pi); 0: it is not */
    const double *low;   /* [size] limits; NULL when there are none. Actions beyond them saturate */
    const double *high;  /* [size] */
} gb_plant_stream;

/* A rigid body whose pose the observation holds. In the plane z is 0 and the rotation is one angle;
 * in space the rotation is a unit quaternion w x y z. */
typedef struct gb_plant_body {
    const char *name;            /* "block" */
    const char *position_stream; /* the observation stream that holds its origin */
    const char *rotation_stream; /* NULL: it has no orientation that matters */
    int landmark_count;
    const double (*landmarks)[3]; /* [landmark_count][3] points fixed to the body, in its frame */
    const double *goal_position;  /* [dimensions] where it shall end; NULL: it has no goal */
    const double *goal_rotation;  /* [1] angle or [4] quaternion; NULL: any */
} gb_plant_body;

/* Which bodies there are and how large their world is. Codecs of poses are built from it. */
typedef struct gb_plant_geometry {
    int dimensions;       /* 2 or 3 */
    const char *unit;     /* of lengths */
    double world_low[3];  /* the part of the world that is worth drawing and learning */
    double world_high[3]; /* (world_high - world_low)/2 is the scale of lengths */
    int body_count;
    const gb_plant_body *bodies; /* [body_count] */
} gb_plant_geometry;

/* What a symmetry does to one stream: value' = matrix value + offset, wrapped into
 * [0, wrap) if the stream wraps. Directions and displacements are mapped by the matrix alone. */
typedef struct gb_plant_map {
    const char *stream;
    const double *matrix; /* [size][size] */
    const double *offset; /* [size] */
} gb_plant_map;

/* A change of coordinates under which physics and goal stay the same: a recording mapped by it is
 * another true recording. A stream without a map is unchanged. */
typedef struct gb_plant_symmetry {
    const char *name;
    int map_count;
    const gb_plant_map *maps; /* [map_count] */
    int body_axis;            /* the axis of the bodies' own frames that flips sign; -1: none */
} gb_plant_symmetry;

typedef struct gb_plant_info {
    const char *name;    /* "pusht": the name in the registry */
    const char *summary; /* one sentence */
    const char *source;  /* who published the task; "" if it is genba's own */
    int64_t period_ns;   /* between two actions */
    int max_steps;       /* an episode is never longer */
    int observation_stream_count, action_stream_count;
    const gb_plant_stream *observation_streams, *action_streams;
    int observation_size, action_size; /* sums of the streams' sizes */
    const char *progress_name;         /* what progress measures: "coverage" */
    double success_above;              /* success is progress > success_above */
    int symmetry_count;
    const gb_plant_symmetry *symmetries;
    const gb_plant_geometry *geometry;
} gb_plant_info;

/* The description of the plant called `name`. Constant, lives as long as the process.
 * GB_ERR_NOT_FOUND lists the names there are. */
GB_API GB_MUST gb_status gb_plant_describe(const char *name, const gb_plant_info **out);
/* The description of plant `index` of the registry, NULL from the end on. */
GB_API const gb_plant_info *gb_plant_at(int index);
/* The stream called `name` and where its first number stands in the flat array; NULL: none. */
GB_API const gb_plant_stream *
gb_plant_observation_stream(const gb_plant_info *info, const char *name, int *out_offset);
GB_API const gb_plant_stream *
gb_plant_action_stream(const gb_plant_info *info, const char *name, int *out_offset);
/* Maps whole flat arrays by a symmetry of `info`; in place is not allowed. */
GB_API void gb_plant_mirror_observation(const gb_plant_info *info,
                                        const gb_plant_symmetry *symmetry,
                                        const double *observation,
                                        double *out);
GB_API void gb_plant_mirror_action(const gb_plant_info *info,
                                   const gb_plant_symmetry *symmetry,
                                   const double *action,
                                   double *out);

/* ---- a plant -------------------------------------------------------------------------------- */
typedef struct gb_plant gb_plant;

typedef struct gb_plant_options {
    int max_steps;     /* 1..the plant's own; 0: the plant's own */
    double stop_above; /* the episode ends when progress passes this; the default, NaN, means at
                        * success. Success itself is judged by the plant's own threshold. */
} gb_plant_options;

GB_API gb_plant_options gb_plant_options_defaults(void);

/* Creates the plant called `name`, reset to seed 0. options NULL: the defaults. */
GB_API GB_MUST gb_status gb_plant_create(const char *name,
                                         const gb_plant_options *options,
                                         gb_plant **out);
GB_API void gb_plant_destroy(gb_plant *plant); /* NULL is fine */
GB_API const gb_plant_info *gb_plant_get_info(const gb_plant *plant);

/* What is known after a reset or a step. */
typedef struct gb_plant_result {
    double progress;     /* how far the task is done, 0..1, in the plant's own measure */
    double reward;       /* what the published protocol pays for this step, 0..1 */
    double score;        /* the episode's score so far: its maximum reward */
    double max_progress; /* the highest progress so far */
    int steps;           /* actions taken since the reset */
    bool success;        /* progress has passed success_above at some step */
    bool done;           /* the episode is over; further steps change nothing */
} gb_plant_result;

/* Starts a new episode. The same seed gives the same bits, whatever happened before. A plant that
 * reproduces a published task uses that task's seeds.
 * observation: [observation_size], may be NULL. */
GB_API GB_MUST gb_status gb_plant_reset(gb_plant *plant, uint64_t seed, double *observation);
/* Starts a new episode at rest from a recorded observation ([observation_size], finite, near the
 * declared world). */
GB_API GB_MUST gb_status gb_plant_set_state(gb_plant *plant, const double *observation);
/* Applies one action ([action_size]) for one control period. observation [observation_size] and
 * result may be NULL. A number that is not finite is GB_ERR_NUMERIC and changes nothing; numbers
 * beyond the streams' limits saturate, as an actuator does. After `done` it returns the last
 * observation and result again.
 * genba allocates nothing here; the physics engine may grow its own pools at a first contact. */
GB_API GB_MUST gb_status gb_plant_step(gb_plant *plant,
                                       const double *action,
                                       double *observation,
                                       gb_plant_result *result);
/* The present observation, and the result of the last step. */
GB_API void gb_plant_observe(const gb_plant *plant, double *observation);
GB_API gb_plant_result gb_plant_get_result(const gb_plant *plant);
/* Progress and reward of any observation, recorded or imagined; needs no simulation. */
GB_API void gb_plant_measure(const gb_plant *plant,
                             const double *observation,
                             double *out_progress,
                             double *out_reward);

/* ---- snapshots, for planners ------------------------------------------------------------------
 * A snapshot is the episode's start and the actions since. Restoring runs them again, which is
 * exact to the bit also where an engine keeps hidden state (contact caches), and costs as much as
 * the steps did. A snapshot fits any plant of the same name and options, in this or another
 * process. */
GB_API size_t gb_plant_snapshot_bytes(const gb_plant *plant); /* constant for a plant */
GB_API GB_MUST gb_status gb_plant_save(const gb_plant *plant, void *snapshot, size_t bytes);
/* GB_ERR_MISMATCH or GB_ERR_CORRUPT when it is not a snapshot of such a plant; then nothing
 * changes. */
GB_API GB_MUST gb_status gb_plant_restore(gb_plant *plant, const void *snapshot, size_t bytes);

/* ---- drawing ----------------------------------------------------------------------------------
 */
typedef enum gb_plant_shape_kind {
    GB_PLANT_POLYGON, /* closed, may be concave */
    GB_PLANT_CIRCLE,  /* points[0] is the centre */
    GB_PLANT_LINE     /* an open run of points, `radius` is half its width */
} gb_plant_shape_kind;

#define GB_PLANT_SHAPE_POINTS 16
#define GB_PLANT_SHAPES_MAX 64

/* One primitive in world coordinates (for a plant in space: seen from where it looks best). y grows
 * downwards, as on a screen. */
typedef struct gb_plant_shape {
    gb_plant_shape_kind kind;
    const char *role; /* "goal", "block", "agent", "target", "wall", ...: styles are by role */
    int point_count;
    double points[GB_PLANT_SHAPE_POINTS][2];
    double radius;
} gb_plant_shape;

/* The picture of an observation, back to front. observation NULL: the present one; action NULL: no
 * target is drawn. Writes at most `capacity` shapes (GB_PLANT_SHAPES_MAX always suffices) and
 * returns how many. */
GB_API int gb_plant_draw(const gb_plant *plant,
                         const double *observation,
                         const double *action,
                         gb_plant_shape *shapes,
                         int capacity);

#ifdef __cplusplus
}
#endif
#endif
