/* genba/policy.h: what the pilot asks: given the last observations, which actions come next? A
 * trained model, a nearest demonstration, a script. Room: control, floor 4.
 *
 * An *action* is what a policy answers, one for each period of the machine: flat arrays of doubles
 * in the units of the machine's streams, as in plant.h. */
#ifndef GENBA_POLICY_H
#define GENBA_POLICY_H

#include "genba/model.h"
#include "genba/plant.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- policies: what the pilot asks -------------------------------------------------------------
 */

/* What is left of the chunk under way, for a policy that continues it (real-time chunking; Black et
 * al. 2025, "Real-time execution of action chunking flow policies"). Rows are periods from the
 * newest observation on. */
typedef struct gb_policy_prefix {
    const double *actions; /* [count][action_size] what the present chunk would do next */
    int count;             /* 0: there is none; then decide() is meant */
    int frozen;            /* d: the first rows will have been executed before the answer is used;
                              the answer repeats them. 0..count */
    int soft; /* rows frozen .. soft are pulled towards, with falling weight; the rest is
                 free. frozen..count */
} gb_policy_prefix;

/* Decides what a machine does next. A policy has its own buffers: one thread at a time. */
typedef struct gb_policy {
    int look_back;    /* observations decide() reads */
    int horizon;      /* actions decide() writes */
    int execute;      /* of them carried out before the next decision, 1..horizon */
    gb_dtype compute; /* what it computes in: GB_F32 (0), or GB_BF16 */
    void *context;
    /* observations [look_back x observation_size], one a period, oldest first (before the start of
     * an episode its first observation repeats); actions [horizon x action_size]. Pure: the same
     * arguments give the same bits. Allocates nothing. */
    gb_status (*decide)(
        void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions);
    /* The same, continuing a chunk; NULL: the policy cannot. */
    gb_status (*decide_after)(void *context,
                              const double *observations,
                              uint64_t seed,
                              uint64_t tick,
                              const gb_policy_prefix *prefix,
                              double *actions);
    /* Brings what decide() reads into the caches, shortly before it is asked; changes no answer.
     * May be NULL. Allocates nothing. */
    void (*warm)(void *context);
    void (*destroy)(void *context); /* may be NULL */
} gb_policy;

/* Makes one policy; called once for each thread. */
typedef gb_status (*gb_policy_make_fn)(const void *context,
                                       const gb_plant_info *plant,
                                       gb_policy *out);

/* context: a const gb_model * with a flow head whose streams are the machine's; must outlive the
 * policy. GB_ERR_MISMATCH names the stream that does not fit. */
GB_API GB_MUST gb_status gb_policy_make_model(const void *context,
                                              const gb_plant_info *plant,
                                              gb_policy *out);
/* The same with the weights kept in bf16 (gb_session_options.compute): half the memory traffic of a
 * decision, other bits in its answer. */
GB_API GB_MUST gb_status gb_policy_make_model_bf16(const void *context,
                                                   const gb_plant_info *plant,
                                                   gb_policy *out);
/* The one of the two that computes in it; NULL: neither does. */
GB_API gb_policy_make_fn gb_policy_model_maker(gb_dtype compute);
GB_API void gb_policy_destroy(gb_policy *policy); /* a zeroed one is fine */

/* Precisions as recipes, options and recordings spell them: "f32", "bf16". NULL: no precision to
 * compute in. */
GB_API const char *gb_precision_name(gb_dtype compute);
/* GB_ERR_ARGUMENT names the words there are. */
GB_API GB_MUST gb_status gb_precision_parse(const char *text, gb_dtype *out);

#ifdef __cplusplus
}
#endif
#endif
