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
    const char *follows; /* actions: the observation stream that, given as a command, keeps the
                          * machine still; NULL: 0 does */
    bool hold;           /* actions: a setpoint stays until the next one, as the task was recorded;
                          * false: it is the end of a straight line from the one before */
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
    int64_t tick_ns;     /* between two commands of a servo; divides period_ns */
    int max_steps;       /* an episode is never longer */
    int observation_stream_count, action_stream_count;
    const gb_plant_stream *observation_streams, *action_streams;
    int observation_size, action_size; /* sums of the streams' sizes */
    const char *progress_name;         /* what progress measures: "coverage" */
    double success_above;              /* success is progress > success_above */
    int symmetry_count;
    const gb_plant_symmetry *symmetries;
    const gb_plant_geometry *geometry; /* NULL: no bodies whose poses are observed */
    const char *instruction;           /* what is asked of it, in words: "lift the object" */
    const char *const *cameras;        /* [camera_count] names for gb_plant_render */
    int camera_count;
    bool has_teacher; /* gb_plant_teach answers */
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
    bool failed;         /* something happened that must not: the object fell, a person was hit */
    const char *verdict; /* why it failed, in a word or two ("crushed"); "" it has not */
    bool done;           /* the episode is over (failures end it); further steps change nothing */
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
/* The same for one tick of tick_ns, as a servo commands it: a step is period_ns / tick_ns ticks
 * whose commands are gb_plant_setpoint on the way from the command before to the action (the first
 * action of an episode holds). observation NULL: not read. The result counts a step whenever a
 * period is full; progress and failures are judged then, too. */
GB_API GB_MUST gb_status gb_plant_tick(gb_plant *plant,
                                       const double *action,
                                       double *observation,
                                       gb_plant_result *result);
/* The setpoint when `part` (0..1] of a period has passed on the way from one action to the next,
 * each [action_size]: `to` itself for streams that hold, else a point of the straight line. */
GB_API void gb_plant_setpoint(
    const gb_plant_info *info, const double *from, const double *to, double part, double *out);
/* What the plant's teacher, a planner or a script with whatever insight it has, does next:
 * action [action_size]. Call it once for each step, before it; a teacher may remember.
 * GB_ERR_UNSUPPORTED: the plant has none. */
GB_API GB_MUST gb_status gb_plant_teach(gb_plant *plant, double *action);
/* The present observation (of the last reset, step or tick), and the result of the last step. */
GB_API void gb_plant_observe(const gb_plant *plant, double *observation);
GB_API gb_plant_result gb_plant_get_result(const gb_plant *plant);
/* Progress and reward of any observation, recorded or imagined; needs no simulation. Both NaN when
 * the plant judges by more than it observes (true poses, contact forces). */
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
#define GB_PLANT_SHAPES_MAX 128

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

/* The picture that camera number `camera` sees now: rgb [height][width][3], rows from the top;
 * width and height 16..1024. GB_ERR_UNSUPPORTED: no such camera, or this build renders nothing
 * (OSMesa). Slow (about 12 ms for 128 x 128); one thread for each plant. */
GB_API GB_MUST gb_status
gb_plant_render(gb_plant *plant, int camera, int width, int height, unsigned char *rgb);

/* ---- demonstrations ---------------------------------------------------------------------------
 */
struct gb_sink;
struct gb_store;
typedef struct gb_demonstrate_options {
    const char *plant;
    int episodes;        /* that are kept */
    uint64_t first_seed; /* episode i starts from first_seed + i; failures use up seeds too */
    bool keep_failures;  /* default: only episodes in which the teacher succeeded are kept */
    double
        action_noise; /* standard deviation of noise on what is done, as a part of the action's
                         range, never on what is recorded (Laskey et al. 2017, DART); default 0 */
    int camera;       /* whose pictures are kept */
    int picture_size; /* a picture each step, this many pixels square; 0: none */
    void (*progress)(void *context, const char *what, double fraction); /* may be NULL */
    void *progress_context;
    const volatile int *stop; /* not 0: stop after this episode; may be NULL */
} gb_demonstrate_options;

typedef struct gb_demonstrate_counts {
    int64_t tried, kept, succeeded, steps;
    double simulated_s, wall_s;
} gb_demonstrate_counts;

/* 100 episodes from seed 0, successes only, without noise and pictures. */
GB_API gb_demonstrate_options gb_demonstrate_options_defaults(void);
/* Whether that can be done at all; gb_plant_demonstrate asks it too. */
GB_API GB_MUST gb_status gb_plant_demonstrate_check(const gb_demonstrate_options *options);
/* Lets the plant's teacher work and hands each kept episode to `sink` as one recording: all
 * observation streams, the actions, the camera's pictures, instruction and outcome. Sample i of
 * actions is what was done from observation i on. */
GB_API GB_MUST gb_status gb_plant_demonstrate(const gb_demonstrate_options *options,
                                              struct gb_sink *sink,
                                              gb_demonstrate_counts *out);
/* The same into a store, every few seconds' worth put into its catalogue at once. Seeds that an
 * earlier call brought must not come again: recordings are called PLANT/SEED. */
GB_API GB_MUST gb_status gb_plant_demonstrate_into_store(const gb_demonstrate_options *options,
                                                         struct gb_store *store,
                                                         gb_demonstrate_counts *out);

#ifdef __cplusplus
}
#endif
#endif
