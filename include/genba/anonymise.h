/* genba/anonymise.h: recordings that can leave: a policy says what becomes of every stream, column,
 * name, fact and attachment; a filter does it on the way from one sink to the next; a report says
 * what an attacker can still do and what it cost. Room: ingest, floor 2. See docs/trust.md.
 *
 * Everything secret comes from one key (store.h) that stays outside the data. Nothing here is
 * random: the same recording, policy and key give the same bytes.
 *
 * Policies are read-only and may be shared by threads; a filter belongs to one thread at a time. */
#ifndef GENBA_ANONYMISE_H
#define GENBA_ANONYMISE_H

#include "genba/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- policies (YAML) --------------------------------------------------------------------------
 */
typedef struct gb_anonymise_policy gb_anonymise_policy;

/* GB_ERR_PARSE and GB_ERR_SCHEMA name the line, and the nearest key when one is unknown. */
GB_API GB_MUST gb_status gb_anonymise_policy_load(const char *path, gb_anonymise_policy **out);
/* The same from memory; `origin` stands for the file in messages. */
GB_API GB_MUST gb_status gb_anonymise_policy_parse(const char *text,
                                                   size_t size,
                                                   const char *origin,
                                                   gb_anonymise_policy **out);
GB_API void gb_anonymise_policy_destroy(gb_anonymise_policy *policy); /* NULL is fine */
GB_API const char *gb_anonymise_policy_name(const gb_anonymise_policy *policy);
/* "NAME HASH": its name and the beginning of the hash of its text; what recordings carry. */
GB_API const char *gb_anonymise_policy_id(const gb_anonymise_policy *policy);

/* ---- filters ----------------------------------------------------------------------------------
 * Each is a sink that hands on to `next`, which is borrowed and must outlive it. */

/* Applies the policy. GB_ERR_SCHEMA: a stream that no rule names (and the policy says no default),
 * or a rule that cannot be applied to it; GB_ERR_REFUSED: a unit contributes more samples than its
 * noise was calibrated for, or the recording was anonymised before. */
GB_API GB_MUST gb_status gb_anonymise_create(const gb_anonymise_policy *policy,
                                             const gb_key *key,
                                             gb_sink *next,
                                             gb_sink **out);
/* Takes away what only hides with the key: rescaling and shifts in time. GB_ERR_REFUSED: made with
 * another key, or not anonymised at all. */
GB_API GB_MUST gb_status gb_anonymise_undo_create(const gb_key *key, gb_sink *next, gb_sink **out);
/* Changes pseudonyms (and what is sealed for undoing) from one key to another, without the original
 * values. Rescaling and time shifts stay as they are, undone with the new key. */
GB_API GB_MUST gb_status gb_anonymise_rotate_create(const gb_key *old_key,
                                                    const gb_key *new_key,
                                                    gb_sink *next,
                                                    gb_sink **out);
/* The name that a recording gets; *out_text is freed with free(). */
GB_API GB_MUST gb_status gb_anonymise_recording_name(const gb_anonymise_policy *policy,
                                                     const gb_key *key,
                                                     const char *name,
                                                     char **out_text);

/* ---- pseudonyms -------------------------------------------------------------------------------
 * 'p' and 43 letters of base64url: k * H(domain, text) in the group ristretto255, k from the key
 * (the double-hashed Diffie-Hellman function of Jarecki, Kiayias, Krawczyk 2014, evaluated by its
 * owner). As an HMAC it says nothing of the text without the key; unlike one it can be moved to
 * another key without the text. */
#define GB_PSEUDONYM_BYTES 45 /* the final 0 included */
GB_API GB_MUST gb_status gb_pseudonym(const gb_key *key,
                                      const char *domain,
                                      const void *text,
                                      size_t size,
                                      char out[GB_PSEUDONYM_BYTES]);
/* The pseudonym under new_key of what `pseudonym` is under old_key. GB_ERR_ARGUMENT: not one. */
GB_API GB_MUST gb_status gb_pseudonym_rotate(const gb_key *old_key,
                                             const gb_key *new_key,
                                             const char *pseudonym,
                                             char out[GB_PSEUDONYM_BYTES]);
#define GB_KEY_ID_BYTES 17
/* 16 hexadecimal digits that name a key without telling anything of it. */
GB_API void gb_key_id(const gb_key *key, char out[GB_KEY_ID_BYTES]);

/* ---- noise ------------------------------------------------------------------------------------
 * The analytic Gaussian mechanism (Balle & Wang 2018, "Improving the Gaussian mechanism for
 * differential privacy", theorem 8): with sensitivity D and noise sigma, mu = D / sigma, it is
 * (epsilon, delta)-private exactly when
 *     delta >= Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu).
 * Mechanisms on one unit compose exactly: mu = sqrt(sum of mu_i^2) (Dong, Roth, Su 2022). */
GB_API double gb_gaussian_delta(double epsilon, double mu);
GB_API double gb_gaussian_epsilon(double delta, double mu); /* the least; 0 when mu is 0 */
GB_API double gb_gaussian_sigma(double epsilon, double delta, double sensitivity);

/* What a filter spent of the privacy of one kind of unit, for the unit that gave most. */
typedef struct gb_privacy_spent {
    char unit[64];         /* "lot" */
    int64_t units;         /* different ones seen */
    int64_t releases;      /* noisy streams of that unit */
    double mu;             /* composed */
    double epsilon, delta; /* of all of them together, at the largest delta of the rules */
} gb_privacy_spent;

/* Of a filter made by gb_anonymise_create: out [room]; returns how many kinds of units there are.
 */
GB_API int gb_anonymise_spent(const gb_sink *filter, gb_privacy_spent *out, int room);

/* ---- report: what is left to find, and what it cost ------------------------------------------ */

/* Equivalence classes: rows that agree in every quasi-identifier. */
typedef struct gb_anonymity {
    int64_t rows, classes;
    int64_t unique; /* rows that are alone in their class */
    int64_t k;      /* rows of the smallest class; 0 rows: 0 */
    int64_t l;      /* fewest different sensitive values in a class; 0: none declared */
} gb_anonymity;

/* quasi [rows x columns], sensitive [rows] or NULL. (Sweeney 2002; Machanavajjhala et al. 2007,
 * distinct l-diversity) */
GB_API GB_MUST gb_status gb_anonymity_compute(const char *const *quasi,
                                              int64_t rows,
                                              int columns,
                                              const char *const *sensitive,
                                              gb_anonymity *out);

/* An attacker holds segments of original recordings and looks for the recording that each came
 * from among the released segments: the nearest in z-scored features of each column (mean, sigma,
 * least, greatest, lag-1 correlation, mean step), each side scored by its own statistics, so that
 * an affine map hides nothing. */
typedef struct gb_linkage {
    int64_t queries, hits, recordings;
    double rate;   /* hits / queries */
    double chance; /* of guessing the recording: 1 / recordings */
} gb_linkage;

/* released[i] is what became of original[i]: both [count]. Segments of `segment` samples;
 * held_out: the attacker's segments are not those released (every second one is). */
GB_API GB_MUST gb_status gb_linkage_attack(const gb_recording *const *original,
                                           const gb_recording *const *released,
                                           int64_t count,
                                           int64_t segment,
                                           bool held_out,
                                           gb_linkage *out);

/* A linear (ridge) forecaster of each column from its last 16 samples, 4 ahead; errors are RMSE in
 * units of the column's sigma over the last fifth of each recording, which training does not see.
 * A released column that never changes teaches nothing: its error is 1, that of the mean. */
typedef struct gb_forecast_cost {
    int64_t columns, columns_lost; /* compared; dropped or no longer numbers */
    int64_t windows;               /* tested, of all columns */
    double original;               /* trained and tested on originals */
    double released;               /* trained and tested on released data */
    double transferred;            /* trained on released data, tested on originals */
} gb_forecast_cost;

GB_API GB_MUST gb_status gb_forecast_cost_compute(const gb_recording *const *original,
                                                  const gb_recording *const *released,
                                                  int64_t count,
                                                  gb_forecast_cost *out);

#define GB_ANONYMISE_UNITS 16
typedef struct gb_anonymise_report {
    char policy[160], key[GB_KEY_ID_BYTES];
    int64_t recordings;
    int quasi_identifiers; /* declared; 0: the next line says nothing */
    gb_anonymity anonymity_before, anonymity_after;
    gb_linkage held_out_before, held_out_after; /* other segments of the same recordings */
    gb_linkage same_before, same_after;         /* the very segments: how unique traces are */
    gb_forecast_cost cost;
    int spent_count;
    gb_privacy_spent spent[GB_ANONYMISE_UNITS];
} gb_anonymise_report;

/* Compares a dataset with what the policy and key made of it; recordings are matched by name.
 * filter: the one that made it, for what it spent, or NULL. GB_ERR_NOT_FOUND: a recording of
 * `before` is missing in `after`. */
GB_API GB_MUST gb_status gb_anonymise_report_compute(const gb_anonymise_policy *policy,
                                                     const gb_key *key,
                                                     const gb_dataset *before,
                                                     const gb_dataset *after,
                                                     const gb_sink *filter,
                                                     gb_anonymise_report *out);
/* As JSON, a table of text, or one self-contained page, by the end of the file's name (".json",
 * ".html", else text). */
GB_API GB_MUST gb_status gb_anonymise_report_write(const gb_anonymise_report *report,
                                                   const char *path);
/* *out_text is freed with free(). */
GB_API GB_MUST gb_status gb_anonymise_report_text(const gb_anonymise_report *report,
                                                  char **out_text);
GB_API GB_MUST gb_status gb_anonymise_report_json(const gb_anonymise_report *report,
                                                  char **out_text);

/* ---- from store to store ----------------------------------------------------------------------
 * Each needs the use EXPORT of every recording that query (NULL: all) chooses; all of them are in
 * the new store at once, or none. Their order tells nothing: it is that of the new names.
 * GB_ERR_NOT_FOUND: none matches. */
GB_API GB_MUST gb_status gb_anonymise_store(const gb_anonymise_policy *policy,
                                            const gb_key *key,
                                            gb_store *from,
                                            const gb_store_query *query,
                                            gb_store *to,
                                            gb_anonymise_report *out_report, /* NULL: none */
                                            int64_t *out_count);
/* Takes away what only hides with the key; with new_key not NULL, rotates instead. */
GB_API GB_MUST gb_status gb_anonymise_store_undo(const gb_key *key,
                                                 const gb_key *new_key,
                                                 gb_store *from,
                                                 const gb_store_query *query,
                                                 gb_store *to,
                                                 int64_t *out_count);

#ifdef __cplusplus
}
#endif
#endif
